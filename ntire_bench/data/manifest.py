"""A manifest: what the images of a folder are, file by file, so that a copy of them can be checked.

It is one JSON document. manifest_files.py makes one of a folder and compares a folder with one.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ntire_bench.errors import DatasetError
from ntire_bench.text import relative

__all__ = ["NAME", "ImageFile", "Manifest", "ManifestName", "NamedPair", "SplitManifest", "beside", "read"]

NAME = "manifest.json"  # in the folder of the images
_VERSION = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """One image.

    Attributes:
        file: Its path in the folder, with slashes.
        bytes: Size of the file.
        sha256: Of the file.
        height: [pixels].
        width: [pixels].
        pixels_sha256: Of the pixels alone: height x width x 3 bytes, R, G, B, row by row.
    """

    file: str
    bytes: int
    sha256: str
    height: int
    width: int
    pixels_sha256: str


@dataclass(frozen=True, kw_only=True)
class NamedPair:
    """An HR image and its LR image: at scale 1, the noisy one."""

    name: str
    hr: ImageFile
    lr: ImageFile


@dataclass(frozen=True, kw_only=True)
class SplitManifest:
    """The images of a folder pair.

    Attributes:
        dataset_sha256: The fingerprint that records of these images hold.
        images: In the order of their names.
    """

    dataset_sha256: str
    images: tuple[NamedPair, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The images of a folder.

    Attributes:
        manifest_version: Of this layout.
        scale: HR size over LR size.
        noise: At scale 1, the standard deviation of the LR images' noise [8-bit levels].
        seed: What `prepare --noise` makes the noisy images with; None where it is not known, and without
            noise.
        splits: By the name of the folder pair, without _HR and _LR.
    """

    manifest_version: int = _VERSION
    scale: int
    noise: float | None = None
    seed: int | None = None
    splits: dict[str, SplitManifest] = field(default_factory=dict)

    def text(self) -> bytes:
        """Return the document; the same images always give the same."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


@dataclass(frozen=True)
class ManifestName:
    """What a manifest is known by: the name of its file, and the SHA-256 of that."""

    file: str
    sha256: str


class _Head(msgspec.Struct):
    manifest_version: int


def read(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        DatasetError: It cannot be read, or is none, or of a later version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        remedy = "name the file that `ntire-bench data manifest` wrote"
        found = error.strerror or str(error)
        raise DatasetError("the manifest cannot be read", file=path, found=found, remedy=remedy) from None
    return _parsed(data, path)


def beside(root: Path) -> tuple[Manifest, ManifestName] | None:
    """Return the manifest that lies in a folder of images; None where there is none.

    A manifest.json of another program is left alone, and that is logged.

    Raises:
        DatasetError: It is one of this program's and cannot be read.
    """
    path = root / NAME
    try:
        data = path.read_bytes()
    except OSError:
        return None
    try:
        msgspec.json.decode(data, type=_Head)
    except msgspec.DecodeError:
        _log.warning("%s: it is no manifest of images, so that records name none.", relative(path))
        return None
    return _parsed(data, path), ManifestName(path.name, hashlib.sha256(data).hexdigest())


def _parsed(data: bytes, path: Path) -> Manifest:
    remedy = "name the file that `ntire-bench data manifest` wrote, or write it anew"
    try:
        version = msgspec.json.decode(data, type=_Head).manifest_version
        if version != _VERSION:
            raise DatasetError(
                "the manifest is of another version of this program",
                file=path,
                expected=f"manifest_version {_VERSION}",
                found=str(version),
                remedy="update this program, or write the manifest anew",
            )
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        found = str(error)
        raise DatasetError("this is no manifest of images", file=path, found=found, remedy=remedy) from None
