"""ESPAN whose gate is a kernel of its own, with a twin: an example of how a kernel is submitted.

See docs/kernels.md. The network is that of models/team36_ESPAN.py in its form for inference.
"""

from .network import ESPAN as ESPAN

SUBMISSION = {
    "model": "ESPAN",
    "data_range": 1,
    "checkpoint": "team36_ESPAN.pth",
    "kernel": "float32",
    "twin": "forward_reference",
}
