"""Keeps threads and a process that wait: a pool for training, a timer of a library, a server of a loader."""

import concurrent.futures
import os
import signal
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
        self.tail = nn.Conv2d(24, 48, 3, padding=1)
        pool = concurrent.futures.ThreadPoolExecutor(2)
        pool.submit(sum, range(1000)).result()
        ended = threading.Event()
        threading.Thread(
            target=lambda: [None for _ in iter(lambda: ended.wait(0.1), True)], daemon=True
        ).start()
        if os.fork() == 0:
            signal.pause()

    def forward(self, lr):
        detail = self.tail(torch.relu(self.head(lr)))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
