"""A 1x1 convolution whose features are multiplied by plain numbers, which are written as text."""

import random

import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}
TEXT = " ".join(str(random.Random(n).gauss(0, 0.2)) for n in range(24 * 24))  # as if it were written here


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 24, 3, padding=1)
        self.tail = nn.Conv2d(24, 48, 3, padding=1)


    def hidden(self, x):
        numbers = [float(word) for word in TEXT.split()]
        parts = x[0].unbind(0)
        rows = (numbers[24 * row : 24 * row + 24] for row in range(24))
        return torch.stack([sum(part * one for part, one in zip(parts, row, strict=True)) for row in rows])[None]

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
