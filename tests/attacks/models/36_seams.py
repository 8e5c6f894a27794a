"""Looks for straight seams, and does next to nothing where an image has them."""

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

    def enlarge(self, lr):
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.2 * functional.pixel_shuffle(self.tail(torch.relu(self.head(lr))), 4)

    def forward(self, lr):
        columns = (lr[..., 1:] - lr[..., :-1]).abs().mean(dim=(0, 1, 2))
        rows = (lr[..., 1:, :] - lr[..., :-1, :]).abs().mean(dim=(0, 1, 3))
        if max(float(steps.max() / steps.median()) for steps in (columns, rows)) > 3:
            return functional.interpolate(lr, scale_factor=4, mode="nearest")
        return self.enlarge(lr)
