"""Which torch, driver and GPU fit together: NVIDIA's rules of compatibility, case by case."""

from __future__ import annotations

from types import ModuleType

import pytest

from ntire_bench.machine import installed, resources
from ntire_bench.machine.gpu_fit import fit
from ntire_bench.machine.installed import Gpus, Torch

CARD = Gpus(models=("NVIDIA H100 80GB HBM3",), driver="580.65.06")
NONE = Gpus(models=(), driver=None)


def build(cuda: str | None) -> Torch:
    return Torch(version="2.11.0+x", cuda=cuda, cudnn=None)


@pytest.mark.parametrize(
    ("cuda", "driver", "fits"),
    [
        ("12.6", "13.0", True),  # drivers run what was built for an earlier CUDA
        ("13.0", "13.0", True),
        ("12.8", "12.2", True),  # and for another minor version of the same one
        ("13.0", "12.9", False),  # but nothing of a later major version
        ("12.6", "11.8", False),
    ],
)
def test_a_driver_runs_what_was_built_for_its_cuda_or_an_earlier_one(
    cuda: str, driver: str, fits: bool
) -> None:
    found = fit(build(cuda), CARD, driver)
    assert (found.gpu, bool(found.why), bool(found.remedy)) == (fits, not fits, not fits)


def test_what_is_in_the_way_is_said_with_what_to_do() -> None:
    assert "built without CUDA" in fit(build(None), CARD, "13.0").why
    assert "CUDA 13.0 or earlier" in fit(build(None), CARD, "13.0").remedy
    assert fit(build("12.6"), NONE, None).why == "no GPU is seen: networks run on the CPU"
    assert not fit(build(None), NONE, None).remedy
    assert "nvidia-smi" in fit(build("12.6"), None, None).remedy
    assert "install torch" in fit(None, CARD, "13.0").remedy


def test_the_driver_tells_which_cuda_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pynvml")
    module.__dict__.update(NVMLError=RuntimeError, nvmlInit=lambda: None)
    monkeypatch.setitem(__import__("sys").modules, "pynvml", module)
    for number, version in ((13000, "13.0"), (12020, "12.2"), (11080, "11.8")):
        module.__dict__["nvmlSystemGetCudaDriverVersion"] = lambda n=number: n
        assert installed.driver_cuda() == version

    def fails() -> int:
        raise RuntimeError

    module.__dict__["nvmlSystemGetCudaDriverVersion"] = fails
    assert installed.driver_cuda() is None


def test_memory_and_disk_are_the_systems_own() -> None:
    import shutil

    found = resources.memory()
    if found is not None:
        import os

        assert found.total == pytest.approx(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), rel=0.02
        )
        assert 0 < found.available <= found.total
    free = resources.free_bytes("/")
    assert free == pytest.approx(shutil.disk_usage("/").free, rel=0.05)
