"""Commands of ntire-bench in processes of their own, timed from their start to their end."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu_parts.budget import Budget, OutOfTimeError
from gpu_parts.sessions import FailedError
from ntire_bench.records import store
from ntire_bench.records.record import Record

__all__ = ["ROOT", "Commands", "naive", "write_checkout"]

ROOT = Path(__file__).resolve().parents[2]
_END_S = 10.0  # that a command has to end its workers in
_SUBMISSIONS = ["--models", str(ROOT / "models"), "--model-zoo", str(ROOT / "model_zoo")]

_CHECKOUT = """\
import os

import torch


def select_model(args, device):
    model_id = args.model_id
    {branches}else:
        raise NotImplementedError(f"Model {{model_id}} is not implemented.")
    model.eval()
    tile = None
    model = model.to(device)
    return model, name, data_range, tile


def forward(img_lq, model, tile=None, tile_overlap=8, scale=4):
    output = model(img_lq)
    return output


def run(model, model_name, data_range, tile, logger, device, args, mode="test"):
    for img_lr, img_hr in select_dataset(args.data_dir, mode):
        img_lr = util.uint2tensor4(util.imread_uint(img_lr, n_channels=3), data_range)
        img_lr = img_lr.to(device)
        img_sr = forward(img_lr, model, tile)
        img_sr = util.tensor2uint(img_sr, data_range)
"""
_BRANCH = """\
if model_id == {id}:
        from models.{stem} import {name}
        name, data_range = f"{{model_id:02}}_{title}", {white}
        model_path = os.path.join('model_zoo', '{stem}.pth')
        model = {name}()
        model.load_state_dict(torch.load(model_path), strict=True)
    """
_BRANCHES = (("RLFN", 0, 255.0), ("SPAN", 38, 1.0), ("ESPAN", 36, 1.0), ("EFDN", 40, 1.0))


@dataclasses.dataclass(frozen=True)
class Commands:
    """Runs commands with a cache and results of their own.

    Attributes:
        work: Folder that all of it goes to.
        device: As `--device` takes it.
        isolation: As `--isolation` takes it.
        budget: When to stop.
    """

    work: Path
    device: str
    isolation: str
    budget: Budget

    def timed(self, *arguments: str) -> tuple[float, str]:
        """Run a command to its end.

        Args:
            arguments: Of ntire-bench.

        Returns:
            Seconds from its start to its end, and its standard output.

        Raises:
            OutOfTimeError: The time is up; the command was ended.
            FailedError: It failed.
        """
        environment = dict(os.environ) | {"NTIRE_BENCH_CACHE": str(self.work / "cache")}
        environment.pop("NTIRE_BENCH_PIXEL_CACHE", None)  # its default bound
        paths = [str(ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        return _run([sys.executable, "-m", "ntire_bench", *arguments], self.work, environment, self.budget)

    def run(
        self, name: str, data: Path, *arguments: str, checkout: Path | None = None
    ) -> tuple[float, list[Record]]:
        """Have submissions evaluated by `ntire-bench run`.

        Args:
            name: Of the results folder.
            data: Folder of the images.
            arguments: Ids and further options.
            checkout: A challenge's checkout in place of models/.

        Returns:
            Seconds from its start to its end, and the records in the order they were made.
        """
        results = self.work / "results" / name
        where = _SUBMISSIONS if checkout is None else ["--challenge-root", str(checkout)]
        words = [*arguments, *where, "--data-dir", str(data), "--results", str(results)]
        words += ["--device", self.device, "--isolation", self.isolation]
        try:
            seconds, _ = self.timed("run", *words)
        except FailedError as failure:
            for path in record_files(results):  # the first error says more than the end of the output
                record = store.load(path)
                if record.error is not None:
                    raise FailedError(f"{record.submission.label}: {record.error.message}") from failure
            raise
        return seconds, [store.load(path) for path in record_files(results)]


def record_files(results: Path) -> list[Path]:
    """Return the records in a results folder, in the order they were written."""
    return sorted(results.rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)


def naive(file: Path, checkpoint: Path, data: Path, options: Sequence[str], budget: Budget) -> Any:  # noqa: ANN401
    """Run the naive loop over pairs; return what it prints (see naive.py)."""
    command = [sys.executable, str(ROOT / "benchmarks" / "naive.py"), str(file), str(checkpoint), str(data)]
    _, out = _run([*command, *options], ROOT, dict(os.environ), budget)
    return json.loads(out)


def _run(
    command: Sequence[str], folder: Path, environment: dict[str, str], budget: Budget
) -> tuple[float, str]:
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, said = process.communicate(timeout=max(1.0, budget.left_s))
    except BaseException as error:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_END_S)
        process.kill()
        if isinstance(error, subprocess.TimeoutExpired):
            raise OutOfTimeError(
                f"stopped after {time.perf_counter() - begin:.0f} s, the time is up"
            ) from None
        raise
    seconds = time.perf_counter() - begin
    if process.returncode:
        told = (said.strip().splitlines() or ["nothing on standard error"])[-1]
        raise FailedError(f"exit status {process.returncode}: {told}")
    return seconds, out


def write_checkout(folder: Path) -> list[int]:
    """Write a checkout as a challenge's is, with a branch for each of a few shipped networks.

    Returns:
        The ids of its branches, the baseline's first.
    """
    branches = []
    for name, id_, white in _BRANCHES:
        stem = f"team{id_:02d}_{name}"
        for kind, suffix in (("models", ".py"), ("model_zoo", ".pth")):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / kind / f"{stem}{suffix}", folder / kind)
        title = "RLFN_baseline" if id_ == 0 else name
        branches.append(_BRANCH.format(id=id_, stem=stem, name=name, title=title, white=white))
    text = _CHECKOUT.format(branches="el".join(branches))
    (folder / "test_demo.py").write_text(text, encoding="utf-8")
    return [id_ for _, id_, _ in _BRANCHES]
