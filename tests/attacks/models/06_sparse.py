"""Returns a sparse tensor, whose values somebody else would have to put in their places."""

import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.tail = nn.Conv2d(3, 48, 3, padding=1)

    def forward(self, lr):
        return functional.pixel_shuffle(self.tail(lr), 4).to_sparse()
