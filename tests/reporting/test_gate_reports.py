"""What other programs read of a gate: JUnit XML as parsers see it, Markdown, and GitHub's commands."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from ntire_bench.protocols import protocol
from ntire_bench.ranking.gate import Answer, not_judged
from ntire_bench.ranking.growth import Growth
from ntire_bench.ranking.scoring import Verdict
from ntire_bench.reporting.gate_reports import Judged, github_commands, junit, summary

NASTY = "05_<b>|a*\x1b[31m\x00]]>&"


def judged(
    outcome: str = "pass", *, name: str = "05_Net", reason: str = "", growth: Growth | None = None
) -> Judged:
    verdict = Verdict(
        split="valid",
        channel="y",
        psnr_db=28.4,
        threshold_db=28.0,
        passed=outcome == "pass",
        reason="28.40 dB",
    )
    answer = Answer(
        submission=name, protocol="sample", channel="y", outcome=outcome, reason=reason, verdicts=(verdict,)
    )
    return Judged(answer=answer, file="models/team05_Net.py", seconds=1.25, growth=growth)


def over() -> Growth:
    return Growth(
        base="abc",
        channel="y",
        psnr_db={"valid": (28.4, 28.5)},
        params=(103, 100),
        flops=(10, 10),
        exceeded=("x grew",),
    )


@pytest.fixture
def several() -> list[Judged]:
    unknown = not_judged("07_C", protocol.load("sample"), "y", "it does not load")
    return [
        judged(growth=over()),
        judged("below", name="06_B"),
        Judged(answer=unknown, file="models/team07_C.py", seconds=0.5),
        judged(name="08_D"),
    ]


def test_junit_counts_failures_and_errors_as_its_cases_have_them(several) -> None:
    root = ElementTree.fromstring(junit(several, ["models/x.py"]))
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    assert suite.attrib["tests"] == "5" and len(cases) == 5
    outcomes = [[child.tag for child in case if child.tag != "system-out"] for case in cases]
    assert outcomes == [["failure"], ["failure"], ["error"], [], ["error"]]
    assert (suite.attrib["failures"], suite.attrib["errors"], suite.attrib["time"]) == ("2", "2", "4.250")
    assert cases[0].find("failure").attrib == {"message": "OVER A LIMIT: x grew", "type": "over a limit"}
    assert "parameters: 103, 100 in abc (+3.0 %)" in cases[0].find("system-out").text
    assert cases[2].find("error").text == "NOT JUDGED: it does not load"


def test_a_limit_that_is_not_shown_to_be_kept_is_a_warning_everywhere() -> None:
    growth = Growth(base="abc", channel="y", psnr_db={}, unproven=("the ratio is 1.02",))
    item = judged(growth=growth)
    assert item.exit_code == 0 and item.problems == []
    assert list(github_commands([item])) == [
        "::warning file=models/team05_Net.py,title=05_Net::NOT SHOWN: the ratio is 1.02"
    ]
    assert "- **05_Net** NOT SHOWN: the ratio is 1.02" in summary([item])
    case = ElementTree.fromstring(junit([item])).find("testsuite/testcase")
    assert [child.tag for child in case] == ["system-out"]
    assert "NOT SHOWN: the ratio is 1.02." in case.find("system-out").text
    assert item.document()["growth"]["unproven"] == ("the ratio is 1.02",)


def test_a_strangers_name_breaks_no_document() -> None:
    item = judged("rejected", name=NASTY, reason="a\x00b\ud800 <script> | `x`")
    case = ElementTree.fromstring(junit([item])).find("testsuite/testcase")
    assert case.attrib["name"].startswith("05_<b>|a*") and "\x1b" not in case.attrib["name"]
    html = MarkdownIt("commonmark").enable("table").render(summary([item]))
    assert html.count("<tr>") == 2 and "<b>|" not in html and "<script>" not in html
    assert "05_&lt;b&gt;|a*" in html
    (command,) = github_commands([judged("rejected", name="5\n::stop", reason="first\nsecond, 50%")])
    assert "\n" not in command and command.endswith("::REJECTED: first%0Asecond, 50%25")


def test_the_summary_is_a_table_with_what_a_change_costs(several) -> None:
    html = MarkdownIt("commonmark").enable("table").render(summary(several, ["models/x.py"]))
    rows = html.split("<tr>")[2:]
    assert len(rows) == 4
    assert "OVER A LIMIT" in rows[0] and "103 (+3.0 %)" in rows[0] and "-0.100 dB" in rows[0]
    assert "NOT JUDGED" in rows[2] and "PASS" in rows[3]
    assert "belongs to no submission" in html and "No submission changed" in summary([])


def test_by_whose_word_it_passes_is_told_everywhere() -> None:
    item = judged(name="05_Net")
    answer = dataclasses.replace(item.answer, accepted={"memorized": "it is <known>"})
    item = dataclasses.replace(item, answer=answer)
    told = "memorized is accepted by the organizer, as it is "
    case = ElementTree.fromstring(junit([item])).find("testsuite/testcase")
    assert told + "<known>" in case.find("system-out").text
    assert told + "\\<known\\>" in summary([item])


def test_github_is_told_the_file_of_each_problem(several) -> None:
    commands = list(github_commands(several, ["models/x.py"]))
    assert [text.partition(",")[0] for text in commands] == [
        "::error file=models/team05_Net.py",
        "::error file=models/team05_Net.py",
        "::error file=models/team07_C.py",
        "::error file=models/x.py",
    ]


def test_the_exit_status_is_the_worst_of_both() -> None:
    assert judged().exit_code == 0 and judged(growth=over()).exit_code == 1
    undecided = Growth(base="a", channel="y", psnr_db={}, undecided=("x",))
    assert judged("below", growth=undecided).exit_code == 2
