"""The plain bound: what lies in memory and changes the SR image, whatever operators use it as."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ntire_bench.errors import SubmissionError
from ntire_bench.worker.costs import reachable
from ntire_bench.worker.costs.influence import Output
from ntire_bench.worker.network.upscaler import Upscaler

IMAGE = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(0))


class Network(nn.Module):
    """Adds to an enlarged image what a function makes of it."""

    def __init__(self, function: Callable[[Network, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.point = nn.Conv2d(3, 3, 1)

    def forward(self, lr: Tensor) -> Tensor:
        return functional.interpolate(self.point(lr) + self.function(self, lr), scale_factor=4.0)


def found(function: Callable[[Network, Tensor], Tensor], **kept: object) -> int:
    """Return what is found of a network that keeps some things, which are made after it began to load."""
    network = Network(function).eval().requires_grad_(False)
    for name, value in kept.items():
        setattr(network, name, value)
    upscaler = Upscaler(network, Path("models/team05_Toy.py"), 4, torch.device("cpu"))
    return reachable.undeclared_constants(Output(upscaler, IMAGE), ())


@pytest.fixture(autouse=True)
def begun() -> None:
    reachable.begin()


def numbers(count: int) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(1))


def summed(name: str) -> Callable[[Network, Tensor], Tensor]:
    """Return a function that uses a table out of sight: a fixed mixture of all of its values."""

    def function(network: Network, _: Tensor) -> Tensor:
        values = np.asarray(getattr(network, name), np.float64).ravel()
        return torch.tensor(float(values @ np.arange(values.size)) / values.size**2)

    return function


def test_a_table_counts_wherever_it_lies_and_whatever_reads_it() -> None:
    assert found(summed("bank"), bank=numbers(1500)) == 1500
    assert found(summed("bank"), bank=numbers(1500).numpy().copy()) == 1500
    codes = torch.randint(0, 200, (6000,), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    assert found(summed("bank"), bank=codes) == 6000 // 4
    kept = numbers(1500)
    assert found(lambda _, lr: torch.tensor(float(kept.numpy() @ np.arange(1500)))) == 1500  # in a closure


def test_a_table_counts_though_it_is_kept_from_being_found() -> None:
    def frozen() -> int:
        try:
            return found_after(gc.freeze)
        finally:
            gc.unfreeze()

    def found_after(hide: Callable[[], object]) -> int:
        network = Network(summed("table")).eval().requires_grad_(False)
        network.table = numbers(1500).numpy()
        hide()
        upscaler = Upscaler(network, Path("models/team05_Toy.py"), 4, torch.device("cpu"))
        return reachable.undeclared_constants(Output(upscaler, IMAGE), ())

    assert frozen() == 1500
    closed = numbers(1500).numpy()
    closed.flags.writeable = False
    assert found(summed("table"), table=closed) == 1500


def test_a_machine_without_memory_is_no_sign_of_a_table() -> None:
    """What a network raises when its table is gone is one; that there is no memory is told."""

    def runs_out(network: Network, lr: Tensor) -> Tensor:
        if network.table[0] != first:
            raise RuntimeError(error)
        return lr

    first = float(numbers(1500)[0])
    error = "the table is another one"
    assert found(runs_out, table=numbers(1500)) == 1500
    error = "[enforce fail at alloc_cpu.cpp:125] DefaultCPUAllocator: can't allocate memory: you tried"
    with pytest.raises(SubmissionError, match="can't allocate memory"):
        found(runs_out, table=numbers(1500))


@pytest.mark.parametrize("holder", [functional, nn.Module], ids=["module", "class"])
def test_a_table_counts_where_it_hangs_on_what_was_there_before(
    holder: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def function(network: Network, lr: Tensor) -> Tensor:
        return summed("_bank")(holder, lr)  # type: ignore[arg-type]

    monkeypatch.setattr(holder, "_bank", numbers(1500).numpy(), raising=False)
    assert found(function) == 1500


def test_many_small_tables_count_together() -> None:
    def function(network: Network, _: Tensor) -> Tensor:
        return torch.tensor(float(sum(part[0] * 3 - part[1] for part in network.bank)))

    assert found(function, bank=list(numbers(40 * 32).clone().split(40))) == 40 * 32


def test_what_changes_nothing_does_not_count() -> None:
    assert found(lambda _, lr: lr, averaged={"point": numbers(5000)}) == 0

    def keeping(network: Network, lr: Tensor) -> Tensor:
        network.last = lr.repeat(1, 10, 1, 1)
        return lr

    assert found(keeping, last=numbers(3600).reshape(1, 30, 12, 10)) == 0


def test_memory_is_what_it_was_afterwards() -> None:
    bank = numbers(1500)
    found(summed("bank"), bank=bank)
    assert torch.equal(bank, numbers(1500))


def offsets(side: int) -> Tensor:
    """Number the offset between every two pixels of a window, as Swin does."""
    places = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")).flatten(1)
    relative = (places[:, :, None] - places[:, None]) + side - 1
    return relative[0] * (2 * side - 1) + relative[1]


@pytest.mark.parametrize(
    "table",
    [
        offsets(8),
        torch.arange(64 * 64).reshape(64, 64).flip(1).T.contiguous(),
        torch.linspace(-1, 1, 64).repeat(64, 1),
        (torch.rand(4000, generator=torch.Generator().manual_seed(1)) > 0.3).float(),
        torch.sin(torch.arange(100.0)[:, None] * torch.logspace(-3, 0, 24)),
    ],
    ids="offsets places coordinates mask sines".split(),
)
def test_structure_counts_next_to_nothing(table: Tensor) -> None:
    assert table.numel() > 1000
    assert found(summed("bank"), bank=table) == 0


def test_memory_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "bank"
    file.write_bytes(numbers(1500).numpy().tobytes())
    kept = torch.from_numpy(np.memmap(file, np.float32, "r").view(np.ndarray))
    assert found(summed("bank"), bank=kept) == 0


@pytest.mark.parametrize(
    ("weight", "more"),
    [
        (numbers(36), 0),
        (torch.view_as_complex(numbers(72).reshape(36, 2)), 36),
        (torch.arange(36), 0),
        (torch.arange(36) << 40, 36),
        (numbers(36).double(), 0),
        (numbers(36).double() / 3, 0),  # the rest are digits
        (numbers(36).bfloat16().double() + numbers(36).bfloat16().double() * 2.0**-30, 36),
    ],
    ids="single complex whole packed double digits pairs".split(),
)
def test_parameters_count_by_the_values_that_they_hold(weight: Tensor, more: int) -> None:
    network = Network(lambda n, lr: lr).eval()
    network.weight = nn.Parameter(weight, requires_grad=False)

    def use(n: Network, lr: Tensor) -> Tensor:
        if n.weight.dtype != torch.float64:
            return lr
        last = (n.weight - n.weight.bfloat16().double()) * 2.0**30 if more else n.weight
        return lr + last.sum().float()

    network.function = use
    upscaler = Upscaler(network, Path("models/team05_Toy.py"), 4, torch.device("cpu"))
    assert reachable.wide_parameters(Output(upscaler, IMAGE)) == more
