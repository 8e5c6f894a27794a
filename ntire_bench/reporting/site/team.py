"""What a team's page shows of its record, as plain values that the template and the plots take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ntire_bench.errors import RecordError
from ntire_bench.ranking.ranks import Row
from ntire_bench.records.record import Finding, ImageResult, Record
from ntire_bench.reporting.stability_text import cause_in_words, histogram_limit

if TYPE_CHECKING:
    from ntire_bench.estimating.stability import Stability

__all__ = ["costs_of", "extremes", "findings_of", "images_of", "resolved", "steadiness"]

_BINS = 31
_FEW = 5
_SEVERITIES = {
    "reject": "Takes the rank",
    "warning": "To be looked at",
    "info": "For information",
}


def resolved(record: Record) -> list[tuple[str, str, str]]:
    """Return how a submission was made to run: what, which value, and how that was found out.

    Args:
        record: Of any status.
    """
    info = record.submission
    told = {item.key for item in info.inferred}
    rows = [("model file", info.file, f"sha256 {info.file_sha256[:12]}…")]
    if info.checkpoint is not None:
        rows.append(("checkpoint", info.checkpoint, f"sha256 {(info.checkpoint_sha256 or '')[:12]}…"))
    for key, value in (
        ("model", info.model),
        ("data_range", None if info.data_range is None else f"{info.data_range:g}"),
        ("pad_to", None if info.pad_to is None else str(info.pad_to)),
        ("tile", None if info.tile is None else str(info.tile)),
    ):
        if value is not None and key not in told:
            rows.append((key, value, "declared, or the default"))
    return rows + [(item.key, item.value, item.how) for item in info.inferred]


def findings_of(record: Record, row: Row) -> list[dict[str, Any]]:
    """Return what was found: {severity, word, code, message, accepted: an organizer's reason or None}."""
    order = list(_SEVERITIES)

    def place(finding: Finding) -> int:
        return order.index(finding.severity)

    return [
        {
            "severity": finding.severity,
            "word": _SEVERITIES[finding.severity],
            "code": finding.code,
            "message": finding.message,
            "accepted": row.entry.accepted.get(finding.code),
        }
        for finding in sorted(record.findings, key=place)
    ]


def costs_of(row: Row) -> list[dict[str, Any]]:
    """Return parameters and FLOPs where two counts differ: {name, unit, official, audited}, in M and G.

    Args:
        row: `official` is the sum over parameters() and fvcore's total, `audited` what the audit found.
    """
    counts = row.entry.counts
    if counts is None:
        return []
    both = (
        ("Parameters", "M", counts.params / 1e6, counts.audited_params / 1e6),
        ("FLOPs", "G", counts.flops / 1e9, counts.audited_flops / 1e9),
    )
    return [
        {"name": name, "unit": unit, "official": official, "audited": audited}
        for name, unit, official, audited in both
        if official != audited
    ]


def images_of(record: Record, channel: str) -> list[dict[str, Any]]:
    """Return a line for each image.

    Keys: split, name, width, height, psnr_y, psnr_rgb, ssim, runtime, spread, base and gain. PSNR in dB, None
    where SR equals HR; runtime in ms. Spread: half of what lies between the 10th and the 90th percentile of
    its calls, in percent of the median, None where there are fewer than 3. Base and gain: the baseline's
    PSNR, and what the team's is above it, in the channel that is judged.

    Args:
        record: Whole.
        channel: "y" or "rgb", the PSNR that is judged.
    """
    lines = []
    judged = f"psnr_{channel}_db"
    for split, result in record.splits.items():
        other = record.baseline.splits.get(split) if record.baseline is not None else None
        bases = {} if other is None else {image.name: getattr(image, judged) for image in other.per_image}
        for image in result.per_image:
            own, base = getattr(image, judged), bases.get(image.name)
            lines.append(
                {
                    "split": split,
                    "name": image.name,
                    "width": image.width,
                    "height": image.height,
                    "psnr_y": image.psnr_y_db,
                    "psnr_rgb": image.psnr_rgb_db,
                    "ssim": image.ssim_y,
                    "runtime": image.runtime_ms,
                    "spread": _spread(image),
                    "base": base,
                    "gain": None if own is None or base is None else own - base,
                }
            )
    return lines


def _spread(image: ImageResult) -> float | None:
    samples = sorted(image.runtime_samples_ms)
    if len(samples) < 3 or image.runtime_ms <= 0:
        return None
    last = len(samples) - 1
    low, high = samples[round(0.1 * last)], samples[round(0.9 * last)]
    return 100 * (high - low) / 2 / image.runtime_ms


def extremes(images: Sequence[dict[str, Any]], channel: str) -> list[dict[str, Any]]:
    """Return lists of images worth a look: {title, unit, images: [(split, name, value)]}.

    Args:
        images: Of `images_of`.
        channel: "y" or "rgb", which PSNR is judged.
    """
    psnr = f"psnr_{channel}"
    lists: list[dict[str, Any]] = []
    for title, unit, key, sign in (
        ("Slowest", "ms", "runtime", -1),
        ("Slowest per megapixel", "ms/MP", "per_area", -1),
        ("Hardest, lowest PSNR", "dB", psnr, 1),
        ("Least gain over the baseline", "dB", "gain", 1),
        ("Most gain over the baseline", "dB", "gain", -1),
    ):
        valued = []
        for image in images:
            area = image["width"] * image["height"] / 1e6
            value = image["runtime"] / area if key == "per_area" and area > 0 else image.get(key)
            if value is not None:
                valued.append((sign * value, image["split"], image["name"], value))
        valued.sort()
        if valued:
            chosen = [(split, name, value) for _, split, name, value in valued[:_FEW]]
            lists.append({"title": title, "unit": unit, "images": chosen})
    return lists


def steadiness(record: Record) -> dict[str, Any]:
    """Return the data of the plots of a runtime's steadiness, and what is said of it.

    Keys: unknown, why there is nothing to draw, and then no other; or rounds [{round, side, value}], launches
    [{begin}], calls [{from, to, count}] and slow [(whose, how many, of how many, cause in words)].
    """
    from ntire_bench.estimating.stability import stability

    if record.timing is None or record.imported is not None:
        return {"unknown": "the record does not hold how the runtime was measured"}
    if record.rounds < 2:
        return {"unknown": "it was measured in one round, which tells nothing of noise"}
    try:
        found = stability(record, narrowing=False)
    except RecordError as error:
        return {"unknown": str(error)}
    return {**_plots(record, found), "slow": _slow(record, found)}


def _plots(record: Record, found: Stability) -> dict[str, Any]:
    import numpy as np

    series = {"team": found.runtime_ms}
    if found.baseline_ms is not None:
        series |= {"baseline": found.baseline_ms, "ratio": found.ratio}
    rounds = [
        {"round": number, "side": side, "value": round(float(value), 6)}
        for side, values in series.items()
        for number, value in enumerate(values / np.median(values), 1)
    ]
    begins = np.cumsum(found.launches)[:-1] + 0.5
    limit = histogram_limit(found)
    counts, edges = np.histogram(np.clip(found.deviations, -limit, limit), bins=_BINS, range=(-limit, limit))
    return {
        "rounds": rounds,
        "launches": [{"begin": float(begin)} for begin in begins],
        "calls": [
            {"from": round(100 * float(low), 4), "to": round(100 * float(high), 4), "count": int(count)}
            for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
            if count and math.isfinite(low)
        ],
    }


def _slow(record: Record, found: Stability) -> list[tuple[str, int, int, str]]:
    sides = [(record.submission.label, found.slow)]
    if found.baseline_ms is not None and record.baseline is not None:
        sides.append((record.baseline.submission.label, found.baseline_slow))
    return [
        (label, sum(counts), found.calls, cause_in_words(cause))
        for label, slow in sides
        for cause, counts in sorted(slow.items(), key=lambda item: -sum(item[1]))
    ]
