"""The commands compare and show: which records are meant, what is shown, and crops of SR images."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import toys
from commands import DECLARED, process
from pairs import smooth, write_pairs
from PIL import Image
from record_factory import make_failure, make_record
from skimage.metrics import peak_signal_noise_ratio
from timed_records import timed

from ntire_bench.data.dataset import load_splits
from ntire_bench.records import store
from ntire_bench.records.record import ImageResult, Record


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    older = dataclasses.replace(make_record(5, "Net", version="0"), created_utc="2026-10-01T00:00:00Z")
    for record in (timed(5, "Net", 0.8, 0.02), older, timed(6, "Other", 0.9, 0.02), make_failure(7, "Bad")):
        store.save(record, tmp_path / "leaderboard/results")
    return tmp_path / "leaderboard/results"


def test_two_teams(call, results):
    result = call("compare", "5", "team06_Other", "--results", results)
    assert result.exit_code == 0
    assert "05_Net is faster than 06_Other: 0.889 of its runtime, 0.8" in result.stdout
    assert "PSNR on Y, valid: 28.55 dB and 28.55 dB, +0.000 dB" in result.stdout
    document = json.loads(call("compare", "05", "6", "--json", "--results", results).stdout)
    assert document["runtime"]["verdict"] == "faster" and len(document["images"]) == 400
    assert [path.count("/") for path in document["records"]] and document["costs"][0]["change"] == 0


def test_a_version_before_is_of_other_files(call, results):
    result = call("compare", "5", "5~1", "--results", results, "--json")
    document = json.loads(result.stdout)
    assert document["a"]["created_utc"] > document["b"]["created_utc"]
    assert document["a"]["version"] != document["b"]["version"]
    missing = call("compare", "5", "5~2", "--results", results)
    assert missing.exit_code == 2
    assert (
        "no version 2 before the newest of 05_Net" in missing.stderr and "found 2 versions" in missing.stderr
    )


@pytest.mark.parametrize("word", ["0", "team00", "RLFN", "00_RLFN", "models/team00_RLFN.py"])
def test_a_baseline_without_a_record_of_its_own_is_the_one_that_was_measured_beside(call, results, word):
    document = json.loads(call("compare", "5", word, "--json", "--results", results).stdout)
    assert document["runtime"]["ratio"] == pytest.approx(0.8)
    assert document["runtime"]["how"] == "side by side, in one session"
    assert document["b"]["label"] == "00_RLFN" and document["records"][0] == document["records"][1]
    other = json.loads(call("compare", word, "net", "--json", "--results", results).stdout)
    assert other["runtime"]["ratio"] == pytest.approx(1 / 0.8) and other["a"]["label"] == "00_RLFN"
    assert other["mean_db"]["valid"] == document["mean_db"]["valid"][::-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "5", "9"], "there is no successful record of 09"),
        (["compare", "5", "7"], "there is no successful record of 07"),  # it failed
        (["compare", "5", "x!"], "there is no submission x!"),
        (["compare", "5", "gone.json"], "the record cannot be read"),
        (["show", "5_Other"], "the submission 05 has another name"),
        (["compare", "5", "6", "--plot", "a.gif"], "the suffix names no format"),
        (["compare", "5", "6", "--plot", "a.png", "--run"], "--run keeps no SR images"),
        (["compare", "5~1", "6", "--run"], "an earlier version cannot be run"),
        (["compare", "5", "6", "--plot", "a.png", "--data-dir", "nowhere"], "no such data folder"),
    ],
)
def test_wrong_use_is_one_message(call, results, words, said):
    result = call(*words, "--results", results)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("Error: ") and said in result.stderr and result.stderr.count("\n") == 1


def test_show_lists_images_in_the_order_that_is_asked_for(call, results):
    document = json.loads(call("show", "5", "--results", results, "--json").stdout)
    names = [(row["split"], row["name"]) for row in document["images"]]
    assert (
        len(names) == 400
        and names[:2] == [("valid", "0801"), ("valid", "0802")]
        and names[200] == ("test", "0801")
    )
    assert document["images"][0]["psnr_db"] == 28.55 and document["images"][0]["baseline_psnr_db"] == 28.60
    slowest = json.loads(
        call("show", "5", "--results", results, "--sort", "runtime", "--most", 1, "--json").stdout
    )
    assert [row["runtime_ms"] for row in slowest["images"]] == pytest.approx([0.8 * 14.0])
    lowest = json.loads(call("show", "5", "--results", results, "--sort", "psnr", "--json").stdout)["images"]
    assert [row["psnr_db"] for row in lowest] == [28.55] * 200 + [28.66] * 200
    text = call("show", "5", "--results", results).stdout
    assert "valid/0801" in text and "2040x1356" in text and "-0.050" in text


def _record(id_: int, folder: Path, hr: list[np.ndarray], sr: list[np.ndarray]) -> Record:
    """Return a record of SR images, and write these where `run --save-images` does."""
    (split,) = load_splits(["valid"], folder)
    base = make_record(
        id_, "Net", psnr={"valid": (30.0, 30.0)}, datasets={"valid": split.sha256}, version=str(id_)
    )
    images = []
    for number, (one, other) in enumerate(zip(hr, sr, strict=True), 801):
        path = folder / f"sr/{id_:02d}_Net/DIV2K_LSDIR_valid/{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(other).save(path)
        inside = (slice(4, -4), slice(4, -4))
        value = float(peak_signal_noise_ratio(one[inside], other[inside], data_range=255))
        images.append(
            ImageResult(
                name=f"{number:04d}",
                height=96,
                width=128,
                psnr_y_db=value,
                psnr_rgb_db=value,
                runtime_ms=1.0,
                runtime_samples_ms=(1.0,),
            )
        )
    result = dataclasses.replace(base.splits["valid"], dataset="DIV2K_LSDIR_valid", per_image=tuple(images))
    return dataclasses.replace(base, splits={"valid": result})


def test_the_crops_that_differ_most_are_drawn_from_the_images_that_were_measured(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hr = [smooth(1), smooth(2)]
    write_pairs(tmp_path, "valid", hr)
    good = [np.clip(image.astype(int) + 1, 0, 255).astype(np.uint8) for image in hr]
    bad = [image.copy() for image in good]
    bad[1][40:48, 80:88] ^= 0x3F
    paths = [store.save(_record(id_, tmp_path, hr, sr), tmp_path / "r") for id_, sr in ((1, good), (2, bad))]
    words = ["compare", *paths, "--psnr-channel", "rgb", "--save-dir", "sr", "--data-dir", "."]
    done = call(*words, "--plot", "crops.png", "--json")
    assert done.exit_code == 0, done.stderr
    widest = json.loads(done.stdout)["images"][1]
    assert widest["difference_db"] > 1
    with Image.open("crops.png") as drawn:
        assert drawn.size[0] > drawn.size[1] > 200  # two rows of five
    Image.fromarray(good[1]).save("sr/02_Net/DIV2K_LSDIR_valid/0802.png")
    other = call(*words, "--plot", "crops.png")
    assert other.exit_code == 2 and "is not the SR image that was measured" in other.stderr
    gone = call(*words, "--plot", "crops.png", "--save-dir", "nowhere")
    assert gone.exit_code == 2 and "there is no SR image" in gone.stderr


def test_the_square_that_is_drawn_is_the_one_that_differs_most():
    from ntire_bench.workflows.crops import place_of_largest

    a = np.zeros((40, 60, 3), np.uint8)
    b = a.copy()
    b[20:30, 30:41] = 7
    # By hand: every square of 12 whose sum of squared differences is largest.
    error = ((a.astype(int) - b) ** 2).sum(axis=2)
    sums = {(r, c): error[r : r + 12, c : c + 12].sum() for r in range(0, 29, 4) for c in range(0, 49, 4)}
    assert sums[place_of_largest(a, b, 12, step=4)] == max(sums.values())


@pytest.mark.slow
def test_two_submissions_are_run_side_by_side_and_nothing_is_stored(tmp_path):
    """A network that sleeps 50 ms in each call is slower than one that does not, whatever else runs."""
    slow = toys.toy("__import__('time').sleep(0.05)", head=DECLARED)
    toys.write_toy(tmp_path, 5, "Slow", body=slow, checkpoint=toys.state_dict())
    toys.write_toy(tmp_path, 6, "Quick", body=toys.DECLARED)
    write_pairs(tmp_path / "images", "valid", [smooth(1), smooth(2)])
    words = ["--data_dir", "images", "--rounds", "3", "--json"]
    done = process("compare", "5", "06_Quick", "--run", *words, cwd=tmp_path)
    assert done.code == 0, done.stderr
    runtime = done.document["runtime"]
    assert runtime["ratio"] > 1 and "05_Slow" == done.document["a"]["label"]
    assert [one["difference_db"] for one in done.document["images"]] == [0.0, 0.0]
    assert not (tmp_path / "leaderboard").exists()
    same = process("compare", "5", "5", "--run", *words, cwd=tmp_path)
    assert same.code == 2 and "both are the same submission" in same.stderr
