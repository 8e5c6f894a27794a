"""What a finding of severity reject does to a row, and an organizer's word on it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from timed_records import timed

from ntire_bench.cli import main
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking import board as leaderboard
from ntire_bench.ranking.gate import gate
from ntire_bench.ranking.ranks import rank
from ntire_bench.ranking.stored import board_of_records
from ntire_bench.records import store
from ntire_bench.records.accepted import load_accepted
from ntire_bench.records.record import Finding, Record
from ntire_bench.records.signing import PrivateKey, PublicKey, make_keys, signature_path
from ntire_bench.reporting import page, papers

RULES = protocols.load("ntire2024")
REJECT = Finding(code="memorized", severity="reject", message="PSNR fell")


def found(record: Record, *findings: Finding) -> Record:
    return dataclasses.replace(record, findings=findings)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store.save(timed(0, "RLFN", 1.0), tmp_path)
    store.save(timed(1, "A", 0.8, 0.01), tmp_path)
    store.save(found(timed(2, "B", 0.4, 0.01), REJECT), tmp_path)
    return tmp_path


def board(results: Path) -> leaderboard.Board:
    stored, problems = store.load_all(results, "ntire2024")
    return leaderboard.build(stored, RULES, problems=problems)


def accept(results: Path, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["accept", *words, "--results", str(results)])
    return done.exit_code, done.stdout, done.stderr


def test_a_rejected_team_has_no_rank_and_the_table_says_why_and_what_to_do(results: Path) -> None:
    shown = board(results)
    rows = {row.entry.name: row for row in shown.rows}
    assert (rows["B"].status, rows["B"].rank, rows["A"].rank) == ("rejected", None, 1)
    text = papers.to_markdown(shown, notes=True).replace("\\", "")
    assert "No rank, rejected: 02_B (memorized)." in text and "ntire-bench accept ID CODE --because" in text
    assert "reject (memorized): PSNR fell" in text


def uncounted(record: Record) -> Record:
    assert record.complexity is not None
    audit = dataclasses.replace(record.complexity.audit, uncountable=("team::scan",))
    return dataclasses.replace(record, complexity=dataclasses.replace(record.complexity, audit=audit))


def test_a_team_whose_flops_are_not_known_has_no_rank_where_they_are_scored(results: Path) -> None:
    store.save(uncounted(timed(3, "C", 0.5, 0.01)), results)
    shown = board(results)
    rows = {row.entry.name: row for row in shown.rows}
    assert (rows["C"].status, rows["C"].rank, rows["A"].rank) == ("not countable", None, 1)
    text = papers.to_markdown(shown, notes=True).replace("\\", "")
    assert "No rank, FLOPs not known: 03_C (team::scan)." in text
    assert "No rank: FLOPs not known" in page.to_html(shown)
    weights = dataclasses.replace(RULES.weights, runtime=0.85, flops=0.0)
    entries = [row.entry for row in shown.rows]
    without = {row.entry.name: row for row in rank(entries, dataclasses.replace(RULES, weights=weights))}
    assert (without["C"].status, without["C"].rank) == ("ranked", 1)


def test_a_team_that_ended_what_it_was_to_be_compared_with_is_not_judged(results: Path) -> None:
    """Else ending each such process would pay: the comparison finds who computes less when timed."""
    unproven = Finding(code="not-compared", severity="warning", message="the process failed twice")
    record = found(timed(3, "C", 0.5, 0.01), unproven)
    assert gate(found(record), RULES, "y").outcome == "pass"
    answer = gate(record, RULES, "y")
    assert (answer.outcome, answer.exit_code, answer.reason) == ("not judged", 2, unproven.message)
    store.save(record, results)
    shown = board(results)
    rows = {row.entry.name: row for row in shown.rows}
    assert (rows["C"].status, rows["C"].rank, rows["A"].rank) == ("not judged", None, 1)
    text = papers.to_markdown(shown, notes=True)
    assert "run it again" in text and unproven.message in text


def test_a_warning_takes_no_rank(results: Path) -> None:
    warned = Finding(code="flops-undercounted", severity="warning", message="more")
    store.save(found(timed(3, "C", 0.5, 0.01), warned), results)
    assert {row.entry.name: row.status for row in board(results).rows}["C"] == "ranked"


def test_an_organizers_word_gives_the_rank_back_and_boards_show_it(results: Path) -> None:
    before = {path: path.read_bytes() for path in results.rglob("*.json")}
    code, out, err = accept(results, "2", "memorized", "--because", "the images are the team's own", "--json")
    assert code == 0 and json.loads(out)["accepted"]["code"] == "memorized", err
    assert all(path.read_bytes() == data for path, data in before.items())  # records are never rewritten
    shown = board(results)
    rows = {row.entry.name: row for row in shown.rows}
    assert (rows["B"].status, rows["B"].rank) == ("ranked", 1)
    text = papers.to_markdown(shown, notes=True)
    assert "accepted by the organizer, as the images are the team's own; (memorized)" in text
    assert not shown.left_out
    # Another finding, or another version of the files, is not accepted by it.
    later = found(timed(2, "B", 0.4, 0.01), REJECT, dataclasses.replace(REJECT, code="output-stale"))
    later = dataclasses.replace(later, created_utc="2027-01-01T00:00:00Z")
    store.save(later, results)
    assert {row.entry.name: row.entry.rejections for row in board(results).rows}["B"] == (later.findings[1],)
    changed = dataclasses.replace(later.submission, file_sha256="f" * 64)
    other = dataclasses.replace(later, submission=changed, created_utc="2027-01-02T00:00:00Z")
    store.save(other, results)
    assert len({row.entry.name: row.entry.rejections for row in board(results).rows}["B"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("2", "output-stale", "--because", "x"), "found memorized. Remedy: name one of these"),
        (("1", "memorized", "--because", "x"), "no finding of severity reject"),
        (("9", "memorized", "--because", "x"), "there is no successful record of 09"),
        (("2", "memorized", "--because", " "), "there is no reason"),
    ],
)
def test_wrong_use_of_accept_is_one_plain_message(
    results: Path, words: tuple[str, ...], message: str
) -> None:
    code, _, err = accept(results, *words)
    assert code == 2 and message in " ".join(err.split())
    assert not list(results.rglob("accepted"))


def test_a_word_that_cannot_be_read_is_told_and_does_not_count(results: Path) -> None:
    accept(results, "2", "memorized", "--because", "x")
    (word,) = results.rglob("accepted/*.json")
    word.write_text("{")
    shown = board(results)
    assert {row.entry.name: row.status for row in shown.rows}["B"] == "rejected"
    assert any("so the finding stands" in item.reason for item in shown.left_out)


def test_a_word_counts_where_it_is_signed_if_signatures_are_asked_for(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends in records could send a file `accepted/x.json` with them."""
    monkeypatch.setenv("NTIRE_BENCH_CACHE", str(tmp_path / "cache"))
    private, public = make_keys(tmp_path / "keys" / "organizer")
    for item in store.load_all(results)[0]:
        PrivateKey(private).sign(item.path)

    def status() -> tuple[str, str]:
        shown = board_of_records(results, "ntire2024", key=public)
        told = " ".join(item.reason for item in shown.left_out)
        return {row.entry.name: row.status for row in shown.rows}["B"], told

    assert accept(results, "2", "memorized", "--because", "x")[0] == 0
    found, told = status()
    assert found == "rejected" and "word does not count, so the finding stands" in told
    assert "found it is not signed" in told and "accept --sign KEY" in told
    words = ("2", "memorized", "--because", "x", "--sign", str(private))
    assert accept(results, *words)[0] == 0
    assert status()[0] == "ranked"
    _, other = make_keys(tmp_path / "keys" / "other")
    assert accept(results, *words[:-1], str(tmp_path / "none"))[0] == 2
    (signed,) = [path for path in results.rglob("accepted/*.json") if signature_path(path).exists()]
    problems = load_accepted(signed.parent.parent, PublicKey(other).objection)[1]
    assert sorted("another key" in str(problem) for problem in problems) == [False, True]


def test_version_1_keeps_its_rules(results: Path) -> None:
    old = dataclasses.replace(found(timed(4, "Old", 0.3, 0.01), REJECT), schema_version=1)
    store.save(old, results)
    row = {row.entry.name: row for row in board(results).rows}["Old"]
    assert row.status == "ranked" and any("ntire-bench run 4" in note for note in row.entry.notes)


def test_the_gate_rejects_and_hears_the_organizer(results: Path) -> None:
    (path,) = (item.path for item in store.load_all(results)[0] if item.record.submission.id == 2)
    record = store.load(path)
    answer = gate(record, RULES, "y")
    assert (answer.outcome, answer.exit_code) == ("rejected", 1) and "memorized: PSNR fell" in answer.reason
    assert all(verdict.passed for verdict in answer.verdicts)
    run = CliRunner().invoke(main, ["gate", "--record", str(path)])
    assert run.exit_code == 1 and run.stdout.startswith("REJECTED  02_B")
    accept(results, "2", "memorized", "--because", "x")
    assert gate(record, RULES, "y", load_accepted(path.parent)[0]).outcome == "pass"
    assert CliRunner().invoke(main, ["gate", "--record", str(path)]).exit_code == 0


def test_a_kernel_without_a_twin_has_no_rank_where_parameters_are_scored_either(results: Path) -> None:
    record = uncounted(timed(3, "C", 0.5, 0.01))
    assert record.complexity is not None
    audit = dataclasses.replace(record.complexity.audit, uncountable=("gate",), kernels=("gate",))
    costs = dataclasses.replace(record.complexity, audit=audit)
    store.save(dataclasses.replace(record, complexity=costs), results)
    shown = board(results)
    entries = [row.entry for row in shown.rows]

    def status(runtime: float, params: float) -> str:
        weights = dataclasses.replace(RULES.weights, runtime=runtime, flops=0.0, params=params)
        rows = rank(entries, dataclasses.replace(RULES, weights=weights))
        return {row.entry.name: row.status for row in rows}["C"]

    assert (status(0.85, 0.15), status(1.0, 0.0)) == ("not countable", "ranked")
    text = papers.to_markdown(shown, notes=True).replace("\\", "")
    assert "03_C (gate). A kernel of a team's own is counted on its twin, which it must declare." in text
