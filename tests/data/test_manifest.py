"""Manifests: what they hold, against Pillow and hashlib, and every way in which a copy may differ."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from denoisers import write_noisy_pairs
from pairs import smooth, write_pairs
from PIL import Image

from ntire_bench.data.dataset import DatasetProblems, load_splits
from ntire_bench.data.images import matlab_bicubic_down

VALID = "DIV2K_LSDIR_valid"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = write_pairs(tmp_path / "images", "valid", [smooth(1), smooth(2, 97, 130)])
    return write_pairs(folder, "test", [smooth(3)])


@pytest.fixture
def manifest(images: Path, call: Callable[..., Result]) -> Path:
    assert call("data", "manifest", images).exit_code == 0
    return images / "manifest.json"


def differences(call: Callable[..., Result], folder: Path, manifest: Path) -> list[tuple[str, str]]:
    done = call("data", "verify", folder, manifest, "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == (0 if document["ok"] else 1)
    return [(one["file"], one["kind"]) for one in document["differences"]]


def test_it_holds_what_other_programs_find(images: Path, manifest: Path) -> None:
    document: dict[str, Any] = json.loads(manifest.read_text())
    assert (document["manifest_version"], document["scale"], document["seed"]) == (1, 4, None)
    assert {name: len(split["images"]) for name, split in document["splits"].items()} == {
        VALID: 2,
        "DIV2K_LSDIR_test": 1,
    }
    files = [
        pair[side]
        for split in document["splits"].values()
        for pair in split["images"]
        for side in ("hr", "lr")
    ]
    assert len(files) == 6
    for one in files:
        path = images / one["file"]
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert (one["height"], one["width"]) == pixels.shape[:2] and one["bytes"] == path.stat().st_size
        assert one["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert one["pixels_sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
    # The fingerprint by which records know the images.
    (split,) = load_splits(["valid"], images)
    assert document["splits"][VALID]["dataset_sha256"] == split.sha256


def test_a_true_copy_is_in_order(
    images: Path, manifest: Path, call: Callable[..., Result], tmp_path: Path
) -> None:
    copy = shutil.copytree(images, tmp_path / "copy")
    done = call("data", "verify", copy, manifest)
    assert done.exit_code == 0
    assert done.stdout == "OK  3 pairs of 2 splits: all as in images/manifest.json, and LR is made of HR\n"
    assert differences(call, copy, manifest) == []


def one_pixel(path: Path) -> None:
    pixels = np.array(Image.open(path))
    pixels[5, 6, 1] ^= 1
    Image.fromarray(pixels).save(path)


HR, LR = f"{VALID}_HR/0801.png", f"{VALID}_LR/0801x4.png"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda copy: (copy / HR).unlink(), [(HR, "missing")]),
        (lambda copy: (copy / LR).write_bytes((copy / LR).read_bytes()[:-20]), [(LR, "unreadable")]),
        (lambda copy: one_pixel(copy / HR), [(HR, "pixels")]),
        (lambda copy: one_pixel(copy / LR), [(LR, "pixels")]),
        (lambda copy: Image.open(copy / HR).save(copy / HR, compress_level=1), [(HR, "file")]),
        (
            lambda copy: shutil.copy(copy / HR, copy / f"{VALID}_HR" / "0999.png"),
            [(f"{VALID}_HR/0999.png", "not in the manifest")],
        ),
        (
            lambda copy: shutil.rmtree(copy / f"{VALID}_LR"),
            [(LR, "missing"), (LR.replace("1x", "2x"), "missing")],
        ),
    ],
    ids=["no HR", "half an LR", "HR pixel", "LR pixel", "encoded anew", "one more", "no folder"],
)
def test_each_way_to_differ_is_named(
    images: Path,
    manifest: Path,
    call: Callable[..., Result],
    tmp_path: Path,
    change: Callable[[Path], object],
    expected: list[tuple[str, str]],
) -> None:
    copy = shutil.copytree(images, tmp_path / "copy")
    change(copy)
    assert differences(call, copy, manifest) == expected
    done = call("data", "verify", copy, manifest)
    assert done.exit_code == 1 and expected[0][0] in done.stdout
    assert done.stdout.splitlines()[-1].startswith("DIFFERS  3 pairs of 2 splits: ")


def test_lr_that_is_not_made_of_hr_is_told_when_it_is_named_and_when_it_is_checked(
    images: Path, call: Callable[..., Result]
) -> None:
    """By another reduction, as of a tool that is not MATLAB."""
    hr = Image.open(images / HR)
    hr.resize((hr.width // 4, hr.height // 4), Image.Resampling.BILINEAR).save(images / LR)
    done = call("data", "manifest", images)
    assert done.exit_code == 0 and f"{LR}: LR is not what prepare makes of HR" in done.stderr
    assert differences(call, images, images / "manifest.json") == [(LR, "not made of HR")]


def test_for_scale_3_one_level_is_matlabs_own_rounding(tmp_path: Path, call: Callable[..., Result]) -> None:
    rules = tmp_path / "x3.toml"
    from own_rules import write_rules

    rules = write_rules(tmp_path, ("scale = 4", "scale = 3"))
    for side in ("HR", "LR"):
        (tmp_path / "x3" / f"a_{side}").mkdir(parents=True)
    hr = smooth(5, 90, 120)
    lr = matlab_bicubic_down(hr, 3)
    lr[3, 4] += np.where(lr[3, 4] < 255, 1, -1).astype(np.uint8)
    Image.fromarray(hr).save(tmp_path / "x3" / "a_HR" / "1.png")
    Image.fromarray(lr).save(tmp_path / "x3" / "a_LR" / "1x3.png")
    done = call("data", "manifest", tmp_path / "x3", "--protocol", rules)
    assert done.exit_code == 0 and "LR is not" not in done.stderr
    assert differences(call, tmp_path / "x3", tmp_path / "x3" / "manifest.json") == []


def test_noise_is_what_the_seed_gives(tmp_path: Path, call: Callable[..., Result]) -> None:
    folder = write_noisy_pairs(tmp_path / "noisy", "valid", [smooth(1, 40, 50), smooth(2, 41, 51)], seed=7)
    wrong = call("data", "manifest", folder, "--protocol", "dn50", "--seed", "8")
    assert wrong.exit_code == 2 and "2 noisy images are not what --seed gives" in wrong.stderr
    assert not (folder / "manifest.json").exists()
    assert call("data", "manifest", folder, "--protocol", "dn50", "--seed", "7").exit_code == 0
    assert differences(call, folder, folder / "manifest.json") == []
    document = json.loads((folder / "manifest.json").read_text())
    assert (document["scale"], document["noise"], document["seed"]) == (1, 50.0, 7)
    # Somebody else's noise of the same strength, under a manifest that says otherwise.
    (folder / "manifest.json").unlink()
    other = write_noisy_pairs(tmp_path / "other", "valid", [smooth(1, 40, 50), smooth(2, 41, 51)], seed=9)
    blind = call("data", "manifest", other, "--protocol", "dn50")
    assert blind.exit_code == 0 and "No --seed" in blind.stderr
    path = other / "manifest.json"
    assert "the noise was not looked at" in call("data", "verify", other, path).stdout
    path.write_text(path.read_text().replace('"seed": null', '"seed": 7'))
    assert [kind for _, kind in differences(call, other, path)] == ["not made of HR"] * 2


def test_a_run_takes_only_the_manifests_images_and_names_it(images: Path, manifest: Path) -> None:
    (split,) = load_splits(["valid"], images)
    assert split.manifest is not None and split.manifest.file == "manifest.json"
    assert split.manifest.sha256 == hashlib.sha256(manifest.read_bytes()).hexdigest()
    one_pixel(images / LR)
    with pytest.raises(DatasetProblems, match="images of DIV2K_LSDIR_valid are not those of the manifest"):
        load_splits(["valid"], images)
    assert load_splits(["test"], images)[0].manifest == split.manifest  # the others are as they were
    assert load_splits(["valid"], images, compared=False)[0].manifest is None


def test_a_split_that_the_manifest_lacks_has_none(images: Path, manifest: Path) -> None:
    write_pairs(images, "night", [smooth(9)])
    found = load_splits(["valid", "night"], images)
    assert [split.manifest is None for split in found] == [False, True]


@pytest.mark.parametrize("text", ["[]", '{"name": "web app"}', "no JSON"])
def test_a_manifest_of_another_program_is_left_alone(
    images: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (images / "manifest.json").write_text(text)
    assert load_splits(["valid"], images)[0].manifest is None
    assert "it is no manifest of images" in caplog.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"manifest_version": 2}', "of another version of this program"),
        ('{"manifest_version": 1}', "this is no manifest of images"),
        ('{"manifest_version": 1, "scale": 4, "splits": {"a": 1}}', "this is no manifest of images"),
        ("", "this is no manifest of images"),
        (None, "the manifest cannot be read"),
    ],
)
def test_a_file_that_is_no_manifest_is_one_message(
    tmp_path: Path, call: Callable[..., Result], text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "m.json").write_text(text)
    done = call("data", "verify", tmp_path, tmp_path / "m.json")
    assert done.exit_code == 2 and told in done.stderr and "Traceback" not in done.stderr


def test_another_manifest_is_not_overwritten(
    images: Path, manifest: Path, call: Callable[..., Result]
) -> None:
    again = json.loads(call("data", "manifest", images, "--json").stdout)
    assert again["written"] is False  # the same: as it was
    one_pixel(images / HR)
    done = call("data", "manifest", images)
    assert done.exit_code == 2 and "another manifest is there already" in done.stderr
    assert call("data", "manifest", images, "--force").exit_code == 0
    assert load_splits(["valid"], images)[0].manifest is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["manifest", "nowhere"], "cannot be listed"),
        (["manifest", "."], "there is no pair of folders with images"),
        (["manifest", ".", "--seed", "1"], "--seed is of noise"),
        (["verify", "nowhere", "m.json"], "the manifest cannot be read"),
    ],
)
def test_wrong_use_is_one_message(
    tmp_path: Path, call: Callable[..., Result], arguments: list[str], told: str
) -> None:
    done = call("data", *arguments)
    assert done.exit_code == 2 and told in done.stderr
    assert json.loads(call("data", *arguments, "--json").stdout)["error"]
