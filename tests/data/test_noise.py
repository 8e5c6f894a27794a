"""Noisy images against the challenge's own definition, and the tools around them."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from denoisers import write_noisy_pairs
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from ntire_bench.cli import main
from ntire_bench.data import sample
from ntire_bench.data.dataset import DatasetProblems, load_splits, read_hr, read_lr
from ntire_bench.data.noise import noisy
from ntire_bench.data.prepare import prepare


def flat(value: int) -> np.ndarray:
    return np.full((400, 400, 3), value, np.uint8)


def test_grey_has_the_psnr_of_sigma_50() -> None:
    """Noise of sigma 50 that hardly is clipped has 20 log10(255 / 50) = 14.15 dB."""
    found = peak_signal_noise_ratio(flat(128), noisy(flat(128), 50, 3, "0801"), data_range=255)
    assert found == pytest.approx(20 * math.log10(255 / 50), abs=0.1)


@pytest.mark.parametrize("value", [0, 255])
def test_noise_is_clipped_and_then_rounded(value: int) -> None:
    """Half of a normal distribution is at the limit; the mean of the rest is sigma / sqrt(2 pi) off it."""
    got = np.abs(noisy(flat(value), 50, 0, "a").astype(float) - value)
    assert got.mean() == pytest.approx(50 / math.sqrt(2 * math.pi), abs=0.3)
    # What is rounded to the limit lies half a level beyond it.
    below = statistics.NormalDist(0, 50).cdf(0.5)
    assert (got == 0).mean() == pytest.approx(below, abs=0.005)


def test_channels_and_pixels_are_independent() -> None:
    values = noisy(flat(128), 50, 0, "a").astype(float) - 128
    assert np.abs(np.corrcoef(values.reshape(-1, 3).T) - np.eye(3)).max() < 0.01
    assert abs(np.corrcoef(values[1:].ravel(), values[:-1].ravel())[0, 1]) < 0.01


def test_an_image_is_the_same_in_every_version_and_another_by_seed_and_name() -> None:
    """Against draws of NumPy's frozen generator, seeded as the documentation says."""
    hr = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    words = np.frombuffer(hashlib.sha256(b"7\x000801").digest(), "<u4")
    drawn = hr / 255 + np.random.RandomState([int(word) for word in words]).normal(0, 50 / 255, hr.shape)
    expected = np.round(np.clip(drawn * 255, 0, 255)).astype(np.uint8)  # as the challenge's save_image
    assert np.array_equal(noisy(hr, 50, 7, "0801"), expected)
    others = noisy(hr, 50, 8, "0801"), noisy(hr, 50, 7, "0802"), noisy(hr, 25, 7, "0801")
    assert not any(np.array_equal(expected, other) for other in others)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    folder = tmp_path / "DIV2K_valid_HR"
    folder.mkdir()
    for number, size in enumerate([(40, 33, 3), (31, 50, 3)], 801):
        pixels = np.random.default_rng(number).integers(0, 256, size, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")
    return folder


def test_prepare_writes_noisy_images_that_load(
    call: Callable[..., Result], clean: Path, tmp_path: Path
) -> None:
    done = call("prepare", clean, "--noise", "50", "--seed", "7")
    assert done.exit_code == 0 and done.stdout == "2 noisy images in DIV2K_valid_noise50\n"
    (split,) = load_splits(["valid"], tmp_path, scale=1, noise=50, folders={"valid": "DIV2K_valid"})
    assert [(pair.name, pair.height, pair.width) for pair in split.pairs] == [
        ("0801", 40, 33),
        ("0802", 31, 50),
    ]
    for pair in split.pairs:  # whole, and not cropped to any multiple
        assert np.array_equal(read_lr(pair), noisy(read_hr(pair, 1), 50, 7, pair.name))
    again = json.loads(call("prepare", clean, "--noise", "50", "--seed", "7", "--json").stdout)
    assert again["lr_dir"] == "DIV2K_valid_noise50" and len(again["written"]) == 2
    other = call("prepare", clean, "--noise", "50", "--seed", "8")
    assert other.exit_code == 2 and "another LR image is there already" in other.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--noise", "50", "--scale", "4"], "--noise and --scale are both given"),
        (["--seed", "3"], "--seed is of the noise"),
        (["--noise", "0"], "--noise"),
        (["--noise", "50", "--seed", "-1"], "--seed"),
    ],
)
def test_prepare_refuses_what_contradicts_itself(
    call: Callable[..., Result], clean: Path, options: list[str], told: str
) -> None:
    done = call("prepare", clean, *options)
    assert done.exit_code == 2 and told in done.stderr and not (clean.parent / "DIV2K_valid_noise50").exists()


def test_noisy_images_may_lie_and_be_called_as_in_each_of_the_challenges_modes(tmp_path: Path) -> None:
    """DIV2K_valid_noise50/0801.png, and LSDIR_DIV2K_test_LR/0801noise50.png."""
    hr = np.full((32, 32, 3), 90, np.uint8)
    write_noisy_pairs(tmp_path, "valid", [hr])
    for side, end in (("HR", ""), ("LR", "noise50")):
        (tmp_path / f"LSDIR_DIV2K_test_{side}").mkdir()
        Image.fromarray(hr).save(tmp_path / f"LSDIR_DIV2K_test_{side}" / f"a{end}.png")
    splits = load_splits(
        ["DIV2K_valid", "test"], tmp_path, scale=1, noise=50, folders={"test": "LSDIR_DIV2K_test"}
    )
    assert [split.dataset for split in splits] == ["DIV2K_valid", "LSDIR_DIV2K_test"]
    with pytest.raises(DatasetProblems, match="no folder .*DIV2K_night_noise50"):
        load_splits(["night"], tmp_path, scale=1, noise=50, folders={"night": "DIV2K_night"})


def test_what_is_missing_is_named_as_prepare_makes_it(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetProblems, match="prepare .*DIV2K_valid_HR --noise 50"):
        load_splits(["DIV2K_valid"], tmp_path, scale=1, noise=50)
    prepare(clean, tmp_path / "DIV2K_valid_noise50", 1, noise=50)
    (tmp_path / "DIV2K_valid_noise50" / "0802.png").unlink()
    with pytest.raises(DatasetProblems, match=r"without its LR image; expected 0802.png in .*_noise50"):
        load_splits(["DIV2K_valid"], tmp_path, scale=1, noise=50)


def test_prepare_of_the_working_directory_and_of_the_root(
    call: Callable[..., Result], clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clean)
    assert CliRunner().invoke(main, ["prepare", ".", "--noise", "50"]).exit_code == 0
    assert len(list((tmp_path / "DIV2K_valid_noise50").glob("*.png"))) == 2
    done = CliRunner().invoke(main, ["prepare", "/"])
    assert done.exit_code == 2 and "there is no folder beside this one" in done.stderr


def test_a_noisy_image_of_another_size_is_named(tmp_path: Path) -> None:
    write_noisy_pairs(tmp_path, "valid", [np.full((32, 32, 3), 90, np.uint8)])
    Image.fromarray(np.zeros((31, 32, 3), np.uint8)).save(tmp_path / "DIV2K_valid_noise50" / "0801.png")
    with pytest.raises(DatasetProblems, match="LR image and HR image differ in size"):
        load_splits(["DIV2K_valid"], tmp_path, scale=1, noise=50)


@pytest.mark.parametrize(("scale", "noise"), [(1, 50.0), (2, None), (3, None)])
def test_there_is_a_sample_set_for_every_scale(scale: int, noise: float | None) -> None:
    folder = sample.sample_dir(scale, noise)
    assert sample.is_sample_dir(folder) and not sample.is_sample_dir(folder / "valid_HR")
    (split,) = load_splits(["valid"], None, scale=scale, noise=noise, prefer_sample=True)
    assert split.sample and len(split.pairs) == 3
    lr, hr = sample.probe_lr(scale, noise), sample.probe_hr(scale)
    assert hr.shape[0] == scale * lr.shape[0]
    if noise is not None:
        assert 14.15 < peak_signal_noise_ratio(hr, lr, data_range=255) < 17  # clipping takes noise away


def test_preparing_a_folder_again_leaves_what_is_right(clean: Path, tmp_path: Path) -> None:
    written = prepare(clean, tmp_path / "out", 1, noise=50, seed=7)
    before = [path.stat().st_mtime_ns for path in written]
    assert prepare(clean, tmp_path / "out", 1, noise=50, seed=7) == written
    assert [path.stat().st_mtime_ns for path in written] == before
