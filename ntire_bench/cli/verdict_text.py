"""What a strict check ends in: the verdict that a participant wants, in lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ntire_bench.text import one_line

if TYPE_CHECKING:
    from ntire_bench.ranking.standing import Standing
    from ntire_bench.records.record import Finding
    from ntire_bench.workflows.verdict import Verdict

__all__ = ["verdict_lines"]

_HEAD = {
    "pass": "PASS",
    "below": "BELOW THE THRESHOLD",
    "rejected": "REJECTED",
    "not judged": "NOT JUDGED",
}
_DIGITS = 2


def verdict_lines(found: Verdict, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of a verdict: one that says it, then what it rests on.

    Args:
        found: The verdict.
        findings: All that was found.
    """
    return map(one_line_kept, _lines(found, findings))


def one_line_kept(text: str) -> str:
    r"""Return a line without control characters; spaces that align it stay.

    >>> one_line_kept("  place    1 \x1b[31m")
    '  place    1 [31m'
    """
    indent = len(text) - len(text.lstrip(" "))
    head, gap, tail = text.strip().partition("  ")
    return " " * indent + one_line(head) + (gap + " " * (len(tail) - len(tail.lstrip())) + one_line(tail))


def _lines(found: Verdict, findings: Sequence[Finding]) -> Iterator[str]:
    because = f": {found.because}" if found.because else ""
    yield f"{_HEAD[found.outcome]} on {'the sample set' if found.sample else 'these images'}{because}"
    if found.sample:
        yield "  images       of the sample set: not comparable with the challenge's"
    yield f"  rules        {found.protocol}"
    for split, values in found.psnr_db.items():
        for channel in ("y", "rgb"):
            value = values[channel]
            shown = "no mean: SR equals HR" if value is None else f"{value:.{_DIGITS}f} dB"
            yield f"  PSNR {channel.upper():<8}{split}: {shown}{_against(found, split, channel)}"
    if found.baseline is None or found.ratio is None:
        yield "  runtime      no ratio: no baseline ran beside it"
    else:
        limits = found.ratio_ci95
        interval = "" if limits is None else f" (95 % interval {limits[0]:.3f} to {limits[1]:.3f})"
        yield f"  runtime      {found.ratio:.3f} of {found.baseline}'s, measured beside it{interval}"
    if found.standing is None:
        yield f"  score        no estimate: {found.no_standing}"
    else:
        yield from _standing(found.standing)
    for text in found.answer.notes:
        yield f"  note         {text}"
    for text in found.machine:
        yield f"  machine      {text}"
    if not findings:
        yield "  findings     none: an organizer would object to nothing"
    else:
        counts = [
            f"{sum(1 for one in findings if one.severity == severity)} {word}"
            for severity, word in (("reject", "rejecting"), ("warning", "warnings"), ("info", "notes"))
            if any(one.severity == severity for one in findings)
        ]
        yield f"  findings     {', '.join(counts)}, told above: an organizer sees them too"


def _against(found: Verdict, split: str, channel: str) -> str:
    for one in (*found.answer.verdicts, *found.answer.other_channel):
        if one.split == split and one.channel == channel and one.threshold_db is not None:
            word = "keeps" if one.passed else "below"
            return f", {word} the threshold of {one.threshold_db:.{_DIGITS}f} dB"
    return "" if not found.asks_for_psnr else ", no threshold is known"


def _standing(place: Standing) -> Iterator[str]:
    interval = ""
    if place.score_ci95 is not None and place.score_ci95[0] != place.score_ci95[1]:
        interval = f" (95 % interval {place.score_ci95[0]:.2f} to {place.score_ci95[1]:.2f})"
    score = "too large for a number" if place.score == float("inf") else f"{place.score:.2f}"
    yield f"  score        {score}{interval}, estimated by the rules of {place.reference}; lower is better"
    span = ""
    if place.place_ci95 is not None and place.place_ci95[0] != place.place_ci95[1]:
        span = f" ({place.place_ci95[0]} to {place.place_ci95[1]} within the interval)"
    between = [f"after {place.above}"] if place.above is not None else []
    between += [f"before {place.below}"] if place.below is not None else []
    yield (
        f"  place        {place.place} of {place.of}{span} in {place.reference}, {' and '.join(between)}, if "
        "it kept the threshold on the challenge's images, and its GPU gave the same ratio"
    )
