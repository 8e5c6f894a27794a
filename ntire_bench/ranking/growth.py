"""By how much a submission's costs grew over an earlier version, and the limits on that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ntire_bench.protocols.protocol import Channel
from ntire_bench.ranking.comparing import Comparison, Runtime, compare_session
from ntire_bench.ranking.limits import Limits
from ntire_bench.records.record import Record

__all__ = ["Growth", "growth_of", "not_compared"]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A submission beside the version that it changes.

    Attributes:
        base: Where that version is from, such as a commit.
        params: Of both, the new one first.
        flops: Alike.
        psnr_db: Mean PSNR of both by split; None where an image has none.
        channel: Of PSNR.
        runtime: Which one is faster; None where nothing was compared.
        exceeded: One clause for each limit that is exceeded.
        undecided: One clause for each limit of which it cannot be told.
        unproven: One clause for each limit that is shown neither to be kept nor exceeded; it counts as kept.
        note: Why nothing was compared; else empty.
    """

    base: str
    params: tuple[int, int] | None = None
    flops: tuple[int, int] | None = None
    psnr_db: Mapping[str, tuple[float | None, float | None]]
    channel: Channel
    runtime: Runtime | None = None
    exceeded: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    note: str = ""

    @property
    def exit_code(self) -> int:
        """0 within the limits, 1 over one, 2 where it cannot be told."""
        return 2 if self.undecided else 1 if self.exceeded else 0

    def document(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {**vars(self), "exit_code": self.exit_code}


def not_compared(base: str, channel: Channel, why: str, *, undecided: tuple[str, ...] = ()) -> Growth:
    """Return that there is nothing to compare with.

    Args:
        base: Where the earlier version would be from.
        channel: Of PSNR.
        why: As a clause.
        undecided: Limits of which it therefore cannot be told whether they are kept.
    """
    return Growth(base=base, psnr_db={}, channel=channel, note=why, undecided=undecided)


def growth_of(record: Record, base: str, channel: Channel, limits: Limits) -> Growth:
    """Compare a submission with the version beside which it was evaluated.

    A runtime exceeds its limit where the whole 95 % interval of the ratio does: a gate that fails by chance
    is soon ignored. Where the limit lies inside of the interval, it counts as kept, and that this is not
    shown is told. Where there is no interval, or the worker's clock did not fit this program's, the limit is
    not decided. A runtime that other programs disturbed has a wide interval, which is answer enough.

    Args:
        record: Successful; the earlier version is in the place of the baseline.
        base: Where that is from.
        channel: Of PSNR.
        limits: How much the change may cost.
    """
    found = compare_session(record, channel)
    params, flops = (_both(found, name) for name in ("parameters", "FLOPs"))
    over = list(_over("parameters", params, limits.params)) + list(_over("FLOPs", flops, limits.flops))
    undecided: list[str] = []
    unproven: list[str] = []
    if limits.runtime is not None:
        ratio, ci95, most = found.runtime.ratio, found.runtime.ci95, 1 + limits.runtime
        believed = record.timing is not None and record.timing.attested is not False
        if ci95 is None or ratio is None or not believed:
            why = found.runtime.how if believed else "its worker's clock is not believed"
            undecided.append(f"the runtime: {why}")
        elif ci95[0] > most:
            over.append(
                f"the runtime grew by {ratio - 1:.1%}, at least {ci95[0] - 1:.1%}, of which "
                f"{limits.runtime:.1%} are allowed"
            )
        elif ci95[1] > most:
            unproven.append(
                f"the runtime's ratio is {ratio:.3f}, its 95 % interval {ci95[0]:.3f} to {ci95[1]:.3f}, and "
                f"{most:g} is allowed: more --rounds, or a quieter machine, can tell"
            )
    if limits.psnr_db is not None:
        for split, (new, old) in found.mean_db.items():
            if new is None or old is None:
                undecided.append(f"PSNR on {split}: an image has none")
            elif old - new > limits.psnr_db:
                over.append(
                    f"PSNR on {split} fell by {old - new:.3f} dB, of which {limits.psnr_db:g} dB are allowed"
                )
    return Growth(
        base=base,
        params=params,
        flops=flops,
        psnr_db=found.mean_db,
        channel=channel,
        runtime=found.runtime,
        exceeded=tuple(over),
        undecided=tuple(undecided),
        unproven=tuple(unproven),
    )


def _both(found: Comparison, name: str) -> tuple[int, int]:
    (cost,) = [one for one in found.costs if one.name == name]
    return int(cost.a or 0), int(cost.b or 0)


def _over(name: str, both: tuple[int, int], limit: float | None) -> Iterator[str]:
    """Yield that a cost grew by more than it may.

    >>> list(_over("FLOPs", (103, 100), 0.02)), list(_over("FLOPs", (102, 100), 0.02))
    (['the FLOPs grew by 3.0%, from 100 to 103, of which 2.0% are allowed'], [])
    """
    new, old = both
    if limit is not None and new > old * (1 + limit):
        share = "" if old == 0 else f" by {new / old - 1:.1%}"
        yield f"the {name} grew{share}, from {old:,} to {new:,}, of which {limit:.1%} are allowed"
