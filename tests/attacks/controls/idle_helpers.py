"""Keeps threads that wait: a pool for training, and a timer, which wakes ten times a second."""

import concurrent.futures
import threading

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
        concurrent.futures.ThreadPoolExecutor(2).submit(sum, range(1000)).result()
        threading.Thread(target=self.tick, args=(threading.Event(),), daemon=True).start()

    def tick(self, ended):
        while not ended.wait(0.1):
            pass

    def forward(self, lr):
        x = torch.relu(self.head(lr))
        for _ in range(8):
            x = torch.relu(self.mid(x))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(self.tail(x), 4)
