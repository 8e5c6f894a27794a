"""A 1x1 convolution as lengths of differences."""


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
        self.weight = nn.Parameter(torch.randn(24, 24, generator=torch.Generator().manual_seed(1)))

    def hidden(self, x):
        far = (x.repeat_interleave(24, 0) + self.weight[:, :, None, None]).square().sum(1)
        own = x.square().sum(1) + self.weight.square().sum(1)[:, None, None]
        return ((far - own) / 2)[None]

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
