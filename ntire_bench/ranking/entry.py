"""What the ranking uses of one team: taken from a record, or from the baseline's part of a session."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET

from ntire_bench.errors import RecordError
from ntire_bench.protocols.protocol import Channel, Protocol
from ntire_bench.ranking.session import age_note, ratio_of, spread_of
from ntire_bench.records.accepted import Accepted, rejections
from ntire_bench.records.record import (
    NO_ID,
    Complexity,
    Finding,
    Measurement,
    Record,
    SplitResult,
    SubmissionInfo,
)
from ntire_bench.records.scored_costs import lacks_twin, scored_flops, scored_params, uncountable
from ntire_bench.records.unproven import why_unproven
from ntire_bench.records.version_1 import with_plain_runtimes

__all__ = [
    "Costs",
    "Counts",
    "Entry",
    "WhichCosts",
    "entry_from_baseline",
    "entry_from_record",
    "swap_channel",
]

WhichCosts = Literal["audited", "official"]
"""Which FLOPs and parameters: the audit's where it found more, or fvcore's and parameters()' alone."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The costs that are scored: mean runtime per image [ms], and FLOPs and parameters as plain counts."""

    runtime_ms: float
    flops: float
    params: float

    @property
    def least(self) -> float:
        """The smallest of the three numbers, for a check of signs."""
        return min(self.runtime_ms, self.flops, self.params)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What two ways of counting give for one team's FLOPs and parameters.

    Attributes:
        flops: fvcore's total.
        params: Elements of parameters().
        audited_flops: The audit's, where it found more than its margin; else `flops`.
        audited_params: The audit's, alike.
    """

    flops: float
    params: float
    audited_flops: float
    audited_params: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the ranking uses of one team, whether it is from a record or from a published table.

    Attributes:
        id: The team's number; None where a published table gives none.
        name: The team's or network's name.
        channel: Channel that is judged, that of `psnr_db`.
        psnr_db: Mean PSNR by split; None where it is infinite for an image.
        other_psnr_db: The same in the other channel; empty where it is not known.
        ssim_y: Mean SSIM on Y by split; empty where it was not asked for.
        runtime_by_split_ms: Mean runtime per image by split.
        costs: The team's; None where they were not measured.
        uncountable: Operators and kernels whose FLOPs are not known, so that the team's are not.
        lacks_twin: Whether it has a kernel without a twin, so that its parameters are not known either.
        unproven: Why timed calls were not compared with those of another process; empty where they were.
        baseline: The baseline's over the same splits in the same session; None where there are none.
        runtime_ratio: Runtime over the baseline's as the session has it, which is what scores (see `ratio`);
            None where none was stored.
        baseline_psnr_db: The baseline's mean PSNR by split in `channel`.
        other_baseline_psnr_db: The same in the other channel.
        competes: False for a row that is shown and takes no rank.
        is_baseline: Whether the entry is what its costs are divided by.
        findings: Of the record.
        rejections: Those for which it has no rank.
        accepted: Codes of findings of severity reject that an organizer has accepted, with the reason.
        notes: What a reader of the row must know.
        no_psnr: Why a split has no PSNR in `channel`, where that is not because SR equals HR.
        other_no_psnr: The same in the other channel.
        activations: Elements of all convolution outputs; None where they are not known.
        convs: Convolutions; None where they are not known.
        memory_mib: Peak memory of the first judged split that was run; None where it is not known.
        half_width: Half of the 95 % interval of the runtime's ratio to the baseline's, over that ratio; for
            the baseline itself, of its runtime; None where it is not known.
        score_ci95: 95 % interval of the final score; None where it is not known.
        ratio_ci95: 95 % interval of the runtime's ratio to the baseline's; None where it is not known.
        ratio_resamples: The runtime's ratio to the baseline's in each bootstrap resample.
        unstable: Why the runtime is not to be ranked against stable ones; empty where it is stable.
        attested: Whether the worker's clock fitted the program's own; None where that is not known.
        launches: How many times the workers were started for the runtime; None where that is not known.
        counts: FLOPs and parameters by both ways of counting; None where nothing was audited.
    """

    id: int | None
    name: str
    channel: Channel
    psnr_db: Mapping[str, float | None]
    other_psnr_db: Mapping[str, float | None] = field(default_factory=dict)
    ssim_y: Mapping[str, float] = field(default_factory=dict)
    runtime_by_split_ms: Mapping[str, float] = field(default_factory=dict)
    costs: Costs | None
    uncountable: tuple[str, ...] = ()
    lacks_twin: bool = False
    unproven: str = ""
    baseline: Costs | None
    runtime_ratio: float | None = None
    baseline_psnr_db: Mapping[str, float | None] = field(default_factory=dict)
    other_baseline_psnr_db: Mapping[str, float | None] = field(default_factory=dict)
    competes: bool = True
    is_baseline: bool = False
    findings: tuple[Finding, ...] = ()
    rejections: tuple[Finding, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    no_psnr: Mapping[str, str] = field(default_factory=dict)
    other_no_psnr: Mapping[str, str] = field(default_factory=dict)
    activations: int | None = None
    convs: int | None = None
    memory_mib: float | None = None
    half_width: float | None = None
    score_ci95: tuple[float, float] | None = None
    ratio_ci95: tuple[float, float] | None = None
    ratio_resamples: tuple[float, ...] = ()
    unstable: tuple[str, ...] = ()
    attested: bool | None = None
    launches: int | None = None
    counts: Counts | None = None

    @property
    def ratio(self) -> float | None:
        """Runtime over the baseline's, which is scored: the session's, else the quotient of both runtimes.

        None where there are not both.
        """
        if self.costs is None or self.baseline is None:
            return None
        if self.runtime_ratio is not None:
            return self.runtime_ratio
        return self.costs.runtime_ms / self.baseline.runtime_ms

    @property
    def label(self) -> str:
        """The name with the team's number as its files have it."""
        return self.name if self.id is None else f"{self.id:02d}_{self.name}"


def entry_from_record(
    record: Record,
    protocol: Protocol,
    channel: Channel,
    accepted: Sequence[Accepted] = (),
    which: WhichCosts = "audited",
) -> Entry:
    """Turn a successful evaluation into an entry.

    The splits that have a threshold count, as far as they were run; others count only where there are none
    of these, in which case the entry is not judged.

    Args:
        record: With status "ok".
        protocol: Whose baseline the entry may be, and whose splits are judged.
        channel: Channel to judge in.
        accepted: What an organizer has accepted of the team's findings.
        which: Which FLOPs and parameters are ranked.

    Returns:
        The entry; its notes name what keeps it from being judged on all splits.

    Raises:
        RecordError: The record is of a failed evaluation, holds no split or an impossible cost.
    """
    who = f"the record of {record.submission.label}"
    if record.status != "ok" or record.complexity is None or not record.splits:
        found = (
            "no measured split" if record.error is None else f"a failure in the phase {record.error.phase}"
        )
        raise RecordError(f"{who} holds no result", found=found, remedy="evaluate the submission again")
    complexity, record = record.complexity, with_plain_runtimes(record)
    counted, notes = _counted_splits(record.splits, protocol)
    baseline: Costs | None = None
    if record.baseline is None:
        notes.append("not judged: the record holds no measurement of the baseline")
    elif missing := [split for split in counted if split not in record.baseline.splits]:
        notes.append(f"not judged: the baseline was not measured on {' and '.join(missing)}")
    else:
        baseline = _costs(record.baseline.complexity, record.baseline.splits, counted, which)
    if why_unproven(record):
        notes.append("not judged: what was timed was compared with nothing; run it again")
    notes += _other_data(record, protocol)
    notes += age_note(record)
    ratio = None if baseline is None else ratio_of(record, counted)
    costs = _costs(complexity, record.splits, counted, which)
    imported = record.imported
    if imported is not None:
        costs = _with_runtime(costs, imported.runtime_ms)
        baseline = baseline and _with_runtime(baseline, imported.baseline_runtime_ms)
    impossible = costs.least < 0 or (ratio is not None and ratio < 0)
    if impossible or (baseline is not None and baseline.least <= 0):
        raise RecordError(
            f"{who} holds an impossible cost",
            expected="runtime, FLOPs and parameters of at least 0, and above 0 for the baseline",
            found=f"{costs} over {baseline}" + ("" if ratio is None else f", a ratio of {ratio}"),
            remedy="evaluate the submission again",
        )
    other = _other(channel)
    baseline_splits = {} if record.baseline is None else record.baseline.splits
    own = record.submission
    if record.baseline is not None:  # what the costs are divided by, whatever the protocol names
        its = record.baseline.submission
        # Files are compared too: a baseline from another folder may share its id and name with a team.
        is_baseline = _identity(its) == _identity(own)
    else:  # a challenge's own checkout calls it "RLFN_baseline"
        is_baseline = (
            re.sub(r"[\s_-]+baseline$", "", own.name.casefold()) == protocol.baseline.name.casefold()
        )
    # The baseline of a results file takes no rank, as in the challenge's own tables.
    competes = imported is None or not is_baseline
    unknown = imported.unknown if imported is not None else ()
    return Entry(
        id=None if record.submission.id == NO_ID else record.submission.id,
        name=record.submission.name,
        channel=channel,
        psnr_db=_psnr(record.splits, channel),
        other_psnr_db=_psnr(record.splits, other),
        ssim_y=_ssim(record.splits),
        runtime_by_split_ms={split: result.runtime_ms for split, result in record.splits.items()},
        costs=costs,
        uncountable=uncountable(complexity),
        lacks_twin=lacks_twin(complexity),
        unproven=why_unproven(record),
        baseline=baseline,
        runtime_ratio=ratio,
        baseline_psnr_db=_psnr(baseline_splits, channel),
        other_baseline_psnr_db=_psnr(baseline_splits, other),
        competes=competes,
        is_baseline=is_baseline,
        findings=record.findings,
        rejections=rejections(record, accepted),
        accepted=_reasons(record, accepted),
        notes=tuple(notes),
        no_psnr=_no_psnr(record, channel),
        other_no_psnr=_no_psnr(record, other),
        activations=None if "complexity.activations" in unknown else complexity.activations,
        convs=None if "complexity.convs" in unknown else complexity.convs,
        memory_mib=_memory(record.splits, protocol),
        counts=_counts(complexity),
        **spread_of(record, counted),
    )


def _reasons(record: Record, accepted: Sequence[Accepted]) -> dict[str, str]:
    """Return the reasons of what was accepted among a record's findings, by code."""
    standing = {finding.code for finding in rejections(record, accepted)}
    once = {finding.code for finding in rejections(record)} - standing
    return {item.code: item.because for item in accepted if item.code in once}


def _identity(info: SubmissionInfo) -> tuple[int, str, str, Any]:
    return info.id, info.name.casefold(), info.file, info.files


def entry_from_baseline(
    measurement: Measurement,
    protocol: Protocol,
    channel: Channel,
    which: WhichCosts = "audited",
    *,
    notes_of_session: Sequence[str] = (),
) -> Entry:
    """Turn the baseline's measurement in another team's session into a row that is shown without a rank."""
    counted, notes = _counted_splits(measurement.splits, protocol)
    costs = _costs(measurement.complexity, measurement.splits, counted, which)
    psnr, other = _psnr(measurement.splits, channel), _psnr(measurement.splits, _other(channel))
    return Entry(
        id=measurement.submission.id,
        name=measurement.submission.name,
        channel=channel,
        psnr_db=psnr,
        other_psnr_db=other,
        ssim_y=_ssim(measurement.splits),
        runtime_by_split_ms={split: result.runtime_ms for split, result in measurement.splits.items()},
        costs=costs,
        baseline=costs,
        baseline_psnr_db=psnr,
        other_baseline_psnr_db=other,
        competes=False,
        is_baseline=True,
        notes=(*notes_of_session, *notes),
        activations=measurement.complexity.activations,
        convs=measurement.complexity.convs,
        memory_mib=_memory(measurement.splits, protocol),
    )


def swap_channel(entry: Entry) -> Entry:
    """Return the same entry for the other PSNR channel."""
    return dataclasses.replace(
        entry,
        channel=_other(entry.channel),
        psnr_db=entry.other_psnr_db,
        other_psnr_db=entry.psnr_db,
        baseline_psnr_db=entry.other_baseline_psnr_db,
        other_baseline_psnr_db=entry.baseline_psnr_db,
        no_psnr=entry.other_no_psnr,
        other_no_psnr=entry.no_psnr,
    )


def _other_data(record: Record, protocol: Protocol) -> list[str]:
    """Say where the images are not those that the protocol's thresholds are for."""
    if protocol.datasets is None or record.imported is not None:  # the images of imported results are unknown
        return []
    notes = []
    for split in protocol.splits:
        result = record.splits.get(split)
        dataset, images = protocol.folders.get(split), protocol.datasets.images_of(split)
        if result is None or (result.dataset, result.images) == (
            dataset or result.dataset,
            images or result.images,
        ):
            continue
        wanted = f"the {images or ''} images of {dataset or 'this split'}".replace("  ", " ")
        whose = "threshold is" if protocol.asks_for_psnr else "rules are"
        notes.append(f"{split}: the {whose} for {wanted}; these are {result.images} of {result.dataset}")
    return notes


def _counted_splits(splits: Mapping[str, SplitResult], protocol: Protocol) -> tuple[list[str], list[str]]:
    """Return the splits that the runtime is averaged over, and what to note where these are not all."""
    counted = [split for split in protocol.splits if split in splits]
    if 0 < len(counted) < len(protocol.splits):
        return counted, [f"judged on {' and '.join(counted)} alone"]
    if counted:
        return counted, []
    what = "no threshold holds for" if protocol.asks_for_psnr else f"{protocol.name} does not judge"
    return list(splits), [f"not judged: {what} {', '.join(splits)}"]


def _costs(
    complexity: Complexity, splits: Mapping[str, SplitResult], counted: Collection[str], which: WhichCosts
) -> Costs:
    runtime_ms = math.fsum(splits[split].runtime_ms for split in counted) / len(counted)
    if which == "official":
        return Costs(runtime_ms=runtime_ms, flops=complexity.flops, params=complexity.params)
    return Costs(runtime_ms=runtime_ms, flops=scored_flops(complexity), params=scored_params(complexity))


def _counts(complexity: Complexity) -> Counts | None:
    if complexity.audit.flops is UNSET and complexity.audit.params is UNSET:
        return None
    return Counts(
        flops=complexity.flops,
        params=complexity.params,
        audited_flops=scored_flops(complexity),
        audited_params=scored_params(complexity),
    )


def _with_runtime(costs: Costs, runtime_ms: float | None) -> Costs:
    return costs if runtime_ms is None else dataclasses.replace(costs, runtime_ms=runtime_ms)


def _no_psnr(record: Record, channel: Channel) -> dict[str, str]:
    """Return why splits have no PSNR, where that is not because SR equals HR."""
    if record.imported is None:
        return {}
    if channel == "y":
        return dict.fromkeys(record.splits, "imported results give RGB PSNR alone (--psnr-channel rgb)")
    return record.imported.no_psnr


def _memory(splits: Mapping[str, SplitResult], protocol: Protocol) -> float | None:
    return next((splits[split].memory_mib for split in protocol.splits if split in splits), None)


def _psnr(splits: Mapping[str, SplitResult], channel: Channel) -> dict[str, float | None]:
    return {split: r.psnr_y_db if channel == "y" else r.psnr_rgb_db for split, r in splits.items()}


def _ssim(splits: Mapping[str, SplitResult]) -> dict[str, float]:
    return {split: result.ssim_y for split, result in splits.items() if result.ssim_y is not None}


def _other(channel: Channel) -> Channel:
    return "rgb" if channel == "y" else "y"
