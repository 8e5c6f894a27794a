"""Reads the rules of a challenge's edition, one TOML file each: thresholds, weights, baseline."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ntire_bench import PACKAGE
from ntire_bench.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "DEFAULT_PROTOCOL",
    "SAMPLE_PROTOCOL",
    "Baseline",
    "Protocol",
    "Thresholds",
    "Weights",
    "available",
    "load",
]

DEFAULT_PROTOCOL = "ntire2024"
SAMPLE_PROTOCOL = "sample"
_FOLDER = PACKAGE / "protocols"

Channel = Literal["y", "rgb"]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The PSNR that a submission must reach.

    Attributes:
        kind: "absolute": `valid` and `test` are the thresholds [dB]. "below_baseline": they are how far [dB]
            the thresholds lie below the baseline's PSNR on the same images and channel.
        decimals: Mean PSNR and threshold are rounded to this many decimals before they are compared.
        valid: For the split "valid" [dB].
        test: For the split "test" [dB].
    """

    kind: Literal["absolute", "below_baseline"]
    decimals: int
    valid: float
    test: float

    def of(self, split: str, baseline_psnr_db: float | None = None) -> float | None:
        """Return the threshold [dB] of a split, rounded to `decimals`, or None where the rules give none.

        Args:
            split: "valid" or "test"; any other split has no threshold.
            baseline_psnr_db: The baseline's mean PSNR on that split; used by "below_baseline" only.

        >>> Thresholds(kind="absolute", decimals=2, valid=26.90, test=26.99).of("test")
        26.99
        >>> Thresholds(kind="below_baseline", decimals=2, valid=0.06, test=0.08).of("valid", 30.0)
        29.94
        """
        value = {"valid": self.valid, "test": self.test}.get(split)
        if value is None:
            return None
        if self.kind == "absolute":
            return round(value, self.decimals)
        return None if baseline_psnr_db is None else round(baseline_psnr_db - value, self.decimals)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the three sub-scores in the final score; they add up to 1."""

    runtime: float
    flops: float
    params: float


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
    published_runtime_ms: float | None = None
    published_flops_g: float | None = None
    published_params_m: float | None = None
    published_device: str | None = None


@dataclass(frozen=True, kw_only=True)
class Datasets:
    """The images that absolute thresholds are for.

    Attributes:
        valid: The folder pair of the split "valid", without _HR and _LR.
        test: The folder pair of the split "test", without _HR and _LR.
        images: How many images each pair has.
    """

    valid: str
    test: str
    images: int


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One edition's rules, as its TOML file states them.

    Attributes:
        name: Name of the file, and of the folder its records go to.
        title: The name that people read.
        scale: Enlargement factor.
        border: Pixels cropped off every side before PSNR and SSIM.
        psnr_channel: Channel that thresholds are compared in by default.
        rounds: Default number of timed passes over all images.
        cost_input: (N, C, H, W) that FLOPs, activations and convolutions are counted on.
        thresholds: The PSNR to reach.
        weights: Of the sub-scores.
        baseline: The network that costs are divided by.
        sources: Where each constant comes from.
        datasets: The images that the thresholds are for; None where they are for any images.
        ranks_unstable: Whether unstable runtimes, and those that are not believed, keep their ranks.
        sha256: Of the TOML file.
    """

    name: str
    title: str
    scale: int
    border: int
    psnr_channel: Channel
    rounds: int
    cost_input: tuple[int, int, int, int]
    thresholds: Thresholds
    weights: Weights
    baseline: Baseline
    sources: dict[str, str]
    datasets: Datasets | None = None
    ranks_unstable: bool = False
    sha256: str = ""

    @property
    def fits_any_images(self) -> bool:
        """Whether the thresholds follow from the baseline's PSNR, so that they hold for any images."""
        return self.thresholds.kind == "below_baseline"


def available() -> list[str]:
    """Return the names of all protocols, the default first.

    >>> available()
    ['ntire2024', 'demo', 'ntire2025', 'ntire2026', 'sample']
    """
    return sorted((p.stem for p in _FOLDER.glob("*.toml")), key=lambda name: (name != DEFAULT_PROTOCOL, name))


def load(name: str = DEFAULT_PROTOCOL) -> Protocol:
    """Read a protocol by name.

    Args:
        name: One of `available()`.

    Returns:
        The protocol, with the hash of its file.

    Raises:
        UsageError: There is no protocol of that name.

    >>> load("ntire2024").thresholds.valid
    26.9
    """
    path = _FOLDER / f"{name}.toml"
    if name not in available():
        raise UsageError(
            f"there is no protocol {name!r}", remedy=f"choose one of {', '.join(available())} with --protocol"
        )
    data = path.read_bytes()
    raw: dict[str, Any] = tomllib.loads(data.decode())
    protocol = msgspec.convert(raw, Protocol)
    return dataclasses.replace(protocol, sha256=hashlib.sha256(data).hexdigest())
