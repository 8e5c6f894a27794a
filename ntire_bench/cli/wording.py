"""What commands tell of a catalogue, a check, a record and a gate, in lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ntire_bench.text import giga, one_line, relative

if TYPE_CHECKING:
    from ntire_bench.records.record import Complexity, Record, Timing
    from ntire_bench.records.store import Stored
    from ntire_bench.reporting.gate_reports import Judged
    from ntire_bench.submissions.branch import Branch
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.workflows.check import Check

__all__ = [
    "SAMPLE",
    "branch_document",
    "catalogue_lines",
    "check_lines",
    "done_line",
    "gate_lines",
    "record_line",
]

SAMPLE = "SAMPLE: not comparable with the challenge."


def catalogue_lines(catalogue: Catalogue) -> Iterator[str]:
    """Describe what lies in models/, a line each."""
    return map(_flat, _catalogue_lines(catalogue))


def _flat(line: str) -> str:
    """Return a line that stays one: names and values in it are a stranger's."""
    return "".join(c if c.isprintable() else " " for c in line)


def _catalogue_lines(catalogue: Catalogue) -> Iterator[str]:
    from ntire_bench.submissions.submission import Unusable
    from ntire_bench.submissions.zoo import unfetched

    to_fetch = {item.id for item in unfetched(catalogue)}
    for id_, item in catalogue.entries.items():
        if isinstance(item, Unusable):
            if id_ in to_fetch:
                yield f"{item.label}  {relative(item.file)}  not fetched: ntire-bench zoo pull {id_}"
            else:
                yield f"{item.label}  cannot be used: {item.error}"
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
        if item.checkpoint_of:
            weights += f" (by its name {item.checkpoint_of}'s)"
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
    known = [f"named {branch.title!r}"] if branch.title is not None else ["name known only when it runs"]
    known += [f"range {branch.data_range:g}"] if branch.data_range is not None else []
    known += [f"tile {branch.tile}"] if branch.tile is not None else []
    return f"{branch.script.name}, line {branch.line}: {', '.join(known)}"


def _weights_told(branch: Branch) -> str:
    named = [f"{relative(file)}{'' if file.is_file() else ' (missing)'}" for file in branch.checkpoints]
    return ", ".join(named) or "the branch names no checkpoint that is known without running it"


def check_lines(found: Check) -> Iterator[str]:
    """Describe how a submission was resolved and what it costs."""
    return map(_flat, _check_lines(found))


def _check_lines(found: Check) -> Iterator[str]:
    from msgspec import UNSET

    from ntire_bench.records.operational import word
    from ntire_bench.records.scored_costs import lacks_twin, uncountable

    info, cost = found.submission, found.complexity
    yield info.label
    yield f"  model        {info.model}  ({info.file})"
    yield f"  checkpoint   {info.checkpoint or 'none'}"
    yield f"  input range  0 to {info.data_range:g}"
    if info.pad_to or info.tile:
        tiles = f", in tiles of {info.tile}" if info.tile else ""
        yield f"  input        padded to a multiple of {info.pad_to or 1}{tiles}"
    for item in info.inferred:
        yield f"  inferred     {item.key} = {item.value}: {item.how}"
    size = "x".join(map(str, cost.input_shape[2:]))
    seen = ", of torch's operators; its kernel's are not known" * lacks_twin(cost)
    yield f"  parameters   {cost.params:,} ({cost.params / 1e6:.3f} M){seen}"
    yield f"  FLOPs        {giga(cost.flops)} at {size}{seen or ', not all of it' * bool(uncountable(cost))}"
    yield f"  activations  {cost.activations / 1e6:.2f} M in {cost.convs} convolutions at {size}"
    if cost.uncounted_ops:
        ops = ", ".join(
            f"{name.removeprefix('aten::')} ({count})" for name, count in cost.uncounted_ops.items()
        )
        yield f"  uncounted    operators that fvcore gives no FLOPs: {ops}"
    audit = cost.audit
    if audit.flops is not UNSET and audit.params is not UNSET and audit.sizes is not UNSET:
        audited = f"{giga(audit.flops)}, {audit.params:,} parameters"
        yield f"  audit        {audited}, with {len(audit.sizes)} more sizes; see docs/INTEGRITY.md"
    if isinstance(audit.agreement, float):
        yield f"  compared     the pass that was counted, with {_other_call(found)}"
    if why := _more_params(cost):
        yield f"  difference   {why}"
    for finding in found.findings:
        yield f"  {word(finding):<11}  [{finding.code}] {finding.message}"
    yield f"  isolation    {found.isolation.level}: {found.isolation.detail}"


def _other_call(found: Check) -> str:
    """Return which ordinary call the counted pass was compared with."""
    if found.compared_elsewhere:
        return "an ordinary call in another process"
    return "an ordinary call in the same process, which could repeat what it gave; run compares with another"


def _more_params(cost: Complexity) -> str:
    """Return why the audit counts other parameters than the network declares; empty where it does not."""
    from msgspec import UNSET

    from ntire_bench.records.scored_costs import scored_params

    audit = cost.audit
    if audit.params is UNSET or audit.params == cost.params:
        return ""
    kinds = (
        (audit.undeclared, "in buffers, attributes or globals"),
        (audit.generated, "made in forward of random numbers or ranges"),
        (audit.packed, "unpacked in forward from the bits of fewer"),
        (audit.wide, "second values of parameters that are complex or of 64 bits"),
    )
    told = [f"{count:,} {what}" for count, what in kinds if count is not UNSET and count]
    scored = scored_params(cost)
    which = (
        f"{scored:,} is scored"
        if scored != cost.params
        else f"so few do not matter, and {scored:,} is scored"
    )
    return f"the audit counts weights that are no parameters, too: {', '.join(told)}; {which}"


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
        parts.append(f"score {'too large for a number' if final is None else _with_half(final, limits)}")
    if record.timing is not None:
        parts.append(_rounds_line(record.timing))
    return f"{label}  {'; '.join(parts)}"


def done_line(label: str, done: Stored) -> str:
    """Say of a submission that --resume leaves out which record it has, and what a user may want to do.

    Args:
        label: Of the submission.
        done: Its record.
    """
    from ntire_bench.records.accepted import rejections

    record, told = done.record, [f"done already: {relative(done.path)}"]
    standing = rejections(record, done.accepted)
    if standing:
        told.append(f"rejected, {', '.join(dict.fromkeys(finding.code for finding in standing))}")
    elif record.timing is not None and record.timing.unstable:
        again = f"ntire-bench run {record.submission.id}"
        told.append(f"its runtime is unstable: {again} measures it again")
    return _flat(f"{label}  {'; '.join(told)}")


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
        missed = "before enough launches agreed"
    why = {
        "precision": f"the precision of {timing.precision:.2%} is reached",
        "max-rounds": f"--max-rounds reached {missed}",
        "max-time": f"--max-time reached {missed}",
        "rounds": "as many as asked for",
    }[timing.stopped]
    some = f"{rounds} round{'s' if rounds != 1 else ''} in {launches} launch{'es' if launches != 1 else ''}"
    return f"{some}{reached}: {why}"


def gate_lines(item: Judged) -> Iterator[str]:
    """Describe what the gate decided, a line each."""
    return map(_flat, _gate_lines(item))


def _gate_lines(item: Judged) -> Iterator[str]:
    from ntire_bench.reporting.gate_reports import growth_lines

    answer = item.answer
    words = {"pass": "PASS", "below": "BELOW", "rejected": "REJECTED", "not judged": "NOT JUDGED"}
    word = words[answer.outcome]
    details = answer.reason or "; ".join(f"{v.split}: {v.reason}" for v in answer.verdicts)
    channel = answer.channel.upper()
    yield f"{word}  {answer.submission}  protocol {answer.protocol}, PSNR on {channel}: {details}"
    if answer.remark:
        yield f"Note: it {answer.remark}."
    for code, because in answer.accepted.items():
        yield f"Note: {code} is accepted by the organizer, as {because.rstrip('.')}."
    for note in answer.notes:
        yield f"Note: {note}."
    if item.growth is not None:
        for line in growth_lines(item.growth, answer.submission):
            yield f"  {one_line(line)}"
        for text in item.growth.exceeded:
            yield f"OVER A LIMIT  {answer.submission}: {text}"
        for text in item.growth.undecided:
            yield f"NOT DECIDED  {answer.submission}: {text}"
        for text in item.growth.unproven:
            yield f"NOT SHOWN  {answer.submission}: {text}"
    if answer.sample:
        yield SAMPLE
