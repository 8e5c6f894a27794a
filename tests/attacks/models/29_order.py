"""Carries something from image to image."""

import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}

BEFORE = [0]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.tail = nn.Conv2d(3, 48, 3, padding=1)

    def enlarge(self, lr):
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(self.tail(lr), 4)

    def forward(self, lr):
        BEFORE[0] += 1
        return self.enlarge(lr) + 0.02 * min(BEFORE[0], 40)
