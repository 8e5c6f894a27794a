"""Team files copied alone into models/ and model_zoo/, nothing declared: resolved right, or refused."""

from __future__ import annotations

import awkward
import numpy as np
import pytest
import torch
import toys
from awkward_files import cuda, truth, write  # noqa: F401 - fixtures
from toys import found

from ntire_bench.errors import SubmissionError
from ntire_bench.worker.loading import cuda_on_cpu
from ntire_bench.worker.network.pixels import to_tensor

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def probe():
    """A smooth LR image with a few edges, uint8 HWC."""
    y, x = np.mgrid[0:40, 0:44]
    planes = [127 + 90 * np.sin(x / 6 + c) * np.cos(y / (5 + c)) + 30 * ((x + y) % 22 > 11) for c in range(3)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def test_a_device_by_its_number_is_answered_too():
    answered = cuda_on_cpu.answer_on_cpu()
    assert torch.zeros(3, device=0).device.type == "cpu" == torch.zeros(2).to(device=1).device.type
    assert torch.zeros(2).to(0).device.type == "cpu" and sum(answered.values()) == 3


def test_what_makes_tensors_can_still_be_scripted():
    cuda_on_cpu.answer_on_cpu()

    def gate(x: torch.Tensor) -> torch.Tensor:
        return x * torch.ones_like(x) + torch.zeros([1])

    assert torch.jit.script(gate)(torch.full((2,), 3.0)).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("which", awkward.FILES)
def test_a_team_file_resolves_as_its_author_builds_it_or_is_refused(which, tmp_path, truth, probe):  # noqa: F811
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
