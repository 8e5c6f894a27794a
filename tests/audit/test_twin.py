"""How far a network may be from its twin, and what is said where there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import CPU, InProcess
from torch import Tensor, nn

from ntire_bench.audit.twin import BOUNDS, difference_of, differs, on_twin, rounded_differs, without_twin
from ntire_bench.data import sample
from ntire_bench.records.record import Audit, Complexity, Finding
from ntire_bench.wire.observation import Observation
from ntire_bench.worker.network.upscaler import Upscaler, ready

LR = np.ascontiguousarray(sample.probe_lr()[:40, :36])


class Net(nn.Module):
    """Four convolutions, in a type of its own; `shift` is added to the SR image where it is large enough."""

    def __init__(self, type_: torch.dtype = torch.float32, shift: float = 0.0, least: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        widths = (3, 24, 24, 24, 48)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        )
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.08
        self.type_, self.shift, self.least = type_, shift, least

    def forward(self, lr: Tensor) -> Tensor:
        x = lr.to(self.type_)
        for conv in self.convs:
            weight, bias = conv.weight.to(self.type_), conv.bias.to(self.type_)
            x = nn.functional.conv2d(x, weight, bias, padding=1)
            x = torch.relu(x) if conv is not self.convs[-1] else x
        sr = nn.functional.pixel_shuffle(x, 4).float()
        return sr + (self.shift if lr.shape[-2] * lr.shape[-1] >= self.least else 0.0)


class Unwatched(InProcess):
    """What its operators do is not looked at: these tests are on images."""

    def audit(self, lr: np.ndarray) -> tuple[np.ndarray, Observation]:
        return self.run(lr).sr, Observation(pixels=1, products=1, counted=1, convs=1, activations=1)


def worker(network: nn.Module) -> InProcess:
    ready(network, Path("net.py"), CPU)
    return Unwatched(Upscaler(network, Path("net.py"), 4, CPU, data_range=1.0))


def codes(own: Net, precision: str, *, whole: bool = False) -> list[str]:
    _, findings, _ = on_twin(worker(own), worker(Net()), LR, precision, whole=whole)  # type: ignore[arg-type]
    return [finding.code for finding in findings]


def test_other_orders_of_summation_are_within_the_bound_of_float32() -> None:
    """Against double precision, whose own rounding is next to nothing."""
    off = difference_of(worker(Net()).exact(LR), worker(Net(torch.float64)).exact(LR))
    assert 0 < off.rms < BOUNDS["float32"].rms / 100
    assert codes(Net(torch.float64), "float32", whole=True) == []


@pytest.mark.parametrize("type_", [torch.float16, torch.bfloat16], ids=str)
def test_a_kernel_in_16_bits_must_say_so(type_: torch.dtype) -> None:
    assert codes(Net(type_), "half", whole=True) == []
    assert codes(Net(type_), "float32") == ["twin-differs"]


def test_a_network_that_is_not_its_twin_is_found_on_crops_and_on_a_whole_image() -> None:
    level = 1 / 255
    assert codes(Net(shift=0.5 * level), "half") == ["twin-differs"]
    assert codes(Net(shift=0.03 * level), "float32") == ["twin-differs"]
    on_large = Net(shift=level, least=LR.shape[0] * LR.shape[1])  # as on images that are timed, crops aside
    own, twin = worker(on_large).run(LR).sr, worker(Net()).run(LR).sr
    assert [one.code for one in rounded_differs(own, twin, "half", "on it")] == ["twin-differs"]


def test_values_that_are_not_finite_are_no_twins() -> None:
    image = np.zeros((3, 2, 2), np.float32)
    broken = image.copy()
    broken[0, 0, 0] = np.nan
    (finding,) = differs(difference_of(image, broken), "half", "on 3 crops")
    assert finding.severity == "reject"


def test_without_a_twin_what_is_missing_is_said_and_other_findings_stay() -> None:
    costs = Complexity(
        params=5, flops=7, activations=1, convs=1, input_shape=(1, 3, 256, 256), audit=Audit(flops=7)
    )
    found = [
        Finding(code=code, severity="reject", message="m") for code in ("flops-opaque", "threads-in-forward")
    ]
    changed, left = without_twin(costs, found, ["gate"])
    assert [one.code for one in left] == ["threads-in-forward", "flops-not-countable"]
    assert changed.audit.uncountable == changed.audit.kernels == ("gate",)
    declared, _ = without_twin(dataclasses.replace(costs), (), ())
    assert declared.audit.kernels == ("a kernel of its own",)
