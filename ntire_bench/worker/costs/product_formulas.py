"""What each matrix product, attention or solver of torch's costs, by its name. Worker only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, strided

__all__ = ["FORMULAS"]

Arguments = Sequence[Any]


def _elements(factor: Tensor) -> int:
    """Return how many elements of a factor there are to multiply by: of a sparse one, those that it has."""
    return int(factor.numel() if factor.layout == strided else factor._nnz())


def _inner(place: int) -> Callable[[Arguments, Tensor], int]:
    """Return the cost of a matrix product whose left factor is that argument."""

    def cost(arguments: Arguments, result: Tensor) -> int:
        left, right = arguments[place], arguments[place + 1] if len(arguments) > place + 1 else None
        if left.layout != strided:
            return _elements(left) * int(result.shape[-1])
        if isinstance(right, Tensor) and right.layout != strided and right.ndim == 2:
            return _elements(right) * (result.numel() // result.shape[-1])
        return int(result.numel() * left.shape[-1])

    return cost


def _gradients_of_linear(arguments: Arguments, _: Tensor) -> int:
    """Return the cost of a linear layer's gradients: each that is asked for takes as much as the layer."""
    _, gradient, weight, mask = arguments[:4]
    return int(sum(map(bool, list(mask)[:2])) * gradient.numel() * weight.shape[1])


def _flash(arguments: Arguments, _: Tensor) -> int:
    """Return the cost of attention whose tensors are batch x tokens x heads x features."""
    query, key, value = arguments[:3]
    pairs = query.numel() // query.shape[-1] * key.shape[1]
    return int(pairs * (query.shape[-1] + value.shape[-1]))


def _factorized(thirds: int) -> Callable[[Arguments, Tensor], int]:
    """Return the cost of a decomposition of n x n matrices, in thirds of n cubed."""
    return lambda arguments, _: int(arguments[0].numel() * min(arguments[0].shape[-2:]) * thirds // 3)


def _of_blocks(arguments: Arguments, result: Tensor) -> int:
    """Return the cost of a product by a weight of which every second element is left out."""
    return int(result.numel() * arguments[0].shape[-1] // 2)


def _onednn_convolution(arguments: Arguments, result: Tensor) -> int:
    return int(result.numel() * math.prod(arguments[3].shape[1:]))


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


def _factors(arguments: Arguments) -> list[list[int]]:
    """Return the shapes of the three factors of aten::_trilinear, of equal length."""
    return [_unsqueezed(arguments, place) for place in range(3)]


def _unsqueezed(arguments: Arguments, place: int) -> list[int]:
    """Return the shape of a factor of aten::_trilinear with its missing dimensions as ones."""
    shape = list(arguments[place].shape)
    for dimension in sorted(arguments[3 + place]):
        shape.insert(dimension, 1)
    return shape


FORMULAS: Mapping[str, Callable[[Arguments, Tensor], int]] = {
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
    "aten::_sparse_addmm": _inner(1),
    "aten::sspaddmm": _inner(1),
    "aten::hspmm": _inner(0),
    "aten::_sparse_mm_reduce_impl": _inner(0),
    "aten::_sparse_sparse_matmul": lambda arguments, result: int(
        _elements(arguments[0]) * max(1, _elements(arguments[1]) // max(1, arguments[1].shape[0]))
    ),
    "aten::sparse_sampled_addmm": lambda arguments, _: _elements(arguments[0]) * arguments[1].shape[-1],
    "aten::_sparse_semi_structured_linear": _of_blocks,
    "aten::_sparse_semi_structured_mm": lambda arguments, result: int(
        result.numel() * arguments[0].shape[-1]
    ),
    "aten::_cslt_sparse_mm": lambda arguments, result: int(result.numel() * arguments[1].shape[0] // 2),
    "aten::_weight_int4pack_mm_for_cpu": _inner(0),
    "aten::_dyn_quant_matmul_4bit": _inner(0),
    "aten::_mixed_dtypes_linear": _inner(0),
    "aten::_grouped_mm": _inner(0),
    "aten::_scaled_grouped_mm": _inner(0),
    "mkl::_mkl_linear": _inner(0),
    "onednn::qlinear_pointwise": _inner(0),
    "onednn::linear_dynamic_fp16": _inner(0),
    "onednn::linear_relu_dynamic_fp16": _inner(0),
    "onednn::qconv_pointwise": _onednn_convolution,
    "onednn::qconv1d_pointwise": _onednn_convolution,
    "onednn::qconv2d_pointwise": _onednn_convolution,
    "onednn::qconv3d_pointwise": _onednn_convolution,
    "aten::linear_backward": _gradients_of_linear,
    "aten::mkldnn_linear_backward": _gradients_of_linear,
    "aten::mkldnn_linear_backward_input": lambda arguments, _: int(
        arguments[1].numel() * arguments[2].shape[1]
    ),
    "aten::mkldnn_linear_backward_weights": lambda arguments, _: int(
        arguments[0].numel() * arguments[1].shape[-1]
    ),
    "aten::_slow_conv2d_backward": lambda arguments, _: int(
        2 * arguments[0].numel() * math.prod(arguments[2].shape[1:])
    ),
    "aten::_nnpack_spatial_convolution": lambda arguments, result: int(
        result.numel() * math.prod(arguments[1].shape[1:])
    ),
    "aten::_flash_attention_forward": _flash,
    "aten::_efficient_attention_forward": _flash,
    "aten::_pdist_forward": lambda arguments, result: int(result.numel() * arguments[0].shape[-1]),
    "aten::_cdist_backward": lambda arguments, _: int(arguments[0].numel() * arguments[1].shape[-1]),
    "aten::_thnn_fused_lstm_cell": lambda arguments, _: int(4 * arguments[0].numel()),
    "aten::_thnn_fused_gru_cell": lambda arguments, _: int(4 * arguments[0].numel()),
    "aten::linalg_matrix_exp": _factorized(30),
    "aten::linalg_inv_ex": _factorized(3),
    "aten::linalg_cholesky_ex": _factorized(1),
    "aten::cholesky": _factorized(1),
    "aten::linalg_lu": _factorized(2),
    "aten::linalg_lu_factor_ex": _factorized(2),
    "aten::linalg_qr": _factorized(4),
    "aten::geqrf": _factorized(4),
    "aten::linalg_eigh": _factorized(27),
    "aten::_linalg_eigh": _factorized(27),
    "aten::_linalg_svd": _factorized(60),
    "aten::_linalg_det": _factorized(2),
    "aten::_linalg_slogdet": _factorized(2),
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
