"""Computes a 1x1 convolution outside of torch, as a compiled extension does."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}


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
        pixels = x.detach().numpy().reshape(32, -1)
        weight = self.pointwise.detach().numpy()
        out = torch.empty_like(x)
        np.copyto(out.numpy().reshape(32, -1), weight @ pixels)
        return out

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
