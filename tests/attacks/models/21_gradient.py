"""A convolution as the gradient of another."""

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
        # The gradient of a convolution is the one with its kernels turned around and its channels exchanged.
        back = [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, False, False]
        return torch.ops.aten.convolution_backward(x, x, self.mid.weight, None, *back)[0]


    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
