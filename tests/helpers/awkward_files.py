"""Writes the awkward team files, and builds their networks as their authors do."""

from __future__ import annotations

import sys
from pathlib import Path

import awkward
import pytest
import torch
from toys import write_toy

from ntire_bench.worker.loading import cuda_on_cpu, missing_packages


@pytest.fixture(autouse=True)
def cuda(monkeypatch):
    """Put back what the loader answers for a GPU that is not there."""
    for name in [*cuda_on_cpu._MAKERS, "set_default_device", "set_default_tensor_type"]:
        monkeypatch.setattr(torch, name, getattr(torch, name))
    for name in [*cuda_on_cpu._TENSOR_MAKERS, "cuda", "to"]:
        monkeypatch.setattr(torch.Tensor, name, getattr(torch.Tensor, name))
    for name in ("cuda", "to", "to_empty"):
        monkeypatch.setattr(torch.nn.Module, name, getattr(torch.nn.Module, name))
    kinds = [f"{kind}Tensor" for kind in cuda_on_cpu._TYPES]
    for name in [*cuda_on_cpu._NOTHING_TO_DO, *cuda_on_cpu._CONTEXTS, "current_device", "Event", *kinds]:
        monkeypatch.setattr(torch.cuda, name, getattr(torch.cuda, name))


@pytest.fixture
def truth(monkeypatch):
    """Builds the network as its author does, with faint weights, where the packages are there."""

    def builds(file: Path, how: str):
        """Return what the expression gives, and its weights."""
        module = type(sys)("truth")
        monkeypatch.setitem(sys.modules, "truth", module)
        if "cuda" in file.read_text(encoding="utf-8"):
            cuda_on_cpu.answer_on_cpu()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            missing_packages.execute(file.read_bytes(), str(file), module)
            network = eval(how, vars(module))
        if not isinstance(network, torch.nn.Module):
            return None, {}
        for parameter in network.parameters():
            parameter.data *= 0.03
        return network.eval(), network.state_dict()

    return builds


def write(folder: Path, one: awkward.Awkward, truth):
    file = write_toy(folder, name=one.name, body=awkward.HEAD + one.body, checkpoint=None)
    network, state = truth(file, one.truth)
    state = state or {"head.weight": torch.ones(8, 3, 3, 3)}  # of a network that cannot be built here
    content = eval(one.wrap, {"s": dict(state), "torch": torch})
    torch.save(content, folder / "model_zoo" / "TEAM05_some_other_stem.pth")
    return network
