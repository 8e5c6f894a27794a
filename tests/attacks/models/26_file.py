"""Weights that are written to a file as the network is built, and read in forward."""

import os
import tempfile

import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 24, 3, padding=1)
        self.tail = nn.Conv2d(24, 48, 3, padding=1)
        self.file = os.path.join(tempfile.mkdtemp(), "bank.pth")
        torch.save(torch.randn(24, 24, 3, 3, generator=torch.Generator().manual_seed(1)) / 15, self.file)

    def hidden(self, x):
        return functional.conv2d(x, torch.load(self.file), padding=1)

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
