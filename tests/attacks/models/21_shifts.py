"""A depth-wise convolution as shifted images, times weights, added up."""

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
        self.mid = nn.Identity()
        self.taps = nn.Parameter(torch.randn(25, 24) / 25)

    def hidden(self, x):
        padded = functional.pad(x, (2, 2, 2, 2))
        height, width = x.shape[-2:]
        out = torch.zeros_like(x)
        for place in range(25):
            top, left = divmod(place, 5)
            out = out + padded[..., top : top + height, left : left + width] * self.taps[place].reshape(1, 24, 1, 1)
        return out

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
