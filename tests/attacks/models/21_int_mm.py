"""A 1x1 convolution in whole numbers."""

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
        self.head = nn.Conv2d(3, 64, 3, padding=1)
        self.tail = nn.Conv2d(64, 48, 3, padding=1)
        self.mid = nn.Identity()
        self.pointwise = nn.Parameter(torch.randn(64, 64))

    def hidden(self, x):
        pixels = (x.flatten(2)[0].T * 64).round().clamp(-128, 127).to(torch.int8)
        product = torch._int_mm(pixels, self.pointwise.round().to(torch.int8))
        return (product.float() / 64).T.reshape(1, 64, *x.shape[-2:])

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
