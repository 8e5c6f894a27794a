"""What one call of a torch operator costs, from its arguments and its result. Worker only.

Costs are multiply-accumulates. `product` gives those of convolutions, matrix products and attention, most of
what FLOPs are; `besides` gives what fvcore counts in addition; `estimate` gives what fvcore does not count,
by the table in docs/INTEGRITY.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, strided

__all__ = [
    "CONVOLUTIONS",
    "LOOKUPS",
    "besides",
    "estimate",
    "fourier",
    "is_multiplication",
    "is_several",
    "product",
]

Arguments = Sequence[Any]
_TRANSPOSED = 6  # place of the argument in aten::convolution and its kin

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
LOOKUPS = frozenset(
    f"aten::{name}" for name in ("index", "gather", "take", "index_select", "embedding", "_unsafe_index")
)
_FREE = frozenset(
    f"aten::{name}"
    for name in (
        "clone _to_copy copy cat stack contiguous constant_pad_nd reflection_pad1d reflection_pad2d "
        "replication_pad1d replication_pad2d replication_pad3d pixel_shuffle pixel_unshuffle "
        "channel_shuffle empty empty_like empty_strided new_empty new_empty_strided zeros zeros_like "
        "new_zeros ones ones_like new_ones full full_like new_full fill zero eye arange linspace lift "
        "lift_fresh scalar_tensor im2col roll flip repeat index_put slice_scatter select_scatter "
        "split_with_sizes_copy _local_scalar_dense to_mkldnn to_dense _reshape_copy view_copy "
        "permute_copy unfold_copy is_same_size equal _unsafe_view rand randn rand_like randn_like "
        "randint randperm resize set_"
    ).split()
)
_FOUR = frozenset(
    f"aten::{name}"
    for name in (
        "sigmoid tanh silu gelu exp exp2 expm1 log log2 log1p sqrt rsqrt sin cos tan erf pow softplus mish "
        "elu celu selu hardswish log_sigmoid_forward atan atan2"
    ).split()
)


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
    formula = _PRODUCTS.get(name)
    if formula is not None:
        return formula(arguments, result)
    if name.startswith("aten::_scaled_dot_product_") and not name.endswith("_backward"):
        query, key, value = arguments[:3]
        pairs = math.prod(query.shape[:-1]) * key.shape[-2]
        return int(pairs * (query.shape[-1] + value.shape[-1]))
    return None


def _inner(place: int) -> Callable[[Arguments, Tensor], int]:
    """Return the cost of a matrix product whose left factor is that argument."""
    return lambda arguments, result: int(result.numel() * arguments[place].shape[-1])


def _encoder_layer(arguments: Arguments, _: Tensor) -> int:
    """Return the cost of torch's transformer layer in one operator: four projections, and attention."""
    source, size = arguments[0], arguments[1]
    projections = sum(weight.numel() for weight in (arguments[3], arguments[5], *arguments[14:18:2]))
    tokens = source.numel() // source.shape[-1]
    return int(tokens * projections + 2 * tokens * source.shape[-2] * size)


def _attention(arguments: Arguments, _: Tensor) -> int:
    """Return the cost of torch's multi-head attention in one operator."""
    query, key, _value, size, _heads, weight, _bias, last = arguments[:8]
    tokens = query.numel() // query.shape[-1]
    return int(tokens * (weight.numel() + last.numel()) + 2 * tokens * key.shape[-2] * size)


def _recurrent(arguments: Arguments, _: Tensor) -> int:
    """Return the cost of a recurrent layer: all its matrices for each step of each sequence."""
    steps = arguments[0].numel() // arguments[0].shape[-1]
    weights = arguments[1] if isinstance(arguments[1], (list, tuple)) else arguments[1:5]
    return int(steps * sum(weight.numel() for weight in weights if weight.ndim == 2))


def _sparse(arguments: Arguments, result: Tensor) -> int:
    left = arguments[1]
    elements = left._nnz() if left.layout != strided else left.numel()
    return int(elements * result.shape[-1])


_PRODUCTS: Mapping[str, Callable[[Arguments, Tensor], int]] = {
    "aten::mm": _inner(0),
    "aten::bmm": _inner(0),
    "aten::mv": _inner(0),
    "aten::_int_mm": _inner(0),
    "aten::_scaled_mm": _inner(0),
    "aten::_weight_int8pack_mm": _inner(0),
    "aten::_weight_int4pack_mm": _inner(0),
    "aten::_sparse_mm": _inner(0),
    "aten::linear": _inner(0),
    "aten::matmul": _inner(0),
    "aten::mkldnn_linear": _inner(0),
    "mkldnn::_linear_pointwise": _inner(0),
    "aten::addmm": _inner(1),
    "aten::_addmm_activation": _inner(1),
    "aten::baddbmm": _inner(1),
    "aten::addmv": _inner(1),
    "aten::dot": lambda arguments, _: int(arguments[0].numel()),
    "aten::vdot": lambda arguments, _: int(arguments[0].numel()),
    "aten::addr": lambda _, result: int(result.numel()),
    "aten::addbmm": lambda arguments, result: int(arguments[1][:, 0].numel() * result.numel()),
    "aten::_cdist_forward": lambda arguments, result: int(result.numel() * arguments[0].shape[-1]),
    "aten::_sparse_addmm": _sparse,
    "aten::_compute_linear_combination": _inner(1),
    "aten::_embedding_bag": lambda arguments, _: int(arguments[1].numel() * arguments[0].shape[-1]),
    "aten::_embedding_bag_forward_only": lambda arguments, _: int(
        arguments[1].numel() * arguments[0].shape[-1]
    ),
    "aten::conv_tbc": lambda arguments, result: int(result.numel() * math.prod(arguments[1].shape[:2])),
    # Half of a triangular matrix is zero. Other solvers get a factorized matrix, which is made once.
    "aten::linalg_solve_triangular": lambda arguments, result: int(
        result.numel() * arguments[0].shape[-1] // 2
    ),
    "aten::triangular_solve": lambda arguments, result: int(result.numel() * arguments[1].shape[-1] // 2),
    "aten::_linalg_solve_ex": _inner(0),
    "aten::linalg_lu_solve": _inner(0),
    "aten::cholesky_solve": _inner(1),
    "aten::_cholesky_solve_helper": _inner(1),
    "aten::ormqr": lambda arguments, result: int(2 * result.numel() * arguments[0].shape[-1]),
    "aten::mkldnn_rnn_layer": _recurrent,
    "aten::_cudnn_rnn": _recurrent,
    "aten::miopen_rnn": _recurrent,
    "aten::_transformer_encoder_layer_fwd": _encoder_layer,
    "aten::_native_multi_head_attention": _attention,
    "aten::_trilinear": lambda arguments, _: math.prod(map(max, zip(*_factors(arguments), strict=True))),
}


def _factors(arguments: Arguments) -> list[list[int]]:
    """Return the shapes of the three factors of aten::_trilinear, of equal length."""
    return [_unsqueezed(arguments, place) for place in range(3)]


def _unsqueezed(arguments: Arguments, place: int) -> list[int]:
    """Return the shape of a factor of aten::_trilinear with its missing dimensions as ones."""
    shape = list(arguments[place].shape)
    for dimension in sorted(arguments[3 + place]):
        shape.insert(dimension, 1)
    return shape


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


def estimate(name: str, arguments: Arguments, result: Tensor) -> int:
    """Return the estimated cost of an operator that is neither a product nor counted by fvcore.

    1 per element of the result; 4 for exponentials and their like, 5 for a softmax, 16 for bicubic
    interpolation, the window for pooling, 2 per element read for means, variances and sums; nothing for what
    only moves data.
    """
    base = name.rstrip("_") if name != "aten::set_" else name
    if base in _FREE or base in LOOKUPS:
        return 0
    if base in _FOUR:
        return 4 * result.numel()
    if base.startswith(("aten::_softmax", "aten::_log_softmax")):
        return 5 * result.numel()
    if "bicubic" in base:
        return 16 * result.numel()
    if base in ("aten::avg_pool2d", "aten::max_pool2d_with_indices"):
        return int(
            result.numel() * math.prod(arguments[1]) * (1 if len(arguments[1]) > 1 else arguments[1][0])
        )
    if base in ("aten::var", "aten::std", "aten::var_mean", "aten::std_mean", "aten::linalg_vector_norm"):
        return 2 * int(arguments[0].numel())
    if base in (
        "aten::mean",
        "aten::sum",
        "aten::amax",
        "aten::amin",
        "aten::cumsum",
        "aten::prod",
        "aten::norm",
    ):
        return int(arguments[0].numel())
    return result.numel()
