"""What a participant wants to know before sending: does it pass, how fast is it, where would it stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.gate import Answer, gate
from ntire_bench.ranking.standing import Standing, standing
from ntire_bench.records.operational import is_operational
from ntire_bench.records.record import Finding, Record
from ntire_bench.records.scored_costs import scored_flops, scored_params
from ntire_bench.records.unproven import why_unproven

__all__ = ["REFERENCE", "Verdict", "verdict"]

REFERENCE = "ntire2024"
"""The published table that a network's place is told in."""

Outcome = Literal["pass", "below", "rejected", "not judged"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an evaluation says of a submission.

    Attributes:
        outcome: "pass" where the PSNR thresholds are kept, if any are asked for, and nothing was found for
            which it is rejected;
            "below", "rejected"; "not judged" where no threshold is known for these images, or where timed
            calls could not be compared with those of another process.
        because: Why it is not "pass"; else empty.
        sample: Whether it was evaluated on the sample set, which is not comparable with the challenge.
        protocol: Name of the rules.
        asks_for_psnr: Whether they have thresholds.
        psnr_db: Mean PSNR by split and channel, "y" or "rgb"; None where SR equals HR.
        answer: The comparison with the thresholds, in both channels.
        baseline: Label of the baseline that ran beside; None where the submission ran alone.
        ratio: Runtime over the baseline's; None where it ran alone.
        ratio_ci95: 95 % interval of it; None where it is not known.
        standing: Where it would stand in a published table; None where the baseline is not that table's.
        no_standing: Why there is none; else empty.
        machine: What was found on the machine: no fault of the submission's.
    """

    outcome: Outcome
    because: str = ""
    sample: bool
    protocol: str
    asks_for_psnr: bool = True
    psnr_db: dict[str, dict[str, float | None]]
    answer: Answer
    baseline: str | None
    ratio: float | None
    ratio_ci95: tuple[float, float] | None
    standing: Standing | None
    no_standing: str = ""
    machine: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        values = {key: value for key, value in vars(self).items() if key not in ("answer", "standing")}
        answer = self.answer.document()
        return {
            **values,
            "notes": answer["notes"],
            "thresholds": answer["verdicts"],
            "thresholds_other_channel": answer["other_channel"],
            "standing": None if self.standing is None else vars(self.standing),
        }


def verdict(record: Record, protocol: Protocol, findings: Sequence[Finding]) -> Verdict:
    """Return what an evaluation says of a submission.

    Args:
        record: Of a successful evaluation.
        protocol: The rules that it was made by.
        findings: All that was found, by the check too.
    """
    answer = gate(record, protocol, record.psnr_channel)
    rejected = [finding for finding in findings if finding.severity == "reject"]
    unproven = why_unproven(record)
    unasked = not protocol.asks_for_psnr and record.status == "ok" and not unproven
    outcome: Outcome = "rejected" if rejected else "pass" if unasked else answer.outcome
    because = "; ".join(f"{one.code}: {one.message}" for one in rejected) or (
        "" if outcome == "pass" else unproven or answer.reason
    )
    if outcome == "below":
        because = "; ".join(f"{one.split}: {one.reason}" for one in answer.verdicts if one.passed is False)
    beside = record.baseline is not None and not _is_alone(record)
    timing = record.timing if beside else None
    place, why = _standing(record, beside=beside)
    return Verdict(
        outcome=outcome,
        because=because,
        sample=record.sample,
        protocol=protocol.name,
        asks_for_psnr=protocol.asks_for_psnr,
        psnr_db={
            name: {"y": split.psnr_y_db, "rgb": split.psnr_rgb_db} for name, split in record.splits.items()
        },
        answer=answer,
        baseline=record.baseline.submission.label if beside and record.baseline is not None else None,
        ratio=None if timing is None else timing.ratio,
        ratio_ci95=None if timing is None else timing.ratio_ci95,
        standing=place,
        no_standing=why,
        machine=tuple(one.message for one in record.findings if is_operational(one.code)),
    )


def _is_alone(record: Record) -> bool:
    """Return whether a submission was its own baseline."""
    other = record.baseline
    return other is None or (
        other.submission.id == record.submission.id and other.submission.files == record.submission.files
    )


def _standing(record: Record, *, beside: bool) -> tuple[Standing | None, str]:
    costs, timing = record.complexity, record.timing
    if not beside or costs is None or timing is None or record.baseline is None:
        return None, "its runtime was not measured beside a baseline's"
    found = standing(
        REFERENCE,
        flops=scored_flops(costs),
        params=scored_params(costs),
        ratio=timing.ratio,
        ratio_ci95=timing.ratio_ci95,
    )
    name = record.baseline.submission.name
    if name.casefold() != found.baseline.casefold():
        return None, f"it was measured beside {name}, and the table divides by {found.baseline}"
    return found, ""
