"""ESPAN whose gate is a kernel of its own, with a twin: an example of how a kernel is submitted.

Its authors compile the gate for a GPU when their network runs; no counter of FLOPs sees it there. Here it is C++, and
CUDA where there is a GPU with nvcc. Costs are counted on the twin: the same 192,272 parameters and 12.556 G as
models/team36_ESPAN.py. It needs a C++ compiler and ninja; without them `check` says that the kernel was not built, and
the gate is computed in torch's operators. See docs/kernels.md.

The checkpoint is the one of models/team36_ESPAN.py: `ntire-bench zoo pull 45`.
"""

from .network import ESPAN as ESPAN

SUBMISSION = {"model": "ESPAN", "data_range": 1, "kernel": "float32", "twin": "forward_reference"}
