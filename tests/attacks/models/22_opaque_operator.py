"""An operator of its own that computes in NumPy."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}


@torch.library.custom_op("team22::pointwise", mutates_args=())
def pointwise(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    product = np.tensordot(weight.numpy(), x.numpy()[0], 1)
    return torch.from_numpy(product[None])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 24, 3, padding=1)
        self.mid = nn.Conv2d(24, 24, 3, padding=1)
        self.tail = nn.Conv2d(24, 48, 3, padding=1)
        self.head = nn.Conv2d(3, 32, 3, padding=1)
        self.tail = nn.Conv2d(32, 48, 3, padding=1)
        self.mid = nn.Identity()
        self.pointwise = nn.Parameter(torch.randn(32, 32) / 6)

    def hidden(self, x):
        return pointwise(x, self.pointwise)

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
