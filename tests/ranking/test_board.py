"""Which records meet in one ranking, what is said of the rest, and every format of a board."""

from __future__ import annotations

import csv as csv_module
import dataclasses
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from record_factory import (
    BASELINE_RUNTIME_MS,
    fake_sha256,
    make_environment,
    make_failure,
    make_record,
    make_submission,
)
from rich.console import Console

from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking import reference
from ntire_bench.ranking.board import Board, board_from_reference, build
from ntire_bench.records.record import Finding, Isolation, Record
from ntire_bench.records.store import Problem, Stored
from ntire_bench.reporting import export, layout, render

RULES = protocols.load("ntire2024")
CPU = make_environment("cpu", "Example CPU", threads=2)
FAST = {"valid": 5.0, "test": 5.0}


def on(day: int, record: Record) -> Record:
    return dataclasses.replace(record, created_utc=f"2026-11-{day:02d}T10:00:00.000000Z")


def stored(*records: Record) -> list[Stored]:
    return [
        Stored(path=Path(f"results/{r.submission.id:02d}_{r.submission.name}/{n:03d}.json"), record=r)
        for n, r in enumerate(records)
    ]


def board(*records: Record, **options: str) -> Board:
    return build(stored(*records), RULES, **options)  # type: ignore[arg-type]


def ranked(board: Board) -> list[str]:
    return [row.entry.name for row in board.rows if row.status == "ranked"]


def left_out(board: Board) -> list[tuple[str, str]]:
    return [(item.team, item.kind) for item in board.left_out]


def test_board_of_nothing() -> None:
    empty = board()
    assert (empty.rows, empty.left_out, empty.device_name) == ((), (), None)
    assert "No record of ntire2024 can be ranked." in render.render(empty, "table")
    for fmt in ("md", "csv", "json", "latex", "html"):
        assert render.render(empty, fmt)  # type: ignore[arg-type]


def test_newest_record_of_a_team_stands_for_it() -> None:
    got = board(
        on(3, make_record(runtime_ms={"valid": 8.0, "test": 8.0}, version="2")),
        on(1, make_record(runtime_ms=FAST)),
        on(2, make_record(runtime_ms=FAST)),
    )
    (row,) = [row for row in got.rows if row.status == "ranked"]
    assert row.entry.costs is not None and row.entry.costs.runtime_ms == 8.0
    assert got.left_out == () and got.superseded == 2
    assert "Other records of the same teams, not shown: 2." in layout.captions(got)


def test_records_of_one_moment_keep_the_order_of_their_numbers() -> None:
    names = ["a.json", "a_2.json", "a_10.json"]
    items = [Stored(path=Path("results") / n, record=make_record(params=k)) for k, n in enumerate(names, 1)]
    got = build([items[2], items[0], items[1]], RULES)
    assert got.rows[0].entry.costs is not None and got.rows[0].entry.costs.params == 3


def test_same_name_and_another_id_is_another_team() -> None:
    assert len(ranked(board(make_record(1, "Net"), make_record(2, "Net")))) == 2


def test_devices_never_meet() -> None:
    records = (
        make_record(1, "A"),
        make_record(2, "B"),
        on(25, make_record(3, "C", environment=CPU)),
        make_record(4, "D", environment=make_environment("cuda", "NVIDIA RTX A6000")),
    )
    got = board(*records)
    assert (ranked(got), got.device_name, got.threads) == (["A", "B"], "NVIDIA GeForce RTX 3090", None)
    assert left_out(got) == [("03_C", "other device"), ("04_D", "other device")]
    assert [item.reason for item in got.left_out] == [
        "measured on Example CPU, 2 threads",
        "measured on NVIDIA RTX A6000",
    ]


@pytest.mark.parametrize(
    ("device", "names"),
    [("cpu", ["C"]), ("example", ["C"]), ("a6000", ["D"]), ("cuda", ["A", "B"]), ("3090", ["A", "B"])],
)
def test_device_can_be_named(device: str, names: list[str]) -> None:
    records = (
        make_record(1, "A"),
        make_record(2, "B"),
        make_record(3, "C", environment=CPU),
        make_record(4, "D", environment=make_environment("cuda", "NVIDIA RTX A6000")),
    )
    assert ranked(board(*records, device=device)) == names


def test_unknown_device_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="'h200'.*found NVIDIA GeForce RTX 3090"):
        board(make_record(), device="h200")


def test_cpu_runtimes_with_other_thread_counts_never_meet() -> None:
    four = make_environment("cpu", "Example CPU", threads=4)
    got = board(make_record(1, "A", environment=CPU), on(25, make_record(2, "B", environment=four)))
    assert (ranked(got), got.threads) == (["B"], 4)  # as many teams each: the most recently used
    assert "measured on Example CPU, 2 threads" in got.left_out[0].reason


def test_a_devices_whole_name_means_it_and_no_longer_one() -> None:
    short, long = (make_environment("cuda", name) for name in ("NVIDIA L4", "NVIDIA L40S"))
    records = [make_record(id_, f"T{id_}", environment=long) for id_ in (1, 2)]
    records.append(make_record(3, "T3", environment=short))
    assert ranked(board(*records, device="nvidia l4")) == ["T3"]
    assert ranked(board(*records, device="l4")) == ["T1", "T2"]
    cpus = [make_environment("cpu", "Example CPU", threads=threads) for threads in (1, 1, 3)]
    records = [make_record(id_, f"T{id_}", environment=one) for id_, one in enumerate(cpus)]
    assert ranked(board(*records, device="Example CPU, 3 threads")) == ["T2"]
    assert ranked(board(*records, device="Example CPU")) == ["T0", "T1"]


def scored_against(record: Record, baseline: Record) -> Record:
    assert record.baseline is not None
    theirs = dataclasses.replace(record.baseline, submission=baseline.submission)
    return dataclasses.replace(record, baseline=theirs)


def test_rows_of_another_baseline_are_left_out() -> None:
    span = make_record(38, "SPAN")
    baseline = scored_against(make_record(0, "RLFN"), span)
    others = [make_record(id_, name) for id_, name in ((1, "A"), (2, "B"), (4, "D"))]
    got = board(*others, scored_against(make_record(3, "C"), span), baseline)
    assert ranked(got) == ["A", "B", "D"]
    assert left_out(got) == [("00_RLFN", "other baseline"), ("03_C", "other baseline")]
    assert "scored against 38_SPAN, and the others against 00_RLFN" in got.left_out[1].reason
    # Where it is what all were divided by, it is the baseline, whatever the protocol calls so.
    both = board(baseline, scored_against(span, span))
    assert {row.entry.name: row.entry.is_baseline for row in both.rows} == {"SPAN": True, "RLFN": False}


def test_other_versions_of_the_baseline_are_noted() -> None:
    assert not [note for note in board(make_record(1, "A"), make_record(2, "B")).notes if "versions" in note]
    newer = scored_against(make_record(2, "B"), make_record(0, "RLFN", version="2"))
    (note,) = [note for note in board(make_record(1, "A"), newer).notes if "versions" in note]
    assert note.startswith("00_RLFN: the rows were scored against 2 versions of the baseline's files")


@pytest.mark.parametrize("key", ["sources_sha256", "declaration_sha256"])
def test_files_beside_the_model_file_tell_versions_apart(key: str) -> None:
    failed = make_failure(1, "A")
    failed = dataclasses.replace(
        failed, submission=dataclasses.replace(failed.submission, **{key: fake_sha256("another")})
    )
    got = board(on(1, make_record(1, "A")), on(2, failed))
    assert ranked(got) == [] and ("01_A", "failed") in left_out(got)


def test_team_keeps_its_row_on_the_ranked_device() -> None:
    got = board(
        on(1, make_record(1, "A")), on(1, make_record(2, "B")), on(9, make_record(1, "A", environment=CPU))
    )
    assert ranked(got) == ["A", "B"]
    assert left_out(got) == [("01_A", "other device")]


def test_files_that_changed_since_are_noted() -> None:
    newer = on(9, make_record(1, "A", environment=CPU, version="2"))
    got = board(on(1, make_record(1, "A")), on(1, make_record(2, "B")), newer)
    since = "its files have changed since (record of 2026-11-09)"
    assert f"01_A: the row is of 2026-11-01; {since}" in got.notes


def test_other_images_are_left_out() -> None:
    other = {"test": fake_sha256("other images")}
    got = board(make_record(1, "A"), make_record(2, "B"), on(25, make_record(3, "C", datasets=other)))
    assert ranked(got) == ["A", "B"]
    assert left_out(got) == [("03_C", "other images")]
    assert got.left_out[0].reason == "measured on other images of test (on 2026-11-25)"


def test_older_record_of_the_same_images_stands_in() -> None:
    other = {"valid": fake_sha256("other images")}
    got = board(
        on(1, make_record(1, "A")), on(1, make_record(2, "B")), on(9, make_record(1, "A", datasets=other))
    )
    assert ranked(got) == ["A", "B"]
    assert left_out(got) == [("01_A", "other images")]


def test_images_are_chosen_so_that_some_record_fits() -> None:
    sets = [("a", "1"), ("a", "2"), ("b", "3"), ("c", "3")]  # "a" and "3" have most teams, and never together
    got = board(
        *(
            make_record(n, f"T{n}", datasets={"valid": fake_sha256(valid), "test": fake_sha256(test)})
            for n, (valid, test) in enumerate(sets)
        )
    )
    assert len(ranked(got)) == 1 and len(got.left_out) == 3


def test_run_on_other_splits_alone_costs_no_place() -> None:
    got = board(on(1, make_record(1, "A")), on(9, make_record(1, "A", psnr={"Set5": (32.1, 30.0)})))
    assert ranked(got) == ["A"]


def test_record_of_other_splits_alone_does_not_stand_beside_judged_ones() -> None:
    got = board(make_record(1, "A"), make_record(2, "B", psnr={"Set5": (32.1, 30.0)}))
    assert [row.entry.name for row in got.rows] == ["A", "RLFN"]
    assert [(item.team, item.kind) for item in got.left_out] == [("02_B", "other images")]
    assert "Set5 alone" in got.left_out[0].reason


def test_records_of_other_splits_alone_are_shown_where_there_are_no_others() -> None:
    got = board(make_record(2, "B", psnr={"Set5": (32.1, 30.0)}))
    assert [(row.entry.name, row.status) for row in got.rows] == [("B", "not judged"), ("RLFN", "baseline")]
    assert "02_B: PSNR 32.10 dB on Set5." in got.notes


def test_a_newer_run_of_the_same_files_on_fewer_splits_costs_no_column() -> None:
    valid = {"valid": (28.6, 26.96)}
    got = board(on(1, make_record(1, "A")), on(2, make_record(1, "A", psnr=valid)))
    (row,) = [row for row in got.rows if row.entry.name == "A"]
    assert set(row.entry.psnr_db) == {"valid", "test"}
    assert any("a newer record of" in note and "fewer splits" in note for note in got.notes)


def test_a_newer_run_of_other_files_on_fewer_splits_stands() -> None:
    valid = {"valid": (28.6, 26.96)}
    got = board(on(1, make_record(1, "A")), on(2, make_record(1, "A", psnr=valid, version="2")))
    (row,) = [row for row in got.rows if row.entry.name == "A"]
    assert set(row.entry.psnr_db) == {"valid"}


def test_one_split_is_said() -> None:
    got = board(make_record(1, "A", psnr={"valid": (28.0, 27.0)}))
    assert "01_A: judged on valid alone." in got.notes


def test_failed_team_is_listed_with_its_reason() -> None:
    got = board(make_record(1, "A"), make_failure(2, "B", message="line one\nline two\x1b[31m", phase="run"))
    assert ranked(got) == ["A"]
    assert left_out(got) == [("02_B", "failed")]
    assert got.left_out[0].reason == "failed (run) on 2026-11-20: line one line two [31m"
    assert any(text.startswith("Failed: 02_B: failed (run)") for text in layout.captions(got))


def test_failure_of_the_same_files_keeps_the_row_and_is_noted() -> None:
    got = board(on(1, make_record(1, "A")), on(9, make_failure(1, "A", phase="run", message="out of memory")))
    assert ranked(got) == ["A"] and got.left_out == ()
    assert (
        "01_A: the row is of 2026-11-01; evaluated again on 2026-11-09, it failed (run): out of memory"
        in got.notes
    )


@pytest.mark.parametrize("changed", ["file_sha256", "checkpoint_sha256"])
def test_failure_of_other_files_takes_the_row_away(changed: str) -> None:
    files = dataclasses.replace(make_submission(1, "A"), **{changed: fake_sha256("other")})
    failure = dataclasses.replace(on(9, make_failure(1, "A")), submission=files)
    got = board(on(1, make_record(1, "A")), failure, make_record(2, "B"))
    assert ranked(got) == ["B"]
    assert left_out(got) == [("01_A", "failed")]
    assert got.superseded == 1


def test_failure_before_a_success_is_forgotten() -> None:
    got = board(on(1, make_failure(1, "A")), on(9, make_record(1, "A")))
    assert (ranked(got), got.left_out, got.superseded) == (["A"], (), 1)
    assert got.notes == (
        "00_RLFN (baseline): as measured in the session of 01_A on 2026-11-09.",
        "Isolation: L0, a separate process.",
    )


def test_who_was_isolated_how_where_it_differs() -> None:
    better = dataclasses.replace(make_record(2, "B"), isolation=Isolation(level="L3", detail="bubblewrap"))
    got = board(on(1, make_record(1, "A")), on(2, better))
    said = [note for note in got.notes if note.startswith("Isolation")]
    assert said == ["Isolation: L3, bubblewrap: 02_B.", "Isolation: L0, a separate process: 01_A."]


def test_other_rules_are_left_out() -> None:
    got = board(make_record(1, "A"), make_record(2, "B", protocol_sha256=fake_sha256("older rules")))
    assert ranked(got) == ["A"]
    assert left_out(got) == [("02_B", "other rules")]
    assert ranked(board(make_record(1, "A"), make_record(2, "B", protocol="ntire2025"))) == ["A"]


def test_unusable_and_unreadable_records_are_told() -> None:
    broken = make_record(2, "B", baseline_runtime_ms={"valid": 0.0, "test": 0.0})
    nowhere = dataclasses.replace(make_record(3, "C"), environment=None)
    problem = Problem(path=Path("results/x.json"), message="results/x.json: the record is not JSON.")
    got = build(stored(make_record(1, "A"), broken, nowhere), RULES, problems=[problem])
    assert ranked(got) == ["A"]
    assert left_out(got) == [("02_B", "unusable"), ("03_C", "unusable"), ("", "unreadable")]
    assert "Left out: results/x.json: the record is not JSON." in layout.captions(got)


def test_every_record_is_accounted_for() -> None:
    records = [
        on(1, make_record(1, "A")),
        on(2, make_record(1, "A", environment=CPU)),
        on(3, make_record(1, "A", datasets={"valid": fake_sha256("x")})),
        on(4, make_failure(1, "A")),
        on(1, make_failure(2, "B")),
        on(2, make_failure(2, "B")),
        on(1, make_record(3, "C")),
        on(2, make_record(3, "C")),
        on(3, make_record(4, "D", protocol_sha256=fake_sha256("x"))),
    ]
    got = board(*records)
    rows = [row for row in got.rows if row.entry.competes]
    assert ranked(got) == ["A", "C"]
    assert left_out(got) == [
        ("01_A", "other images"),
        ("01_A", "other device"),
        ("02_B", "failed"),
        ("04_D", "other rules"),
    ]
    assert len(rows) + len(got.left_out) + got.superseded == len(records)


def test_baseline_submission_is_ranked_and_marked() -> None:
    got = board(make_record(0, "RLFN", runtime_ms=BASELINE_RUNTIME_MS), make_record(1, "A"))
    assert ranked(got) == ["A", "RLFN"]
    assert "00_RLFN (baseline)" in render.render(got, "table", width=160)
    assert not [row for row in got.rows if row.status == "baseline"]


def test_baseline_of_the_newest_session_is_shown_without_rank() -> None:
    newest = {"valid": 20.0, "test": 10.0}
    got = board(on(1, make_record(1, "A")), on(2, make_record(2, "B", baseline_runtime_ms=newest)))
    row = got.rows[-1]
    assert (row.entry.name, row.status, row.rank) == ("RLFN", "baseline", None)
    assert row.entry.costs is not None and row.entry.costs.runtime_ms == 15.0
    assert row.score is not None and row.score.final == pytest.approx(math.exp(2))
    assert "00_RLFN (baseline): as measured in the session of 02_B on 2026-11-02." in got.notes


def test_channel_decides_and_the_other_is_told() -> None:
    records = (
        make_record(1, "A", psnr={"valid": (28.0, 27.0), "test": (28.0, 27.0)}),
        make_record(2, "B", psnr={"valid": (28.0, 26.5), "test": (28.0, 26.6)}, runtime_ms=FAST),
    )
    in_y, in_rgb = board(*records), board(*records, channel="rgb")
    assert (ranked(in_y), ranked(in_rgb)) == (["B", "A"], ["A"])
    assert in_y.notes[0] == (
        "These pass in Y and would be below a threshold in RGB: 02_B (valid 26.50, test 26.60)."
    )
    assert in_rgb.notes[0] == (
        "These are below a threshold in RGB and would pass in Y: 02_B (valid 28.00, test 28.00)."
    )
    assert "PSNR on RGB" in layout.title(in_rgb)
    assert (
        "No rank, PSNR below the threshold of 26.90 dB on valid and 26.99 dB on test: "
        "02_B (valid 26.50, test 26.60)." in layout.captions(in_rgb)
    )


@pytest.mark.parametrize("protocol", ["sample", "ntire2024"])
def test_sample_is_said_in_every_format(protocol: str) -> None:
    records = stored(make_record(1, "A", sample=True, protocol=protocol))
    got = build(records, protocols.load(protocol))
    assert got.sample
    for fmt in ("table", "md", "latex", "html"):
        text = " ".join(render.render(got, fmt, width=160).split())  # type: ignore[arg-type]
        text = re.sub("<title>.*</title>", "", text)  # the name of a page's window
        assert "SAMPLE" in text and text.count("not comparable with the challenge") == 1
    assert json.loads(render.render(got, "json"))["sample"] is True
    assert next(csv_module.DictReader(io.StringIO(render.render(got, "csv"))))["sample"] == "True"


def test_findings_are_noted_but_for_information() -> None:
    findings = (
        Finding(code="a", severity="info", message="nothing"),
        Finding(code="b", severity="reject", message="the output ignores the input."),
    )
    got = board(make_record(1, "A", findings=findings))
    assert got.notes[0] == "01_A: reject (b): the output ignores the input."
    assert "01_A†" in render.render(got, "table", width=160)


def test_reference_table_stands_as_published(root: Path) -> None:
    text = render.render(board_from_reference("ntire2024"), "table", width=160)
    lines = [line for line in text.splitlines() if re.search(r"\d\.\d+.* (\d+|–)$", line)]
    assert len(lines) == 35
    # Rows of the report whose printed scores follow from its printed costs to the last digit.
    assert lines[0].split() == (
        "XiaomiMM 26.94 27.01 5.62 5.57 5.59 0.151 9.83 2.59⁽¹⁾ 2.59⁽⁷⁾ 2.72⁽⁸⁾ 2.61 1".split()
    )
    assert lines[23].split() == (
        "Minimalist 26.91 27.02 53.37 47.02 50.20 0.346 20.65 "
        "506.53e1⁽²⁴⁾ 8.87⁽²¹⁾ 8.16⁽²²⁾ 354.82e1 24".split()
    )
    assert lines[33].split()[1:] == (
        "24.53↓ 24.75↓ 315.17 302.12 308.64 16.698 1174.94 597.94e20 566.23e43 763.95e49 114.59e49 –".split()
    )
    assert lines[34].split() == (
        "RLFN (baseline) 26.96 27.07 14.35 9.19 11.77 0.317 19.67 7.39 7.39 7.39 7.39 –".split()
    )
    assert "NVIDIA RTX 3090 · PSNR on RGB · published table" in text
    assert "NTIRE 2024 Efficient Super-Resolution Challenge Report" in text and "SPAN-T's 2.60" in text


def test_unknown_reference_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="choose one of ntire2024"):
        board_from_reference("ntire1999")


def test_reference_is_found_in_an_installed_package(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ntire2024.csv").write_bytes((root / "leaderboard/reference/ntire2024.csv").read_bytes())
    monkeypatch.setattr(reference, "_FOLDERS", (tmp_path, tmp_path / "absent"))
    assert len(reference.reference_entries("ntire2024")) == 35
    monkeypatch.setattr(reference, "_FOLDERS", (tmp_path / "absent",))
    with pytest.raises(UsageError, match="missing"):
        reference.reference_entries("ntire2024")


LONG = make_record(7, "A_name_that_is_much_longer_than_a_column")


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for shown in (
        board_from_reference("ntire2024"),
        board(make_record(0, "RLFN"), LONG, make_failure(2, "B")),
    ):
        text = render.render(shown, "table", width=width)
        assert max(len(line) for line in text.splitlines()) <= width
        assert "…" not in text


def test_narrow_tables_keep_every_rank() -> None:
    text = render.render(board_from_reference("ntire2024"), "table", width=80)
    assert re.search(
        r"HiSR +26\.91 +27\.03 +11\.26⁽⁹⁾ +0\.208⁽¹¹⁾ +11\.99⁽¹¹⁾ +5\.81 +9$", text, re.MULTILINE
    )
    assert "Too narrow for the runtime of each split and the sub-scores" in text.replace("\n", " ")


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    got = board(make_record(1, "[red]x|y_z\x1b[2J"))
    assert "[red]x|y_z [2J" in render.render(got, "table", width=160)
    assert r"\[red\]x\|y\_z" in render.render(got, "md")
    assert r"01\_{[}red]x|y\_z" in render.render(got, "latex")
    for fmt in ("table", "md", "latex", "csv", "json", "html"):
        assert "\x1b" not in render.render(got, fmt)  # type: ignore[arg-type]


def test_colour_only_where_it_is_asked_for() -> None:
    got = board(make_record(1, "A", psnr={"valid": (20.0, 20.0)}))
    assert "\x1b" not in render.render(got, "table")
    assert "\x1b[31m" in render.render(got, "table", color=True)


def test_consoles_that_know_ascii_alone_are_served() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=out, width=100).print(
        render.TerminalBoard(board(make_record(1, "Ünet"), make_failure(2, "Ö")))
    )
    out.flush()
    text = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "01_?net" in text and "(1)" in text


def test_markdown_is_one_table() -> None:
    lines = render.render(board_from_reference("ntire2024"), "md").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 37
    assert {line.count("|") for line in table} == {14}
    assert table[2].startswith(
        "| XiaomiMM | 26.94 | 27.01 | 5.62 | 5.57 | 5.59 | 0.151 | 9.83 | 2.59<sup>(1)</sup> |"
    )


def test_latex_is_a_booktabs_table() -> None:
    text = render.render(board_from_reference("ntire2024"), "latex")
    for rule in (r"\toprule", r"\bottomrule", r"\begin{tabular}{lrrrrrrrrrrrr}", r"\end{tabular}"):
        assert text.count(rule) == 1
    assert text.count(r"\midrule") == 3
    rows = [
        line for line in text.splitlines() if line.endswith(r"\\") and not line.startswith((" &", "Team"))
    ]
    assert len(rows) == 35 and {row.count(" & ") for row in rows} == {12}
    assert rows[3].startswith(
        r"VPEG\_O & 26.90 & 27.01 & 12.20 & 7.06 & 9.63 & 0.212 & 13.86 & 5.14$^{(4)}$ &"
    )
    assert r"SPAN-T & 26.92 & \underline{26.98} &" in text
    assert ">" not in re.sub(r"\$>\$", "", text)


def test_csv_holds_the_published_numbers(root: Path) -> None:
    rows = list(csv_module.DictReader(io.StringIO(render.render(board_from_reference("ntire2024"), "csv"))))
    with (root / "leaderboard/reference/ntire2024.csv").open(newline="") as file:
        published = {line["team"].removesuffix(" (baseline)"): line for line in csv_module.DictReader(file)}
    assert len(rows) == 35
    for row in rows:
        line = published[row["team"]]
        for key in ("psnr_valid_db", "psnr_test_db", "runtime_valid_ms", "runtime_test_ms", "runtime_ms"):
            assert float(row[key]) == float(line[key])
        for key in ("params_m", "flops_g"):
            assert float(row[key]) == pytest.approx(float(line[key]), rel=1e-12)
        for key in ("rank", "rank_runtime", "rank_params", "rank_flops"):
            assert row[key] == line[key]


def test_frame_has_numbers_that_are_not_rounded() -> None:
    table = export.frame(
        board(make_record(1, "A", params=123_457), make_record(2, "B", psnr={"valid": (20.0, 20.0)}))
    )
    assert list(table["team"]) == ["A", "B", "RLFN"]
    assert table["params_m"][0] == 0.123457
    assert table["rank"].isna().tolist() == [False, True, True]
    assert str(table["rank"].dtype) == "Int64"


def test_json_document() -> None:
    slow = make_record(2, "B", runtime_ms={"valid": 1e5, "test": 1e5})
    document = json.loads(render.render(board(make_record(1, "A"), slow, make_failure(3, "C")), "json"))
    assert document.keys() == {
        *("protocol", "psnr_channel", "device", "sample", "source", "rows", "left_out", "notes", "superseded")
    }
    assert document["protocol"]["name"] == "ntire2024"
    assert document["device"] == {"name": "NVIDIA GeForce RTX 3090", "threads": None}
    first, second = document["rows"][:2]
    assert (first["id"], first["name"], first["rank"], first["status"]) == (1, "A", 1, "ranked")
    assert first["splits"]["test"] == {"psnr_y_db": 28.66, "psnr_rgb_db": 27.02, "runtime_ms": 10.0}
    assert first["verdicts"][0]["passed"] is True and first["verdicts"][0]["threshold_db"] == 26.9
    assert (second["rank"], second["score"]["final"], second["score"]["flops"] is None) == (2, None, False)
    assert document["left_out"][0]["kind"] == "failed" and document["left_out"][0]["team"] == "03_C"
    in_rgb = json.loads(render.render(board(make_record(1, "A"), channel="rgb"), "json"))
    assert in_rgb["rows"][0]["splits"] == first["splits"] and in_rgb["psnr_channel"] == "rgb"


def test_unknown_format_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="choose one of table, md, csv, json, latex, html"):
        render.render(board(), "docx")  # type: ignore[arg-type]


def test_importing_the_reporting_half_is_cheap() -> None:
    modules = [f"ranking.{name}" for name in "entry scoring reference selection board".split()]
    modules += ["records.store", *(f"reporting.{name}" for name in "layout export render".split())]
    program = "import sys, time; start = time.process_time(); " + "; ".join(
        f"import ntire_bench.{module}" for module in modules
    )
    program += "; print(time.process_time() - start, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    seconds, *loaded = done.stdout.split()
    heavy = {"torch", "pandas", "numpy", "rich", "cv2", "skimage", "fvcore", "PIL"}
    assert heavy.isdisjoint(loaded)
    assert "ntire_bench.reporting.render" in loaded and float(seconds) < 1.0
