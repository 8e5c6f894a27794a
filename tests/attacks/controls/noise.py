"""Faint noise, and a branch for training only: outputs differ, and not because of its weights."""

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
        self.side = nn.Conv2d(24, 24, 1)

    def hidden(self, x):
        return self.mid(x) + self.side(x) if self.training else self.mid(x) + 1e-4 * torch.randn_like(x)

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
