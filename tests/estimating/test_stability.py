"""The picture of a runtime: the same calls as in the record, whatever draws them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from record_factory import make_failure, make_record
from timed_records import timed

from ntire_bench.cli import group
from ntire_bench.errors import RecordError, UsageError
from ntire_bench.estimating.bootstrap import bootstrap
from ntire_bench.estimating.stability import samples_from, stability
from ntire_bench.records import store
from ntire_bench.records.record import Record, SlowCall
from ntire_bench.reporting.stability_plot import plot
from ntire_bench.reporting.stability_text import draw


@pytest.fixture
def record() -> Record:
    """Two images, 12 rounds in three launches, the second launch 10 % slower."""
    made = timed(7, "Example", 0.5, 0.02)
    factor = np.repeat([1.0, 1.1, 1.0], 4)

    def again(result, mean):
        images = tuple(
            dataclasses.replace(image, runtime_samples_ms=tuple((mean * (1 + i) * factor).tolist()))
            for i, image in enumerate(result.per_image[:2])
        )
        return dataclasses.replace(result, images=2, per_image=images)

    splits = {name: again(result, 4.0) for name, result in made.splits.items()}
    base = {name: again(result, 8.0) for name, result in made.baseline.splits.items()}
    return dataclasses.replace(made, splits=splits, baseline=dataclasses.replace(made.baseline, splits=base))


def test_what_is_drawn_is_what_was_measured(record):
    found = stability(record)
    assert found.launches == (4, 4, 4)
    # Images of 4 and 8 ms in both splits.
    assert found.runtime_ms == pytest.approx(6.0 * np.repeat([1.0, 1.1, 1.0], 4))
    assert found.ratio == pytest.approx(np.full(12, 0.5))
    assert sorted(set(np.round(found.deviations, 6))) == [0.0, 0.1]
    assert [rounds for rounds, _ in found.half_widths] == [4, 8, 12]
    last = bootstrap(samples_from(record), resamples=300).half_width
    assert found.half_widths[-1][1] == pytest.approx(last)


def test_the_terminal_shows_launches_reasons_and_numbers(record):
    shaky = dataclasses.replace(record, timing=dataclasses.replace(record.timing, unstable=("it drifts",)))
    text = "\n".join(draw(shaky, stability(shaky), 90))
    assert "07_Example: 12 rounds in 3 launches" in text and "unstable: it drifts" in text
    assert "|▁▁▁▁|████|▁▁▁▁| 6.00 to 6.60 ms" in text
    assert "first calls, not counted [ms]: 99.0, 99.0, 99.0" in text
    assert max(map(len, text.splitlines())) <= 90


@pytest.fixture
def slow(record) -> Record:
    """The same record with slow calls of both sides, host times and pairs that were made again."""

    def again(result, *calls):
        first, second = result.per_image
        return dataclasses.replace(
            result,
            per_image=(
                dataclasses.replace(
                    first, slow_calls=tuple(SlowCall(call=n, cause=c) for n, c in calls), host_ms=2.0
                ),
                dataclasses.replace(second, slow_calls=(SlowCall(call=5, cause="load"),), host_ms=4.0),
            ),
            runtime_ms=6.0,
        )

    splits = {name: again(result, (0, "allocation"), (5, "load")) for name, result in record.splits.items()}
    base = {name: again(result, (11, "unknown")) for name, result in record.baseline.splits.items()}
    timing = dataclasses.replace(
        record.timing, turn_calls=3, repeated={"load": 4, "clock": 2}, exact_over_composed=1.0123
    )
    baseline = dataclasses.replace(record.baseline, splits=base)
    return dataclasses.replace(record, splits=splits, baseline=baseline, timing=timing)


def test_slow_calls_are_counted_by_cause_and_round(slow):
    found = stability(slow)
    # Two splits of two images.
    assert found.slow == {"allocation": (2, *[0] * 11), "load": (0, 0, 0, 0, 0, 4, *[0] * 6)}
    assert found.baseline_slow == {"load": (0, 0, 0, 0, 0, 2, *[0] * 6), "unknown": (*[0] * 11, 2)}
    assert found.calls == 2 * 2 * 12 and found.host_ms == 3.0
    document = found.document()
    assert document["slow_calls"]["allocation"][0] == 2 and document["host_ms"] == 3.0


def test_the_terminal_marks_slow_calls_on_the_timeline(slow):
    lines = list(draw(slow, stability(slow), 80))
    text = "\n".join(lines)
    assert "turns of 3 calls of one side, of which the first does not count" in text
    assert "pairs of calls made again, as other programs used the CPU: 4" in text
    assert "pairs of calls made again, as the GPU's clock was low: 2" in text
    assert "last kernel of a call queued after 3.00 ms, 50% of the runtime" in text
    assert "LR images of the data set took 1.012 times as long as composed ones" in text
    assert lines[lines.index("   slow a |▃···|····|····| 2") + 1] == "   slow l |····|·█··|····| 4"
    assert "   slow ? |····|····|···█| 2" in lines
    assert "  07_Example: 6 of 48 (12.5%)" in lines and "        2 a: memory was allocated in them" in lines
    assert "  00_RLFN: 4 of 48 (8.3%)" in lines and "        2 ?: nothing was seen" in lines
    assert max(map(len, lines)) <= 90


def test_the_picture_shows_slow_calls_in_a_colour_for_each_cause(slow, record, tmp_path):
    def colours(of: Record) -> set[tuple[int, ...]]:
        plot(of, stability(of), tmp_path / "a.png")
        pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
        return {tuple(map(int, colour)) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}

    load, allocation = (0x17, 0xBE, 0xCF), (0x8C, 0x56, 0x4B)
    assert {load, allocation} <= colours(slow)
    assert not {load, allocation} & colours(record)


def test_slow_calls_of_version_1_are_found_among_its_calls_without_a_cause(record):
    def old(result):
        calls = (4.0, 4.0, 4.0, 4.1, 3.9, 4.0, 4.0, 4.7, 4.9, 4.0, 40.0, 4.0)
        first, second = result.per_image
        return dataclasses.replace(result, per_image=(dataclasses.replace(first, calls_ms=calls), second))

    splits = {name: old(result) for name, result in record.splits.items()}
    found = stability(dataclasses.replace(record, schema_version=1, splits=splits))
    # Over 1.2 x 4.0 of both splits; nothing of the other images, which are at most 10 % off.
    assert found.slow == {"cause not stored": (*[0] * 8, 2, 0, 2, 0)}
    assert found.baseline_slow == {} and found.host_ms is None


def test_no_bar_is_drawn_for_calls_that_take_less_than_no_time(record):
    wild = {
        name: dataclasses.replace(
            result,
            per_image=tuple(
                dataclasses.replace(image, runtime_samples_ms=tuple([4.0] * 9 + [40.0] * 3))
                for image in result.per_image
            ),
        )
        for name, result in record.splits.items()
    }
    shaky = dataclasses.replace(record, splits=wild)
    bins = [
        line.split()
        for line in draw(shaky, stability(shaky), 80)
        if line.strip()[:1] in "+-" and line.strip()
    ]
    centres = [float(words[0].rstrip("%")) for words in bins]
    assert sum(int(words[-1]) for words in bins) == 2 * 2 * 12
    # The bins are 18 / 11 wide: the one around -164 % reaches to -82 %, and the next one below not to -100 %.
    assert min(centres) == pytest.approx(-163.6) and max(centres) == pytest.approx(818.2)


def test_a_baseline_has_no_ratio_to_another(record):
    own = dataclasses.replace(record.baseline, submission=record.submission, splits=record.splits)
    found = stability(dataclasses.replace(record, baseline=own))
    assert found.baseline_ms is None and found.ratio.max() == pytest.approx(1.1)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_picture_is_written_and_has_something_on_it(record, tmp_path, suffix):
    path = tmp_path / "new" / f"picture{suffix}"
    plot(record, stability(record), path)
    if suffix == ".svg":
        assert "<svg" in path.read_text()[:600]
    else:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert pixels.shape == (540, 1650, 3) and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50


def test_what_cannot_be_drawn_is_told(record, tmp_path):
    with pytest.raises(UsageError, match=r"\.png"):
        plot(record, stability(record), tmp_path / "picture.docx")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be written"):
        plot(record, stability(record), tmp_path / "file" / "picture.png")
    with pytest.raises(RecordError, match="holds no runtimes"):
        stability(make_failure())
    torn = dataclasses.replace(record.timing, launches=record.timing.launches[:2])
    with pytest.raises(RecordError, match="rounds"):
        stability(dataclasses.replace(record, timing=torn))


def test_a_record_from_before_launches_were_kept_is_one_launch():
    old = make_record(7, rounds=5)
    assert old.timing is None and samples_from(old).launches == (5,)


def test_the_command_shows_the_newest_record(record, tmp_path):
    store.save(dataclasses.replace(record, created_utc="2026-11-21T00:00:00Z"), tmp_path)
    store.save(make_record(7, created_utc="2026-11-20T00:00:00Z"), tmp_path)
    call = lambda *words: CliRunner().invoke(group.main, ["stability", *map(str, words)])  # noqa: E731
    shown = call("7", "--results", tmp_path, "--plot", tmp_path / "a.svg")
    assert shown.exit_code == 0 and "12 rounds in 3 launches" in shown.output, shown.output
    assert (tmp_path / "a.svg").is_file()
    document = json.loads(call("7", "--results", tmp_path, "--json").stdout)
    assert document["launches"] == [4, 4, 4] and document["timing"]["ratio"] == 0.5
    missing = call("8", "--results", tmp_path)
    assert missing.exit_code == 2 and "no successful record of 08" in missing.output
    assert call().exit_code == 2
