"""A 1x1 convolution as a sum of exponentials of sums of logarithms."""


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
        logs = torch.log(x + 1e-3)
        return torch.logsumexp(logs[:, None] + self.weight[:, :, None, None], 2).exp()

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
