"""A Slurm cluster of two nodes on this machine alone: Debian's slurm-wlm and munge, started by a test."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "squeue", "scontrol", "sbatch", "srun", "scancel", "sinfo")
NODES = ("n1", "n2")


def missing() -> str:
    """Return what the cluster lacks here; empty for nothing."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    return (
        f"Slurm is not installed ({', '.join(lacking)}): apt-get install slurm-wlm munge" if lacking else ""
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        folder: All of its files.
        environment: In which Slurm's commands speak to it.
        daemons: Its processes by name.
    """

    folder: Path
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ask(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start_node(self, node: str) -> None:
        self.start(node, "slurmd", "-D", "-N", node, "-f", str(self.folder / "slurm.conf"))

    def kill_node(self, node: str) -> None:
        """Have a node vanish: its daemon and all that it has started are killed at once."""
        # By the spool folder, which is in the command line of what a node's daemon starts, and by descent.
        family = _family(self.daemons[node].pid) | _steps_of(self.folder, node)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.daemons.pop(node).wait()

    def jobs(self) -> dict[str, tuple[str, str]]:
        """Return the state and the node of each job."""
        told = self.ask("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%N")
        rows = (line.strip().split("|") for line in told.splitlines())
        return {row[0]: (row[1], row[2]) for row in rows}


def _family(pid: int) -> set[int]:
    from ntire_bench.machine import processes

    return processes.family([pid])


def _steps_of(folder: Path, node: str) -> set[int]:
    """Return the processes of jobs on a node: slurmstepd leaves its daemon's family."""
    from ntire_bench.machine import processes

    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (entry / "environ").read_bytes()
            if f"SLURMD_NODENAME={node}".encode() in text and str(folder).encode() in text:
                found.add(int(entry.name))
    return processes.family(found)


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster, wait until its nodes are idle, and end it.

    Args:
        folder: An empty one, with a short path: sockets lie in it.
    """
    controller, *ports = _free_ports(1 + len(NODES))
    user = getpass.getuser()
    for name in ("state", *(f"spool_{node}" for node in NODES)):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    munge = folder / "munge.socket"
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} CPUs=1 "
        "RealMemory=1000 Gres=gpu:toy:1"
        for node, port in zip(NODES, ports, strict=True)
    )
    (folder / "slurm.conf").write_text(
        f"""\
ClusterName=test
SlurmctldHost={socket.gethostname()}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={munge},cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd_%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1
GresTypes=gpu
JobRequeue=1
SlurmdTimeout=5
SlurmctldTimeout=5
KillWait=10
ReturnToService=2
MinJobAge=600
SwitchType=switch/none
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
    )
    (folder / "gres.conf").write_text(
        "\n".join(f"NodeName={node} Name=gpu Type=toy File=/dev/null" for node in NODES) + "\n"
    )
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    environment = {
        **os.environ,
        "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        "SLURM_CONF": str(folder / "slurm.conf"),
    }
    made = Cluster(folder, environment)
    try:
        made.start(
            "munged",
            *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}"),
            *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"),
            f"--seed-file={folder}/munged.seed",
        )
        _wait(made, lambda: munge.exists(), "munge's socket")
        made.start("slurmctld", "slurmctld", "-D", "-f", str(folder / "slurm.conf"))
        for node in NODES:
            made.start_node(node)
        _wait(made, lambda: _idle(made) == len(NODES), "idle nodes")
        yield made
    finally:
        with contextlib.suppress(AssertionError, subprocess.SubprocessError):
            made.ask("scancel", f"--user={user}", check=False)
        for name in [node for node in NODES if node in made.daemons]:
            made.kill_node(name)
        for daemon in made.daemons.values():
            daemon.terminate()
        for daemon in made.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _idle(made: Cluster) -> int:
    return made.ask("sinfo", "--noheader", "-N", "-o", "%T", check=False).split().count("idle")


def _wait(made: Cluster, is_so, what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        ended = {name: one.returncode for name, one in made.daemons.items() if one.poll() is not None}
        logs = {path.name: path.read_text()[-1500:] for path in made.folder.glob("*.log")}
        assert not ended, (ended, logs)
        assert time.monotonic() < deadline, (what, logs)
        time.sleep(0.2)
