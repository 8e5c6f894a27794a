"""Which of the things that a network returns is the SR image. Worker only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Inference
from ntire_bench.text import few
from ntire_bench.wire.declaration import Declaration
from ntire_bench.worker.network.pixels import to_tensor
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["settle_output"]

Path = tuple["int | str", ...]
_DEEPEST = 3  # collections inside each other
_MOST = 64  # things in a collection
_SHOWN = 8


def settle_output(
    upscaler: Upscaler, probe: npt.NDArray[np.uint8], declaration: Declaration
) -> Inference | None:
    """Find the SR image where a network returns several things, and set `upscaler.output`.

    Args:
        upscaler: A loaded network.
        probe: A real LR image, uint8 HWC.
        declaration: What the submission says of itself; its `output` is followed where it is given.

    Returns:
        How it was found. None where it is declared, where the network returns one tensor, and where it fails:
        another message says so.

    Raises:
        SubmissionError: Several things have the size of the SR image and differ; or what is declared is not
            there.
    """
    declared = declaration.output
    with torch.inference_mode():
        lr = to_tensor(probe, upscaler.data_range).to(upscaler.device)
        tried = upscaler.bare(lr)
        if tried is None:
            upscaler.output = () if declared is None else _as_path(declared)
            return None
        returned, padded = tried
        size = (1, 3, padded.shape[-2] * upscaler.scale, padded.shape[-1] * upscaler.scale)
        parts = dict(_parts(returned))
        if declared is not None:
            upscaler.output = _declared(upscaler, declaration, returned, parts)
            return None
        if isinstance(returned, Tensor) or not parts:
            return None
        fitting = {path: part for path, part in parts.items() if _is_image(part, size)}
        if not fitting:
            return None
        first = next(iter(fitting))
        if any(not torch.equal(fitting[first], other) for other in fitting.values()):
            several = " or ".join(f"output = {_written(path)}" for path in fitting)
            raise SubmissionError(
                f"returns a {type(returned).__name__} with {len(fitting)} images of the SR image's size",
                file=upscaler.file,
                expected="the SR image alone, or one of that size",
                found=f"those at {', '.join(map(_written, fitting))}, which differ",
                remedy=f"declare which one it is, in SUBMISSION or the TOML file: {several}",
            )
    upscaler.output = first
    how = f"of the {type(returned).__name__} that the network returns, the one of the SR image's size"
    return Inference(key="output", value=_written(first), how=how)


def _is_image(part: Any, size: tuple[int, ...]) -> bool:  # noqa: ANN401 - a stranger's
    return isinstance(part, Tensor) and tuple(part.shape) == size


def _parts(returned: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401
    """Yield what a network returns, taken out of tuples, lists and dictionaries, and the way to each."""
    if isinstance(returned, Mapping):
        items = [(key, part) for key, part in returned.items() if isinstance(key, (int, str))]
    elif isinstance(returned, Sequence) and not isinstance(returned, (str, bytes)):
        items = list(enumerate(returned))
    else:
        if path:
            yield path, returned
        return
    for key, part in items[:_MOST] if len(path) < _DEEPEST else ():
        yield from _parts(part, (*path, key))


def _declared(
    upscaler: Upscaler,
    declaration: Declaration,
    returned: Any,  # noqa: ANN401
    parts: Mapping[Path, Any],
) -> Path:
    """Return the way to the declared output, if there is one."""
    declared = declaration.output
    if declared is not None:
        for path in ((declared,), _as_path(declared)):
            part = returned
            try:
                for key in path:
                    part = part[key]
            except (LookupError, TypeError):
                continue
            if not isinstance(returned, Tensor):  # a tensor can be indexed too, and its parts are no outputs
                return path
    there = [f"{_written(path)} ({_told(part)})" for path, part in parts.items()]
    remedy = f"correct output in {declaration.source}" + (
        ": write one of these" if there else ", or leave it out"
    )
    raise SubmissionError(
        f"{declaration.source} declares output = {declared!r}, and the network returns no such thing",
        file=upscaler.file,
        expected="the number, the key, or the way to the SR image, such as 1 or '0.1'",
        found=f"a {type(returned).__name__}" + (f" with {few(there, _SHOWN)}" if there else ""),
        remedy=remedy,
    )


def _told(part: Any) -> str:  # noqa: ANN401
    return "x".join(map(str, part.shape)) if isinstance(part, Tensor) else type(part).__name__


def _as_path(declared: int | str) -> Path:
    """Return the way that a declared output names.

    >>> _as_path(1), _as_path("0.1"), _as_path("sr")
    ((1,), (0, 1), ('sr',))
    """
    if isinstance(declared, int):
        return (declared,)
    return tuple(int(part) if part.lstrip("-").isdecimal() else part for part in declared.split("."))


def _written(path: Path) -> str:
    """Return a way as it is declared.

    >>> _written((1,)), _written(("sr",)), _written((0, 1))
    ('1', "'sr'", "'0.1'")
    """
    return repr(path[0]) if len(path) == 1 else repr(".".join(map(str, path)))
