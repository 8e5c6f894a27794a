"""The costs that are stated for torch's operators that are no products, one line each. Worker only.

Whoever misses an operator adds its name here, without the overload and a trailing underscore, to the line of
what it costs. One that is in no line makes a network's FLOPs not countable, unless torch says of it that it
works element by element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["BY_INPUT", "BY_RESULT", "is_stated"]

# Multiply-accumulates for each element that an operator gives.
_BY_RESULT: Mapping[str, int] = {
    # What only moves or makes data.
    # What Fourier transforms take is in `operator_costs.fourier`.
    "_fft_r2c _fft_c2r _fft_c2c fft_fftfreq fft_rfftfreq": 0,
    "clone _to_copy copy cat stack _stack contiguous constant_pad_nd reflection_pad1d reflection_pad2d "
    "reflection_pad3d replication_pad1d replication_pad2d replication_pad3d pixel_shuffle pixel_unshuffle "
    "channel_shuffle empty empty_like empty_strided empty_permuted new_empty new_empty_strided zeros "
    "zeros_like new_zeros ones ones_like new_ones full full_like new_full fill zero eye arange range "
    "linspace logspace lift lift_fresh lift_fresh_copy scalar_tensor im2col roll flip rot90 repeat "
    "repeat_interleave index_put _index_put_impl _unsafe_index_put slice_scatter select_scatter "
    "diagonal_scatter as_strided_scatter split_with_sizes_copy _local_scalar_dense to_mkldnn to_dense "
    "_to_dense _to_sparse _to_sparse_csr _to_sparse_csc _to_sparse_bsr _to_sparse_bsc _coalesce "
    "sparse_mask _convert_indices_from_coo_to_csr _convert_indices_from_csr_to_coo _reshape_copy "
    "view_copy permute_copy unfold_copy detach detach_copy expand_copy slice_copy select_copy "
    "transpose_copy alias_copy squeeze_copy unsqueeze_copy diag_embed diagonal_copy block_diag "
    "narrow_copy is_same_size equal _unsafe_view rand randn rand_like randn_like randint randint_like "
    "randperm random uniform normal bernoulli resize set index_copy index_fill put scatter masked_scatter "
    "masked_select masked_fill where tril triu tril_indices triu_indices polar complex _conj_physical "
    "nonzero nonzero_static unsafe_split unsafe_split_with_sizes int_repr q_per_channel_scales "
    "q_per_channel_zero_points max_unpool2d _pin_memory hann_window hamming_window blackman_window "
    "bartlett_window kaiser_window _chunk_cat _nested_tensor_from_mask _nested_from_padded "
    "to_padded_tensor _mkldnn_reshape _mkldnn_transpose mkldnn_reorder_conv2d_weight _resize_output "
    "_efficientzerotensor index gather take index_select embedding _unsafe_index _unsafe_masked_index "
    "_fused_sdp_choice": 0,
    "add sub rsub mul div floor_divide remainder fmod addr abs relu eq ne lt le gt ge clamp_max clamp_min "
    "copysign leaky_relu threshold hardtanh hardsigmoid hardshrink softshrink _prelu_kernel isin isinf "
    "isnan bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift __lshift __rshift "
    "__ilshift __irshift heaviside affine_grid_generator index_add scatter_add scatter_reduce "
    "index_reduce dropout native_dropout _fused_dropout _masked_scale rrelu_with_noise col2im bucketize "
    "one_hot upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
    "_upsample_nearest_exact2d _upsample_nearest_exact3d dequantize quantize_per_tensor "
    "quantize_per_channel quantize_per_tensor_dynamic fake_quantize_per_tensor_affine_cachemask "
    "fake_quantize_per_channel_affine_cachemask _fake_quantize_per_tensor_affine_cachemask_tensor_qparams "
    "_fake_quantize_learnable_per_tensor_affine _fake_quantize_learnable_per_channel_affine glu trace "
    "_transform_bias_rescale_qkv _weight_norm_interface linalg_cross": 1,
    "sigmoid tanh silu gelu exp exp2 expm1 log log2 log1p sqrt rsqrt sin cos tan erf pow softplus mish "
    "elu celu selu hardswish log_sigmoid_forward atan atan2 upsample_linear1d upsample_bilinear2d "
    "_upsample_bilinear2d_aa grid_sampler_2d _grid_sampler_2d_cpu_fallback searchsorted xlogy": 4,
    "_softmax _log_softmax _safe_softmax _masked_softmax softmax log_softmax logsumexp _sparse_softmax "
    "_sparse_log_softmax": 5,
    "upsample_trilinear3d grid_sampler_3d": 8,
    "upsample_bicubic2d _upsample_bicubic2d_aa _upsample_lanczos2d_aa": 16,
}
# Multiply-accumulates for each element that an operator reads of its first argument.
_BY_INPUT: Mapping[str, int] = {
    "mean sum nansum amax amin max min aminmax _aminmax argmax argmin any all prod cumsum cumprod cummax "
    "cummin norm count_nonzero _is_all_true _is_any_true adaptive_avg_pool1d _adaptive_avg_pool2d "
    "_adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d histc bincount _sparse_sum "
    "batch_norm_stats mkldnn_adaptive_avg_pool2d": 1,
    "var std var_mean std_mean linalg_vector_norm renorm dist mse_loss": 2,
    "cudnn_batch_norm miopen_batch_norm native_batch_norm _native_batch_norm_legit "
    "_native_batch_norm_legit_no_training _native_batch_norm_legit_functional _batch_norm_with_update "
    "_batch_norm_no_update native_layer_norm native_group_norm _fused_rms_norm "
    "_fused_moving_avg_obs_fq_helper": 2,
    "sort topk median nanmedian kthvalue mode _unique _unique2 unique_consecutive unique_dim logcumsumexp "
    "_logcumsumexp": 16,
}


def _by_name(groups: Mapping[str, int], space: str) -> Iterator[tuple[str, int]]:
    for names, cost in groups.items():
        for name in names.split():
            yield f"{space}::{name}", cost


BY_RESULT: Mapping[str, int] = {
    **dict(_by_name(_BY_RESULT, "aten")),
    **dict(
        _by_name(
            {
                "cat cat_relu conv_prepack conv1d_prepack conv2d_prepack conv3d_prepack linear_prepack "
                "conv_transpose1d_prepack conv_transpose2d_prepack linear_prepack_fp16": 0,
                "add add_relu add_scalar add_scalar_relu mul mul_relu mul_scalar mul_scalar_relu clamp "
                "relu6 leaky_relu prelu threshold dropout": 1,
                "batch_norm batch_norm_relu batch_norm1d batch_norm2d batch_norm2d_relu batch_norm3d": 2,
                "sigmoid elu celu hardswish": 4,
                "softmax group_norm instance_norm layer_norm": 5,
            },
            "quantized",
        )
    ),
    **dict.fromkeys(
        [
            f"quantized_decomposed::{name}{per}"
            for name in ("quantize_per_", "dequantize_per_", "fake_quant_per_")
            for per in ("tensor", "channel", "token", "channel_group")
        ],
        1,
    ),
    "quantized_decomposed::choose_qparams": 2,
    "mkldnn_prepacked::conv2d_prepack": 0,
    "mkldnn::_reorder_convolution_weight": 0,
    "mkldnn::_reorder_linear_weight": 0,
    "mkl::_mkl_reorder_linear_weight": 0,
    "onednn::qconv_prepack": 0,
    "onednn::qlinear_prepack": 0,
    "onednn::qadd": 1,
    "onednn::qmul": 1,
    "prim::device": 0,
}
BY_INPUT: Mapping[str, int] = dict(_by_name(_BY_INPUT, "aten"))


def is_stated(name: str) -> bool:
    """Return whether a cost is stated for an operator that is no product.

    >>> is_stated("aten::add_"), is_stated("aten::linalg_qr")
    (True, False)
    """
    base = name.rstrip("_") if name not in BY_RESULT else name
    return base in BY_RESULT or base in BY_INPUT
