"""How long several evaluations will take and what they will store, said before they begin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.data.dataset import Split
from ntire_bench.estimating.stopping import LAUNCHES, MOST_PER_LAUNCH, StopRule
from ntire_bench.machine.resources import free_bytes
from ntire_bench.text import relative
from ntire_bench.workflows.speed import Speed

__all__ = ["Disk", "Estimate", "Work", "estimate", "minutes", "size", "span", "told", "work_of"]

_COST_PIXELS = 256 * 256  # LR pixels of the cost input
_COUNTING = 2.5  # passes of each side over an image, both at the same time: counting and auditing
_WARM_UP = 1.3  # passes over an image of each size
_AGAIN = 4  # calls of a fresh process at the end
_RECORD_BYTES, _SAMPLE_BYTES = 16 * 1024, 64
_CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class Work:
    """What each submission is run on.

    Attributes:
        images: Of all splits.
        lr_pixels: Of all images.
        size_pixels: LR pixels of one image of each size.
        largest: LR pixels of the largest image.
        scale: HR size over LR size.
    """

    images: int
    lr_pixels: int
    size_pixels: int
    largest: int
    scale: int


@dataclass(frozen=True, kw_only=True)
class Disk:
    """What will be stored at most.

    Attributes:
        records_bytes: One record of each submission.
        images_bytes: SR images, as large as they would be without compression; 0 where none are kept.
    """

    records_bytes: int
    images_bytes: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What evaluations will take.

    Attributes:
        submissions: How many.
        images: That each is run on.
        low_s: With as few rounds as there can be [s].
        high_s: With as many rounds as the limits allow [s].
        disk: What will be stored.
        speed: What this follows from.
    """

    submissions: int
    images: int
    low_s: float
    high_s: float
    disk: Disk
    speed: Speed


def work_of(splits: Sequence[Split], scale: int) -> Work:
    """Return what each submission is run on."""
    areas = [pair.height * pair.width // scale**2 for split in splits for pair in split.pairs]
    sizes = {(pair.height, pair.width) for split in splits for pair in split.pairs}
    return Work(
        images=len(areas),
        lr_pixels=sum(areas),
        size_pixels=sum(height * width // scale**2 for height, width in sizes),
        largest=max(areas, default=0),
        scale=scale,
    )


def estimate(
    labels: Sequence[str], work: Work, rule: StopRule, speed: Speed, *, keep_images: bool
) -> Estimate:
    """Foresee several evaluations.

    Args:
        labels: Of the submissions.
        work: What each is run on.
        rule: When rounds end.
        speed: How fast submissions run here; those without a record are taken to be as fast as others.
        keep_images: Whether SR images are stored.

    >>> fast = Speed(device="cpu", pair_s=1e-6, start_s=2.0, own={"02_B": 3e-6}, source="timed", baseline="")
    >>> work = Work(images=10, lr_pixels=10**6, size_pixels=10**5, largest=10**5, scale=4)
    >>> found = estimate(["01_A", "02_B"], work, StopRule(rounds=1), fast, keep_images=True)
    >>> round(found.low_s, 2) == round(found.high_s, 2), found.disk.images_bytes
    (True, 96000000)
    >>> estimate(["01_A"], work, StopRule(max_time_s=60), fast, keep_images=False).high_s > 60
    True
    """
    each = [_range(work, rule, speed, speed.own.get(label, speed.pair_s)) for label in labels]
    most = rule.rounds or rule.max_rounds
    record = _RECORD_BYTES + _SAMPLE_BYTES * 2 * work.images * most
    pixels = work.lr_pixels * work.scale**2
    return Estimate(
        submissions=len(labels),
        images=work.images,
        low_s=math.fsum(low for low, _ in each),
        high_s=math.fsum(high for _, high in each),
        disk=Disk(
            records_bytes=record * len(labels),
            images_bytes=_CHANNELS * pixels * len(labels) if keep_images else 0,
        ),
        speed=speed,
    )


def _range(work: Work, rule: StopRule, speed: Speed, pair_s: float) -> tuple[float, float]:
    """Return how long an evaluation takes with as few rounds as there can be, and with as many [s]."""
    round_s = pair_s * work.lr_pixels
    launch_s = speed.start_s + _WARM_UP * pair_s * work.size_pixels
    mean = work.lr_pixels / max(1, work.images)
    once_s = pair_s * (_COUNTING * max(_COST_PIXELS, work.largest) + _AGAIN * mean / 2) + speed.start_s / 2
    affordable = max(1, int(rule.max_time_s / round_s)) if round_s > 0 else rule.max_rounds
    few = rule.rounds or min(max(LAUNCHES, rule.min_rounds), affordable, rule.max_rounds)
    many = rule.rounds or max(few, min(rule.max_rounds, affordable))

    def total_s(rounds: int, launches: int) -> float:
        return once_s + launches * launch_s + rounds * round_s

    fewest = min(LAUNCHES, few)
    most = fewest if rule.rounds else max(fewest, math.ceil(many / MOST_PER_LAUNCH[speed.device]))
    return total_s(few, fewest), total_s(many, most)


def told(found: Estimate, results: Path, save_dir: Path | None) -> list[str]:
    """Return an estimate in sentences, with a warning where a disk has no room for what comes.

    Args:
        found: The estimate.
        results: Folder of the records.
        save_dir: Folder of the SR images; None where none are kept.
    """
    many, images = found.submissions, found.images
    takes = span(found.low_s, found.high_s)
    source = (
        f"as fast as the baseline {found.speed.baseline} was just now"
        if found.speed.source == "timed"
        else "as fast as those that were evaluated here before"
    )
    lines = [
        f"{many} submission{'s' if many != 1 else ''} on {images} image{'s' if images != 1 else ''}: about "
        f"{takes}, if they are {source}."
    ]
    needs = [(results, found.disk.records_bytes, "records")]
    if save_dir is not None:
        needs.append((save_dir, found.disk.images_bytes, "SR images"))
        lines[0] += f" SR images take at most {size(found.disk.images_bytes)}."
    for folder, needed, what in needs:
        free = free_bytes(folder)
        if free is not None and free < needed:
            lines.append(
                f"{relative(folder)}: there may be no room for the {what}: {size(free)} are free, and up to "
                f"{size(needed)} are needed."
            )
    return lines


def span(low_s: float, high_s: float) -> str:
    """Return a range of time in words.

    >>> span(220, 230), span(200, 1300), span(20, 4000)
    ('4 min', '3 to 22 min', '20 s to 1 h 7 min')
    """
    low, high = minutes(low_s), minutes(high_s)
    if low == high:
        return high
    (number, *unit), last = low.split(" "), high.split(" ")
    return f"{number} to {high}" if unit == last[1:] else f"{low} to {high}"


def minutes(seconds: float) -> str:
    """Return a time in words, not more exact than it is known.

    >>> [minutes(value) for value in (0.2, 44, 95, 700, 7300)]
    ['1 s', '44 s', '2 min', '12 min', '2 h 2 min']
    """
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def size(count: int) -> str:
    """Return a number of bytes in words.

    >>> [size(value) for value in (500, 96_000_000, 3 * 10**12)]
    ['1 KiB', '92 MiB', '2794 GiB']
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if count >= unit:
            return f"{count / unit:.{0 if count >= 10 * unit else 1}f} {name}"
    return f"{max(1, round(count / 1024))} KiB"
