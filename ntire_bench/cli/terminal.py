"""All that a person sees on a terminal: lines, progress bars, tables. Colour only on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ntire_bench.errors import NtireBenchError
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ntire_bench.ranking.gate import Gate
    from ntire_bench.records.record import Isolation, Record, Timing
    from ntire_bench.submissions.branch import Branch
    from ntire_bench.submissions.submission import Catalogue, Submission
    from ntire_bench.workflows.check import Check

__all__ = [
    "catalogue_lines",
    "check_lines",
    "err",
    "gate_lines",
    "out",
    "progress_bar",
    "record_line",
    "show",
    "show_error",
    "tell_isolation",
]

_PIPE_WIDTH = 160
# All but tab and line feed, and what turns the direction of writing or is another kind of line break.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
SAMPLE = "SAMPLE: not comparable with the challenge."


def out() -> Console:
    """Return a console on standard output; a file or pipe is as wide as the widest table."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, emoji=False, markup=False, width=width)


def err() -> Console:
    """Return a console on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def show(what: str | RenderableType, *, stderr: bool = False, style: str | None = None) -> None:
    """Print text or a table; text is never folded, so that it can be searched and copied.

    Control characters are taken out: a message may hold what a stranger's file wants a terminal to do.
    """
    console = err() if stderr else out()
    if isinstance(what, str):
        console.print(_CONTROL.sub("", what), style=style, soft_wrap=True)
    else:
        console.print(what)


def tell_isolation(found: Isolation, wanted: str) -> None:
    """Say in one line what is lost under the best isolation, unless just that was asked for."""
    from ntire_bench.isolation.choose import lost

    text = lost(found)
    if text is not None and wanted not in ("none", found.level):
        show(text, stderr=True)


def show_error(error: NtireBenchError) -> None:
    """Print the one message of an error."""
    show(f"Error: {error}", stderr=True, style="red")


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar with the time left on standard error; on anything but a terminal, nothing.

    Yields:
        A function to call with what is being done, how much is done, and how much there is in all.
    """
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = err()
    # Two redraws a second: on few cores the bar must not take time from what is being measured.
    with Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        refresh_per_second=2,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def update(description: str, done: int, total: int) -> None:
            description = one_line(description)
            title = description.split(":")[0]
            if title not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[title] = bar.add_task(description, total=total)
            bar.update(tasks[title], description=description, completed=done, total=total)

        yield update


def catalogue_lines(catalogue: Catalogue) -> Iterator[str]:
    """Describe what lies in models/, a line each."""
    return map(_flat, _catalogue_lines(catalogue))


def _flat(line: str) -> str:
    """Return a line that stays one: names and values in it are a stranger's."""
    return "".join(c if c.isprintable() else " " for c in line)


def _catalogue_lines(catalogue: Catalogue) -> Iterator[str]:
    from ntire_bench.submissions.zoo import unfetched

    to_fetch = {item.id for item in unfetched(catalogue)}
    for id_ in sorted({*catalogue.submissions, *catalogue.problems}):
        item: Submission | None = catalogue.submissions.get(id_)
        if item is None:
            problem = catalogue.problems[id_]
            if id_ in to_fetch:
                yield f"{problem.label}  {relative(problem.file)}  not fetched: ntire-bench zoo pull {id_}"
                continue
            yield f"{problem.label}  cannot be used: {problem.error}"
            continue
        declared = ", ".join(
            f"{key}={value!r}"
            for key, value in vars(item.declaration).items()
            if key != "source" and value is not True and value not in (None, {}, "")
        )
        how = (
            f"declares {declared}"
            if declared
            else "has build_model()"
            if item.has_build_model
            else "by inference"
        )
        weights = "no checkpoint" if item.checkpoint is None else relative(item.checkpoint)
        if item.branch is not None:
            how, weights = _branch_told(item.branch), _weights_told(item.branch)
        yield f"{item.label}  {relative(item.file)}  {weights}  {how}"
    yield from catalogue.ignored


def branch_document(branch: Branch | None) -> dict[str, Any] | None:
    """Return what is known of a branch of a checkout's select_model, for machines."""
    if branch is None:
        return None
    return {
        "script": relative(branch.script),
        "line": branch.line,
        "name": branch.title,
        "data_range": branch.data_range,
        "tile": branch.tile,
        "files": [relative(file) for file in branch.files],
        "checkpoints": [relative(file) for file in branch.checkpoints],
        "missing": [relative(file) for file in branch.checkpoints if not file.is_file()],
    }


def _branch_told(branch: Branch) -> str:
    known = [f"named {branch.title!r}"] if branch.title is not None else ["of a name that running it tells"]
    known += [f"range {branch.data_range:g}"] if branch.data_range is not None else []
    known += [f"tile {branch.tile}"] if branch.tile is not None else []
    return f"{branch.script.name}, line {branch.line}: {', '.join(known)}"


def _weights_told(branch: Branch) -> str:
    named = [f"{relative(file)}{'' if file.is_file() else ' (missing)'}" for file in branch.checkpoints]
    return ", ".join(named) or "no checkpoint that can be read from the branch"


def check_lines(found: Check) -> Iterator[str]:
    """Describe how a submission was resolved and what it costs."""
    return map(_flat, _check_lines(found))


def _check_lines(found: Check) -> Iterator[str]:
    info, cost = found.submission, found.complexity
    yield f"{info.id:02d}_{info.name}"
    yield f"  model        {info.model}  ({info.file})"
    yield f"  checkpoint   {info.checkpoint or 'none'}"
    yield f"  input range  0 to {info.data_range:g}"
    if info.pad_to or info.tile:
        tiles = f", in tiles of {info.tile}" if info.tile else ""
        yield f"  input        padded to a multiple of {info.pad_to or 1}{tiles}"
    for item in info.inferred:
        yield f"  inferred     {item.key} = {item.value}: {item.how}"
    size = "x".join(map(str, cost.input_shape[2:]))
    yield f"  parameters   {cost.params:,} ({cost.params / 1e6:.3f} M)"
    yield f"  FLOPs        {cost.flops / 1e9:.4f} G at {size}"
    yield f"  activations  {cost.activations / 1e6:.2f} M in {cost.convs} convolutions at {size}"
    if cost.uncounted_ops:
        ops = ", ".join(
            f"{name.removeprefix('aten::')} ({count})" for name, count in cost.uncounted_ops.items()
        )
        yield f"  uncounted    operators that fvcore gives no FLOPs: {ops}"
    audit = cost.audit
    if audit.flops is not UNSET and audit.params is not UNSET and audit.sizes is not UNSET:
        audited = f"{audit.flops / 1e9:.4f} G, {audit.params:,} parameters"
        yield f"  audit        {audited}, with {len(audit.sizes)} more sizes; see docs/INTEGRITY.md"
    for finding in found.findings:
        yield f"  {finding.severity:<11}  [{finding.code}] {finding.message}"
    yield f"  isolation    {found.isolation.level}: {found.isolation.detail}"


def record_line(record: Record) -> str:
    """Describe one evaluation in a line."""
    label = one_line(record.submission.label)
    if record.error is not None:
        return f"{label}  failed in phase {record.error.phase}: {record.error.message}"
    parts = []
    for name, split in record.splits.items():
        psnr = " ".join(
            f"{'inf' if value is None else format(value, '.2f')} dB {channel}"
            for channel, value in (("Y", split.psnr_y_db), ("RGB", split.psnr_rgb_db))
        )
        ssim = "" if split.ssim_y is None else f", SSIM {split.ssim_y:.4f}"
        parts.append(f"{name} {psnr}{ssim}, {_with_half(split.runtime_ms, split.runtime_ci95_ms)} ms")
    if record.score is not None:
        limits = None if record.timing is None else record.timing.score_ci95
        final = record.score.final
        parts.append(f"score {'over the range of numbers' if final is None else _with_half(final, limits)}")
    if record.timing is not None:
        parts.append(_rounds_line(record.timing))
    return f"{label}  {'; '.join(parts)}"


def _with_half(value: float, limits: tuple[float, float] | None) -> str:
    """Return a value with half of its interval.

    >>> _with_half(7.389, (7.3, 7.5)), _with_half(7.389, None)
    ('7.39 ±0.10', '7.39')
    """
    half = 0.0 if limits is None else (limits[1] - limits[0]) / 2
    return f"{value:.2f}" + (f" ±{half:.2f}" if half else "")


def _rounds_line(timing: Timing) -> str:
    rounds, launches = sum(launch.rounds for launch in timing.launches), len(timing.launches)
    reached = "" if timing.half_width is None else f", ±{timing.half_width:.2%}"
    missed = f"before the precision of {timing.precision:.2%}"
    if timing.half_width is not None and timing.half_width <= timing.precision:
        missed = "before the rounds agreed over enough launches"
    why = {
        "precision": f"the precision of {timing.precision:.2%} is reached",
        "max-rounds": f"--max-rounds reached {missed}",
        "max-time": f"--max-time reached {missed}",
        "rounds": "as many as asked for",
    }[timing.stopped]
    some = f"{rounds} round{'s' if rounds != 1 else ''} in {launches} launch{'es' if launches != 1 else ''}"
    return f"{some}{reached}: {why}"


def gate_lines(answer: Gate) -> Iterator[str]:
    """Describe what the gate decided."""
    word = {"pass": "PASS", "below": "BELOW", "not judged": "NOT JUDGED"}[answer.outcome]
    details = answer.reason or "; ".join(f"{v.split}: {v.reason}" for v in answer.verdicts)
    channel = answer.channel.upper()
    yield f"{word}  {answer.submission}  protocol {answer.protocol}, PSNR on {channel}: {details}"
    if answer.remark:
        yield f"Note: it {answer.remark}."
    for note in answer.notes:
        yield f"Note: {note}."
    if answer.sample:
        yield SAMPLE
