"""Kernels that are mixed anew for every image, in shares that the image decides."""

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
        self.kernels = nn.Parameter(torch.randn(4, 24, 24, 3, 3) / 15)
        self.shares = nn.Linear(24, 4)
        self.register_buffer("position", torch.arange(4.0))

    def hidden(self, x):
        shares = torch.softmax(self.shares(x.mean((2, 3))) + self.position, 1)
        kernel = (shares.reshape(4, 1, 1, 1, 1) * self.kernels).sum(0)
        return self.mid(functional.conv2d(x, kernel, padding=1) + x)

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
