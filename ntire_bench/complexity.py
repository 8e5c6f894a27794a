"""Costs that do not depend on the machine: parameters, FLOPs, activations, convolutions. Worker only."""

from __future__ import annotations

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ntire_bench.errors import SubmissionError
from ntire_bench.inference import Upscaler, blame
from ntire_bench.records import Complexity

__all__ = ["count_parameters", "measure"]

_CONVOLUTIONS = {
    torch.ops.aten.convolution,
    torch.ops.aten._convolution,
    torch.ops.aten.cudnn_convolution,
    torch.ops.aten.mkldnn_convolution,
}


class _ConvolutionCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts convolutions and the elements they give, wherever they are called from."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else torch imports its compiler, 0.8 s, to keep it out of a method that nothing here compiles.
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls = 0
        self.elements = 0

    # torch calls this with an operator, the types involved and the operator's own arguments: anything at all.
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in _CONVOLUTIONS:
            self.calls += 1
            self.elements += result.numel()
        return result


def count_parameters(network: nn.Module) -> int:
    """Return the number of parameters: sum of numel over parameters(), shared ones once.

    >>> count_parameters(nn.Conv2d(3, 4, 3))
    112
    """
    return sum(parameter.numel() for parameter in network.parameters())


def measure(upscaler: Upscaler, input_shape: tuple[int, int, int, int]) -> Complexity:
    """Count a network's costs on a random image.

    FLOPs are fvcore's total, which counts a multiply-accumulate once and knows convolutions, matrix products,
    interpolations and some norms; the operators it met and gives no cost are returned beside it, as are the
    modules that its trace never entered.

    Args:
        upscaler: The loaded network.
        input_shape: (N, C, H, W).

    Raises:
        SubmissionError: The network cannot be traced, or fails on this input.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(input_shape, generator=generator).mul_(upscaler.data_range).to(upscaler.device)
    counter = _ConvolutionCounter()
    with torch.no_grad():
        with counter:
            # Never in tiles: their overlaps would count for activations and not for FLOPs.
            upscaler.checked(image, upscaler.whole)
        # Padded like any image; the line above has found out how far.
        flops, uncounted, uncalled = _fvcore(upscaler, upscaler.pad(image))
    return Complexity(
        params=count_parameters(upscaler.network),
        flops=flops,
        activations=counter.elements,
        convs=counter.calls,
        input_shape=input_shape,
        uncounted_ops=dict(sorted(uncounted.items())),
        uncalled_modules=tuple(sorted(uncalled)),
    )


def _fvcore(upscaler: Upscaler, image: Tensor) -> tuple[int, dict[str, int], set[str]]:
    analysis = FlopCountAnalysis(upscaler.network, image)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    try:
        total = round(analysis.total())
    except Exception as error:
        height, width = image.shape[-2:]
        raise SubmissionError(
            f"fvcore cannot count its FLOPs on an input of {height}x{width}",
            file=upscaler.file,
            found=blame(error, upscaler.file),
            remedy="write forward in operators that torch.jit.trace can follow, "
            "and give the network as it is: no torch.jit.script, torch.jit.trace or torch.compile",
        ) from error
    return total, dict(analysis.unsupported_ops()), set(analysis.uncalled_modules())
