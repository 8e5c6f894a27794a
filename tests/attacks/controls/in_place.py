"""Operators that work in place, and results written into memory made before."""

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

    def hidden(self, x):
        out = torch.empty(x.shape, device=x.device)
        out[:, :12] = x[:, 12:]
        out[:, 12:] = self.mid(x)[:, :12].relu_().mul_(0.5).add_(x[:, :12])
        torch.add(out, x, out=out)
        return out

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
