"""What a gate says, for other programs: JUnit XML, Markdown for a step summary, GitHub's annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from ntire_bench.ranking.gate import Answer
from ntire_bench.ranking.growth import Growth
from ntire_bench.reporting.comparison_text import percent, runtime_line
from ntire_bench.reporting.escape import markdown
from ntire_bench.text import giga, one_line

__all__ = ["Judged", "github_commands", "growth_lines", "junit", "summary"]

# Characters that XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS = {"pass": "PASS", "below": "BELOW", "rejected": "REJECTED", "not judged": "NOT JUDGED"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One submission, and all that the gate says of it.

    Attributes:
        answer: On PSNR and findings.
        file: Of the model, relative to the checkout's top; None where it is not known.
        seconds: What judging it took.
        growth: Beside the version that it changes; None where that was not asked for.
        record: Where the record is stored; None where it is not.
    """

    answer: Answer
    file: str | None
    seconds: float
    growth: Growth | None = None
    record: str | None = None

    @property
    def exit_code(self) -> int:
        """0 pass, 1 below a threshold, rejected or over a limit, 2 could not be judged."""
        return max(self.answer.exit_code, 0 if self.growth is None else self.growth.exit_code)

    @property
    def problems(self) -> list[str]:
        """Why it does not pass, in sentences; empty where it does."""
        answer, found = self.answer, []
        if answer.outcome != "pass":
            failing = "; ".join(f"{v.split}: {v.reason}" for v in answer.verdicts if v.passed is False)
            found.append(f"{_WORDS[answer.outcome]}: {answer.reason or failing}")
        if self.growth is not None:
            found += [f"OVER A LIMIT: {text}" for text in self.growth.exceeded]
            found += [f"NOT DECIDED: {text}" for text in self.growth.undecided]
        return found

    @property
    def doubts(self) -> list[str]:
        """What a person may want to look at although it passes, in sentences."""
        unproven = () if self.growth is None else self.growth.unproven
        remark = [f"It {self.answer.remark}"] if self.answer.remark else []
        return [*remark, *(f"NOT SHOWN: {text}" for text in unproven)]

    def document(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            **self.answer.document(),
            "exit_code": self.exit_code,
            "file": self.file,
            "growth": None if self.growth is None else self.growth.document(),
            "record": self.record,
        }


def junit(judged: Sequence[Judged], strays: Sequence[str] = ()) -> str:
    """Return the answers as JUnit XML, which CI systems show as tests.

    Each submission is a test case of the suite "ntire-bench gate". One that is below a threshold, rejected or
    over a limit is a failure; one that could not be judged is an error, and so is a file that belongs to no
    submission.

    Args:
        judged: The answers.
        strays: Files that belong to no submission.

    Returns:
        The document, ending in a line break.
    """
    cases = [_case(item) for item in judged] + [_stray_case(path) for path in strays]
    suite = ElementTree.Element("testsuite", name="ntire-bench gate", tests=str(len(cases)))
    for kind, name in (("failure", "failures"), ("error", "errors")):
        suite.set(name, str(sum(case.find(kind) is not None for case in cases)))
    suite.set("skipped", "0")
    suite.set("time", f"{sum(item.seconds for item in judged):.3f}")
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )


def _case(item: Judged) -> ElementTree.Element:
    answer = item.answer
    case = ElementTree.Element(
        "testcase", classname=_xml(f"gate.{answer.protocol}"), name=_xml(answer.submission)
    )
    case.set("time", f"{item.seconds:.3f}")
    if item.file is not None:
        case.set("file", _xml(item.file))
    if item.problems:
        kind = "error" if item.exit_code == 2 else "failure"
        text = "\n".join(item.problems)
        word = item.problems[0].split(":")[0].lower()
        problem = ElementTree.SubElement(case, kind, message=_xml(item.problems[0]), type=word)
        problem.text = _xml(text)
    ElementTree.SubElement(case, "system-out").text = _xml("\n".join(_details(item)))
    return case


def _stray_case(path: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="gate.files", name=_xml(path), time="0.000")
    text = _xml(f"{path} belongs to no submission: rename it, or take it out")
    ElementTree.SubElement(case, "error", message=text, type="stray")
    return case


def _xml(text: str) -> str:
    """Return a text without what XML cannot hold: names and reasons may be a stranger's."""
    return _NOT_XML.sub("\ufffd", text)


def _accepted(answer: Answer) -> list[str]:
    """Say which findings an organizer has accepted: a reader must know by whose word it passes."""
    return [f"{code} is accepted by the organizer, as {because}" for code, because in answer.accepted.items()]


def _details(item: Judged) -> Iterator[str]:
    for verdict in item.answer.verdicts:
        yield f"PSNR on {verdict.channel.upper()}, {verdict.split}: {verdict.reason}"
    yield from _accepted(item.answer)
    for text in item.doubts:
        yield f"{text}."
    yield from item.answer.notes
    if item.growth is not None:
        yield from growth_lines(item.growth, item.answer.submission)


def growth_lines(found: Growth, label: str) -> Iterator[str]:
    """Yield what a change costs, as sentences."""
    if found.note:
        yield f"Not compared with {found.base}: {found.note}."
        return
    for name, both in (("parameters", found.params), ("FLOPs", found.flops)):
        if both is not None:
            new, old = both
            shown = (giga(new), giga(old)) if name == "FLOPs" else (f"{new:,}", f"{old:,}")
            yield f"{name}: {shown[0]}, {shown[1]} in {found.base} ({_share(new, old)})"
    for split, (mine, theirs) in found.psnr_db.items():
        if mine is not None and theirs is not None:
            yield f"PSNR on {found.channel.upper()}, {split}: {mine - theirs:+.3f} dB over {found.base}"
    if found.runtime is not None:
        yield runtime_line(found.runtime, label, f"its version in {found.base}")


def _share(new: int, old: int) -> str:
    return percent(None if old == 0 else (new - old) / old)


def summary(judged: Sequence[Judged], strays: Sequence[str] = ()) -> str:
    """Return the answers in Markdown, as GitHub shows them on the page of a run.

    Args:
        judged: The answers.
        strays: Files that belong to no submission.
    """
    lines = ["## PSNR gate", ""]
    if not judged and not strays:
        lines.append("No submission changed.")
    if judged:
        lines += [
            "| submission | answer | PSNR | parameters | FLOPs | runtime |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(item) for item in judged]
    for item in judged:
        told = [*item.problems, *_accepted(item.answer), *item.doubts, *item.answer.notes]
        if item.growth is not None and item.growth.note:
            told.append(f"not compared with {item.growth.base}: {item.growth.note}")
        lines += ["", *(f"- **{_md(item.answer.submission)}** {_md(text)}" for text in told)] if told else []
    if strays:
        lines += [
            "",
            *(f"- `{_md(path)}` belongs to no submission: rename it, or take it out" for path in strays),
        ]
    if any(item.answer.sample for item in judged):
        lines += ["", "Judged on the sample set, which is not comparable with the challenge."]
    return "\n".join(lines) + "\n"


def _row(item: Judged) -> str:
    answer, growth = item.answer, item.growth
    psnr = "<br>".join(_md(f"{v.split}: {v.reason} ({v.channel.upper()})") for v in answer.verdicts)
    for split, (mine, theirs) in ({} if growth is None else growth.psnr_db).items():
        if mine is not None and theirs is not None:
            psnr += f"<br>{split}: {mine - theirs:+.3f} dB"
    cells = [
        _md(answer.submission),
        _WORDS[answer.outcome] if not item.problems else item.problems[0].split(":")[0],
    ]
    cells.append(psnr)
    for name in ("params", "flops"):
        both = None if growth is None else getattr(growth, name)
        if both is None:
            cells.append("")
            continue
        shown = giga(both[0]) if name == "flops" else f"{both[0]:,}"
        cells.append(f"{shown} ({_share(*both)})")
    cells.append("" if growth is None or growth.runtime is None else _runtime(growth))
    return "| " + " | ".join(cells) + " |"


def _runtime(found: Growth) -> str:
    runtime = found.runtime
    if runtime is None or runtime.ratio is None:
        return "cannot be told"
    limits = "" if runtime.ci95 is None else f" ({runtime.ci95[0]:.3f} to {runtime.ci95[1]:.3f})"
    return f"{runtime.ratio:.3f}{limits}, {runtime.verdict}"


def _md(text: str) -> str:
    return markdown(one_line(text))


def github_commands(judged: Iterable[Judged], strays: Iterable[str] = ()) -> Iterator[str]:
    """Yield a workflow command for each problem, which GitHub shows at the file in a pull request.

    Args:
        judged: The answers.
        strays: Files that belong to no submission.
    """
    for item in judged:
        for text in item.problems:
            yield _command("error", item.file, item.answer.submission, text)
        for text in item.doubts:
            yield _command("warning", item.file, item.answer.submission, text)
    for path in strays:
        yield _command("error", path, path, "belongs to no submission: rename it, or take it out")


def _command(kind: str, file: str | None, title: str, text: str) -> str:
    r"""Return a workflow command of one line.

    >>> _command("error", "models/a,b.py", "05: A", "50 % below\nthe rest")
    '::error file=models/a%2Cb.py,title=05%3A A::50 %25 below%0Athe rest'
    """
    fields = [("file", file), ("title", title)]
    told = ",".join(f"{key}={_field(value)}" for key, value in fields if value)
    return f"::{kind} {told}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _field(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
