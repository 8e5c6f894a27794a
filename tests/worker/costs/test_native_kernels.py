"""Native code that computes outside of torch's operators is noticed by what it leaves in memory, not by name.

The kernel is compiled C, as small as it can be; each network takes its result back in another way.
"""

from __future__ import annotations

import ctypes
import dataclasses
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from in_process import CPU, InProcess
from kernels import SOURCE, needs_compiler
from torch import Tensor, nn
from torch.nn import functional

from ntire_bench.data import sample
from ntire_bench.errors import SubmissionError
from ntire_bench.measuring import resolve
from ntire_bench.measuring.side import Side
from ntire_bench.protocols import protocol
from ntire_bench.records.record import SubmissionInfo
from ntire_bench.records.scored_costs import lacks_twin, uncountable
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration
from ntire_bench.wire.observation import Observation
from ntire_bench.worker.costs import reachable
from ntire_bench.worker.costs.by_value import factors_of
from ntire_bench.worker.costs.observe import observe
from ntire_bench.worker.loading.kernels import module_of
from ntire_bench.worker.network.upscaler import Upscaler, ready

Way = Callable[[ModuleType, Tensor, Tensor], Tensor]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    folder = tmp_path_factory.mktemp("kernel")
    source, library = folder / "native.c", folder / f"native{sysconfig.get_config_var('EXT_SUFFIX')}"
    source.write_text(SOURCE.replace("NAME", "native"))
    include = sysconfig.get_paths()["include"]
    command = ["cc", "-O1", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    return module_of("native", str(library))


def run(kernel: ModuleType, f: Tensor, x: Tensor, out: Tensor) -> Tensor:
    kernel.gate(f.data_ptr(), x.data_ptr(), out.data_ptr(), f.numel())
    return out


def in_operators(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
    return (f + x) * (1 / (1 + f.abs()) - 0.5)


def empty_memory(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
    """As extensions do: at::empty_like, and a loop."""
    return run(kernel, f, x, torch.empty_like(f))


def zeros(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
    """An operator has written all of it before."""
    return run(kernel, f, x, torch.zeros_like(f))


def in_place(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
    """What a convolution gave, overwritten."""
    return run(kernel, f, x, f)


def a_view(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
    """Half of a larger tensor that operators have made."""
    both = torch.cat((x, f), dim=1)
    out = both[:, : f.shape[1]]
    run(kernel, f, x, out)
    return both[:, : f.shape[1]] * 1.0


def own_memory(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
    """As at::from_blob: memory that no operator has made."""
    address = kernel.own_memory(f.numel())
    memory = (ctypes.c_float * f.numel()).from_address(address)
    return run(kernel, f, x, torch.frombuffer(memory, dtype=torch.float32).reshape(f.shape))


def an_operator(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
    """Registered with torch, as TORCH_LIBRARY does."""
    return torch.ops.ntire_bench_tests.gate(f, x)


WAYS: list[Way] = [empty_memory, zeros, in_place, a_view, own_memory, an_operator]


@pytest.fixture(scope="module")
def operator(kernel: ModuleType) -> object:
    library = torch.library.Library("ntire_bench_tests", "DEF")
    library.define("gate(Tensor f, Tensor x) -> Tensor")
    library.impl("gate", lambda f, x: own_memory(kernel, f, x), "CPU")
    return library


class Net(nn.Module):
    """Two convolutions and a gate between them, computed in one of the ways."""

    def __init__(self, kernel: ModuleType, way: Way) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.05
        self.gate = lambda f, x: way(kernel, f, x)

    def forward(self, lr: Tensor) -> Tensor:
        f = self.head(lr)
        detail = functional.pixel_shuffle(self.tail(self.gate(f, torch.relu(f))), 4)
        return functional.interpolate(lr, scale_factor=4.0, mode="bicubic") + detail


def worker(kernel: ModuleType, way: Way) -> InProcess:
    reachable.begin()  # what this process has loaded by now is none of the network's
    network = Net(kernel, way)
    ready(network, Path("net.py"), CPU)
    return InProcess(Upscaler(network, Path("net.py"), 4, CPU, data_range=1.0))


def side(
    tmp_path: Path, kernel: ModuleType, way: Way, declaration: Declaration, twin: Way | None = None
) -> Side:
    file = tmp_path / "net.py"
    file.write_text("")
    item = Submission(
        id=5, name="Net", file=file, checkpoint=None, declaration=declaration, has_build_model=False
    )
    info = SubmissionInfo(id=5, name="Net", file="net.py", file_sha256="0" * 64, data_range=1.0)
    made = Side(item, worker(kernel, way), False, info)  # type: ignore[arg-type] - it answers like one
    if twin is not None:
        made.start_twin = lambda: worker(kernel, twin)  # type: ignore[assignment,return-value]
    resolve.count(made, protocol.load(), sample.probe_lr(), is_timed=False)
    return made


def observed(upscaler: Upscaler, image: Tensor) -> Observation:
    factors_of(upscaler.network).next_image(image)
    return observe(upscaler, image, upscaler.forward, twice=True)[1]


@needs_compiler
@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_what_a_kernel_computed_is_seen_to_come_from_no_operator(
    kernel: ModuleType, operator: object, way: Way
) -> None:
    lr = np.ascontiguousarray(sample.probe_lr()[:40, :48])
    tensor = torch.from_numpy(lr).permute(2, 0, 1)[None].float() / 255
    seen = observed(worker(kernel, way).upscaler, tensor)
    assert max(seen.foreign, seen.unwritten) > 1000 or seen.unknown
    plain = observed(worker(kernel, in_operators).upscaler, tensor)
    assert (plain.foreign, plain.unwritten, plain.unknown) == (0, 0, ())


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("way", [empty_memory], ids=["empty_memory"])
def test_it_is_no_count_at_all_where_it_is_declared_and_a_reject_or_no_count_where_not(
    kernel: ModuleType, operator: object, tmp_path: Path, way: Way
) -> None:
    said = side(tmp_path, kernel, way, Declaration(kernel="float32"))
    assert said.complexity is not None
    assert uncountable(said.complexity) and lacks_twin(said.complexity)
    assert {one.code for one in said.findings if one.severity == "reject"} == set()
    assert [one.severity for one in said.findings if one.code == "flops-not-countable"] == ["warning"]
    silent = side(tmp_path, kernel, way, Declaration())
    assert {one.code for one in silent.findings} & {"flops-opaque", "flops-not-countable"}
    assert silent.complexity is not None


@pytest.mark.slow
@needs_compiler
def test_with_a_twin_the_gate_is_counted_and_nothing_is_found(kernel: ModuleType, tmp_path: Path) -> None:
    declared = Declaration(kernel="float32", twin="forward_reference")
    found = side(tmp_path, kernel, empty_memory, declared, twin=in_operators)
    assert [one for one in found.findings if one.severity == "reject"] == []
    assert found.complexity is not None and not uncountable(found.complexity)
    assert not lacks_twin(found.complexity)
    assert found.complexity.uncounted_ops["aten::abs"] == 1


@pytest.mark.slow
@needs_compiler
def test_no_team_is_divided_by_a_baseline_whose_costs_are_not_known(
    kernel: ModuleType, tmp_path: Path
) -> None:
    made = side(tmp_path, kernel, in_operators, Declaration())
    made.is_baseline = True
    made.submission = dataclasses.replace(made.submission, declaration=Declaration(kernel="float32"))
    with pytest.raises(SubmissionError, match="a kernel of its own and no twin"):
        resolve.count(made, protocol.load(), sample.probe_lr())


@pytest.mark.slow
@needs_compiler
def test_a_kernel_that_does_more_than_its_twin_is_found(kernel: ModuleType, tmp_path: Path) -> None:
    def without_gate(kernel: ModuleType, f: Tensor, x: Tensor) -> Tensor:
        return x

    declared = Declaration(kernel="half", twin="forward_reference")
    found = side(tmp_path, kernel, empty_memory, declared, twin=without_gate)
    assert [one.code for one in found.findings if one.severity == "reject"] == ["twin-differs"]


@pytest.mark.slow
@needs_compiler
def test_a_twin_with_a_kernel_of_its_own_is_audited_like_any_network(
    kernel: ModuleType, tmp_path: Path
) -> None:
    declared = Declaration(kernel="float32", twin="forward_reference")
    found = side(tmp_path, kernel, empty_memory, declared, twin=in_place)
    assert "flops-opaque" in {one.code for one in found.findings if one.severity == "reject"}


@needs_compiler
def test_the_kernel_computes_what_numpy_does(kernel: ModuleType) -> None:
    f, x = torch.randn(50), torch.randn(50)
    expected = (f.numpy() + x.numpy()) * (1 / (1 + np.abs(f.numpy())) - 0.5)
    np.testing.assert_allclose(empty_memory(kernel, f, x).numpy(), expected, rtol=1e-5, atol=1e-6)
