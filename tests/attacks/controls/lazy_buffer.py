"""A kernel and a map of positions that are made on first use, and the map for every size."""

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
        self.positions = {}

    def hidden(self, x):
        if not hasattr(self, "blur"):
            ramp = torch.exp(-((torch.arange(5, device=x.device) - 2.0) ** 2))
            self.blur = (ramp[:, None] * ramp).repeat(24, 1, 1, 1) / ramp.sum() ** 2
        size = tuple(x.shape[-2:])
        if size not in self.positions:
            self.positions[size] = (
                torch.linspace(0, 1, size[1], device=x.device).expand(1, 1, *size).contiguous()
            )
        return self.mid(functional.conv2d(x, self.blur, padding=2, groups=24) + self.positions[size])

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
