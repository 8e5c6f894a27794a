"""Whether a record keeps the PSNR thresholds, with an exit code for CI jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ntire_bench.protocols.protocol import Channel, Protocol
from ntire_bench.ranking.entry import entry_from_record, swap_channel
from ntire_bench.ranking.scoring import Verdict, judge
from ntire_bench.records.accepted import Accepted
from ntire_bench.records.record import Record

__all__ = ["EXIT_CODES", "Answer", "Decision", "gate", "not_judged"]

Decision = Literal["pass", "below", "rejected", "not judged"]
EXIT_CODES: dict[Decision, int] = {"pass": 0, "below": 1, "rejected": 1, "not judged": 2}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the gate says of one submission.

    Attributes:
        submission: Its label, such as "00_RLFN".
        protocol: Name of the rules.
        channel: Channel that was compared.
        outcome: "pass" where every judged split passes and nothing was found for which it is rejected.
        reason: Why it is rejected or could not be judged; else empty.
        verdicts: One per judged split.
        other_channel: The same comparison in the other channel, for information.
        sample: True where the embedded sample set was used.
        accepted: Codes of findings of severity reject that an organizer has accepted, with the reason.
        notes: What else a reader must know, such as that the images are not the protocol's.
    """

    submission: str
    protocol: str
    channel: Channel
    outcome: Decision
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    other_channel: tuple[Verdict, ...] = ()
    sample: bool = False
    accepted: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 pass, 1 below the threshold or rejected, 2 could not be judged."""
        return EXIT_CODES[self.outcome]

    @property
    def remark(self) -> str:
        """A sentence for the reader where the submission passes in one channel only; else empty."""
        if self.outcome != "pass" or all(verdict.passed is not False for verdict in self.other_channel):
            return ""
        failing = "; ".join(f"{v.split}: {v.reason}" for v in self.other_channel if v.passed is False)
        other = "RGB" if self.channel == "y" else "Y"
        return f"passes in {self.channel.upper()} and would fail in {other} ({failing})"

    def document(self) -> dict[str, Any]:
        """Return the answer as plain values for JSON."""

        def plain(verdicts: tuple[Verdict, ...]) -> list[dict[str, Any]]:
            return [vars(verdict) for verdict in verdicts]

        return {
            **{key: value for key, value in vars(self).items() if key not in ("verdicts", "other_channel")},
            "verdicts": plain(self.verdicts),
            "other_channel": plain(self.other_channel),
            "remark": self.remark,
            "exit_code": self.exit_code,
        }


def not_judged(label: str, protocol: Protocol, channel: Channel, reason: str, sample: bool = False) -> Answer:
    """Return the answer for a submission that could not be judged, and why."""
    return Answer(
        submission=label,
        protocol=protocol.name,
        channel=channel,
        outcome="not judged",
        reason=reason,
        sample=sample,
    )


def gate(record: Record, protocol: Protocol, channel: Channel, accepted: Sequence[Accepted] = ()) -> Answer:
    """Judge a record.

    Args:
        record: Of an evaluation, successful or not.
        protocol: The rules.
        channel: Channel to compare.
        accepted: What an organizer has accepted of the team's findings.
    """
    label = record.submission.label

    def unknown_because(reason: str) -> Answer:
        return not_judged(label, protocol, channel, reason, record.sample)

    if record.protocol.name == protocol.name and record.protocol.sha256 != protocol.sha256:
        return unknown_because(f"the rules of {protocol.name} have changed since the record was made")
    if record.status != "ok":
        return unknown_because(record.error.message if record.error else "the evaluation failed")
    if record.sample and protocol.thresholds.kind == "absolute":
        return unknown_because(
            f"the thresholds of {protocol.name} are for its own images, not for the sample set"
        )
    entry = entry_from_record(record, protocol, channel, accepted)
    verdicts = judge(entry, protocol)
    if not protocol.asks_for_psnr:
        return unknown_because(
            f"protocol {protocol.name} asks for no PSNR: give a threshold, such as --threshold valid=29.5"
        )
    if not verdicts:
        return unknown_because(f"protocol {protocol.name} has no threshold for {', '.join(record.splits)}")
    unknown = [f"{verdict.split}: {verdict.reason}" for verdict in verdicts if verdict.passed is None]
    if unknown:
        return unknown_because("; ".join(unknown))
    if entry.unproven and not entry.rejections and all(verdict.passed for verdict in verdicts):
        return unknown_because(entry.unproven)
    outcome: Decision = "pass" if all(verdict.passed for verdict in verdicts) else "below"
    return Answer(
        submission=label,
        protocol=protocol.name,
        channel=channel,
        outcome="rejected" if entry.rejections else outcome,
        reason="; ".join(f"{finding.code}: {finding.message}" for finding in entry.rejections),
        verdicts=verdicts,
        other_channel=judge(swap_channel(entry), protocol),
        sample=record.sample,
        accepted=entry.accepted,
        notes=entry.notes,
    )
