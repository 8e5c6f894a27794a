"""Reads the rules of a challenge's edition, one TOML file each: thresholds, weights, baseline."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from ntire_bench import PACKAGE
from ntire_bench.errors import UsageError
from ntire_bench.protocols import toml
from ntire_bench.text import one_line

__all__ = [
    "DEFAULT_PROTOCOL",
    "SAMPLE_PROTOCOL",
    "Baseline",
    "Channel",
    "Datasets",
    "Protocol",
    "Thresholds",
    "Weights",
    "available",
    "from_text",
    "is_file_name",
    "load",
    "shipped_with",
]

DEFAULT_PROTOCOL = "ntire2024"
SAMPLE_PROTOCOL = "sample"
_FOLDER = PACKAGE / "protocols"
_NAME = r"[A-Za-z0-9][\w.+-]{0,63}"
_SUM_OFF = 1e-9

Channel = Literal["y", "rgb"]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Decibel = Annotated[float, Meta(ge=0, le=100)]
_Cost = Annotated[float, Meta(gt=0)]
_Level = Annotated[float, Meta(gt=0, le=255)]
_Count = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The PSNR that a submission must reach.

    Attributes:
        kind: "absolute": the values are the thresholds [dB]. "below_baseline": they are how far [dB] the
            thresholds lie below the baseline's PSNR on the same images and channel. "none": there are none.
        decimals: Mean PSNR and threshold are rounded to this many decimals before they are compared.
        valid: For the split "valid" [dB]; None where there is none.
        test: For the split "test" [dB]; None where there is none.
        splits: For other splits, by name [dB].
    """

    kind: Literal["absolute", "below_baseline", "none"]
    decimals: Annotated[int, Meta(ge=0, le=6)]
    valid: _Decibel | None = None
    test: _Decibel | None = None
    splits: dict[str, _Decibel] = field(default_factory=dict)

    @property
    def by_split(self) -> Mapping[str, float]:
        """All values [dB] by the names of their splits, valid and test first.

        >>> Thresholds(kind="absolute", decimals=2, test=26.99, splits={"night": 25.5}).by_split
        {'test': 26.99, 'night': 25.5}
        """
        own = {"valid": self.valid, "test": self.test}
        return {**{split: value for split, value in own.items() if value is not None}, **self.splits}

    def of(self, split: str, baseline_psnr_db: float | None = None) -> float | None:
        """Return the threshold [dB] of a split, rounded to `decimals`, or None where the rules give none.

        Args:
            split: Name of a split; one that is not in `by_split` has no threshold.
            baseline_psnr_db: The baseline's mean PSNR on that split; used by "below_baseline" only.

        >>> Thresholds(kind="absolute", decimals=2, valid=26.90, test=26.99).of("test")
        26.99
        >>> Thresholds(kind="below_baseline", decimals=2, valid=0.06, test=0.08).of("valid", 30.0)
        29.94
        """
        # Asked for every row and split: `by_split` would be made anew each time.
        value = {"valid": self.valid, "test": self.test}.get(split, self.splits.get(split))
        if value is None:
            return None
        if self.kind == "absolute":
            return round(value, self.decimals)
        return None if baseline_psnr_db is None else round(baseline_psnr_db - value, self.decimals)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the three sub-scores in the final score; they add up to 1."""

    runtime: _Share
    flops: _Share
    params: _Share

    def mistake(self) -> str:
        """Return why they are no weights; empty where they are.

        >>> Weights(runtime=0.7, flops=0.15, params=0.15).mistake()
        ''
        >>> Weights(runtime=0.7, flops=0.2, params=0.2).mistake()
        'runtime, flops and params must add up to 1, and these give 1.1'
        """
        total = math.fsum((self.runtime, self.flops, self.params))
        if abs(total - 1) <= _SUM_OFF:
            return ""
        return f"runtime, flops and params must add up to 1, and these give {total:g}"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The network that every cost is divided by, and what the organizers published for it.

    Attributes:
        name: NAME of the submission in models/ that is the baseline.
        published_runtime_ms: Mean runtime per image [ms] on `published_device`.
        published_flops_g: FLOPs [G] at the protocol's cost input.
        published_params_m: Parameters [M].
        published_device: The GPU of `published_runtime_ms`.
    """

    name: str
    published_runtime_ms: _Cost | None = None
    published_flops_g: _Cost | None = None
    published_params_m: _Cost | None = None
    published_device: str | None = None


@dataclass(frozen=True, kw_only=True)
class Datasets:
    """The images that absolute thresholds are for.

    Attributes:
        valid: The folder pair of the split "valid", without _HR and _LR; None where any will do.
        test: The folder pair of the split "test", without _HR and _LR; None where any will do.
        images: How many images each pair has: one number for all, or one by split; None where any will do.
        splits: The folder pairs of other splits, by name; one that is not here has its own name.
    """

    valid: str | None = None
    test: str | None = None
    images: _Count | dict[str, _Count] | None = None
    splits: dict[str, str] = field(default_factory=dict)

    @property
    def folders(self) -> Mapping[str, str]:
        """The folder pairs by split, as far as they are named."""
        own = {"valid": self.valid, "test": self.test}
        return {**{split: name for split, name in own.items() if name is not None}, **self.splits}

    def images_of(self, split: str) -> int | None:
        """Return how many images a split has; None where any number will do.

        >>> Datasets(images=200).images_of("valid"), Datasets(images={"test": 50}).images_of("valid")
        (200, None)
        """
        return self.images.get(split) if isinstance(self.images, dict) else self.images


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One edition's rules, as its TOML file states them.

    Attributes:
        name: Name of the folder that its records go to; of a shipped one, of the file as well.
        title: The name that people read.
        scale: Enlargement factor; 1 for denoising, where the input has the size of the HR image.
        border: Pixels cropped off every side before PSNR and SSIM.
        psnr_channel: Channel that thresholds are compared in by default.
        rounds: Default number of timed passes over all images.
        cost_input: (N, C, H, W) that FLOPs, activations and convolutions are counted on.
        thresholds: The PSNR to reach.
        weights: Of the sub-scores.
        baseline: The network that costs are divided by.
        sources: Where each constant comes from.
        datasets: The images that the thresholds are for; None where they are for any images.
        noise: At scale 1, the standard deviation of the white Gaussian noise on the input [8-bit levels].
        ranks_unstable: Whether unstable runtimes, and those that are not believed, keep their ranks.
        sha256: Of the TOML file.
        text: Of the TOML file where it is a user's own; empty where it comes with this program.
    """

    name: str
    title: str
    scale: Annotated[int, Meta(ge=1, le=4)]
    border: Annotated[int, Meta(ge=0, le=64)]
    psnr_channel: Channel
    rounds: _Count
    cost_input: tuple[Literal[1], Literal[3], _Count, _Count]
    thresholds: Thresholds
    weights: Weights
    baseline: Baseline
    sources: dict[str, str] = field(default_factory=dict)
    datasets: Datasets | None = None
    noise: _Level | None = None
    ranks_unstable: bool = False
    sha256: str = field(default="", metadata={toml.COMPUTED: True})
    text: str = field(default="", metadata={toml.COMPUTED: True})

    @property
    def fits_any_images(self) -> bool:
        """Whether no threshold is for certain images: they follow the baseline's PSNR, or there are none."""
        return self.thresholds.kind != "absolute"

    @property
    def asks_for_psnr(self) -> bool:
        """Whether there are thresholds."""
        return self.thresholds.kind != "none"

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that are judged, valid and test first.

        They are those that have a threshold; where the rules ask for none, those whose images they name.

        >>> load("ntire2024").splits, load("dn50").splits
        (('valid', 'test'), ('valid', 'test'))
        """
        if self.asks_for_psnr:
            return tuple(self.thresholds.by_split)
        return tuple(self.folders) or ("valid", "test")

    @property
    def folders(self) -> Mapping[str, str]:
        """The folder pairs of splits, as far as the rules name them."""
        return {} if self.datasets is None else self.datasets.folders


def available() -> list[str]:
    """Return the names of all protocols that come with this program, the default first.

    >>> available()
    ['ntire2024', 'demo', 'dn50', 'ntire2025', 'ntire2026', 'sample']
    """
    return sorted((p.stem for p in _FOLDER.glob("*.toml")), key=lambda name: (name != DEFAULT_PROTOCOL, name))


def is_file_name(name: str) -> bool:
    """Say whether --protocol was given a file and not a name.

    >>> is_file_name("rules/mine.toml"), is_file_name("ntire2024")
    (True, False)
    """
    return name.lower().endswith(".toml")


def load(name: str | os.PathLike[str] = DEFAULT_PROTOCOL) -> Protocol:
    """Read a protocol by name, or from a file.

    Args:
        name: One of `available()`, or the path of a file that ends in .toml.

    Returns:
        The protocol, with the hash of its file.

    Raises:
        UsageError: There is no protocol of that name, or the file cannot be read or holds mistakes: all of
            them are named.

    >>> load("ntire2024").thresholds.valid
    26.9
    """
    name = os.fspath(name)
    if is_file_name(name):
        try:
            data = Path(name).read_bytes()
        except OSError as error:
            found, remedy = error.strerror or str(error), f"name a TOML file, or one of {_named()}"
            raise UsageError("the protocol cannot be read", file=name, found=found, remedy=remedy) from None
        return _parse(data, Path(name))
    if name not in available():
        raise UsageError(
            f"there is no protocol {name!r}",
            remedy=f"choose one of {_named()} with --protocol, or name a file of your own that ends in .toml",
        )
    path = _FOLDER / f"{name}.toml"
    return _parse(path.read_bytes(), path)


def from_text(text: str, where: str | os.PathLike[str]) -> Protocol:
    """Read a protocol from the copy of its file that a record keeps.

    Args:
        text: Of the TOML file.
        where: The record, for messages.

    Raises:
        UsageError: It holds mistakes.
    """
    return _parse(text.encode(), Path(where))


@functools.cache
def shipped_with(sha256: str) -> Protocol | None:
    """Return the protocol of this program whose file has a hash; None where there is none.

    >>> shipped_with(load("ntire2025").sha256).name
    'ntire2025'
    """
    return next((rules for rules in map(load, available()) if rules.sha256 == sha256), None)


_NO_SUCH_KEY = "there is no such key"


def _named() -> str:
    return ", ".join(available())


def _parse(data: bytes, path: Path) -> Protocol:
    raw, not_toml = toml.parse(data)
    if not_toml:
        remedy = "correct it, or start from a copy of one of ntire_bench/protocols"
        raise UsageError(
            "the protocol is not TOML", file=path, expected="TOML", found=not_toml, remedy=remedy
        )
    wrong = list(toml.mistakes(Protocol, raw))
    protocol = toml.convert(Protocol, _mended(raw, wrong) if wrong else raw)
    shipped = _FOLDER / f"{protocol.name}.toml"
    is_shipped = not wrong and protocol.name in available() and shipped.read_bytes() == data
    wrong += _mistakes(protocol, is_shipped)
    if wrong:
        raise UsageError(
            f"{len(wrong)} mistake{'s' if len(wrong) > 1 else ''} in the protocol",
            file=path,
            found=one_line("; ".join(wrong)),
            remedy="correct these keys; docs/PROTOCOLS.md says what each means",
        )
    text = "" if is_shipped else data.decode()
    return dataclasses.replace(protocol, sha256=hashlib.sha256(data).hexdigest(), text=text)


def _mended(raw: Mapping[str, Any], wrong: Sequence[str]) -> dict[str, Any]:
    """Return a file's values with those of the wrong type replaced by a shipped protocol's.

    So the values of the right types can be looked at too, and all mistakes are told at once.

    Args:
        raw: Of the file.
        wrong: The mistakes in keys and types.
    """
    sound, _ = toml.parse((_FOLDER / f"{DEFAULT_PROTOCOL}.toml").read_bytes())
    keys = {text.split(":")[0].split(".")[0] for text in wrong if _NO_SUCH_KEY not in text}
    if "thresholds" in keys:  # the splits of the data sets are compared with these
        keys.add("datasets")
    if keys & {"scale", "noise"}:  # each is judged by the other
        keys |= {"scale", "noise"}
    if "name" in keys:
        sound["name"] = "unnamed"
    mended = {**raw, **{key: sound[key] for key in keys if key in sound}}
    return {key: value for key, value in mended.items() if key in sound or key not in keys}


def _mistakes(protocol: Protocol, is_shipped: bool) -> Iterator[str]:
    """Yield what is wrong with values of the right types."""
    if not re.fullmatch(_NAME, protocol.name, re.ASCII):
        yield f"name: letters, digits and . _ + - are expected, for it is a folder's: {protocol.name!r}"
    elif protocol.name in available() and not is_shipped:
        yield f"name: {protocol.name!r} is a protocol of this program, with other rules: choose another name"
    if not protocol.title.strip() or one_line(protocol.title) != protocol.title:
        yield f"title: one line of text is expected: {protocol.title!r}"
    if not protocol.baseline.name.strip():
        yield "baseline.name: empty"
    if wrong := protocol.weights.mistake():
        yield f"weights: {wrong}"
    if protocol.scale == 1 and protocol.noise is None:
        yield "noise: missing: at scale 1 the input is the HR image with noise, of so many 8-bit levels"
    if protocol.scale != 1 and protocol.noise is not None:
        yield f"noise: it goes with scale = 1, and the scale is {protocol.scale}"
    thresholds = protocol.thresholds
    if protocol.asks_for_psnr and not thresholds.by_split:
        yield (
            "thresholds: none is given: valid, test, or a split under [thresholds.splits]; "
            'kind = "none" where no PSNR is asked for'
        )
    for split in thresholds.by_split if not protocol.asks_for_psnr else ():
        yield f'thresholds: {split} has a value, and kind = "none" has none'
    for split in thresholds.splits:
        if split in ("valid", "test"):
            yield f"thresholds.splits.{split}: write it as thresholds.{split}"
        elif not re.fullmatch(_NAME, split, re.ASCII):
            yield f"thresholds.splits.{split}: letters, digits and . _ + - are expected in a split's name"
    if protocol.datasets is not None:
        judged = set(protocol.splits) | (set() if protocol.asks_for_psnr else {"valid", "test"})
        yield from _mistakes_of_datasets(protocol.datasets, judged)


def _mistakes_of_datasets(datasets: Datasets, splits: set[str]) -> Iterator[str]:
    for split, folder in datasets.folders.items():
        key = f"datasets.{split if split not in datasets.splits else f'splits.{split}'}"
        if split not in splits:
            yield f"{key}: there is no threshold for this split"
        if not folder.strip() or folder != Path(folder).name:
            yield f"{key}: the name of a folder pair without _HR and _LR is expected: {folder!r}"
    for split in datasets.images if isinstance(datasets.images, dict) else ():
        if split not in splits:
            yield f"datasets.images.{split}: there is no threshold for this split"
