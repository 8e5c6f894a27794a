"""The whole report of one evaluation: what was checked, on what, what was found, and the evidence.

For an organizer to send to a team, as Markdown, or as a document for programs. Nothing is measured for it:
all of it is in the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET

from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.entry import Entry, entry_from_record
from ntire_bench.ranking.scoring import judge
from ntire_bench.records.accepted import Accepted
from ntire_bench.records.operational import word
from ntire_bench.records.record import Complexity, Finding, Record, Timing
from ntire_bench.records.scored_costs import scored_flops, scored_params
from ntire_bench.reporting.escape import markdown as as_text
from ntire_bench.text import giga, one_line

__all__ = ["Check", "Report", "audit_report", "markdown"]

# Which check a finding belongs to, by the begin of its code.
_BELONG: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("PSNR", ("psnr", "gain", "memorized", "worse")),
    ("SR images", ("output",)),
    ("FLOPs", ("flops", "threads-in-forward", "twin", "counted-on-twin")),
    ("Parameters", ("params", "parameters")),
    ("Clock", ("timing",)),
    ("Runtime", ("runtime", "launch-bound", "content", "flags", "time")),
    ("Turns", ("busy", "work-left")),
)
_OTHER = "Other"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Short, such as "FLOPs".
        what: What was checked, in a sentence.
        on: On what: images, sizes, calls.
        evidence: The figures that were seen, one line each.
        findings: What was found; empty where nothing was.
    """

    name: str
    what: str
    on: str
    evidence: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """All of one evaluation.

    Attributes:
        title: Team and protocol.
        verdict: What became of it, in a sentence.
        facts: What was evaluated, on what and how, (name, value).
        checks: In the order in which a reader wants them.
        follows: Whether the record's figures follow from each other: a sentence.
        accepted: What an organizer has accepted, (code, reason).
    """

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]
    follows: str
    accepted: tuple[tuple[str, str], ...] = ()


def audit_report(
    record: Record, protocol: Protocol, accepted: Sequence[Accepted] = (), follows: str = ""
) -> Report:
    """Return the report of an evaluation.

    Args:
        record: Whole; a failed one has what was reached.
        protocol: The rules, for thresholds and scale.
        accepted: What an organizer has accepted of the team's findings.
        follows: Whether its figures follow from each other, in a sentence.
    """
    entry = (
        entry_from_record(record, protocol, record.psnr_channel, accepted) if record.status == "ok" else None
    )
    checks = [
        *([_psnr(record, entry, protocol), _sr_images(record)] if entry is not None else []),
        *(
            [_flops(record.complexity), _parameters(record.complexity)]
            if record.complexity is not None
            else []
        ),
        *(
            [_runtime(record, record.timing), _clock(record.timing), _turns(record.timing)]
            if record.timing
            else []
        ),
        _isolation(record),
    ]
    return Report(
        title=f"{one_line(record.submission.label)} under {protocol.title}",
        verdict=_verdict(record, entry, protocol),
        facts=tuple(_facts(record)),
        checks=tuple(_with_findings(checks, record.findings)),
        follows=follows,
        accepted=tuple(entry.accepted.items()) if entry is not None else (),
    )


def _verdict(record: Record, entry: Entry | None, protocol: Protocol) -> str:
    if entry is None:
        phase, message = (record.error.phase, record.error.message) if record.error else ("?", "no message")
        return f"Failed in the phase {phase}: {one_line(message)}"
    if entry.rejections:
        codes = ", ".join(dict.fromkeys(finding.code for finding in entry.rejections))
        return f"Rejected, without a rank: {codes}."
    verdicts = judge(entry, protocol)
    if any(verdict.passed is False for verdict in verdicts):
        return f"Below a threshold: {'; '.join(f'{v.split}: {v.reason}' for v in verdicts if not v.passed)}."
    if (not verdicts and protocol.asks_for_psnr) or any(verdict.passed is None for verdict in verdicts):
        return "Not judged: " + (
            "; ".join(f"{v.split}: {v.reason}" for v in verdicts) or "no threshold holds."
        )
    final = record.score.final if record.score is not None else None
    score = "its score exceeds the range of a number" if final is None else f"its final score is {final:.2f}"
    kept = "Keeps the thresholds" if protocol.asks_for_psnr else "No PSNR is asked for"
    return f"{kept}; {score} (lower is better)."


def _facts(record: Record) -> list[tuple[str, str]]:
    own, machine = record.submission, record.environment
    known = [
        ("evaluated", record.created_utc),
        ("rules", f"{record.protocol.name} (SHA-256 of the file {record.protocol.sha256[:16]})"),
        ("model file", f"{own.file} (SHA-256 {own.file_sha256[:16]})"),
    ]
    if own.checkpoint is not None:
        known.append(("checkpoint", f"{own.checkpoint} (SHA-256 {(own.checkpoint_sha256 or '?')[:16]})"))
    if own.model is not None:
        known.append(("network", own.model))
    if own.data_range is not None:
        known.append(("input range", f"0 to {own.data_range:g}"))
    known += [(f"found out: {item.key}", f"{item.value} ({item.how})") for item in own.inferred]
    for name, split in record.splits.items():
        images = f"{split.images} images of {split.dataset} (fingerprint {split.dataset_sha256[:16]})"
        known.append((f"split {name}", images + (", the sample set" if record.sample else "")))
    if record.manifest is not None:
        named = f"{record.manifest.file} (SHA-256 {record.manifest.sha256[:16]}): all images are those of it"
        known.append(("manifest", named))
    if record.baseline is not None:
        its = record.baseline.submission
        known.append(("baseline", f"{its.label} (SHA-256 {its.file_sha256[:16]})"))
    if machine is not None:
        known += [
            (
                "device",
                f"{machine.device_name}, {machine.threads} CPU thread{'s' if machine.threads != 1 else ''}",
            ),
            (
                "software",
                f"torch {machine.torch}, Python {machine.python}, ntire_bench {machine.ntire_bench}",
            ),
        ]
        if machine.driver:
            known.append(("driver", f"{machine.driver}, CUDA {machine.cuda}, cuDNN {machine.cudnn}"))
    return [(name, one_line(value)) for name, value in known]


def _psnr(record: Record, entry: Entry, protocol: Protocol) -> Check:
    evidence = []
    for verdict in judge(entry, protocol):
        evidence.append(f"{verdict.split}, {verdict.channel.upper()}: {verdict.reason}")
    for name, split in record.splits.items():
        shown = [
            f"{label} {value:.4f}{unit}"
            for label, value, unit in (
                ("Y", split.psnr_y_db, " dB"),
                ("RGB", split.psnr_rgb_db, " dB"),
                ("SSIM on Y", split.ssim_y, ""),
            )
            if value is not None
        ]
        evidence.append(f"{name}: {', '.join(shown) or 'infinite in an image'}")
    monitor = record.timing.monitor if record.timing is not None else {}
    if "gain_difference_db" in monitor:
        found, half = monitor["gain_difference_db"]
        plain = {"bicubic": "bicubic enlargement", "blur": "a Gaussian blur"}
        over = plain.get(str(monitor.get("gain_over")), "the baseline")
        evidence.append(
            f"gain over {over} on these images less that in {monitor.get('composed_squares', '?')} "
            f"squares of composed ones: {found:+.3f} dB, give or take {half:.3f}"
        )
    on = ", ".join(f"{split.images} images of {name}" for name, split in record.splits.items())
    what = f"PSNR with a border crop of {protocol.border} pixels, and whether it is the network's own"
    return Check(name="PSNR", what=what, on=on, evidence=tuple(evidence))


def _sr_images(record: Record) -> Check:
    windows = record.timing.monitor.get("verified_windows") if record.timing is not None else None
    told = (
        "not recorded" if windows is None else f"{windows} windows of timed calls were run again and compared"
    )
    what = "whether SR images come again from a fresh process and in another order"
    return Check(name="SR images", what=what, on="timed calls drawn at random", evidence=(told,))


def _flops(costs: Complexity) -> Check:
    audit = costs.audit
    evidence = [f"official count: {giga(costs.flops)}"]
    if audit.flops is not UNSET:
        evidence.append(f"operator by operator: {giga(audit.flops)}; scored: {giga(scored_flops(costs))}")
    if audit.sizes is not UNSET:
        sizes = ", ".join(f"{height}x{width}: {each:,.0f}" for height, width, each in audit.sizes)
        evidence.append(f"multiply-accumulates per LR pixel at sizes that nobody was told: {sizes}")
    if costs.uncounted_ops:
        names = ", ".join(f"{name} ({count})" for name, count in costs.uncounted_ops.items())
        evidence.append(f"operators that fvcore gives no cost: {names}")
    if isinstance(audit.agreement, float):
        evidence.append(f"the pass that was counted gave {audit.agreement:.2%} of an ordinary call's values")
    shape = "x".join(map(str, costs.input_shape))
    what = "FLOPs by fvcore, and counted again where the operators run"
    if audit.twin is not UNSET and audit.twin_difference is not UNSET:
        most, rms, precision = audit.twin_difference
        evidence.append(
            f"counted on its twin, {one_line(audit.twin)}: on crops the network differs from it by up to "
            f"{most:.2g} grey levels, {rms:.1g} in the mean (rms); it computes in {one_line(precision)}"
        )
    return Check(
        name="FLOPs", what=what, on=f"an input of {shape} and undisclosed sizes", evidence=tuple(evidence)
    )


def _parameters(costs: Complexity) -> Check:
    audit = costs.audit
    evidence = [f"official count: {costs.params:,}"]
    if audit.params is not UNSET:
        evidence.append(f"by what reaches an SR image: {audit.params:,}; scored: {scored_params(costs):,}")
    for name, value in (
        ("weights in buffers, attributes and globals", audit.undeclared),
        ("made in forward", audit.generated),
        ("unpacked in forward", audit.packed),
        ("computed in forward", audit.expanded),
        ("second values of parameters that are complex or of 64 bits", audit.wide),
    ):
        if value is not UNSET and value:
            evidence.append(f"of these, {name}: {value:,}")
    what = "parameters by parameters(), and the values that an SR image depends on"
    return Check(
        name="Parameters", what=what, on="the passes in which FLOPs are counted", evidence=tuple(evidence)
    )


def _runtime(record: Record, timing: Timing) -> Check:
    evidence = [
        f"{name}: {split.runtime_ms:.3f} ms, the mean over images of the median of {record.rounds} calls"
        for name, split in record.splits.items()
    ]
    interval = ""
    if timing.ratio_ci95 is not None:
        interval = f", 95 % interval {timing.ratio_ci95[0]:.4f} to {timing.ratio_ci95[1]:.4f}"
    evidence.append(f"ratio to the baseline's: {timing.ratio:.4f}{interval}")
    for whose, counts in (("its", timing.slow_calls), ("the baseline's", timing.baseline_slow_calls)):
        if counts:
            causes = ", ".join(f"{cause} {count}" for cause, count in counts.items())
            evidence.append(f"{whose} calls of over 1.2 times the median of their image, by cause: {causes}")
    if timing.repeated:
        causes = ", ".join(f"{cause} {count}" for cause, count in timing.repeated.items())
        evidence.append(f"pairs of calls that were made again, by why: {causes}")
    if timing.exact_over_composed is not None:
        evidence.append(
            f"on the data set's own LR images it takes {timing.exact_over_composed:.3f} times as long as on "
            "composed ones"
        )
    if timing.runtime_per_work is not None:
        evidence.append(
            f"for the work that is counted of it, it takes {timing.runtime_per_work:.2f} times as long as "
            "the baseline for its own"
        )
    evidence += [f"not stable: {reason}" for reason in timing.unstable]
    launches = len(timing.launches)
    in_launches = f"{launches} launch{'es' if launches != 1 else ''}"
    on = f"{record.rounds} round{'s' * (record.rounds != 1)} in {in_launches}, in turns with the baseline"
    return Check(
        name="Runtime",
        what="how long a forward pass takes, and how well that is known",
        on=on,
        evidence=tuple(evidence),
    )


def _clock(timing: Timing) -> Check:
    told = {
        True: "both clocks agree within what the time for the pixels scatters",
        False: "the clocks do not agree: the runtime is not believed",
        None: "not checked by the version that measured it",
    }[timing.attested]
    what = "the worker's clock against the time between sending an LR image and having the SR image"
    return Check(name="Clock", what=what, on="every timed call", evidence=(told,))


def _turns(timing: Timing) -> Check:
    others = timing.monitor.get("others_cpu")
    evidence = [] if others is None else [f"other programs used {others:.0%} of the machine"]
    frozen, cores = timing.monitor.get("idle_side_frozen"), timing.monitor.get("cores_in_turn")
    if frozen is not None:
        evidence.append(f"in {frozen:.0%} of the turns of one side the other stood still")
    if cores is not None:
        evidence.append(f"it used {cores:.2f} cores in its own turns")
    what = "whether it computes while the baseline is timed or beside its own threads, or leaves work behind"
    return Check(name="Turns", what=what, on="every turn of both sides", evidence=tuple(evidence))


def _isolation(record: Record) -> Check:
    found = record.isolation
    if found is None:
        return Check(
            name="Isolation", what="what its process could reach", on="no worker was started", evidence=()
        )
    evidence = [f"{found.level}: {found.detail}"]
    if found.held:
        evidence.append(f"tried at this level and not possible: {', '.join(found.held)}")
    evidence += [f"possible although it must not be: {name}, {what}" for name, what in found.broken.items()]
    evidence += [f"no higher level: {reason}" for reason in found.refused]
    if found.allow_pickle:
        evidence.append("checkpoints could run code as they were loaded (--allow-pickle)")
    return Check(
        name="Isolation",
        what="what its process could reach",
        on="a test program at the same level",
        evidence=tuple(evidence),
    )


def _with_findings(checks: Sequence[Check], findings: Sequence[Finding]) -> list[Check]:
    """Return the checks with what was found; what belongs to none of them is a check of its own."""
    there = {check.name for check in checks}
    of_check: dict[str, list[Finding]] = {}
    for finding in findings:
        name = next((name for name, begins in _BELONG if finding.code.startswith(begins)), _OTHER)
        of_check.setdefault(name if name in there else _OTHER, []).append(finding)
    found = [
        Check(
            name=check.name,
            what=check.what,
            on=check.on,
            evidence=check.evidence,
            findings=tuple(of_check.get(check.name, ())),
        )
        for check in checks
    ]
    if _OTHER in of_check:
        found.append(
            Check(
                name=_OTHER,
                what="what else was noticed",
                on="",
                evidence=(),
                findings=tuple(of_check[_OTHER]),
            )
        )
    return found


def markdown(report: Report) -> str:
    """Return the report as Markdown; strangers' texts stay text."""
    lines = [f"# {_text(report.title)}", "", f"**{_text(report.verdict)}**", ""]
    if report.follows:
        lines += [_text(report.follows), ""]
    for code, because in report.accepted:
        lines += [f"The organizer has accepted {_text(code)}: {_text(because)}.", ""]
    lines += ["| what | value |", "|---|---|"]
    lines += [f"| {_text(name)} | {_text(value)} |" for name, value in report.facts]
    for check in report.checks:
        lines += ["", f"## {check.name}", "", f"Checked: {check.what}."]
        lines += [f"On: {_text(check.on)}.", ""] if check.on else [""]
        lines += [f"- {_text(text)}" for text in check.evidence]
        if check.findings:
            lines += [
                "",
                *(f"- **{_text(f.code)}** ({word(f)}): {_text(f.message)}" for f in check.findings),
            ]
        else:
            lines += ["", "Nothing was found."]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return as_text(one_line(text))
