"""What convolutions, matrix products and attention cost, under whatever name torch has them. Worker only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ntire_bench.worker.costs.packed_weights import objects_in, values_in
from ntire_bench.worker.costs.product_formulas import FORMULAS

__all__ = ["CONVOLUTIONS", "product"]

Arguments = Sequence[Any]
_TRANSPOSED = 6  # place of the argument in aten::convolution and its kin
_TRANSPOSED_BACKWARD = {"aten::convolution_backward": 7, "aten::convolution_backward_overrideable": 6}

CONVOLUTIONS = frozenset(
    f"aten::{name}"
    for name in (
        "convolution _convolution convolution_overrideable cudnn_convolution cudnn_convolution_relu "
        "cudnn_convolution_add_relu cudnn_convolution_transpose miopen_convolution "
        "miopen_depthwise_convolution miopen_convolution_transpose mkldnn_convolution _slow_conv2d_forward "
        "_conv_depthwise2d slow_conv3d_forward conv_depthwise3d slow_conv_transpose2d slow_conv_transpose3d "
        "slow_conv_dilated2d slow_conv_dilated3d thnn_conv2d"
    ).split()
) | {
    "mkldnn::_convolution_pointwise",
    "mkldnn::_convolution_pointwise_",
    "mkldnn::_convolution_transpose_pointwise",
    "torchvision::deform_conv2d",
}


def product(name: str, arguments: Arguments, result: Tensor) -> int | None:
    """Return the cost of a convolution, matrix product or attention; None for any other operator.

    A convolution takes (output elements) x (input channels per group) x (kernel area), a transposed one
    (input elements) x (output channels per group) x (kernel area).

    Args:
        name: Of the operator, as "aten::mm".
        arguments: In order.
        result: Its first output.
    """
    if name in CONVOLUTIONS:
        image, weight = arguments[0], arguments[1]
        transposed = "transpose" in name
        if name in ("aten::convolution", "aten::_convolution", "aten::convolution_overrideable"):
            transposed = bool(arguments[_TRANSPOSED])
        return int((image if transposed else result).numel() * math.prod(weight.shape[1:]))
    formula = FORMULAS.get(name) or FORMULAS.get(name.rstrip("_"))
    if formula is not None:
        return formula(arguments, result)
    if name in _TRANSPOSED_BACKWARD:
        return _backward_of_convolution(name, arguments)
    if name.startswith("aten::_scaled_dot_product_"):
        backward = name.endswith("_backward")  # begins with the gradient, and takes five products for two
        query, key, value = arguments[1:4] if backward else arguments[:3]
        pairs = math.prod(query.shape[:-1]) * key.shape[-2]
        return int(pairs * (query.shape[-1] + value.shape[-1]) * (2.5 if backward else 1))
    space, _, base = name.partition("::")
    if space in ("quantized", "_quantized", "sparse", "mkldnn_prepacked", "prepacked"):
        return _of_packed(base, arguments, result)
    return None


def _backward_of_convolution(name: str, arguments: Arguments) -> int:
    """Return the cost of a convolution's gradients: each that is asked for takes as much as itself."""
    gradient, image, weight = arguments[:3]
    transposed = bool(arguments[_TRANSPOSED_BACKWARD[name]])
    asked = sum(map(bool, list(arguments[-1])[:2]))
    return int(asked * (image if transposed else gradient).numel() * math.prod(weight.shape[1:]))


def _of_packed(base: str, arguments: Arguments, result: Tensor) -> int | None:
    """Return the cost of a product whose weight lies in a packed object; None for any other operator."""
    if base.endswith(("_prepack", "_unpack")) or not base.startswith(("conv", "linear", "qlinear", "matmul")):
        return None
    if base.startswith(("linear", "qlinear", "matmul")):
        return int(result.numel() * arguments[0].shape[-1])
    held = [tensor for packed in objects_in(arguments) for tensor in values_in(packed)]
    weights = [tensor for tensor in held if tensor.ndim > 1]
    if not weights:
        return None
    transposed = base.startswith("conv_transpose")
    return int((arguments[0] if transposed else result).numel() * math.prod(weights[0].shape[1:]))
