"""Weights in a closure, a default argument, a class attribute and a view of bytes."""


import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}

def made():
    kept = torch.randn(6, 24, 3, 3, generator=torch.Generator().manual_seed(1)).numpy() / 15
    return lambda: torch.from_numpy(kept)


RAW = bytearray((torch.randn(6, 24, 3, 3, generator=torch.Generator().manual_seed(2)) / 15).numpy().tobytes())
first = made()


class Holder:
    bank = torch.randn(6, 24, 3, 3, generator=torch.Generator().manual_seed(3)) / 15


def last(bank=(torch.randn(6, 24, 3, 3, generator=torch.Generator().manual_seed(4)) / 15).tolist()):
    return torch.tensor(bank)



class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 24, 3, padding=1)
        self.tail = nn.Conv2d(24, 48, 3, padding=1)


    def hidden(self, x):
        second = torch.frombuffer(RAW, dtype=torch.float32).reshape(6, 24, 3, 3)
        weight = torch.cat((first(), second, Holder.bank, last()))
        return functional.conv2d(x, weight, padding=1)

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
