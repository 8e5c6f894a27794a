"""One row of a challenge's results file: parsed to a measurement, its numbers checked."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import dataclass, field

from ntire_bench.challenge_results.file import ResultsRow
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import NO_ID, Complexity, Finding, Measurement, SplitResult, SubmissionInfo

__all__ = ["UNKNOWN", "ParsedRow", "parse_row", "submission_info"]

UNKNOWN = "unknown"
_SPLITS = ("valid", "test")  # that a results file has columns for
# Fields of a record that no results file has values for.
_NEVER_GIVEN = (
    "submission.file",
    "submission.file_sha256",
    "submission.checkpoint",
    "submission.checkpoint_sha256",
    "submission.model",
    "submission.data_range",
    "complexity.uncounted_ops",
    "complexity.uncalled_modules",
    "environment",
    "isolation",
    "rounds",
)
_SLOW = 3.0  # a first image that took this many times the median was timed before the network was warm
# Half a unit of the last place that the challenge prints; the average of two printed numbers has two halves.
_ROUNDING = 0.005
_MOST_MS, _MOST_DB = 1e12, 1e6  # nobody measured a larger number
_MOST_COUNT = 2**63 - 1  # the largest integer of 64 bits, as records hold them


@dataclass
class ParsedRow:
    """What a row says, collected while it is parsed.

    Attributes:
        measurement: None where the row cannot be ranked.
        problems: Why it cannot, one clause each.
        findings: What a reader must know of its numbers.
        no_psnr: Why a split has no PSNR, where that is not because SR equals HR.
        unknown: Fields of a record that the row says nothing about.
        runtime_ms: The average over both splits, where the row gives it and it fits the splits.
    """

    measurement: Measurement | None = None
    problems: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    no_psnr: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=lambda: list(_NEVER_GIVEN))
    runtime_ms: float | None = None

    def warn(self, code: str, message: str) -> None:
        """Add a finding that a reader of the table is shown."""
        self.findings.append(Finding(code=code, severity="warning", message=message))


def submission_info(model: str) -> SubmissionInfo:
    """Return what a name in a results file says of a submission.

    >>> info = submission_info("00_RLFN_baseline")
    >>> info.id, info.name, info.label
    (0, 'RLFN_baseline', '00_RLFN_baseline')
    >>> submission_info("Cao Group").label
    'Cao Group'
    """
    match = re.fullmatch(r"(\d{2,9})_(.*\S.*)", model, re.ASCII | re.DOTALL)
    # "5_X" and "007_X" stay whole names: taken apart, they would be shown as "05_X" and "07_X".
    if match is None or f"{int(match[1]):02d}_{match[2]}" != model:
        return SubmissionInfo(id=NO_ID, name=model, file=UNKNOWN, file_sha256=UNKNOWN)
    return SubmissionInfo(id=int(match[1]), name=match[2], file=UNKNOWN, file_sha256=UNKNOWN)


def parse_row(row: ResultsRow, protocol: Protocol) -> ParsedRow:
    """Turn a row into a measurement as far as its numbers allow.

    Where the row gives the values of single images, averages are computed from them as the challenge does,
    the first image included; averages that the row gives are only compared with them. A split counts if it
    has a runtime.

    Args:
        row: Of a results file.
        protocol: Whose cost input the costs were counted on.
    """
    parsed = ParsedRow()
    complexity = _complexity(row, protocol, parsed)
    splits = {}
    for split in _SPLITS:
        result = _split(row, split, parsed)
        if result is not None:
            splits[split] = result
    if not splits and not parsed.problems:
        parsed.problems.append("no runtime of valid or test")
    _first_images(row, parsed)
    if complexity is not None and not parsed.problems:
        parsed.runtime_ms = _average(row, splits, parsed)
        info = submission_info(row.model)
        parsed.measurement = Measurement(submission=info, complexity=complexity, splits=splits)
    return parsed


def _complexity(row: ResultsRow, protocol: Protocol, parsed: ParsedRow) -> Complexity | None:
    def count(key: str, unit: float, what: str, *, needed: bool) -> int:
        value = row.number(key)
        if value is not None and 0 <= value * unit < _MOST_COUNT:
            if needed and not value:
                parsed.warn("nothing-counted", f"{what} of 0")
            return round(value * unit)
        if needed:
            parsed.problems.append(f"no {what}" if value is None else f"{what} of {value:g}")
        else:
            parsed.unknown.append("complexity.convs" if key == "num_conv" else f"complexity.{key}")
            if value is not None:
                parsed.warn("value-impossible", f"{what} of {value:g}, taken as unknown")
        return 0

    complexity = Complexity(
        params=count("num_parameters", 1e6, "parameters", needed=True),
        flops=count("flops", 1e9, "FLOPs", needed=True),
        activations=count("activations", 1e6, "activations", needed=False),
        convs=count("num_conv", 1, "convolutions", needed=False),
        input_shape=protocol.cost_input,  # the file does not say it; the challenge's code takes this one
    )
    return None if parsed.problems else complexity


def _split(row: ResultsRow, split: str, parsed: ParsedRow) -> SplitResult | None:
    runtimes, psnrs = row.images(f"{split}_runtime"), row.images(f"{split}_psnr")
    runtime = _runtime(row, split, runtimes, parsed)
    psnr = _psnr(row, split, psnrs, parsed)
    if runtime is None:
        if psnr is not None:
            parsed.warn(
                "split-incomplete", f"{split}: PSNR {psnr:.2f} dB and no runtime, so the split does not count"
            )
        return None
    if runtimes and psnrs and len(runtimes) != len(psnrs):
        message = f"{split}: runtimes of {len(runtimes)} images and PSNR of {len(psnrs)}"
        parsed.warn("image-counts-differ", message)
    images = len(runtimes) or len(psnrs)
    memory = row.number(f"{split}_memory")
    if memory is not None and not (math.isfinite(memory) and memory >= 0):
        parsed.warn("value-impossible", f"{split}: memory of {memory:g} MiB, taken as unknown")
        memory = None
    fields = ("dataset", "dataset_sha256", "psnr_y_db", "ssim_y", "per_image")
    parsed.unknown += [f"splits.{split}.{name}" for name in (*fields, *(() if images else ("images",)))]
    return SplitResult(
        dataset=UNKNOWN,
        dataset_sha256=UNKNOWN,
        images=images,
        psnr_y_db=None,
        psnr_rgb_db=psnr,
        runtime_ms=runtime,
        memory_mib=memory,
        per_image=(),
    )


def _runtime(row: ResultsRow, split: str, samples: tuple[float, ...], parsed: ParsedRow) -> float | None:
    stated = row.number(f"{split}_ave_runtime")
    for position, value in enumerate(samples, 1):
        if not 0 < value < _MOST_MS:
            parsed.problems.append(f"a runtime of {value:g} ms for image {position} of {split}")
            return None
    if samples:
        return _mean(samples, stated, f"{split}: the average runtime", "ms", parsed)
    if stated is not None and not 0 < stated < _MOST_MS:
        parsed.problems.append(f"an average runtime of {stated:g} ms on {split}")
        return None
    return stated


def _psnr(row: ResultsRow, split: str, values: tuple[float, ...], parsed: ParsedRow) -> float | None:
    stated = row.number(f"{split}_ave_psnr")
    undefined = [k for k, value in enumerate(values, 1) if math.isnan(value) or value == -math.inf]
    exact = [k for k, value in enumerate(values, 1) if value == math.inf]
    if undefined or (not values and stated is not None and (math.isnan(stated) or stated == -math.inf)):
        of = f" of image {_listed(undefined)}" if undefined else ""
        parsed.no_psnr[split] = f"the PSNR{of} is not a number"
        message = f"{split}: the PSNR{of} is not a number, so the split has no mean"
        parsed.findings.append(Finding(code="psnr-not-a-number", severity="reject", message=message))
        return None
    if exact or (not values and stated == math.inf):
        of = f": image {_listed(exact)}" if exact else ""
        message = f"SR equals HR in {split}, an infinite PSNR{of}"
        parsed.findings.append(Finding(code="psnr-infinite", severity="reject", message=message))
        return None
    given = values if stated is None else (*values, stated)
    if absurd := [value for value in given if math.isfinite(value) and abs(value) > _MOST_DB]:
        parsed.problems.append(f"a PSNR of {absurd[0]:g} dB on {split}")
        return None
    if values:
        return _mean(values, stated, f"{split}: the average PSNR", "dB", parsed)
    if stated is None:
        parsed.no_psnr[split] = "the file gives no PSNR"
    return stated


def _mean(values: tuple[float, ...], stated: float | None, what: str, unit: str, parsed: ParsedRow) -> float:
    """Return the mean of single images, and warn where the average that the file gives is another."""
    mean = math.fsum(values) / len(values)
    if stated is not None and not abs(stated - mean) <= _ROUNDING + 1e-9:
        message = (
            f"{what} is given as {stated:.2f} {unit}, but its {len(values)} images have the mean {mean:.2f} "
            f"{unit}, which counts"
        )
        parsed.warn("average-differs", message)
    return mean


def _average(row: ResultsRow, splits: dict[str, SplitResult], parsed: ParsedRow) -> float | None:
    """Return the average over both splits that a results.txt gives, where it fits their averages.

    It was rounded once; computed from the averages of the splits, it would be rounded twice.
    """
    stated = row.number("ave_runtime")
    if stated is None or len(splits) != 2:
        return None
    mean = math.fsum(result.runtime_ms for result in splits.values()) / 2
    if abs(stated - mean) <= 2 * _ROUNDING + 1e-9:
        return stated
    parsed.warn(
        "average-differs",
        f"the average runtime is given as {stated:.2f} ms, but valid and test have the mean {mean:.2f} ms, "
        "which counts",
    )
    return None


def _first_images(row: ResultsRow, parsed: ParsedRow) -> None:
    """Warn where the first image was timed before the network was warm, and say what that did to averages."""
    slow = []
    for split in _SPLITS:
        samples = row.images(f"{split}_runtime")
        if len(samples) < 2 or not all(0 < value < _MOST_MS for value in samples):
            continue
        median = statistics.median(samples)
        if samples[0] > _SLOW * median:
            mean, rest = math.fsum(samples) / len(samples), math.fsum(samples[1:]) / (len(samples) - 1)
            slow.append(
                f"{samples[0] / median:.1f} times the median on {split} (average {mean:.2f} ms with it, "
                f"{rest:.2f} ms without it)"
            )
    if slow:
        parsed.warn(
            "first-image-slow", f"the first image took {' and '.join(slow)}; the averages with it count"
        )


def _listed(positions: list[int]) -> str:
    return ", ".join(map(str, positions[:5])) + (" ..." if len(positions) > 5 else "")
