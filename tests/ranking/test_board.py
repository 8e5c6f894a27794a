"""Which records meet in one ranking, and what is said of the rest."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from boards import RULES, board, left_out, on, ranked, stored
from record_factory import (
    BASELINE_RUNTIME_MS,
    fake_sha256,
    make_environment,
    make_failure,
    make_record,
    make_submission,
)

from ntire_bench.errors import UsageError
from ntire_bench.ranking import reference
from ntire_bench.ranking.board import board_from_reference, build
from ntire_bench.records.record import Finding, Isolation, Record
from ntire_bench.records.store import Problem, Stored
from ntire_bench.reporting import captions, layout, render

CPU = make_environment("cpu", "Example CPU", threads=2)
FAST = {"valid": 5.0, "test": 5.0}


def test_newest_record_of_a_team_stands_for_it() -> None:
    got = board(
        on(3, make_record(runtime_ms={"valid": 8.0, "test": 8.0}, version="2")),
        on(1, make_record(runtime_ms=FAST)),
        on(2, make_record(runtime_ms=FAST)),
    )
    (row,) = [row for row in got.rows if row.status == "ranked"]
    assert row.entry.costs is not None and row.entry.costs.runtime_ms == 8.0
    assert got.left_out == () and got.superseded == 2
    assert "Other records of the same teams, not shown: 2." in captions.captions(got)


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
    assert any(text.startswith("Failed: 02_B: failed (run)") for text in captions.captions(got))


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


def test_teams_with_the_same_checkpoint_are_named() -> None:
    first, copied, own = (make_record(id_, name) for id_, name in ((1, "A"), (2, "B"), (3, "C")))
    same = dataclasses.replace(copied.submission, checkpoint_sha256=first.submission.checkpoint_sha256)
    got = board(first, dataclasses.replace(copied, submission=same), own)
    told = [note for note in got.notes if "byte for byte" in note]
    assert told == ["01_A, 02_B ran with the same checkpoint, byte for byte."]
    assert not [note for note in board(first, copied, own).notes if "byte for byte" in note]


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
    assert "Left out: results/x.json: the record is not JSON." in captions.captions(got)


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
        "02_B (valid 26.50, test 26.60)." in captions.captions(in_rgb)
    )


def test_findings_are_noted_but_for_information() -> None:
    findings = (
        Finding(code="a", severity="info", message="nothing"),
        Finding(code="b", severity="reject", message="the output ignores the input."),
    )
    got = board(make_record(1, "A", findings=findings))
    assert got.notes[0] == "01_A: reject (b): the output ignores the input."
    assert "01_A†" in render.render(got, "table", width=160)


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
