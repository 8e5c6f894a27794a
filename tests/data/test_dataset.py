"""Pairs of a split, their checks and fingerprint; the sample set; LR images made by `prepare`."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ntire_bench.data import folder as image_folder
from ntire_bench.data import sample
from ntire_bench.data.dataset import DatasetProblems, Split, load_splits, read_hr, read_lr
from ntire_bench.data.images import matlab_bicubic_down, modcrop, read_png, write_png
from ntire_bench.data.prepare import prepare
from ntire_bench.errors import DatasetError

VALID = "DIV2K_LSDIR_valid"


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def add_pair(
    folder: Path, base: str, name: str, height: int = 42, width: int = 51, lr_name: str = ""
) -> None:
    hr = picture(height, width, seed=len(name) + height)
    write_png(folder / f"{base}_HR" / f"{name}.png", hr)
    lr = matlab_bicubic_down(modcrop(hr, 4))
    write_png(folder / f"{base}_LR" / (lr_name or f"{name}x4.png"), lr)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A challenge folder with three sound validation pairs."""
    for number, name in enumerate(("0803", "0801", "0802")):
        add_pair(tmp_path, VALID, name, height=42 + number)
    return tmp_path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a working directory without data."""
    monkeypatch.setenv("NTIRE_BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "here")
    return tmp_path / "cache"


def problems_of(data_dir: Path, *names: str) -> tuple[str, ...]:
    with pytest.raises(DatasetProblems) as caught:
        load_splits(names or ("valid",), data_dir)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def one_problem_of(data_dir: Path, *names: str) -> str:
    problems = problems_of(data_dir, *names)
    assert len(problems) == 1, problems
    return problems[0]


# --- sound data -------------------------------------------------------------------------------------------


def test_pairs_of_the_challenge(data: Path) -> None:
    steps: list[tuple[int, int]] = []
    (split,) = load_splits(["valid"], data, progress=lambda done, total: steps.append((done, total)))
    assert (split.name, split.dataset, split.sample) == ("valid", VALID, False)
    assert [pair.name for pair in split.pairs] == ["0801", "0802", "0803"]
    assert [(pair.height, pair.width) for pair in split.pairs] == [(40, 48), (44, 48), (40, 48)]
    assert steps == [(k, 6) for k in range(1, 7)]
    for pair in split.pairs:
        hr, lr = read_hr(pair), read_lr(pair)
        assert hr.shape == (pair.height, pair.width, 3)
        assert (matlab_bicubic_down(hr) == lr).all()
        assert (hr == modcrop(read_png(pair.hr_path), 4)).all()


def test_several_splits_in_the_order_asked_for(data: Path) -> None:
    add_pair(data, "DIV2K_LSDIR_test", "0901")
    add_pair(data, "My set", "ä", lr_name="ä.png")
    splits = load_splits(["My set", "test", "valid", "test"], data)
    assert [split.name for split in splits] == ["My set", "test", "valid"]
    assert [split.dataset for split in splits] == ["My set", "DIV2K_LSDIR_test", VALID]
    assert splits[0].pairs[0].lr_path.name == "ä.png"


def test_challenge_folders_come_before_folders_of_the_plain_name(data: Path) -> None:
    add_pair(data, "valid", "other")
    assert load_splits(["valid"], data)[0].dataset == VALID


def test_a_folder_that_the_rules_name_comes_first(data: Path, tmp_path: Path) -> None:
    add_pair(data, "Night 2027", "0001")
    add_pair(data, "night", "0002")
    splits = load_splits(["valid", "night"], data, folders={"night": "Night 2027"})
    assert [(split.name, split.dataset) for split in splits] == [("valid", VALID), ("night", "Night 2027")]
    assert load_splits(["night"], data, folders={"night": "not there"})[0].dataset == "night"
    told = "no folder Fog_HR, Fog_LR, DIV2K_LSDIR_fog_HR, DIV2K_LSDIR_fog_LR, fog_HR or fog_LR in"
    with pytest.raises(DatasetError, match=told):
        load_splits(["fog"], data, folders={"fog": "Fog"})


@pytest.mark.shared
def test_set5_through_links(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "Set5_HR").symlink_to(shared / "data" / "Set5" / "HR")
    (tmp_path / "Set5_LR").symlink_to(shared / "data" / "Set5" / "LR_x4")
    (split,) = load_splits(["Set5"], tmp_path)
    sizes = {pair.name: (pair.height, pair.width) for pair in split.pairs}
    assert sizes["woman"] == (344, 228) and sizes["head"] == (280, 280) and len(sizes) == 5


def test_files_that_are_no_images_are_left_alone(data: Path) -> None:
    before = load_splits(["valid"], data)
    folder = data / f"{VALID}_HR"
    for name in ("Thumbs.db", ".DS_Store", "._0801.png", "readme.txt", ".0123.tmp"):
        (folder / name).write_text("x")
    (folder / "more.png").mkdir()
    assert load_splits(["valid"], data) == before


def test_suffix_in_upper_case(data: Path) -> None:
    for side, name in (("HR", "0801"), ("LR", "0801x4")):
        (data / f"{VALID}_{side}" / f"{name}.png").rename(data / f"{VALID}_{side}" / f"{name}.PNG")
    assert len(load_splits(["valid"], data)[0].pairs) == 3


def test_names_decomposed_as_on_macos(data: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    assert composed != decomposed
    add_pair(data, VALID, decomposed, lr_name=f"{composed}x4.png")
    assert composed in [pair.name for pair in load_splits(["valid"], data)[0].pairs]


def test_hr_names_that_end_like_lr_names(data: Path) -> None:
    add_pair(data, VALID, "0801x4", height=48)  # its LR file is 0801x4x4.png
    pairs = load_splits(["valid"], data)[0].pairs
    assert {pair.name: pair.lr_path.name for pair in pairs}["0801"] == "0801x4.png"
    assert {pair.name: pair.lr_path.name for pair in pairs}["0801x4"] == "0801x4x4.png"


def test_other_scale(tmp_path: Path) -> None:
    hr = picture(45, 49)
    write_png(tmp_path / "A_HR" / "a.png", hr)
    write_png(tmp_path / "A_LR" / "ax3.png", matlab_bicubic_down(modcrop(hr, 3), 3))
    (split,) = load_splits(["A"], tmp_path, scale=3)
    assert (split.pairs[0].height, split.pairs[0].width) == (45, 48)
    assert read_hr(split.pairs[0], 3).shape == (45, 48, 3)


# --- fingerprint ------------------------------------------------------------------------------------------


def fingerprint(data_dir: Path) -> str:
    return load_splits(["valid"], data_dir)[0].sha256


def test_fingerprint_is_of_names_and_contents(data: Path) -> None:
    # Written out from its definition, so that a change of it cannot pass unnoticed.
    expected = hashlib.sha256()
    for name in ("0801", "0802", "0803"):
        hr = hashlib.sha256((data / f"{VALID}_HR" / f"{name}.png").read_bytes()).hexdigest()
        lr = hashlib.sha256((data / f"{VALID}_LR" / f"{name}x4.png").read_bytes()).hexdigest()
        expected.update(f"{name}\0{hr}\0{lr}\n".encode())
    assert fingerprint(data) == expected.hexdigest()
    (data / f"{VALID}_LR" / "0801x4.png").rename(data / f"{VALID}_LR" / "0801.png")
    assert fingerprint(data) == expected.hexdigest()  # how an LR file is called does not matter


@pytest.mark.parametrize("side", ["HR", "LR"])
def test_fingerprint_notices_one_pixel(data: Path, side: str) -> None:
    before = fingerprint(data)
    path = data / f"{VALID}_{side}" / ("0802.png" if side == "HR" else "0802x4.png")
    image = read_png(path)
    image[0, 0, 0] ^= 1
    write_png(path, image)
    assert fingerprint(data) != before


def test_fingerprint_notices_a_name(data: Path) -> None:
    before = fingerprint(data)
    for side, old, new in (("HR", "0802", "0804"), ("LR", "0802x4", "0804x4")):
        (data / f"{VALID}_{side}" / f"{old}.png").rename(data / f"{VALID}_{side}" / f"{new}.png")
    assert fingerprint(data) != before


def test_images_changed_after_the_check_are_refused(data: Path) -> None:
    pair = load_splits(["valid"], data)[0].pairs[0]
    write_png(pair.hr_path, picture(42, 51, seed=99))
    write_png(pair.lr_path, picture(10, 12, seed=99))
    for read in (read_hr, read_lr):
        with pytest.raises(DatasetError, match="0801.*changed since it was checked"):
            read(pair)


@pytest.mark.parametrize("threads", [1, 3])
def test_every_file_is_read_once_and_each_thread_holds_one(
    threads: int, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Content(bytes):
        alive = 0

        def __del__(self) -> None:
            with lock:
                Content.alive -= 1

    opened: list[Path] = []

    def read_bytes(path: Path) -> bytes:
        with lock:
            opened.append(path)
            Content.alive += 1
            most.append(Content.alive)
        return Content(path.read_bytes())

    lock = threading.RLock()
    most: list[int] = []
    for name in range(804, 820):
        add_pair(data, VALID, f"0{name}")
    monkeypatch.setattr(image_folder, "read_bytes", read_bytes)
    monkeypatch.setattr(image_folder, "check_threads", lambda: threads)
    load_splits(["valid"], data)
    assert len(opened) == len(set(opened)) == 38
    assert max(most) <= threads


# --- faults -----------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    # What is done to (HR folder, LR folder), and what is said about it.
    "no LR": (lambda hr, lr: (lr / "0801x4.png").unlink(), r"HR/0801\.png: HR image without its LR image"),
    "no HR": (lambda hr, lr: (hr / "0801.png").unlink(), r"LR/0801x4\.png: LR image without its HR image"),
    "two LR": (
        lambda hr, lr: write_png(lr / "0801.png", picture(10, 12)),
        r"HR/0801\.png: two LR images; found 0801x4\.png and 0801\.png in ",
    ),
    "LR of another scale": (
        lambda hr, lr: write_png(lr / "0801x4.png", picture(20, 24)),
        r"LR/0801x4\.png: LR size is not HR size / 4; "
        r"expected 12x10 \(from 51x43 of 0801\.png\); found 24x20",
    ),
    "sides exchanged": (
        lambda hr, lr: write_png(lr / "0801x4.png", picture(12, 10)),
        r"expected 12x10 .*; found 10x12",
    ),
    "LR rounded up": (
        lambda hr, lr: write_png(lr / "0801x4.png", picture(11, 13)),
        r"expected 12x10 .*; found 13x11",
    ),
    "too small": (
        lambda hr, lr: (
            write_png(hr / "0801.png", picture(19, 40)),
            write_png(lr / "0801x4.png", picture(4, 10)),
        ),
        r"HR/0801\.png: image too small for SSIM; expected at least 19x19 after cropping to multiples of 4; "
        r"found 40x16",
    ),
    "tiny": (
        lambda hr, lr: (
            write_png(hr / "0801.png", picture(3, 3)),
            write_png(lr / "0801x4.png", picture(1, 1)),
        ),
        r"HR/0801\.png: image too small",
    ),
    "empty file": (lambda hr, lr: (lr / "0801x4.png").write_bytes(b""), r"LR/0801x4\.png: empty file"),
    "text": (lambda hr, lr: (hr / "0801.png").write_text("hello"), r"HR/0801\.png: not an image file"),
    "truncated": (
        lambda hr, lr: (hr / "0801.png").write_bytes((hr / "0801.png").read_bytes()[:-100]),
        r"HR/0801\.png: truncated or corrupt PNG",
    ),
    "grey": (
        lambda hr, lr: Image.fromarray(picture(43, 51)).convert("L").save(hr / "0801.png"),
        r"HR/0801\.png: wrong kind of PNG; expected an 8-bit RGB PNG without alpha; found 8-bit grey",
    ),
    "alpha": (
        lambda hr, lr: Image.fromarray(picture(10, 12)).convert("RGBA").save(lr / "0801x4.png"),
        r"LR/0801x4\.png: wrong kind .* found 8-bit RGB with alpha",
    ),
    "palette": (
        lambda hr, lr: Image.fromarray(picture(43, 51)).convert("P").save(hr / "0801.png"),
        r"HR/0801\.png: wrong kind .* palette",
    ),
    "16-bit": (
        lambda hr, lr: write_16_bit(hr / "0801.png", 43, 51),
        r"HR/0801\.png: wrong kind .* found 16-bit RGB",
    ),
    "same stem": (
        lambda hr, lr: write_png(hr / "0801.PNG", picture(43, 51)),
        r"HR/0801\.png: same name as 0801\.PNG",
    ),
    "jpeg beside": (
        lambda hr, lr: Image.fromarray(picture(43, 51)).save(hr / "0804.JPG"),
        r"HR/0804\.JPG: not a PNG; found \.jpg. Remedy: PNG is needed",
    ),
    "broken link": (
        lambda hr, lr: ((hr / "0801.png").unlink(), (hr / "0801.png").symlink_to("gone.png")),
        r"HR/0801\.png: cannot be read; .* found No such file",
    ),
    "pipe": (
        lambda hr, lr: ((lr / "0801x4.png").unlink(), os.mkfifo(lr / "0801x4.png")),
        r"LR/0801x4\.png: not a regular file",
    ),
    "name": (
        lambda hr, lr: (hr / os.fsdecode(b"caf\xe9.png")).touch(),
        r"_HR: file name 'caf\\udce9\.png' is not valid UTF-8",
    ),
}


def write_16_bit(path: Path, height: int, width: int) -> None:
    import cv2

    assert cv2.imwrite(str(path), np.full((height, width, 3), 1000, np.uint16))


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_one_plain_line(fault: str, data: Path) -> None:
    spoil, message = FAULTS[fault]
    spoil(data / f"{VALID}_HR", data / f"{VALID}_LR")
    problem = one_problem_of(data)
    pytest.raises(DatasetProblems, load_splits, ["valid"], data).match(message)
    assert "\n" not in problem
    problem.encode()  # printable anywhere


def test_all_faults_of_all_splits_at_once(data: Path) -> None:
    add_pair(data, "DIV2K_LSDIR_test", "0901")
    hr, lr = data / f"{VALID}_HR", data / f"{VALID}_LR"
    (hr / "0801.png").write_bytes(b"")
    (lr / "0802x4.png").unlink()
    write_png(lr / "0803x4.png", picture(5, 5))
    (data / "DIV2K_LSDIR_test_HR" / "0901.png").write_text("x")
    problems = problems_of(data, "valid", "nowhere", "test")
    for name in ("0801.png", "0802.png", "0803x4.png", "0901.png", "nowhere"):
        assert sum(name in problem.split(":")[0] for problem in problems) == 1, name
    assert len(problems) == 5
    message = str(pytest.raises(DatasetProblems, load_splits, ["valid", "nowhere", "test"], data).value)
    assert message.splitlines()[0] == "5 problems with the images:"
    assert len(message.splitlines()) == 6


@pytest.mark.parametrize("side", ["HR", "LR"])
def test_missing_folder(data: Path, side: str) -> None:
    (data / f"{VALID}_{side}").rename(data / "elsewhere")
    told = one_problem_of(data)
    assert f"{VALID}_{side}: missing folder" in told
    assert ("make it with ntire-bench prepare" in told) == (side == "LR")


@pytest.mark.parametrize("side", ["HR", "LR"])
def test_empty_folder(data: Path, side: str) -> None:
    for path in (data / f"{VALID}_{side}").iterdir():
        path.unlink()
    assert f"{VALID}_{side}: no image in this folder" in one_problem_of(data)
    (data / f"{VALID}_{side}" / "train").mkdir()
    assert "found sub-folders, which are not searched" in one_problem_of(data)


def test_folder_is_a_file(data: Path) -> None:
    (data / f"{VALID}_LR").rename(data / "elsewhere")
    (data / f"{VALID}_LR").touch()
    assert f"{VALID}_LR: cannot be listed" in one_problem_of(data)


def test_unreadable_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By a patch, because file permissions do not bind the super-user that tests may run as.
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    problems = problems_of(data)
    assert len(problems) == 6 and all("cannot be read" in p and "Permission denied" in p for p in problems)


def test_unknown_split_names_what_is_there(data: Path) -> None:
    add_pair(data, "Set14", "a")
    (data / "Half_HR").mkdir()
    problem = one_problem_of(data, "Set5")
    for text in ("'Set5'", "DIV2K_LSDIR_Set5_HR", "Set5_LR", "splits: Set14, valid."):
        assert text in problem
    assert "found the splits: Set14, valid." in one_problem_of(data, "")


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_no_data_folder(kind: str, tmp_path: Path) -> None:
    if kind == "file":
        (tmp_path / "x").touch()
    found = "a file" if kind == "file" else "nothing there"
    with pytest.raises(DatasetError, match=f"x: no such data folder; expected a folder; found {found}"):
        load_splits(["valid"], tmp_path / "x")


# --- where data is looked for -----------------------------------------------------------------------------


@pytest.mark.parametrize("place", [".", "data", ".."])
def test_data_beside_the_checkout(place: str, cache: Path) -> None:
    add_pair(Path(place), VALID, "0801")
    (split,) = load_splits(["valid"], None)
    assert split.dataset == VALID and not split.sample
    assert not cache.exists()


def test_half_a_challenge_folder_is_not_replaced_by_the_sample_set(cache: Path) -> None:
    add_pair(Path("data"), VALID, "0801")
    (Path("data") / f"{VALID}_LR" / "0801x4.png").unlink()
    (Path("data") / f"{VALID}_LR").rmdir()
    with pytest.raises(DatasetProblems, match=f"{VALID}_LR: missing folder"):
        load_splits(["valid"], None)
    with pytest.raises(DatasetProblems, match="Split 'test': no folder DIV2K_LSDIR_test_HR"):
        load_splits(["valid", "test"], None)


def test_unknown_split_of_the_sample_set(cache: Path) -> None:
    with pytest.raises(DatasetProblems, match="'Set5'.* in the sample set; .* test, valid.*--data_dir"):
        load_splits(["Set5"], None)


# --- the sample set ---------------------------------------------------------------------------------------


def test_sample_set(cache: Path) -> None:
    valid, test = load_splits(["valid", "test"], None)
    assert valid.sample and test.sample
    assert [pair.name for pair in valid.pairs] == ["astronaut", "coffee", "motorcycle"]
    assert [pair.name for pair in test.pairs] == ["chelsea", "hubble", "rocket"]
    for pair in (*valid.pairs, *test.pairs):
        hr = read_hr(pair)
        assert min(hr.shape[:2]) >= 300 and hr.shape[0] % 4 == hr.shape[1] % 4 == 0
        assert (matlab_bicubic_down(hr) == read_lr(pair)).all()
    assert sorted(os.listdir(cache)) == ["sample-v1", "sample-v1.lock"]


def test_sample_photographs_are_scikit_images_own(cache: Path) -> None:
    from skimage import data as photographs

    (valid, test) = load_splits(["valid", "test"], None)
    hr = {pair.name: read_hr(pair) for pair in (*valid.pairs, *test.pairs)}
    assert (hr["astronaut"] == photographs.astronaut()).all()
    assert (hr["coffee"] == photographs.coffee()).all()
    assert (hr["motorcycle"] == photographs.stereo_motorcycle()[0][:, :740]).all()
    assert (hr["chelsea"] == photographs.chelsea()[:, :448]).all()
    assert (hr["rocket"] == photographs.rocket()[:424]).all()
    assert (hr["hubble"] == photographs.hubble_deep_field()[180 : 180 + 512, 244 : 244 + 512]).all()


def test_sample_fingerprint_is_of_pixels(cache: Path) -> None:
    # Another Pillow may compress otherwise; the data set is the same.
    before = load_splits(["valid"], None)
    path = before[0].pairs[0].hr_path
    content = path.read_bytes()
    Image.fromarray(read_png(path)).save(path, compress_level=9)
    assert path.read_bytes() != content
    assert load_splits(["valid"], None)[0].sha256 == before[0].sha256
    image = read_png(path)
    image[5, 5, 1] ^= 1
    write_png(path, image)
    assert load_splits(["valid"], None)[0].sha256 != before[0].sha256


def test_incomplete_sample_set_is_made_anew(cache: Path) -> None:
    folder = sample.sample_dir()
    (folder / "test_LR" / "rocketx4.png").unlink()
    (cache / ".sample-v1.left-over").mkdir()
    assert sample.sample_dir() == folder
    assert (folder / "test_LR" / "rocketx4.png").is_file()
    assert sorted(os.listdir(cache)) == ["sample-v1", "sample-v1.lock"]


def test_sample_set_that_fails_half_way_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def fail_later(path: Path, image: np.ndarray) -> None:
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        written.append(path)
        write_png(path, image)

    monkeypatch.setattr(sample, "write_png", fail_later)
    with pytest.raises(DatasetError, match="No space left on device. Remedy: set NTIRE_BENCH_CACHE"):
        sample.sample_dir()
    assert os.listdir(cache) == ["sample-v1.lock"]


def test_sample_set_in_a_cache_that_cannot_be_made(cache: Path) -> None:
    cache.touch()
    with pytest.raises(DatasetError, match="the sample set cannot be written"):
        sample.sample_dir()


def test_without_scikit_images_photographs(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spec:
        submodule_search_locations = [str(tmp_path)]

    monkeypatch.setattr(sample.importlib.util, "find_spec", lambda name: Spec())
    with pytest.raises(DatasetError, match="photograph astronaut.png is not installed"):
        sample.sample_dir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "astronaut.png").write_bytes(b"another")
    with pytest.raises(DatasetError, match="not the photograph"):
        sample.sample_dir()


def make_sample(start: multiprocessing.synchronize.Barrier, results: multiprocessing.Queue) -> None:
    start.wait()
    folder = sample.sample_dir()
    results.put(sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png")))


def test_processes_that_race_for_the_sample_set(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    racers = [context.Process(target=make_sample, args=(start, results)) for _ in range(3)]
    for racer in racers:
        racer.start()
    seen = [results.get(timeout=120) for _ in racers]
    for racer in racers:
        racer.join(timeout=60)
    assert [racer.exitcode for racer in racers] == [0, 0, 0]
    assert seen[0] == seen[1] == seen[2] and len(seen[0]) == 12
    assert sorted(os.listdir(cache)) == ["sample-v1", "sample-v1.lock"]


def test_where_the_cache_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NTIRE_BENCH_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert sample.sample_dir() == tmp_path / "xdg" / "ntire_bench" / "sample-v1"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert sample.sample_dir() == tmp_path / "home" / ".cache" / "ntire_bench" / "sample-v1"


def test_probe_needs_no_cache(cache: Path) -> None:
    probe = sample.probe_lr()
    assert probe.shape == (64, 64, 3) and probe.dtype == np.uint8 and probe.flags.c_contiguous
    assert not cache.exists()
    astronaut = load_splits(["valid"], None)[0].pairs[0]
    assert (probe == read_lr(astronaut)[32:96, 32:96]).all()
    assert probe.std() > 20  # a photograph with something on it


# --- prepare ----------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_prepare_reproduces_the_published_images(shared: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    published = shared / "data" / "Set5"
    written = prepare(
        published / "HR", tmp_path / "a" / "LR", progress=lambda done, total: steps.append((done, total))
    )
    assert [path.name for path in written] == [
        f"{name}x4.png" for name in ("baby", "bird", "butterfly", "head", "woman")
    ]
    assert steps == [(k, 5) for k in range(1, 6)]
    for path in written:
        assert (read_png(path) == read_png(published / "LR_x4" / path.name)).all()


def test_what_prepare_makes_is_a_split(data: Path) -> None:
    before = load_splits(["valid"], data)
    (data / f"{VALID}_LR").rename(data / "published")
    written = prepare(data / f"{VALID}_HR", data / f"{VALID}_LR")
    assert sorted(os.listdir(data / f"{VALID}_LR")) == [path.name for path in written]
    assert load_splits(["valid"], data) == before
    assert (
        prepare(data / f"{VALID}_HR", data / f"{VALID}_LR") == written
    )  # a second time finds the same images


def test_prepare_replaces_no_other_lr_image_unless_told(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    write_png(tmp_path / "X_HR" / "a.png", generator.integers(0, 256, (64, 64, 3), np.uint8))
    official = generator.integers(0, 256, (16, 16, 3), np.uint8)
    write_png(tmp_path / "X_LR" / "ax4.png", official)
    with pytest.raises(DatasetProblems, match="another LR image is there already"):
        prepare(tmp_path / "X_HR", tmp_path / "X_LR")
    assert np.array_equal(read_png(tmp_path / "X_LR" / "ax4.png"), official)
    prepare(tmp_path / "X_HR", tmp_path / "X_LR", replace=True)
    assert not np.array_equal(read_png(tmp_path / "X_LR" / "ax4.png"), official)


def test_prepare_writes_nothing_where_an_image_is_bad(data: Path) -> None:
    (data / f"{VALID}_HR" / "0802.png").write_text("x")
    write_png(data / f"{VALID}_HR" / "0804.png", picture(3, 50))
    with pytest.raises(DatasetProblems) as caught:
        prepare(data / f"{VALID}_HR", data / "LR")
    assert len(caught.value.problems) == 2
    assert "0802.png: not an image file" in caught.value.problems[0]
    assert "0804.png: image too small to scale down by 4; found 50x3" in caught.value.problems[1]
    assert not (data / "LR").exists()


def test_prepare_folders(data: Path) -> None:
    with pytest.raises(DatasetProblems, match="nowhere: missing folder"):
        prepare(data / "nowhere", data / "LR")
    with pytest.raises(DatasetError, match="HR and LR folder are the same"):
        prepare(data / f"{VALID}_HR", data / f"{VALID}_LR" / ".." / f"{VALID}_HR")
    (data / "file").touch()
    with pytest.raises(DatasetError, match="cannot be written"):
        prepare(data / f"{VALID}_HR", data / "file")


def test_split_is_a_plain_value(data: Path) -> None:
    (split,) = load_splits(["valid"], data)
    assert isinstance(split, Split) and hash(split) == hash(load_splits(["valid"], data)[0])
