"""LR/HR pairs of a split: found, paired, checked file by file before any model runs, and fingerprinted."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.data import manifest, pixel_cache, sample
from ntire_bench.data.folder import CheckedImage, DatasetProblems, Problems, check_images, list_images
from ntire_bench.data.images import Uint8, modcrop, read_bytes
from ntire_bench.data.manifest import ManifestName
from ntire_bench.data.nearby import PLACES
from ntire_bench.data.noise import mark
from ntire_bench.data.png import decode_png
from ntire_bench.errors import DatasetError
from ntire_bench.metrics.ssim import SSIM_WINDOW
from ntire_bench.text import relative

__all__ = ["DatasetProblems", "Pair", "Progress", "Split", "load_splits", "lr_names", "read_hr", "read_lr"]

_CHALLENGE = "DIV2K_LSDIR_"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """One LR image and its HR image.

    Attributes:
        name: Stem of the HR file, in Unicode's composed form (NFC).
        lr_path: The LR file.
        hr_path: The HR file.
        height: Of the mod-cropped HR image [pixels].
        width: Of the mod-cropped HR image [pixels].
        lr_sha256: Of the LR file when it was checked: what `read_lr` returns are the pixels of that content,
            from the cache or from the file, and other content is refused. None: not compared, not cached.
        hr_sha256: Of the HR file, alike.
    """

    name: str
    lr_path: Path
    hr_path: Path
    height: int
    width: int
    lr_sha256: str | None = None
    hr_sha256: str | None = None


@dataclass(frozen=True)
class Split:
    """The checked pairs of one split.

    Attributes:
        name: "valid", "test", or the NAME of a folder pair NAME_HR, NAME_LR.
        dataset: The folders' name without _HR and _LR.
        pairs: In the order of their names.
        sha256: Fingerprint of all pairs' names and file contents; in the sample set of names and pixels,
            because its files are compressed by whichever Pillow a machine has.
        sample: True for the sample set, which is not comparable with the challenge.
        manifest: The manifest beside the folders that its images are those of; None where there is none, or
            it lacks this split.
    """

    name: str
    dataset: str
    pairs: tuple[Pair, ...]
    sha256: str
    sample: bool
    manifest: ManifestName | None = None


def load_splits(
    names: Sequence[str],
    data_dir: Path | None,
    *,
    scale: int = 4,
    noise: float | None = None,
    border: int = 4,
    folders: Mapping[str, str] | None = None,
    prefer_sample: bool = False,
    compared: bool = True,
    progress: Progress | None = None,
) -> tuple[Split, ...]:
    """Find and check the pairs of some splits; every file is read once, none is decoded but the sample set's.

    Split K is the folder pair that `folders` names for it where either exists, else DIV2K_LSDIR_K_HR,
    DIV2K_LSDIR_K_LR, else K_HR, K_LR.
    HR NAME.png belongs to LR NAMEx4.png, or NAME.png. At scale 1, with noise of sigma 50 say, the noisy image
    NAMEnoise50.png or NAME.png is what is called LR here, and its folder may be called K_noise50 as well.

    Args:
        names: Split keys ("valid", "test", "Set5"); a repeated one counts once.
        data_dir: Folder that holds the folder pairs. None: the first of the working directory, its data/ and
            its parent that holds a challenge folder of `names`; where none does, the sample set.
        scale: HR size over LR size.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].
        border: Pixels that the metrics crop off every side; decides which images are too small.
        folders: Folder pairs of splits, without _HR and _LR.
        prefer_sample: Without a `data_dir`, take the sample set even where challenge folders are near.
        compared: Whether images are compared with a manifest.json that lies in the folder.
        progress: Called with (files checked, files in all).

    Returns:
        One `Split` per name, in the order of `names`.

    Raises:
        DatasetProblems: Lists everything that is wrong with any of the splits.
        DatasetError: `data_dir` is no folder, or the sample set cannot be made.
        UsageError: The bound of the pixel cache is not a size.
    """
    pixel_cache.configured()
    names = list(dict.fromkeys(names))
    folders = folders or {}
    bases = {name: _bases(name, folders) for name in names}
    challenge = [base for name in names for base in bases[name] if base != name or name in folders]
    lr_sides, suffix = lr_names(scale, noise)
    root = _locate(challenge, ("HR", *lr_sides), data_dir, prefer_sample)
    is_sample = root is None or sample.is_sample_dir(root)
    root = root or sample.sample_dir(scale, noise)
    problems = Problems()
    found: list[tuple[str, Path, Path, dict[str, Path], dict[str, Path]]] = []
    for name in names:
        base = _folder_base(bases[name], ("HR", *lr_sides), root)
        if base is None:
            problems.messages.append(_unknown_split(name, bases[name], lr_sides, root, is_sample))
            continue
        lr_dir = _lr_dir(base, lr_sides)
        hr_files, lr_files = (list_images(folder, problems) for folder in (Path(f"{base}_HR"), lr_dir))
        found.append((name, base, lr_dir, hr_files, lr_files))

    total = sum(len(hr_files) + len(lr_files) for *_, hr_files, lr_files in found)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    splits = []
    for name, base, lr_dir, hr_files, lr_files in found:
        partners = _match(hr_files, lr_files, suffix, Path(f"{base}_HR"), lr_dir, problems)
        hr_images = check_images(hr_files, problems, advance)
        lr_images = check_images(lr_files, problems, advance)
        pairs = []
        for stem, lr_stem in sorted(partners.items()):
            hr, lr = hr_images.get(stem), lr_images.get(lr_stem)
            if hr is None or lr is None:
                continue
            pair = _fit(stem, hr, lr, scale, border, problems)
            if pair is not None:
                pairs.append(pair)
        splits.append(Split(name, base.name, tuple(pairs), _fingerprint(pairs, scale, is_sample), is_sample))
    problems.raise_if_any()
    return _with_manifest(splits, root) if compared and not is_sample else tuple(splits)


def _with_manifest(splits: Sequence[Split], root: Path) -> tuple[Split, ...]:
    """Compare splits with the manifest that lies in their folder, if there is one, and name it."""
    known = manifest.beside(root)
    if known is None:
        return tuple(splits)
    document, name = known
    problems, named = Problems(), []
    for split in splits:
        wanted = document.splits.get(split.dataset)
        if wanted is not None and wanted.dataset_sha256 != split.sha256:
            remedy = "`ntire-bench data verify` says which differ: mend them, or take the manifest away"
            what = f"the images of {split.dataset} are not those of the manifest"
            expected, found = (f"fingerprint {of[:16]}" for of in (wanted.dataset_sha256, split.sha256))
            problems.add(what, root / name.file, expected=expected, found=found, remedy=remedy)
        named.append(split if wanted is None else dataclasses.replace(split, manifest=name))
    problems.raise_if_any()
    return tuple(named)


def read_lr(pair: Pair) -> Uint8:
    """Return the LR image of a pair, from the pixel cache or decoded.

    Args:
        pair: From `load_splits`.

    Returns:
        (height / scale, width / scale, 3) uint8, RGB.

    Raises:
        DatasetError: The file has to be decoded and cannot be, or is another one than was checked.
    """
    return _decode(pair.lr_path, pair.lr_sha256)


def read_hr(pair: Pair, scale: int = 4) -> Uint8:
    """Return the HR image of a pair, its bottom and right cropped to multiples of `scale`.

    It comes from the pixel cache, or is decoded and put there.

    Args:
        pair: From `load_splits`.
        scale: HR size over LR size.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        DatasetError: The file has to be decoded and cannot be, or is another one than was checked.
    """
    return modcrop(_decode(pair.hr_path, pair.hr_sha256), scale)


def _decode(path: Path, sha256: str | None) -> Uint8:
    if sha256 is None:
        return decode_png(read_bytes(path), path)
    cache = pixel_cache.configured()
    # What is stored are the pixels of the content that was checked, whatever the file holds by now.
    stored = cache.get(sha256) if cache is not None else None
    if stored is not None:
        return stored
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        remedy = "leave the images alone during a run"
        raise DatasetError("changed since it was checked", file=path, remedy=remedy)
    image = decode_png(data, path)
    if cache is not None:
        cache.put(sha256, image)
    return image


def lr_names(scale: int, noise: float | None) -> tuple[tuple[str, ...], str]:
    """Return what LR folders are called after NAME_, the likeliest first, and what LR files end in.

    >>> lr_names(4, None), lr_names(1, 50.0)
    ((('LR',), 'x4'), (('noise50', 'LR'), 'noise50'))
    """
    return (("LR",), f"x{scale}") if noise is None else ((mark(noise), "LR"), mark(noise))


def _lr_dir(base: Path, sides: Sequence[str]) -> Path:
    """Return the LR folder of a pair: the first that is there, else the one that would be made."""
    folders = [Path(f"{base}_{side}") for side in sides]
    return next((folder for folder in folders if os.path.lexists(folder)), folders[0])


def _locate(
    challenge: Sequence[str], sides: Sequence[str], data_dir: Path | None, prefer_sample: bool
) -> Path | None:
    """Return the folder that holds the folder pairs; None for the sample set's."""
    if data_dir is not None:
        if not os.path.isdir(data_dir):  # unlike Path.is_dir it never raises
            found = "a file" if os.path.exists(data_dir) else "nothing there"
            remedy = "name the folder that holds the NAME_HR and NAME_LR folders"
            raise DatasetError(
                "no such data folder", file=data_dir, expected="a folder", found=found, remedy=remedy
            )
        return data_dir
    for root in () if prefer_sample else PLACES:
        if any(os.path.isdir(root / f"{base}_{side}") for base in challenge for side in sides):
            return root
    return None


def _bases(name: str, folders: Mapping[str, str]) -> list[str]:
    """Return what the folder pair of a split may be called, without _HR and _LR, the likeliest first.

    >>> _bases("test", {"test": "Night"})
    ['Night', 'DIV2K_LSDIR_test', 'test']
    """
    return [base for base in dict.fromkeys((folders.get(name), f"{_CHALLENGE}{name}", name)) if base]


def _folder_base(bases: Sequence[str], sides: Sequence[str], root: Path) -> Path | None:
    """Return the path of a split's folders without _HR and _LR, or None where neither exists."""
    for base in (root / name for name in bases):
        if any(os.path.lexists(f"{base}_{side}") for side in sides):
            return base
    return None


def _unknown_split(
    name: str, bases: Sequence[str], lr_sides: Sequence[str], root: Path, is_sample: bool
) -> str:
    try:
        folders = {entry for entry in os.listdir(root) if os.path.isdir(root / entry)}
    except OSError as error:
        remedy = "name a folder that this user may read"
        return str(DatasetError("cannot be listed", file=root, found=error.strerror, remedy=remedy))
    hr_stems = {folder[:-3] for folder in folders if folder.endswith("_HR")}
    stems = {stem for stem in hr_stems if any(f"{stem}_{side}" in folders for side in lr_sides)}
    there = ", ".join(sorted(stem.removeprefix(_CHALLENGE) for stem in stems)) or "none"
    sides = [f"{base}_{side}" for base in bases for side in ("HR", *lr_sides)]
    looked = f"{', '.join(sides[:-1])} or {sides[-1]}"
    if is_sample:
        where, remedy = "the sample set", "give the folder that holds them with --data_dir"
    else:
        where, remedy = relative(root), "name one of the splits that are there, or another --data_dir"
    if "LR" in lr_sides[:1] and (noisy := sorted(folder for folder in folders if "_noise" in folder)):
        remedy += f"; for noisy images ({noisy[0]}) add --protocol dn50"
    return f"Split {name!r}: no folder {looked} in {where}; found the splits: {there}. Remedy: {remedy}."


def _match(
    hr_files: dict[str, Path],
    lr_files: dict[str, Path],
    suffix: str,
    hr_dir: Path,
    lr_dir: Path,
    problems: Problems,
) -> dict[str, str]:
    """Return the LR stem that belongs to each HR stem; what has no partner, or two, becomes a problem."""
    partners: dict[str, str] = {}
    taken: set[str] = set()
    for stem, path in hr_files.items():
        candidates = [stem + suffix] if stem + suffix in lr_files else []
        # An LR file "ax4" is the partner of an HR file "a" where there is one, not of an HR file "ax4".
        if stem in lr_files and not (stem.endswith(suffix) and stem.removesuffix(suffix) in hr_files):
            candidates.append(stem)
        taken.update(candidates)
        if len(candidates) == 1:
            partners[stem] = candidates[0]
        elif candidates:
            both = " and ".join(lr_files[candidate].name for candidate in candidates)
            problems.add("two LR images", path, found=f"{both} in {relative(lr_dir)}", remedy="keep one")
        elif lr_files:  # else the LR folder itself is the problem, and is named already
            end = "" if lr_dir.name.endswith(f"_{suffix}") else suffix  # a folder of noisy images says so
            expected = f"{path.stem}{end}.png in {relative(lr_dir)}"
            remedy = "add it (`ntire-bench prepare` makes LR images), or take the HR image out"
            problems.add("HR image without its LR image", path, expected=expected, remedy=remedy)
    for stem, path in lr_files.items():
        if stem not in taken and hr_files:
            expected = f"{path.stem.removesuffix(suffix)}.png in {relative(hr_dir)}"
            remedy = "add it, or take the LR image out"
            problems.add("LR image without its HR image", path, expected=expected, remedy=remedy)
    return partners


def _fit(
    name: str, hr: CheckedImage, lr: CheckedImage, scale: int, border: int, problems: Problems
) -> Pair | None:
    """Return the pair if the sizes fit together and the metrics are defined on them."""
    height, width = hr.height - hr.height % scale, hr.width - hr.width % scale
    smallest = 2 * border + SSIM_WINDOW
    if min(height, width) < smallest:
        expected = f"at least {smallest}x{smallest} after cropping to multiples of {scale}"
        found, remedy = f"{width}x{height}", "take the pair out"
        problems.add("image too small for SSIM", hr.path, expected=expected, found=found, remedy=remedy)
    elif (lr.height * scale, lr.width * scale) != (height, width):
        expected = f"{width // scale}x{height // scale} (from {hr.width}x{hr.height} of {hr.path.name})"
        found = f"{lr.width}x{lr.height}"
        remedy = "make it anew from the HR image (`ntire-bench prepare`)"
        what = f"LR size is not HR size / {scale}" if scale > 1 else "LR image and HR image differ in size"
        problems.add(what, lr.path, expected=expected, found=found, remedy=remedy)
    else:
        return Pair(name, lr.path, hr.path, height, width, lr.sha256, hr.sha256)
    return None


def _fingerprint(pairs: Iterable[Pair], scale: int, by_pixels: bool) -> str:
    digest = hashlib.sha256()
    for pair in pairs:
        hr, lr = pair.hr_sha256, pair.lr_sha256
        if by_pixels:
            images = (read_hr(pair, scale), read_lr(pair))
            hr, lr = (hashlib.sha256(image.tobytes()).hexdigest() for image in images)
        digest.update(f"{pair.name}\0{hr}\0{lr}\n".encode())
    return digest.hexdigest()
