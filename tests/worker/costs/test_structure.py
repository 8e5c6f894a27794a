"""Whether a table follows from structure, told from pieces of it where it is a long one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ntire_bench.worker.costs.structure import free_values, packed_size

SIDE = 1024  # four million bytes of 32 bits: only pieces are compressed


def learned() -> Tensor:
    return torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def pixels() -> Tensor:
    return (torch.randn(4 * SIDE, SIDE, generator=torch.Generator().manual_seed(1)).abs() * 80).to(
        torch.uint8
    )


def mask() -> Tensor:
    """Of windows that are shifted, as in Swin: regions that must not see each other."""
    region = (torch.arange(SIDE) // 200)[:, None] * 6 + (torch.arange(SIDE) // 200)[None]
    return torch.where(region == region[0, 0], 0.0, -100.0)


def coordinates() -> Tensor:
    return torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij"))


@pytest.mark.parametrize("table", [learned(), pixels()], ids=["learned", "pixels"])
def test_a_long_table_of_data_counts_whole(table: Tensor) -> None:
    assert free_values([table]) == table.numel()
    values = table.numel() * table.element_size() / 4
    assert 0.6 * values < packed_size(table) < 1.1 * values


@pytest.mark.parametrize("table", [mask(), coordinates()], ids=["mask", "coordinates"])
def test_a_long_table_of_structure_counts_nothing(table: Tensor) -> None:
    assert free_values([table]) == 0


def test_data_in_a_part_of_a_long_table_of_structure_shows() -> None:
    table = mask()
    table[: SIDE // 2] = learned()[: SIDE // 2]
    # Eight pieces, of which each is data with a chance of one half: one in 256 looks has none.
    assert any(free_values([table]) == table.numel() for _ in range(4))
