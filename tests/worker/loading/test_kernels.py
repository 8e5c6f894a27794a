"""What was built is given to code that asks for it; a twin's process is given nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils import cpp_extension

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.messages import Kernels
from ntire_bench.worker.loading import kernels
from ntire_bench.worker.loading.twin import run_twin


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave torch, and where modules are looked for, as they were."""
    for name in ("load", "load_inline"):
        monkeypatch.setattr(cpp_extension, name, getattr(cpp_extension, name))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.fixture
def built(tmp_path: Path) -> Kernels:
    """A built module, in Python so that nothing is compiled, beside the folder of sources."""
    sources, files = tmp_path / "net", tmp_path / "files"
    (sources / "ops").mkdir(parents=True)
    (sources / "ops" / "__init__.py").write_text("")
    (files / "setup0" / "ops").mkdir(parents=True)
    (files / "setup0" / "ops" / "_gate_c.py").write_text("answer = 42\n")
    return Kernels(
        folder=files,
        setups={str(sources): "setup0"},
        extensions={"_gate_c (net/setup.py)": "setup0/ops/_gate_c.py"},
        failed={"fast": "CalledProcessError: nvcc: not found"},
    )


def test_a_module_of_a_setup_is_found_beside_its_sources(
    built: Kernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    kernels.serve(built)
    from net.ops import _gate_c  # type: ignore[import-not-found]

    assert _gate_c.answer == 42


def test_what_was_not_built_raises_as_it_did_so_that_code_can_do_without(built: Kernels) -> None:
    kernels.serve(built)
    with pytest.raises(RuntimeError, match="fast could not be built: CalledProcessError: nvcc: not found"):
        cpp_extension.load("fast", ["fast.cu"])
    with pytest.raises(RuntimeError, match="no extension of the name other was asked for"):
        cpp_extension.load_inline(name="other", cpp_sources="")


def test_in_a_twins_process_kernels_may_be_named_and_not_used(
    built: Kernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    kernels.stand_in(built)
    from net.ops import _gate_c  # type: ignore[import-not-found]

    gate = _gate_c.gate
    with pytest.raises(RuntimeError, match="torch's operators, and uses the kernel net.ops._gate_c.gate"):
        gate(1, 2)
    with pytest.raises(RuntimeError, match="uses the kernel fast.forward"):
        cpp_extension.load("fast", ["fast.cu"]).forward(1)


class Block(nn.Module):
    """Its forward is the kernel, which a twin's process must not run."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the kernel")

    def plain(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def test_every_block_with_a_twin_runs_it() -> None:
    network = nn.Sequential(Block(), nn.Identity(), Block())
    run_twin(network, "plain", None, Path("net.py"))
    assert network(torch.ones(1)).item() == 4


def test_a_function_of_the_file_may_be_the_twin() -> None:
    module = type(sys)("net")
    module.reference = lambda network, x: x + len(network)  # type: ignore[attr-defined]
    network = nn.Sequential(Block())
    run_twin(network, "reference", module, Path("net.py"))
    assert network(torch.ones(1)).item() == 2


def test_a_twin_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(SubmissionError, match="declares the twin 'another'"):
        run_twin(nn.Sequential(Block()), "another", None, Path("net.py"))
