"""Kernels on a GPU: CUDA source that is compiled at run time, a Triton kernel, an extension built by nvcc."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gpu

_HEAD = """\
import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1, "checkpoint": None, "kernel": "float32", "twin": "plain"}
"""
_NET = """

class Twice(nn.Module):
    def forward(self, x):
        return twice(x.contiguous())

    def plain(self, x):
        return 2 * x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.head = nn.Conv2d(3, 48, 3, padding=1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.02
        self.twice = Twice()

    def forward(self, lr):
        detail = functional.pixel_shuffle(self.twice(self.head(lr)), 4)
        return functional.interpolate(lr, scale_factor=4, mode="bicubic") + detail
"""
_TRITON = """
import triton
import triton.language as tl


@triton.jit
def kernel(source, target, count, BLOCK: tl.constexpr):
    places = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = places < count
    tl.store(target + places, 2 * tl.load(source + places, mask=mask), mask=mask)


def twice(x):
    out = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), BLOCK=1024)
    return out
"""
_EXTENSION = '''
from torch.utils.cpp_extension import load_inline

SOURCE = """
__global__ void kernel(const float* source, float* target, int64_t count) {
  const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (i < count) target[i] = 2 * source[i];
}
at::Tensor twice(at::Tensor x) {
  at::Tensor out = at::empty_like(x);
  const int64_t count = x.numel();
  kernel<<<(count + 255) / 256, 256>>>(x.data_ptr<float>(), out.data_ptr<float>(), count);
  return out;
}
"""
extension = load_inline("twice", "at::Tensor twice(at::Tensor x);", SOURCE, functions=["twice"])


def twice(x):
    return extension.twice(x)
'''


@pytest.mark.parametrize("kind", ["triton", "extension"])
def test_a_kernel_on_a_gpu_is_built_and_counted_on_its_twin(
    kind: str, tmp_path: Path, sees_gpu: dict[str, str]
) -> None:
    if kind == "triton":
        pytest.importorskip("triton", reason="triton is not installed")
    elif shutil.which("nvcc") is None and "CUDA_HOME" not in os.environ:
        pytest.skip("no CUDA compiler (nvcc) is installed")
    models = tmp_path / "models"
    models.mkdir()
    text = _HEAD + (_TRITON if kind == "triton" else _EXTENSION) + _NET
    (models / "team05_Net.py").write_text(text)
    command = [sys.executable, "-m", "ntire_bench", "check", "5", "--models", str(models), "--device", "cuda"]
    environment = {**sees_gpu, "NTIRE_BENCH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "counted-on-twin" in done.stdout and "reject" not in done.stdout
