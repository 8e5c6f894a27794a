"""What gpu.py measures, part by part; each gives rows, and says what it leaves out."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from estimators import calls_of, figures_of

from gpu_parts import arms, commands, pairs, sessions
from gpu_parts.budget import Budget, OutOfTimeError
from gpu_parts.report import Row
from gpu_parts.scale import Scale
from ntire_bench.data.dataset import load_splits
from ntire_bench.protocols import protocol
from ntire_bench.records import store
from ntire_bench.records.record import Record
from ntire_bench.submissions import models_folder

__all__ = ["PARTS", "Measurements"]

_BASELINE, _TEAM, _OTHER = 0, 38, 36
_TIMES = ("prepare", "first", "third", "half-width-0.5", "half-width-0.25", "branch")
PARTS = {
    "times": _TIMES,
    "networks": ("networks",),
    "arms": tuple(arms.ARMS),
    "invocations": ("invocations",),
    "naive": ("naive",),
}
"""The names of all measurements, by part."""


class Measurements:
    """Makes the measurements that are wanted, in order, as long as there is time.

    Args:
        scale: How much.
        wanted: Names out of `PARTS`.
        work: An empty folder.
        device: As `--device` takes it.
        isolation: As `--isolation` takes it.
        budget: The time that there is.

    Attributes:
        rows: What came out so far.
        record: One that was made, for what it says of the machine; None as long as there is none.
        failed: Whether a measurement could not be made for another reason than time.
    """

    def __init__(
        self, scale: Scale, wanted: set[str], work: Path, device: str, isolation: str, budget: Budget
    ) -> None:
        self.rows: list[Row] = []
        self.record: Record | None = None
        self.failed = False
        self._no_images: str | None = None  # why not, if there are none
        self._scale, self._wanted, self._work = scale, wanted, work
        self._device, self._isolation, self._budget = device, isolation, budget
        self._commands = commands.Commands(work, device, isolation, budget)
        self._catalogue = models_folder.find(commands.ROOT / "models", commands.ROOT / "model_zoo")
        self._all, self._some, self._small = (work / name for name in ("all", "some", "small"))

    def make(self) -> None:
        """Make all measurements that are wanted."""
        os.environ["NTIRE_BENCH_CACHE"] = str(self._work / "cache")
        os.environ.pop("NTIRE_BENCH_PIXEL_CACHE", None)
        self._images()
        ids = tuple(map(str, self._scale.ids))
        ssim = ("--rounds", "1", "--ssim")
        count = self._scale.pairs
        what = f"first team beside the baseline, {count} pairs, empty cache"
        self._time("first", what, 12.0, self._all, str(_TEAM), *ssim)
        what = f"a further team, {count} pairs, full cache"
        self._time("third", what, 8.0, self._all, str(_OTHER), *ssim)
        self._do("networks", "networks", f"{len(ids)} networks", 4, partial(self._networks, *ids, *ssim))
        last_s = self._scale.expected_s
        for name, arm in arms.ARMS.items():
            last_s = self._do("arms", name, arm.what, 1, partial(self._arm, name, arm), last_s) or last_s
        self._do("invocations", "invocations", "estimators", 2, self._invocations)
        for name, precision, goal_s in (("half-width-0.5", 0.005, 20.0), ("half-width-0.25", 0.0025, 40.0)):
            what = f"{self._scale.some} pairs to a half-width of {precision:.2%}"
            limits = ("--precision", str(precision), "--max-time", str(self._scale.max_time_s))
            self._time(name, what, goal_s, self._some, str(_TEAM), *limits)
        what = f"a further branch of a checkout, {len(self._scale.small)} small images"
        self._do("times", "branch", what, 2, partial(self._branch, what), goal_s=2.0)
        self._do("naive", "naive", "the naive loop", 2, self._naive)

    def _tell(self, text: str) -> None:
        click.echo(f"[{self._budget.spent_s:4.0f} s] {text}", err=True)

    def _do(
        self,
        part: str,
        name: str,
        what: str,
        size: float,
        job: Callable[[], list[Row]],
        expected_s: float | None = None,
        goal_s: float | None = None,
        *,
        always: bool = False,
    ) -> float | None:
        """Make a measurement if it is wanted and there is time for it; return the seconds it took.

        None where it was not made.
        """
        if name not in self._wanted and not always:
            return None
        expected_s = size * self._scale.expected_s if expected_s is None else expected_s
        left_out = self._no_images or self._budget.refuses(expected_s)
        begin = time.monotonic()
        if left_out is None:
            self._tell(f"{part}: {what}")
            try:
                self.rows += [dataclasses.replace(row, name=name) for row in job()]
            except OutOfTimeError as why:
                left_out = str(why)
            except sessions.FailedError as why:
                left_out, self.failed = f"failed: {why}", True
        if left_out is not None:
            self._tell(f"{part}: {what}: left out, {left_out}")
            self.rows.append(Row(part=part, name=name, what=what, goal_s=goal_s, left_out=left_out))
            return None
        return time.monotonic() - begin

    def _images(self) -> None:
        """Write the image pairs."""
        scale = self._scale
        count = scale.pairs if self._wanted & {"prepare", "first", "third"} else scale.some
        sizes = [(scale.heights[number % len(scale.heights)], scale.width) for number in range(count)]
        hr, small = (folder / f"{pairs.NAME}_HR" for folder in (self._all, self._small))
        self._tell(f"images: {count} pairs")
        pairs.write_hr(hr, sizes)
        pairs.write_hr(small, list(scale.small))
        what = f"prepare: LR images of {count} HR images"

        def prepare() -> list[Row]:
            seconds, _ = self._commands.timed("prepare", str(hr))
            self._commands.timed("prepare", str(small))
            pairs.link(self._all, self._some, scale.some)
            return [Row(part="times", what=what, seconds=seconds, goal_s=6.0)]

        self._do("times", "prepare", what, 1, prepare, goal_s=6.0, always=True)
        if not self._some.exists():
            self._no_images = "there are no images"

    def _time(self, name: str, what: str, goal_s: float, data: Path, *arguments: str) -> None:
        def measured() -> list[Row]:
            seconds, (record,) = self._commands.run(name, data, *arguments)
            row = Row(part="times", what=what, seconds=seconds, goal_s=goal_s, said=_precision(record))
            return [self._row(row, record)]

        self._do("times", name, what, 2, measured, goal_s=goal_s)

    def _row(self, row: Row, record: Record) -> Row:
        """Return a row with a record's figures and what the record holds against them."""
        if record.error is not None:
            raise sessions.FailedError(f"{record.error.phase}: {record.error.message}")
        self.record = self.record or record
        said = "; ".join(filter(None, (row.said, sessions.findings(record))))
        return sessions.figures(dataclasses.replace(row, said=said), record)

    def _networks(self, *arguments: str) -> list[Row]:
        seconds, records = self._commands.run("networks", self._some, *arguments)
        rows = []
        for record in records:
            psnr = record.splits["valid"].psnr_rgb_db if record.splits else None
            said = "" if psnr is None else f"{psnr:.2f} dB"
            label, took_s = record.submission.label, record.wall_s["total"]
            rows.append(self._row(Row(part="networks", what=label, seconds=took_s, said=said), record))
        what = f"all {len(records)}, {self._scale.some} pairs"
        rows.append(Row(part="networks", what=what, seconds=seconds))
        return rows

    def _session(self, threads: int | None = None) -> tuple[Record, float]:
        rules = protocol.load()
        (split,) = load_splits(["valid"], self._some, scale=rules.scale, border=rules.border)
        setting = sessions.Setting(
            team=self._catalogue.get(_TEAM),
            baseline=self._catalogue.get(_BASELINE),
            split=sessions.of_two_sizes(split, self._scale.session_pairs),
            rules=rules,
            device=self._device,
            isolation=self._isolation,
            rounds=self._scale.session_rounds,
        )
        begin = time.monotonic()
        record = sessions.session(setting, self._budget.check, threads)
        return record, time.monotonic() - begin

    def _arm(self, name: str, arm: arms.Arm) -> list[Row]:
        with arms.one_launch(), arm.patch():
            record, seconds = self._session(arm.threads() if arm.threads else None)
        store.save(record, self._work / "results" / "arms" / name)
        return [self._row(Row(part="arms", what=arm.what, seconds=seconds, said=_causes(record)), record)]

    def _invocations(self) -> list[Row]:
        results, begin, wanted = [], time.monotonic(), self._scale.invocations
        last_s, why = 0.0, None
        for number in range(wanted):
            why = self._budget.refuses(last_s)
            if why is None:
                self._tell(f"invocations: {number + 1} of {wanted}")
                try:
                    record, last_s = self._session()
                except OutOfTimeError as late:
                    why = str(late)
            if why is not None:
                break
            results.append(record)
            store.save(record, self._work / "results" / "invocations")
        seconds = time.monotonic() - begin
        if len(results) < 2:
            raise OutOfTimeError(f"{len(results)} of {wanted} invocations made; {why}")
        calls = [known for record in results if (known := calls_of(record)) is not None]
        said = f"{len(results)} of {wanted} invocations" + (f": {why}" if why else "")
        rows = [
            Row(part="invocations", what=name, ratio=found.mean, cv=found.cv, bias=found.bias, said=said)
            for name, found in figures_of(calls).items()
        ]
        rows[0] = dataclasses.replace(rows[0], seconds=seconds)
        return rows

    def _branch(self, what: str) -> list[Row]:
        checkout = self._work / "checkout"
        ids = commands.write_checkout(checkout)
        words = (*map(str, ids), "--rounds", "1")
        _, records = self._commands.run("branch", self._small, *words, checkout=checkout)
        files = commands.record_files(self._work / "results" / "branch")
        ends = [path.stat().st_mtime_ns / 1e9 for path in files]
        each_s = (ends[-1] - ends[0]) / (len(ends) - 1)
        said = f"mean of the {len(ends) - 1} after the first"
        row = Row(part="times", what=what, seconds=each_s, goal_s=2.0, said=said)
        return [self._row(row, records[-1])]

    def _naive(self) -> list[Row]:
        rows, first = [], None
        for id_ in (_BASELINE, _TEAM):
            item = self._catalogue.get(id_)
            if item.checkpoint is None:
                raise sessions.FailedError(f"model_zoo/ holds no checkpoint of {item.label}")
            options = ["--split", pairs.NAME, "--device", self._device, "--pairs", str(self._scale.some)]
            found = commands.naive(item.file, item.checkpoint, self._some, options, self._budget)
            mean = found["mean_ms"]
            first = first or mean
            said = f"mean {mean:.2f} ms, first {found['first_ms']:.1f} ms; the ratio is of means"
            row = Row(part="naive", what=item.label, runtime_ms=found["median_ms"], said=said)
            rows.append(dataclasses.replace(row, ratio=mean / first, seconds=found["wall_s"]))
        return rows


def _precision(record: Record) -> str:
    """Return what a run to a precision has reached, in words; empty for one of a given number of rounds."""
    timing = record.timing
    if timing is None or timing.half_width is None:
        return ""
    launches = len(timing.launches)
    return f"±{timing.half_width:.2%} after {record.rounds} rounds in {launches} launches ({timing.stopped})"


def _causes(record: Record) -> str:
    """Return the causes of a record's slow calls, both sides' together, and how exact images differ."""
    if record.timing is None:
        return ""
    counts = dict(record.timing.slow_calls)
    for cause, count in record.timing.baseline_slow_calls.items():
        counts[cause] = counts.get(cause, 0) + count
    told = [f"{cause}: {count}" for cause, count in sorted(counts.items())]
    if record.timing.exact_over_composed is not None:
        told.append(f"exact over composed {record.timing.exact_over_composed:.3f}")
    return ", ".join(told)
