"""Files of a run: what it goes on from, and the checkpoint."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ntire_bench.errors import MeasurementError, RecordError

__all__ = ["begin_with", "read_state", "save_atomically"]


def save_atomically(value: object, path: Path) -> None:
    """Write `value` with torch.save such that `path` is always either the old or the whole new file.

    Raises:
        MeasurementError: The file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(value, buffer)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(buffer.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        raise MeasurementError(
            "cannot be written",
            file=path,
            found=error.strerror or str(error),
            remedy="check the folder's permissions and the free space",
        ) from error


def read_state(path: Path) -> dict[str, Any]:
    """Return what `Training.save` stored.

    Raises:
        RecordError: The file cannot be read.
    """
    try:
        if not zipfile.is_zipfile(path):  # what torch.load says of other files is anyone's guess
            raise ValueError("no file of torch.save, or a torn one")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state["settings"], dict):
            raise TypeError("no settings in it")
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise RecordError(
            "is not the state of a run",
            file=path,
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            remedy="name a .state file that a run has left, or train anew without it",
        ) from None
    return state


def begin_with(network: nn.Module, path: Path) -> str:
    """Give a network the averaged weights of another run of the same model file.

    Returns:
        The SHA-256 of the state file.

    Raises:
        RecordError: It is no such file, or of another network.
    """
    try:
        network.load_state_dict(read_state(path)["average"])
    except RuntimeError as error:
        found = str(error).splitlines()[0]
        raise RecordError("is of another network", file=path, found=found, remedy="name another") from None
    return hashlib.sha256(path.read_bytes()).hexdigest()
