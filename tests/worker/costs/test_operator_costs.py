"""Products under other names: each takes what the same matrix product would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ntire_bench.worker.costs.operator_watch import OperatorWatch
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
    assert least <= watch.products + watch.by_hand <= 1.4 * least + ROWS * SIDE
