"""Products under other names: each takes what the same matrix product would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import flop_registry

from ntire_bench.worker.costs.operator_watch import OperatorWatch
from ntire_bench.worker.costs.products import product
from ntire_bench.worker.network.upscaler import Upscaler

ROWS, SIDE = 40, 6
MATRIX = nn.Parameter(torch.eye(SIDE) + torch.full((SIDE, SIDE), 0.01).tril())
LSTM = nn.LSTM(SIDE, SIDE)
LAYER = nn.TransformerEncoderLayer(SIDE, 2, 2 * SIDE, batch_first=True).eval()
HEADS = nn.MultiheadAttention(SIDE, 2, batch_first=True).eval()
MATRIX_PRODUCT = ROWS * SIDE * SIDE
ATTENTION = 2 * ROWS * ROWS * SIDE


def by_foreach(rows: Tensor) -> Tensor:
    sums = [torch.zeros(ROWS)] * SIDE
    for number, column in enumerate(rows.unbind(1)):
        sums = torch._foreach_add(sums, torch._foreach_mul([column] * SIDE, list(MATRIX[number])))
    return torch.stack(sums)


def as_bags(rows: Tensor) -> Tensor:
    places = torch.arange(SIDE).repeat(ROWS, 1)
    return functional.embedding_bag(places, MATRIX, per_sample_weights=rows, mode="sum")


def as_taps(rows: Tensor) -> Tensor:
    return torch.conv_tbc(rows[:, None], MATRIX[None], torch.zeros(SIDE))


@pytest.mark.parametrize(
    ("compute", "least"),
    [
        (by_foreach, MATRIX_PRODUCT),
        (as_bags, MATRIX_PRODUCT),
        (as_taps, MATRIX_PRODUCT),
        (lambda rows: torch.cdist(rows, MATRIX), MATRIX_PRODUCT),
        (lambda rows: torch.linalg.solve_triangular(MATRIX, rows.T, upper=False), MATRIX_PRODUCT // 2),
        (lambda rows: torch.linalg.solve(MATRIX, rows.T), MATRIX_PRODUCT),
        (lambda rows: torch.cholesky_solve(rows.T, MATRIX), MATRIX_PRODUCT),
        (lambda rows: torch.sparse.mm(torch.eye(SIDE).to_sparse(), rows.T), ROWS * SIDE),
        (lambda rows: LSTM(rows[:, None])[0], 8 * MATRIX_PRODUCT),
        (lambda rows: LAYER(rows[None]), 8 * MATRIX_PRODUCT + ATTENTION),
        (lambda rows: HEADS(*[rows[None]] * 3, need_weights=False)[0], 4 * MATRIX_PRODUCT + ATTENTION),
    ],
    ids="foreach bags taps distances triangle solve cholesky sparse lstm layer heads".split(),
)
def test_a_product_under_another_name_costs_what_it_is(
    compute: Callable[[Tensor], Tensor], least: int
) -> None:
    network = nn.ModuleList([LSTM, LAYER, HEADS])
    network.register_parameter("matrix", MATRIX)
    upscaler = Upscaler(network, Path(), 4, torch.device("cpu"), data_range=1.0)
    rows = torch.rand(ROWS, SIDE)
    watch = OperatorWatch(upscaler, rows)
    with torch.inference_mode(), watch:
        compute(rows)
    assert least <= watch.tally.products + watch.tally.by_hand <= 1.4 * least + ROWS * SIDE


IMAGE, KERNEL = torch.rand(2, 6, 9, 7), torch.rand(8, 3, 3, 3)  # of two groups
WHOLE, RESULT = torch.rand(8, 6, 3, 3), torch.rand(2, 8, 9, 7)
QUERY, KEY = torch.rand(2, 4, 10, 6), torch.rand(2, 4, 5, 6)
PLAIN = [1, 1], [1, 1], [1, 1]
GRADIENT = RESULT, IMAGE, WHOLE, None, *PLAIN, False, [0, 0], 1


@pytest.mark.parametrize(
    ("name", "arguments", "outputs"),
    [
        ("convolution_backward", (*GRADIENT, [True, False, False]), (IMAGE, WHOLE, RESULT)),
        ("convolution_backward", (*GRADIENT, [True, True, False]), (IMAGE, WHOLE, RESULT)),
        ("convolution", (IMAGE, KERNEL, None, *PLAIN, False, [0, 0], 2), RESULT),
        ("_scaled_dot_product_flash_attention", (QUERY, KEY, KEY), RESULT),
        ("_scaled_dot_product_flash_attention_backward", (QUERY, QUERY, KEY, KEY), RESULT),
    ],
    ids="gradient gradients convolution attention attention-backward".split(),
)
def test_a_product_costs_half_of_what_torch_counts(
    name: str, arguments: tuple[object, ...], outputs: object
) -> None:
    expected = flop_registry[getattr(torch.ops.aten, name)](*arguments, out_val=outputs)
    cost = product(f"aten::{name}", arguments, RESULT)
    assert cost is not None and 2 * cost == expected


def quantized(tensor: Tensor) -> Tensor:
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


def test_a_product_with_a_packed_weight_costs_what_the_plain_one_does() -> None:
    conv = torch.ops.quantized.conv2d_prepack(quantized(KERNEL), None, *PLAIN, 2)
    result = torch.rand(2, 8, 9, 7)
    plain = product("aten::convolution", (IMAGE, KERNEL, None, *PLAIN, False, [0, 0], 2), result)
    assert product("quantized::conv2d_relu", (IMAGE, conv, 0.1, 0), result) == plain
    onednn = torch.ops.mkldnn_prepacked.conv2d_prepack(KERNEL, None, *PLAIN, 2, list(IMAGE.shape), "none")
    assert product("mkldnn_prepacked::conv2d_run", (IMAGE, onednn), result) == plain
    linear = torch.ops.quantized.linear_prepack(quantized(torch.rand(4, 6)), None)
    rows = torch.rand(5, 6)
    assert product("quantized::linear_dynamic", (rows, linear), torch.rand(5, 4)) == 5 * 4 * 6
    assert product("quantized::linear_prepack", (rows, None), rows) is None


def test_a_sparse_factor_costs_as_many_products_as_it_has_elements() -> None:
    matrix, dense = torch.eye(6), torch.rand(6, 7)
    for sparse in (matrix.to_sparse(), matrix.to_sparse_csr()):
        assert product("aten::addmm", (torch.zeros(6, 7), sparse, dense), torch.rand(6, 7)) == 6 * 7


def test_an_operator_without_a_stated_cost_is_told() -> None:
    upscaler = Upscaler(nn.Identity(), Path(), 4, torch.device("cpu"), data_range=1.0)
    image = torch.rand(1, 3, 20, 20)
    with torch.inference_mode(), OperatorWatch(upscaler, image) as watch:
        torch.linalg.lstsq(image + torch.sin(image), image)
    assert set(watch.tally.uncountable) == {"aten::linalg_lstsq"}
