"""The example of a kernel: ESPAN's gate, in torch's operators, and compiled for real."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from kernels import needs_compiler, needs_ninja
from torch.utils import cpp_extension

from ntire_bench.data import sample
from ntire_bench.protocols import protocol
from ntire_bench.submissions import models_folder
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.check import check


def imported(file: Path, name: str) -> ModuleType:
    folders = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folders)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def item(root: Path, tmp_path: Path) -> Submission:
    """As after `zoo pull 45`: with a checkpoint of its own, which is that of 36."""
    shutil.copy(root / "model_zoo" / "team36_ESPAN.pth", tmp_path / "team45_ESPAN-Gate.pth")
    return models_folder.find(root / "models", tmp_path).submissions[45]


def test_it_is_a_submission_that_declares_its_kernel_and_twin(item: Submission) -> None:
    declared = item.declaration
    assert (declared.kernel, declared.twin, declared.twin_args) == ("float32", "forward_reference", None)
    assert item.checkpoint is not None and item.checkpoint.is_file()


def test_where_nothing_can_be_built_it_computes_what_the_plain_network_does(
    root: Path, item: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("Ninja is required to load C++ extensions")

    monkeypatch.setattr(cpp_extension, "load", no_compiler)
    names = ["espan_with_kernel", "espan_plain"]
    try:
        own = imported(item.file, names[0]).ESPAN()
        plain = imported(root / "models" / "team36_ESPAN.py", names[1]).ESPAN()
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] in names]:
            del sys.modules[name]
    assert item.checkpoint is not None
    state = torch.load(item.checkpoint, weights_only=True)
    state = state.get("params", state)
    with torch.inference_mode():
        lr = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(0))
        srs = []
        for network in (own, plain):
            network.load_state_dict(state, strict=True)
            srs.append(network.eval()(lr))
    assert torch.equal(*srs)


def _checked(item: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("NTIRE_BENCH_CACHE", str(tmp_path))
    found = check(item, sample.probe_lr(), protocol.load(), device=device, isolation="auto")
    assert [one.code for one in found.findings if one.severity != "info"] == []
    assert found.complexity.audit.kernels == ("espan_gate",)
    # The factsheet: 0.1923 M and 12.5556 G.
    assert round(found.complexity.params / 1e6, 4) == 0.1923
    assert round(found.complexity.flops / 1e9, 4) == 12.5556
    most, rms, precision = found.complexity.audit.twin_difference  # type: ignore[misc]
    assert 0 < rms < most < 0.05 and precision == "float32"


@pytest.mark.slow
@needs_compiler
@needs_ninja
def test_compiled_it_costs_what_the_factsheet_says(
    item: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _checked(item, tmp_path, monkeypatch, "cpu")
