"""From an LR image to an SR image through a network: range, padding, tiles, checks. Worker only."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.declaration import TILE_OVERLAP
from ntire_bench.worker.network import packages

__all__ = ["PAD_CANDIDATES", "Upscaler", "blame", "ready", "wants_gpu"]

_GPU = re.compile(r"\b(cuda|nvcc|nvidia|gpus?|triton|cudnn)\b|CUDA_HOME", re.IGNORECASE)
PAD_CANDIDATES = (2, 4, 8, 16, 32, 64, 128)


def blame(error: BaseException, file: Path | None = None) -> str:
    r"""Return an exception on one line: its type, its message, and the line of `file` it passed through.

    >>> blame(ValueError("x")), blame(RuntimeError("\nas torch.jit writes it:\n  a line"))
    ('ValueError: x', 'RuntimeError: as torch.jit writes it')
    """
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    text = f"{type(error).__name__}: {first}".strip().rstrip(":")[:500]
    if file is None:
        return text
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name == file.name]
    return f"{text} ({file.name}, line {frames[-1].lineno})" if frames else text


def ready(network: nn.Module, file: Path, device: torch.device) -> None:
    """Put a network into eval mode, without gradients, on a device.

    Raises:
        SubmissionError: The network's own methods fail at it.
    """
    try:
        network.eval()  # its result is not used: a train() that the network defines may return nothing
        for parameter in network.parameters():  # not requires_grad_(), which scripted modules do not have
            parameter.requires_grad_(False)
        network.to(device)
    except Exception as error:
        raise SubmissionError(
            f"cannot be put into eval mode on {device}",
            file=file,
            found=blame(error, file),
            remedy="mend the network",
        ) from error


def wants_gpu(error: BaseException) -> bool:
    """Return whether an exception mentions a GPU: on a CPU that means that one is needed.

    >>> wants_gpu(AssertionError("Torch not compiled with CUDA enabled"))
    True
    """
    return _GPU.search(f"{type(error).__name__} {error}") is not None


@dataclass
class Upscaler:
    """A network and what it takes to run it on an image.

    Attributes:
        network: In eval mode on `device`.
        file: The model file, for messages.
        scale: Enlargement factor.
        device: Where the network lies.
        data_range: 1.0 or 255.0.
        pad_to: The multiple that every input is padded to, as declared; None where nothing was.
        pad_declared: Whether only that is used; else the multiple for a size is found on its first error.
        found_pads: The multiples that were found that way, by (height, width) of the image.
        tile: Side of the tiles [LR pixels]; None to run images whole.
        output: Keys that lead to the SR image in what the network returns; empty if it returns that itself.
        own_forward: The part of a checkout's loop that runs an image in place of this class, padding and
            tiles included; None for none.
    """

    network: nn.Module
    file: Path
    scale: int
    device: torch.device
    data_range: float = 1.0
    pad_to: int | None = None
    pad_declared: bool = False
    tile: int | None = None
    output: tuple[int | str, ...] = ()
    own_forward: Callable[[Tensor], Tensor] | None = None
    found_pads: dict[tuple[int, int], int] = field(default_factory=dict)

    def forward(self, lr: Tensor) -> Tensor:
        """Run the network on a float 1CHW tensor; this is what is timed.

        Padding and tiling are part of it: they are work that this network needs to give an image.
        """
        if self.own_forward is not None:
            return self.own_forward(lr)
        if self.tile is not None and (lr.shape[-2] > self.tile or lr.shape[-1] > self.tile):
            return self._tiled(lr, self.tile)
        return self.whole(lr)

    def whole(self, lr: Tensor) -> Tensor:
        """Run the network on a float 1CHW tensor in one piece, padded if it needs that."""
        return self._whole(lr, self.multiple(lr))

    def _whole(self, lr: Tensor, multiple: int) -> Tensor:
        height, width = lr.shape[-2:]
        padded = _padded(lr, multiple)
        output: Tensor = self._picked(self.network(padded))
        if padded is lr:
            return output
        self._verify_form(output, padded)  # before the crop, which would make a wrong size look right
        return output[..., : height * self.scale, : width * self.scale]

    def _picked(self, returned: Any) -> Any:  # noqa: ANN401 - what a stranger's network returns
        for key in self.output:
            returned = returned[key]
        return returned

    def multiple(self, lr: Tensor) -> int:
        """Return what the sides of a float 1CHW tensor are padded to a multiple of; 1 for no padding."""
        height, width = lr.shape[-2:]
        return self.pad_to or self.found_pads.get((height, width), 1)

    def pad(self, lr: Tensor) -> Tensor:
        """Return a float 1CHW tensor as the network gets it: the sides multiples of `multiple`."""
        return _padded(lr, self.multiple(lr))

    def bare(self, lr: Tensor) -> tuple[Any, Tensor] | None:
        """Run the network itself, with the first padding that it accepts, and remember nothing of it.

        Args:
            lr: Float 1CHW tensor in [0, data_range].

        Returns:
            What the network returned, unchecked, and the padded input. None where it fails at every padding:
            the run that follows says so.
        """
        for multiple in (self.multiple(lr), *(() if self.pad_declared else PAD_CANDIDATES)):
            padded = _padded(lr, multiple)
            with contextlib.suppress(Exception):  # the next multiple may do
                return self.network(padded), padded
        return None

    def _tiled(self, lr: Tensor, tile: int) -> Tensor:
        height, width = lr.shape[-2:]
        multiple = self.multiple(lr)
        rows, columns = _starts(height, tile), _starts(width, tile)
        total = lr.new_zeros(1, 3, height * self.scale, width * self.scale)
        count = torch.zeros_like(total)
        for top in rows:
            for left in columns:
                lr_part = lr[..., top : top + tile, left : left + tile]
                part = self._whole(lr_part, multiple)
                self._verify_form(part, lr_part)
                where = (
                    ...,
                    slice(top * self.scale, top * self.scale + part.shape[-2]),
                    slice(left * self.scale, left * self.scale + part.shape[-1]),
                )
                total[where] += part
                count[where] += 1
        return total.div_(count)

    def checked(
        self,
        lr: Tensor,
        forward: Callable[[Tensor], Tensor] | None = None,
        *,
        bare: bool = False,
        finite: bool = True,
    ) -> Tensor:
        """Run the network, find the padding that this size needs if it fails, and check what it returns.

        Args:
            lr: Float 1CHW tensor in [0, data_range].
            forward: What to run; `self.forward` by default.
            bare: Whether `forward` is the network alone. Where there is an `own_forward`, its output need not
                be an SR image yet, and is not checked.
            finite: Whether the values must be finite: on real images, and not on noise.

        Returns:
            Float 1CHW tensor, 4H x 4W.

        Raises:
            SubmissionError: The network fails, or returns something that is no SR image.
        """
        forward = forward or self.forward
        height, width = lr.shape[-2:]
        before = self.found_pads.get((height, width))
        try:
            if bare and self.own_forward is not None:
                return forward(lr)
            return self._verified(forward, lr, finite)
        except Exception as error:
            first = error
        for multiple in () if self.pad_declared else PAD_CANDIDATES:
            if multiple <= (before or 1):
                continue
            self.found_pads[height, width] = multiple
            # Where the size is a multiple, padding changes nothing, unless a tile of it is none.
            if height % multiple or width % multiple or self.tile is not None:
                with contextlib.suppress(
                    Exception
                ):  # the next multiple may do; if none does, `first` is raised
                    return self._verified(forward, lr, finite)
        if before is None:
            self.found_pads.pop((height, width), None)
        else:
            self.found_pads[height, width] = before
        raise self.failure(first, lr) from first

    def _verified(self, forward: Callable[[Tensor], Tensor], lr: Tensor, finite: bool) -> Tensor:
        output = forward(lr)
        if finite:
            self.verify(output, lr)
        else:
            self._verify_form(output, lr)
        return output

    def failure(self, error: Exception, lr: Tensor) -> SubmissionError:
        """Return the message for an exception that the network raised on `lr`."""
        if isinstance(error, SubmissionError):
            return error
        if isinstance(error, ModuleNotFoundError) and error.name:
            top = error.name.split(".")[0]
            otherwise = f"install {top} beside ntire_bench, or have the team do without it"
            missing = [packages.missing_by(error)]
            return packages.needed(self.file, blame(error, self.file), missing, otherwise)
        height, width = lr.shape[-2:]
        remedy = "mend the network; if it wants sides that are multiples of a number, declare pad_to"
        if self.own_forward is not None:
            remedy = "mend the network, or how the checkout runs it"
        if isinstance(error, torch.OutOfMemoryError):
            remedy = "use less memory, or declare tile"
        elif self.device.type == "cpu" and wants_gpu(error):
            remedy = "evaluate it on a machine with a GPU, or write it in operators that the CPU has too"
        return SubmissionError(
            f"forward failed on an LR image of {height}x{width}",
            file=self.file,
            found=blame(error, self.file),
            remedy=remedy,
        )

    def verify(self, output: Tensor, lr: Tensor) -> None:
        """Check that `output` is an SR image of `lr`.

        Raises:
            SubmissionError: It is not a dense float32 tensor of 1 x 3 x 4H x 4W with finite values.
        """
        self._verify_form(output, lr)
        # A sum is NaN or infinite if any term is, and takes a fraction of the time of an element-wise check.
        if not torch.isfinite(output.sum()) and not torch.isfinite(output).all():
            bad = int((~torch.isfinite(output)).sum())
            found = f"{bad} of {output.numel()} that are NaN or infinite"
            raise self._wrong("finite values", found, "mend the network or checkpoint")

    def _verify_form(self, output: Tensor, lr: Tensor) -> None:
        """Check all that can be checked without waiting for the device."""
        expected = (1, 3, lr.shape[-2] * self.scale, lr.shape[-1] * self.scale)
        if type(output) is not Tensor:
            raise self._wrong("a torch.Tensor", f"a {type(output).__name__}", "return the SR image alone")
        if output.is_nested or output.layout is not torch.strided:  # a nested one has no shape
            form = "a nested one" if output.is_nested else f"one of layout {output.layout}"
            raise self._wrong("a dense tensor", form, "convert it inside forward, where it is timed")
        if tuple(output.shape) != expected:
            size = "x".join(map(str, expected))
            remedy = f"return the LR image enlarged {self.scale} times, or declare pad_to"
            if self.scale == 1:
                remedy = "return an image of the input's size, or declare pad_to"
            elif output.shape == lr.shape:
                remedy += "; a denoiser is measured with --protocol dn50"
            raise self._wrong(f"an SR image of {size}", "x".join(map(str, output.shape)), remedy)
        if output.device.type not in ("cpu", self.device.type):
            # Of such a tensor, values may be computed when they are first used, or there may be none.
            remedy = "compute the SR image inside forward, on the device that it gets the LR image on"
            raise self._wrong(f"a tensor on {self.device.type}", f"one on {output.device}", remedy)
        if not output.is_floating_point():
            raise self._wrong("floating point values", str(output.dtype), "return the network's own output")
        if output.dtype != torch.float32:
            remedy = "convert the output to float32 inside forward, where it is timed"
            raise self._wrong("float32", str(output.dtype), remedy)

    def _wrong(self, expected: str, found: str, remedy: str) -> SubmissionError:
        return SubmissionError(
            "forward gives no SR image", file=self.file, expected=expected, found=found, remedy=remedy
        )


def _padded(lr: Tensor, multiple: int) -> Tensor:
    """Return a float 1CHW tensor with sides that are multiples of a number."""
    height, width = lr.shape[-2:]
    down, right = -height % multiple, -width % multiple
    if not (down or right):
        return lr
    # Reflection needs a side longer than the padding; small images repeat their edge instead.
    mode = "reflect" if down < height and right < width else "replicate"
    return functional.pad(lr, (0, right, 0, down), mode=mode)


def _starts(length: int, tile: int) -> list[int]:
    """Return where tiles begin along a side, the last one shifted back to end at the edge.

    >>> _starts(100, 64), _starts(64, 64), _starts(50, 64)
    ([0, 32, 36], [0], [0])
    """
    stride = max(tile - TILE_OVERLAP, 1)
    return sorted({*range(0, max(length - tile, 0), stride), max(length - tile, 0)})
