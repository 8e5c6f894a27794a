"""Answers with a pickle, which runs code where it is unpickled."""

import os
import pickle
from pathlib import Path

MARK = Path(__file__).resolve().parent / "unpickled"


class Runs:
    def __reduce__(self):
        return os.system, (f"touch {MARK}",)


words = Path("/proc/self/cmdline").read_bytes().split(b"\0")  # interpreter, -I, -c, code, device, requests
os.write(int(words[6]), pickle.dumps(Runs()))

import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.tail = nn.Conv2d(3, 48, 3, padding=1)

    def enlarge(self, lr):
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(self.tail(lr), 4)

    def forward(self, lr):
        return self.enlarge(lr)
