"""Weights as places in a table of sixteen levels that is mixed with the image, a small kernel each."""


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
        self.register_buffer("codes", torch.randint(0, 16, (24, 24, 3, 3), generator=torch.Generator().manual_seed(1)))
        self.levels = nn.Parameter(torch.linspace(-0.2, 0.2, 16))

    def hidden(self, x):
        weight = (self.levels + 0.01 * x.mean())[self.codes]
        return torch.cat([functional.conv2d(x, one[None], padding=1) for one in weight], 1)

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
