"""What scores is the ratio of the session, wherever a runtime is compared with the baseline's."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import statistics
from pathlib import Path

import pytest
from boards import RULES, board, on
from record_factory import make_record, make_split
from timed_records import timed

from ntire_bench.challenge_results import table as results_table
from ntire_bench.errors import RecordError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.board import board_from_reference, build
from ntire_bench.ranking.entry import Entry, entry_from_record
from ntire_bench.ranking.ranks import Row
from ntire_bench.records import store
from ntire_bench.records.record import Measurement, Record
from ntire_bench.reporting import captions, render
from ntire_bench.workflows import evaluate


def with_ratio(record: Record, ratio: float, **others: object) -> Record:
    """The same record, its session's ratio another one than the quotient of its runtimes."""
    assert record.timing is not None
    timing = dataclasses.replace(record.timing, ratio=ratio, **others)  # type: ignore[arg-type]
    return dataclasses.replace(record, timing=timing)


def entry(record: Record) -> Entry:
    return entry_from_record(record, RULES, "y")


def rows(*records: Record) -> dict[str, Row]:
    return {row.entry.name: row for row in board(*records).rows}


def test_score_and_ranks_follow_the_ratio_and_not_the_quotient_of_runtimes() -> None:
    # A is the faster one by its runtimes (0.50 and 0.60 of the baseline's), B by the ratios.
    found = rows(with_ratio(timed(1, "A", 0.50), 0.55), with_ratio(timed(2, "B", 0.60), 0.45))
    assert (found["B"].rank, found["B"].rank_runtime) == (1, 1)
    assert (found["A"].rank, found["A"].rank_runtime) == (2, 2)
    score = found["A"].score
    assert score is not None and score.final is not None
    assert score.runtime == pytest.approx(math.exp(2 * 0.55))
    # Runtime 0.55, 12 of 19.6749312 GFLOPs, 200,000 of 317,218 parameters.
    assert score.final == pytest.approx(
        0.7 * math.exp(2 * 0.55) + 0.15 * math.exp(2 * 12 / 19.6749312) + 0.15 * math.exp(2 * 200000 / 317218)
    )
    assert found["A"].entry.costs is not None and found["A"].entry.costs.runtime_ms == pytest.approx(6.0)


def test_ratios_too_large_for_a_score_are_still_in_order() -> None:
    found = rows(with_ratio(timed(1, "A", 0.5), 900.0), with_ratio(timed(2, "B", 0.6), 800.0))
    assert [found[name].score.final for name in "AB"] == [math.inf, math.inf]  # type: ignore[union-attr]
    assert [found[name].rank for name in "AB"] == [2, 1]


def test_without_a_stored_ratio_it_is_the_quotient_of_the_runtimes() -> None:
    plain = entry(make_record(1, "A", runtime_ms={"valid": 8.0, "test": 4.0}))
    assert plain.runtime_ratio is None and plain.ratio == 6.0 / 12.0
    alone = entry(make_record(1, "A", baseline=False))
    assert alone.runtime_ratio is None and alone.ratio is None
    published = board_from_reference("ntire2024").rows[0].entry
    assert published.runtime_ratio is None and published.ratio == 5.59 / 11.77


def with_set5(record: Record, **timing: object) -> Record:
    """The same record with a further split, which has no threshold and does not count."""
    extra = make_split("Set5", 32.0, 30.0, 3.0)
    base = record.baseline
    assert base is not None
    more = Measurement(
        submission=base.submission, complexity=base.complexity, splits={**base.splits, "Set5": extra}
    )
    record = dataclasses.replace(record, splits={**record.splits, "Set5": extra}, baseline=more)
    return with_ratio(record, 0.9, **timing)


def test_splits_that_do_not_count_do_not_bear_on_the_ratio() -> None:
    both = timed(1, "A", 0.5)
    # The baseline takes 14 ms on valid and 10 ms on test: (0.4 * 14 + 0.7 * 10) / 24.
    of_both = with_set5(both, split_ratios={"valid": 0.4, "test": 0.7, "Set5": 2.0})
    assert entry(of_both).ratio == pytest.approx((5.6 + 7.0) / 24)
    one = dataclasses.replace(both, splits={"valid": both.splits["valid"]})
    of_one = with_set5(one, split_ratios={"valid": 0.4, "Set5": 2.0})
    assert entry(of_one).ratio == 0.4
    # A record that stored none of single splits: the quotient of the runtimes that count.
    assert entry(with_set5(both)).runtime_ratio is None
    assert entry(with_set5(both)).ratio == pytest.approx(0.5)


@pytest.mark.parametrize("counted", [("valid", "test"), ("valid",)])
def test_ratios_of_splits_combine_as_the_runtimes_do(counted: tuple[str, ...]) -> None:
    """Where each split's ratio is the quotient of its runtimes, so is the whole: the mean over the means."""
    own, base = {"valid": 5.3, "test": 8.9}, {"valid": 14.0, "test": 10.0}
    record = with_ratio(timed(1, "A", 0.5), 9.9)
    splits = {
        name: dataclasses.replace(record.splits[name], runtime_ms=runtime_ms)
        for name, runtime_ms in own.items()
        if name in counted
    }
    record = dataclasses.replace(record, splits=splits)
    got = entry(with_set5(record, split_ratios={name: own[name] / base[name] for name in own}))
    expected = statistics.fmean(own[name] for name in counted) / statistics.fmean(
        base[name] for name in counted
    )
    assert got.ratio == pytest.approx(expected)


def test_a_negative_ratio_is_no_result() -> None:
    with pytest.raises(RecordError, match=r"impossible cost.*a ratio of -0\.5"):
        entry(with_ratio(timed(1, "A", 0.5), -0.5))


def test_what_a_record_stores_as_its_score_follows_from_the_ratio() -> None:
    record = with_ratio(timed(1, "A", 0.5, 0.02), 0.42, ratio_ci95=(0.40, 0.45), half_width=0.06)
    assert record.timing is not None
    bare = dataclasses.replace(record, timing=dataclasses.replace(record.timing, score_ci95=None))
    scored = evaluate._scored(bare, RULES)
    assert scored.score is not None and scored.score.runtime == pytest.approx(math.exp(0.84))
    others = 0.15 * math.exp(2 * 12 / 19.6749312) + 0.15 * math.exp(2 * 200000 / 317218)
    assert scored.timing is not None
    assert scored.timing.score_ci95 == pytest.approx(
        (0.7 * math.exp(0.80) + others, 0.7 * math.exp(0.90) + others)
    )


def test_the_ratio_stands_beside_the_runtime_in_every_format() -> None:
    shown = board(with_ratio(timed(1, "A", 0.50, 0.02), 0.4567), timed(0, "RLFN", 1.0, 0.03))
    text = render.render(shown, "table", width=160)
    line = next(line for line in text.splitlines() if "01_A" in line)
    assert line.split()[3:7] == ["7.00", "5.00", "6.00", "0.457±4.0%"]
    # The baseline's ratio is exact; its interval is of its runtime.
    assert "12.00±3.0%" in text and "1.000 " in text
    assert any("takes its ratio to the baseline's" in caption for caption in captions.captions(shown))
    assert "| **6.00** | **0.457±4.0%** |" in render.render(shown, "md")
    latex = render.render(shown, "latex")
    assert r"\textbf{6.00} & \textbf{0.457}$\pm$4.0\% &" in latex
    heads = [line for line in latex.splitlines() if line.startswith((" &", "Team"))]
    assert r"average & ratio & [M]" in heads[1]
    spans = heads[0].count("&") + 1 + 1 + 2 + 2  # two of three columns and one of two
    assert spans == heads[1].count("&") + 1 == 14
    assert 'data-value="0.4567"' in render.render(shown, "html")
    document = json.loads(render.render(shown, "json"))
    assert [row["runtime_ratio"] for row in document["rows"]] == [0.4567, 1.0]
    lines = csv.DictReader(io.StringIO(render.render(shown, "csv")))
    assert [float(row["runtime_ratio"]) for row in lines] == [0.4567, 1.0]


def test_a_narrow_table_leaves_the_ratio_out_last() -> None:
    shown = board(timed(1, "A", 0.50, 0.02), timed(2, "B", 0.70, 0.02))
    wide, narrow = render.render(shown, "table", width=86), render.render(shown, "table", width=80)
    assert "0.500±4.0%⁽¹⁾" in wide and "6.00±4.0%⁽¹⁾" in narrow and "0.500" not in narrow
    said = "the runtime of each split, the sub-scores and the runtime's ratio"
    assert f"Too narrow for {said}:" in " ".join(narrow.split())


def test_a_results_file_cannot_hold_the_ratio_and_it_is_said() -> None:
    same = board(timed(1, "A", 0.50), timed(0, "RLFN", 1.0))
    other = board(with_ratio(timed(1, "A", 0.50), 0.52), timed(0, "RLFN", 1.0))
    assert not [text for text in results_table.remarks(same) if "ratio" in text]
    (told,) = [text for text in results_table.remarks(other) if "ratio" in text]
    assert "imported again, it gives other scores" in told


def of_version_1(record: Record, calls: dict[str, tuple[float, ...]] | None) -> Record:
    """The same numbers as version 1 had them: corrected samples, and the calls beside them."""

    def older(measured: Record | Measurement, factor: float) -> dict[str, object]:
        splits = {
            name: dataclasses.replace(
                result,
                per_image=tuple(
                    dataclasses.replace(
                        image, calls_ms=tuple(factor * (1 + n % 2) * call for call in calls[name])
                    )
                    if calls
                    else image
                    for n, image in enumerate(result.per_image)
                ),
            )
            for name, result in measured.splits.items()
        }
        return {"splits": splits}

    assert record.baseline is not None
    base = dataclasses.replace(record.baseline, **older(record.baseline, 2.0))  # type: ignore[arg-type]
    return dataclasses.replace(
        record,
        schema_version=1,
        baseline=base,
        **older(record, 1.0),  # type: ignore[arg-type]
    )


CALLS = {
    "valid": (4.0, 6.0, 5.0),
    "test": (1.0, 9.0, 2.0),
}  # medians 5 and 2; every other image takes twice that


@pytest.mark.parametrize("way", ["whole", "stored"])
def test_runtimes_of_version_1_are_medians_of_the_calls_and_their_ratio_stays(
    way: str, tmp_path: Path
) -> None:
    record = of_version_1(with_ratio(timed(1, "A", 0.5), 0.47, attested=True), CALLS)
    if way == "stored":
        store.save(record, tmp_path)
        ((item,), problems) = store.load_all(tmp_path)
        assert problems == [] and item.record.schema_version == 1
        assert all(not split.per_image for split in item.record.splits.values())
        record = item.record
    got = entry(record)
    assert got.runtime_by_split_ms == {"valid": 7.5, "test": 3.0}
    assert got.costs is not None and got.costs.runtime_ms == 5.25
    assert got.baseline is not None and got.baseline.runtime_ms == 10.5
    assert got.ratio == 0.47
    (note,) = [note for note in got.notes if "version 1" in note]
    assert note == (
        "measured by version 1: the runtime shown is the median of the timed calls; the score takes the "
        "ratio that was stored then"
    )
    # Of one counted split of several, version 1 stored no ratio: it is that of the runtimes as it had them.
    more = with_set5(dataclasses.replace(record, splits={"valid": record.splits["valid"]}))
    if way == "whole":
        assert entry(more).ratio == pytest.approx(7.0 / 14.0)


def test_a_board_of_version_1_marks_its_rows_and_who_is_not_believed() -> None:
    records = [
        of_version_1(with_ratio(timed(1, "A", 0.5), 0.47, attested=False), CALLS),
        of_version_1(with_ratio(timed(2, "B", 0.7, 0.01), 0.7, attested=True), None),
        timed(3, "C", 0.6, 0.01),
    ]
    shown = board(*records)
    found = {row.entry.name: row for row in shown.rows}
    assert [found[name].status for name in "ABC"] == ["unstable", "ranked", "ranked"]
    told = {name: [note for note in shown.notes if note.startswith(f"0{n}_{name}: ")] for n, name in
            enumerate("ABC", 1)}  # fmt: skip
    assert any("may hold the larger of two clocks" in note for note in told["A"])
    assert any("run it again when the machine is idle" in note for note in told["A"])
    assert any("version 1" in note for note in told["B"])
    assert not told["C"]
    assert found["B"].entry.runtime_by_split_ms == pytest.approx({"valid": 9.8, "test": 7.0})
    # The baseline out of rank is of a session of version 1 where that is the newest.
    newest = board(on(25, records[0]), on(1, timed(3, "C", 0.6)))
    assert newest.rows[-1].entry.runtime_by_split_ms == {"valid": 15.0, "test": 6.0}
    assert any("version 1" in note for note in newest.rows[-1].entry.notes)


def test_a_broken_list_of_images_is_told_of_its_file(tmp_path: Path) -> None:
    path = store.save(of_version_1(timed(1, "A", 0.5), CALLS), tmp_path)
    path.write_text(path.read_text().replace('"calls_ms": [4.0', '"calls_ms": ["four"', 1))
    stored, (problem,) = store.load_all(tmp_path)
    assert stored == [] and problem.path == path
    assert "Expected `float`, got `str`" in problem.message


@pytest.fixture(scope="module")
def gpu_records(shared: Path) -> Path:
    folder = shared / "gpu_h100"
    if not folder.is_dir():
        pytest.skip("no records of version 1 that a GPU gave beside the checkout")
    return folder


@pytest.mark.parametrize("folder", ["big", "rep", "s5", "root2"])
def test_real_records_of_version_1_keep_their_scores_and_show_medians(gpu_records: Path, folder: str) -> None:
    """Against the files themselves, read by the standard library, and the scores that were stored then."""
    stored, problems = store.load_all(gpu_records / folder)
    assert stored and not problems
    for item in stored:
        document = json.loads(item.path.read_text())
        if document["status"] != "ok":
            continue
        got = entry(item.record)
        assert got.costs is not None and got.baseline is not None
        for costs, measured in ((got.costs, document), (got.baseline, document["baseline"])):
            images = measured["splits"]["valid"]["per_image"]
            medians = [statistics.median(i["calls_ms"] or i["runtime_samples_ms"]) for i in images]
            assert costs.runtime_ms == pytest.approx(statistics.fmean(medians))
        assert got.ratio == document["timing"]["ratio"]
        scored = evaluate._scored(item.record, protocols.load("ntire2024")).score
        assert scored is not None
        assert dataclasses.asdict(scored) == pytest.approx(document["score"])


def test_real_records_of_version_1_rank_span_over_rlfn(gpu_records: Path) -> None:
    shown = build(store.load_all(gpu_records / "s5")[0], RULES)
    order = [row.entry.name for row in shown.rows if row.status == "ranked"]
    assert order.index("SPAN") < order.index("RLFN")
    assert all(any("version 1" in note for note in row.entry.notes) for row in shown.rows)
    text = " ".join(captions.captions(shown))
    assert "No runtime here is known to be stable" in text
    assert "run it again when the machine is idle" in text
