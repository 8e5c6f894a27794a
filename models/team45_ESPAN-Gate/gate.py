"""The gate of SPAN's blocks: as a kernel that is built when this file is imported, and as its twin."""

from pathlib import Path
from subprocess import SubprocessError

import torch
from torch import Tensor, nn
from torch.utils.cpp_extension import CUDA_HOME, load

HERE = Path(__file__).parent

SOURCES = ["gate.cpp"]
if torch.cuda.is_available() and CUDA_HOME is not None:  # without nvcc, tensors on a GPU take the twin
    SOURCES.append("gate.cu")
try:
    load("espan_gate", [str(HERE / name) for name in SOURCES], is_python_module=False)
    BUILT = {"cpu", "cuda"} if "gate.cu" in SOURCES else {"cpu"}
except (OSError, RuntimeError, SubprocessError):
    # No compiler: `check` says so, and torch's operators compute the same.
    BUILT = set()


class Gate(nn.Module):
    """(features + x) * (sigmoid(features) - 0.5), SPAN's attention without parameters."""

    def forward(self, features: Tensor, x: Tensor) -> Tensor:
        """Return the gated features, by the kernel: one pass over memory in place of four."""
        if features.device.type in BUILT:
            return torch.ops.espan_gate.gate(features.contiguous(), x.contiguous())
        return self.forward_reference(features, x)

    def forward_reference(self, features: Tensor, x: Tensor) -> Tensor:
        """Return the same in torch's operators: the twin, which costs are counted on."""
        return (features + x) * (torch.sigmoid(features) - 0.5)
