"""What a team is told of what it sent, as a page of Markdown to mail back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ntire_bench.errors import NtireBenchError
from ntire_bench.records.operational import word
from ntire_bench.records.record import Complexity, Finding, SubmissionInfo
from ntire_bench.records.scored_costs import scored_flops, scored_params
from ntire_bench.reporting.escape import markdown
from ntire_bench.text import few, giga, one_line

__all__ = ["sheet"]

_MOST_LEFT = 12


def sheet(
    item: str,
    outcome: str,
    label: str | None,
    *,
    reason: NtireBenchError | None = None,
    info: SubmissionInfo | None = None,
    complexity: Complexity | None = None,
    findings: Sequence[Finding] = (),
    left: Sequence[str] = (),
) -> str:
    """Return the page for one team.

    Args:
        item: Name of what was sent.
        outcome: "taken in", "there already", "does not run" or "refused".
        label: The submission; None where none was recognized.
        reason: Why it was not taken in.
        info: How it was resolved; None where it was not tried.
        complexity: Its costs; None where it was not tried.
        findings: What was found in trying it.
        left: Names of files that are no part of it.
    """
    return "\n".join(_lines(item, outcome, label, reason, info, complexity, findings, left)) + "\n"


def _lines(
    item: str,
    outcome: str,
    label: str | None,
    reason: NtireBenchError | None,
    info: SubmissionInfo | None,
    complexity: Complexity | None,
    findings: Sequence[Finding],
    left: Sequence[str],
) -> Iterator[str]:
    yield f"# {_text(label or item)}: {outcome}"
    yield ""
    yield f"What you sent: {_text(item)}."
    if reason is not None:
        yield ""
        yield f"**{_text(reason.what)}.**"
        yield ""
        for name, value in (("Expected", reason.expected), ("Found", reason.found), ("To do", reason.remedy)):
            if value:
                yield f"- {name}: {_text(value)}"
    if info is not None and complexity is not None:
        yield from _resolved(info, complexity)
    if findings:
        yield from ("", "What was found:", "")
        for finding in findings:
            yield f"- **{word(finding)}**, {_text(finding.code)}: {_text(finding.message)}"
    elif info is None and outcome == "taken in":
        yield from ("", "It was not run yet.")
    elif info is not None:
        yield from ("", "Nothing was found that an organizer would object to.")
    if left:
        yield from ("", f"Not part of the submission, and not kept: {_text(few(list(left), _MOST_LEFT))}.")
    if outcome in ("refused", "does not run"):
        yield ""
        yield "`ntire-bench check ID --strict` shows what an organizer sees; `ntire-bench pack ID` writes"
        yield "what to send."


def _resolved(info: SubmissionInfo, complexity: Complexity) -> Iterator[str]:
    size = "x".join(map(str, complexity.input_shape[2:]))
    yield from ("", "It loads and runs:", "", "| | |", "|---|---|")
    rows = [
        ("model", info.model or ""),
        ("checkpoint", info.checkpoint or "none"),
        ("input range", f"0 to {info.data_range:g}" if info.data_range is not None else ""),
        ("parameters", f"{scored_params(complexity):,}"),
        ("FLOPs", f"{giga(scored_flops(complexity))} at {size}"),
        ("activations", f"{complexity.activations / 1e6:.2f} M in {complexity.convs} convolutions"),
    ]
    for name, value in rows:
        yield f"| {name} | {_text(value)} |"
    for one in info.inferred:
        yield f"| {_text(one.key)} | {_text(one.value)}: {_text(one.how)} |"


def _text(text: str) -> str:
    return markdown(one_line(text))
