"""What one call of a torch operator costs, from its arguments and its result. Worker only.

Costs are multiply-accumulates. `products.product` gives those of convolutions, matrix products and attention,
most of what FLOPs are; `besides` gives what fvcore counts in addition; `estimate` gives what fvcore does not
count, by stated_costs.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ntire_bench.worker.costs.stated_costs import BY_INPUT, BY_RESULT

__all__ = ["LOOKUPS", "besides", "estimate", "fourier", "is_multiplication", "is_several"]

Arguments = Sequence[Any]
_WINDOWS = ("aten::avg_pool", "aten::max_pool", "aten::mkldnn_max_pool", "quantized::max_pool")

LOOKUPS = frozenset(
    f"aten::{name}" for name in ("index", "gather", "take", "index_select", "embedding", "_unsafe_index")
)


def besides(name: str, arguments: Arguments, result: Tensor) -> int:
    """Return what fvcore counts for an operator that is no product (fvcore/nn/flop_count.py); 0 for most."""
    if name == "aten::upsample_bilinear2d" or name.startswith("aten::grid_sampler_2d"):
        return 4 * result.numel()
    if name == "aten::upsample_nearest2d":
        return result.numel()
    if name == "aten::_adaptive_avg_pool2d":
        return int(arguments[0].numel())
    if name == "aten::native_layer_norm":
        return int(arguments[0].numel() * (4 if arguments[2] is None else 5))
    if name in ("aten::native_group_norm",):
        return int(arguments[0].numel() * (4 if arguments[1] is None else 5))
    if name in (
        "aten::native_batch_norm",
        "aten::cudnn_batch_norm",
        "aten::_native_batch_norm_legit_no_training",
    ):
        return int(arguments[0].numel() * (1 if arguments[1] is None else 2))
    return 0


def fourier(name: str, arguments: Arguments, result: Tensor) -> int:
    """Return the cost of a Fourier transform, 2.5 N log2 N for each; 0 for any other operator."""
    if name not in ("aten::_fft_r2c", "aten::_fft_c2r", "aten::_fft_c2c"):
        return 0
    whole = result if name == "aten::_fft_c2r" else arguments[0]
    size = math.prod(whole.shape[dimension] for dimension in arguments[1])
    return round(2.5 * whole.numel() * math.log2(size)) if size > 1 else 0


def is_multiplication(name: str) -> bool:
    """Return whether an operator multiplies or divides element by element.

    >>> is_multiplication("aten::mul_"), is_multiplication("aten::add")
    (True, False)
    """
    return name.rstrip("_") in ("aten::mul", "aten::div", "aten::addcmul", "aten::addcdiv", "aten::lerp")


def is_several(name: str) -> bool:
    """Return whether torch makes an operator of others, which are counted in its place.

    >>> is_several("aten::_foreach_mul"), is_several("aten::mul")
    (True, False)
    """
    return name.startswith("aten::_foreach_") or name == "aten::_euclidean_dist"


def estimate(name: str, arguments: Arguments, result: Tensor) -> int | None:
    """Return the estimated cost of an operator that is neither a product nor counted by fvcore.

    Pooling takes its window for each element that it gives.

    Returns:
        None where no cost is stated.

    >>> import torch
    >>> estimate("aten::exp_", [], torch.zeros(3)), estimate("aten::linalg_qr", [], torch.zeros(3))
    (12, None)
    """
    if name.startswith(_WINDOWS):
        sides = arguments[1] if isinstance(arguments[1], (list, tuple)) else [arguments[1]]
        dimensions = int(name.partition("_pool")[2][0])
        return int(result.numel() * (sides[0] ** dimensions if len(sides) == 1 else math.prod(sides)))
    for base in dict.fromkeys((name, name.rstrip("_"))):
        if base in BY_RESULT:
            return BY_RESULT[base] * result.numel()
        if base in BY_INPUT:
            return BY_INPUT[base] * max(
                (one.numel() for one in arguments if isinstance(one, Tensor)), default=0
            )
    return None
