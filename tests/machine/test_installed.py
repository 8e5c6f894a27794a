"""What can be told of torch and the GPUs before a worker runs."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from ntire_bench.machine import installed


def test_torch_is_told_as_it_tells_itself() -> None:
    found = installed.torch_build()
    assert found is not None
    assert (found.version, found.cuda) == (str(torch.__version__), torch.version.cuda)
    if found.cudnn is not None:
        assert found.cudnn == str(torch.backends.cudnn.version())


def test_torch_is_not_imported_for_it() -> None:
    program = "import sys; from ntire_bench.machine import installed"
    program += "; print(installed.torch_build(), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Torch(") and done.stdout.endswith("False\n")


# The package that torch's wheel needs, and what torch.backends.cudnn.version() is with it: of torch 2.11 for
# CUDA 13.0 on an H100, and of torch 2.3 for CUDA 12.1.
@pytest.mark.parametrize(
    ("cuda", "package", "version", "told"),
    [
        ("13.0", "nvidia-cudnn-cu13", "9.19.0.56", "91900"),
        ("12.1", "nvidia-cudnn-cu12", "8.9.2.26", "8902"),
        ("12.1", "nvidia-cudnn-cu12", "unknown", None),
        ("12.1", "nvidia-cudnn-cu11", "8.9.2.26", None),
    ],
)
def test_cudnn_is_told_by_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cuda: str, package: str, version: str, told: str | None
) -> None:
    def of(name: str) -> str:
        if name != package:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    (tmp_path / "version.py").write_text(
        f"__version__ = '2.3.0+x'\ncuda: Optional[str] = '{cuda}'\nexit(1)\n"
    )
    origin = str(tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(origin=origin))
    monkeypatch.setattr(importlib.metadata, "version", of)
    assert installed.torch_build() == installed.Torch(version="2.3.0+x", cuda=cuda, cudnn=told)


@pytest.mark.parametrize(
    "text", ["", "__version__ = '2.3.0'", "cuda = None", "__version__ = f()\ncuda = None", "("]
)
def test_a_torch_that_does_not_say_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    origin = str(tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(origin=origin))
    assert installed.torch_build() is None
    (tmp_path / "version.py").write_text(text)
    assert installed.torch_build() is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert installed.torch_build() is None


class Nvml(ModuleType):
    """Two GPUs; names are bytes, as of older versions."""

    class NVMLError(Exception):
        """NVML's own."""

    def __init__(self, *names: str | bytes, answers: bool = True) -> None:
        super().__init__("pynvml")
        self.names, self.answers = names, answers

    def nvmlInit(self) -> None:
        if not self.answers:
            raise self.NVMLError("Driver/library version mismatch")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:
        return self.names[handle]

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.159.04"


def test_gpus_and_their_driver_are_told_by_nvml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    two = Nvml("NVIDIA H100 80GB HBM3", b"NVIDIA H200")
    monkeypatch.setitem(sys.modules, "pynvml", two)
    both = installed.Gpus(models=("NVIDIA H100 80GB HBM3", "NVIDIA H200"), driver="580.159.04")
    assert installed.gpus() == both
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert installed.gpus() == both  # which one it is NVML's order does not say
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert installed.gpus() == installed.Gpus(models=(), driver=None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    # An NVML that does not answer: no GPU without a driver, and else nothing is known.
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(answers=False))
    monkeypatch.setattr(installed, "_DRIVER", tmp_path / "version")
    assert installed.gpus() == installed.Gpus(models=(), driver=None)
    (tmp_path / "version").write_text("NVRM version")
    assert installed.gpus() is None
