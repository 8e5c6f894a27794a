"""Team files copied alone into models/ and model_zoo/, nothing declared: resolved right, or refused."""

from __future__ import annotations

import sys
from pathlib import Path

import awkward
import numpy as np
import pytest
import torch
import toys
from toys import found, write_toy

from ntire_bench.errors import SubmissionError
from ntire_bench.worker.loading import cuda_on_cpu, missing_packages
from ntire_bench.worker.network.upscaler import to_tensor

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def probe():
    """A smooth LR image with a few edges, uint8 HWC."""
    y, x = np.mgrid[0:40, 0:44]
    planes = [127 + 90 * np.sin(x / 6 + c) * np.cos(y / (5 + c)) + 30 * ((x + y) % 22 > 11) for c in range(3)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


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


def test_a_device_by_its_number_is_answered_too():
    answered = cuda_on_cpu.answer_on_cpu()
    assert torch.zeros(3, device=0).device.type == "cpu" == torch.zeros(2).to(device=1).device.type
    assert torch.zeros(2).to(0).device.type == "cpu" and sum(answered.values()) == 3


def test_what_makes_tensors_can_still_be_scripted():
    cuda_on_cpu.answer_on_cpu()

    def gate(x: torch.Tensor) -> torch.Tensor:
        return x * torch.ones_like(x) + torch.zeros([1])

    assert torch.jit.script(gate)(torch.full((2,), 3.0)).tolist() == [3.0, 3.0]


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


@pytest.mark.parametrize("which", awkward.FILES)
def test_a_team_file_resolves_as_its_author_builds_it_or_is_refused(which, tmp_path, truth, probe):
    one = awkward.FILES[which]
    network = write(tmp_path, one, truth)
    if one.refused:
        with pytest.raises(SubmissionError) as caught:
            toys.load(found(tmp_path), probe)
        for part in one.refused:
            assert part in str(caught.value)
        assert "Remedy: " in str(caught.value)
        return
    loaded = toys.load(found(tmp_path), probe)
    inferred = {item.key: item.value for item in loaded.inferred}
    assert one.told.items() <= inferred.items(), inferred
    assert loaded.upscaler.data_range == one.data_range
    lr = to_tensor(probe, one.data_range)
    with torch.inference_mode():
        expected = network(loaded.upscaler.pad(lr))
        for key in loaded.upscaler.output:
            expected = expected[key]
        expected = expected[..., : 4 * lr.shape[2], : 4 * lr.shape[3]]
        assert torch.allclose(loaded.upscaler.checked(lr), expected, atol=1e-6 * one.data_range)
