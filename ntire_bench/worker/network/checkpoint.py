"""Reads a stranger's checkpoint without running code. Worker only."""

from __future__ import annotations

import argparse
import codecs
import io
import pickle
import re
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ntire_bench.errors import SubmissionError

__all__ = ["MAX_UNZIPPED_BYTES", "plain_types", "read", "written"]

MAX_UNZIPPED_BYTES = 4 * 2**30
_SAVE = "save it again with torch.save(network.state_dict(), path)"


def read(path: Path, *, allow_pickle: bool = False) -> Any:  # noqa: ANN401 - a checkpoint may hold anything
    """Read a checkpoint to the CPU, refusing anything but plain data.

    Args:
        path: The file.
        allow_pickle: Whether one that holds more may run its code.

    Raises:
        SubmissionError: The file is no checkpoint, is damaged, too large, or holds pickled objects.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(40)
    except OSError as error:
        raise SubmissionError(
            "cannot be read", file=path, found=error.strerror or str(error), remedy="check the file"
        ) from None
    if begin.startswith(b"version https://git-lfs"):
        raise SubmissionError(
            "is a Git LFS pointer, not the checkpoint",
            file=path,
            remedy="run git lfs pull, or download the file",
        )
    if not begin:
        raise SubmissionError("is empty", file=path, expected="a checkpoint", remedy="copy it anew")
    _check_unzipped_size(path)
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device="cpu")
        with torch.serialization.safe_globals(plain_types()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if text := _as_text(begin):
            raise _text_file(path, text) from None
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code and allow_pickle:
            return _read_running_code(path)
        raise SubmissionError(
            "holds more than tensors and plain values" if code else "is no file of torch.save, or is damaged",
            file=path,
            expected="a state dict that torch.load(..., weights_only=True) reads",
            found=f"the Python object {code[1]}" if code else f"a file that begins with {begin[:16]!r}",
            remedy=f"{_SAVE}; an organizer who trusts it can say --allow-pickle" if code else _SAVE,
        ) from None
    except Exception as error:
        if text := _as_text(begin):
            raise _text_file(path, text) from None
        if "TorchScript" in str(error):
            raise SubmissionError(
                "is a TorchScript archive: it holds code in the place of weights",
                file=path,
                expected="a state dict",
                found="a file of torch.jit.save",
                remedy="save the state dict of the network that was scripted or traced: "
                "torch.save(network.state_dict(), path)",
            ) from None
        message = (str(error).splitlines() or ["no message"])[0].split(". ")[0][:300]
        raise SubmissionError(
            "cannot be read as a checkpoint",
            file=path,
            found=f"{type(error).__name__}: {message}",
            remedy=f"copy it anew, or {_SAVE}",
        ) from None


def written(network: nn.Module, state_key: str | None = None, prefix: str | None = None) -> bytes:
    """Return a network's state dict, on the CPU, as torch.save writes it.

    Args:
        network: Whose weights are written.
        state_key: Where in the checkpoint they go, as a submission declares it; None for its top.
        prefix: What the names begin with, as a submission declares it; None for nothing.
    """
    tensors = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    content: dict[str, Any] = {f"{prefix or ''}{name}": tensor for name, tensor in tensors.items()}
    for part in reversed(state_key.split(".") if state_key else ()):
        content = {part: content}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _as_text(begin: bytes) -> str:
    """Return how a file begins, if it is written text; else "".

    >>> _as_text(b"epoch 12, psnr 28.1"), _as_text(bytes([128, 2, 125])), _as_text(b"PK" + bytes([3, 4]))
    ('epoch 12, psnr 28.1', '', '')
    """
    text = begin.decode("utf-8", errors="ignore").lstrip("\ufeff")
    readable = all(character.isprintable() or character.isspace() for character in text)
    # The last character may be cut, and a byte order mark is none.
    whole = len(text.encode()) >= len(begin) - 6
    return text.strip() if readable and whole else ""


def _text_file(path: Path, begin: str) -> SubmissionError:
    return SubmissionError(
        "is a text file, not a checkpoint",
        file=path,
        expected="a file of torch.save",
        found=f"a file that begins with {begin!r}",
        remedy="copy the checkpoint itself there; a page in its place means that a download failed",
    )


def _check_unzipped_size(path: Path) -> None:
    """Refuse an archive that unpacks to far more than any network of this challenge weighs."""
    try:
        with zipfile.ZipFile(path) as archive:
            unzipped = sum(member.file_size for member in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return  # of another format, or damaged: its reader will say so
    if unzipped > MAX_UNZIPPED_BYTES:
        raise SubmissionError(
            "unpacks to too much",
            file=path,
            expected=f"at most {MAX_UNZIPPED_BYTES >> 30} GiB",
            found=f"{unzipped / 2**30:.1f} GiB in a file of {path.stat().st_size / 2**20:.1f} MiB",
            remedy=_SAVE,
        )


def _read_running_code(path: Path) -> Any:  # noqa: ANN401
    """Read a checkpoint that holds pickled objects: unpickling them runs their code, in this process."""
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise SubmissionError(
            "cannot be unpickled",
            file=path,
            found=f"{type(error).__name__}: {str(error)[:300]}",
            remedy=_SAVE,
        ) from error


def plain_types() -> list[Any]:
    """Return types that training scripts keep beside the weights and that run no code: numbers, options."""
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0]
    types = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    return [scalar, array, np.ndarray, np.dtype, *types, codecs.encode, argparse.Namespace, defaultdict, dict]
