"""The engine of a Slurm cluster, by submitit: one job of an array for each evaluation."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from ntire_bench.errors import UsageError
from ntire_bench.fleet.engine import Seen
from ntire_bench.fleet.job import Job
from ntire_bench.fleet.settings import SlurmSettings

__all__ = ["Command", "Slurm"]

_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"}
_RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT"}
_ASK_S = 60.0
# Slurm warns of a time limit or preemption by SIGUSR2, which is for submitit alone: what it runs ignores it.
_QUIET = """
import os, signal, sys
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a job does: it runs one command. Only these texts travel, in submitit's file.

    Attributes:
        words: The command.
        log: Path of its output without a suffix.
    """

    words: tuple[str, ...]
    log: str

    def __call__(self) -> int:
        """Run it, and return its exit status. A SIGTERM is passed on, so that what is done is kept."""
        words = [sys.executable, "-c", _QUIET, *self.words]
        with open(f"{self.log}.out", "wb") as out, open(f"{self.log}.err", "wb") as err:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )

            def pass_on(number: int, frame: FrameType | None) -> None:
                process.terminate()

            signal.signal(signal.SIGTERM, pass_on)
            try:
                return process.wait()
            finally:  # submitit leaves by an exception when it has the job queued again
                if process.poll() is None:
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_ASK_S)

    def checkpoint(self) -> Any:  # noqa: ANN401 - submitit's
        """Return what is to run when the job is queued again: the same, as --resume goes on."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass
class Slurm:
    """Has Slurm run one command per job.

    Attributes:
        settings: Of the jobs.
        folder: For submitit's files, on a disk that all nodes share.
        jobs: At most so many of an array at the same time; None for as many as Slurm starts.
    """

    settings: SlurmSettings
    folder: Path
    jobs: int | None = None
    name: str = "slurm"
    _left_out: list[str] = field(default_factory=list)

    @property
    def look_s(self) -> float:
        """How long to wait between two looks [s]."""
        return self.settings.look_s

    def __post_init__(self) -> None:
        """Refuse to go on without submitit or Slurm."""
        for program in ("sbatch", "squeue", "scancel", "srun"):
            if shutil.which(program) is None:
                raise UsageError(
                    f"{program} is not on this machine's PATH",
                    remedy="run it where Slurm's commands are, or take --engine local",
                )
        try:
            import submitit  # noqa: F401
        except ImportError:
            raise UsageError(
                "--engine slurm needs submitit", remedy="install it: pip install 'ntire-bench[slurm]'"
            ) from None

    def free(self) -> None:
        """Return that Slurm queues any number."""
        return

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Submit an array; see `Engine.submit`."""
        import submitit

        executor = submitit.SlurmExecutor(self.folder, max_num_timeout=self.settings.timeouts)
        executor.update_parameters(**self._parameters())
        commands = [Command(words=job.words, log=str(job.log)) for job in jobs]
        try:
            with executor.batch():
                asked = [executor.submit(command) for command in commands]
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
            raise UsageError(
                "Slurm refuses the jobs",
                found=" ".join(str(error).split()),
                remedy="correct --engine-option or [slurm] of the fleet file: partition, account, gres, time",
            ) from None
        return [str(job.job_id) for job in asked]

    def look(self, handles: Sequence[str]) -> Mapping[str, Seen] | None:
        """Return how jobs are, as squeue tells; see `Engine.look`."""
        arrays = sorted({handle.partition("_")[0] for handle in handles})
        words = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%N"]
        done = _ask([*words, f"--jobs={','.join(arrays)}"])
        if done is None or (done.returncode and "Invalid job id" not in done.stderr):
            return None
        told = {}
        for line in done.stdout.splitlines():
            handle, _, rest = line.strip().partition("|")
            told[handle] = _seen(*rest.partition("|")[::2])
        return {handle: told[handle] for handle in handles if handle in told}

    def cancel(self, handles: Sequence[str]) -> None:
        """Have Slurm cancel jobs: what is done they keep."""
        if handles:
            _ask(["scancel", *handles])

    def leave_out(self, nodes: Sequence[str]) -> None:
        """Submit with --exclude from now on."""
        self._left_out = list(nodes)

    def how_to_cancel(self, handles: Sequence[str]) -> str:
        """Return the command with which a user cancels jobs."""
        return "scancel " + " ".join(sorted({handle.partition("_")[0] for handle in handles}))

    def _parameters(self) -> dict[str, Any]:
        own = self.settings
        excluded = [*filter(None, (own.exclude or "").split(",")), *self._left_out]
        known: dict[str, Any] = {
            key: getattr(own, key)
            for key in ("partition", "account", "qos", "gres", "constraint", "mem", "nodelist")
            if getattr(own, key) is not None
        }
        known["cpus_per_task"] = own.cpus_per_task
        known["time"] = own.time
        if own.exclusive:
            known["exclusive"] = True
        if excluded:
            known["exclude"] = ",".join(dict.fromkeys(excluded))
        if own.setup:
            known["setup"] = list(own.setup)
        if self.jobs is not None:
            known["array_parallelism"] = self.jobs
        return {
            **known,
            "job_name": "ntire-bench",
            "nodes": 1,
            "ntasks_per_node": 1,
            "signal_delay_s": own.warn_s,
            "additional_parameters": {"requeue": True, **own.sbatch},
        }


def _seen(state: str, node: str) -> Seen:
    """Return a job's state of Slurm as this program has it.

    >>> _seen("NODE_FAIL", "n1"), _seen("REQUEUED", "").state
    (Seen(state='over', node='n1', reason='NODE_FAIL'), 'waiting')
    """
    if state in _WAITING:
        return Seen(state="waiting", reason=state)
    return Seen(state="running" if state in _RUNNING else "over", node=node, reason=state)


def _ask(words: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    """Ask Slurm something; None where its controller does not answer in time."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SQUEUE_")}
    try:
        return subprocess.run(
            words, capture_output=True, text=True, timeout=_ASK_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return None
