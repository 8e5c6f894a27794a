"""Twins of attacks on runtimes that run on any device: one works out of its turn, one's clock goes 10 % slow.

Each is evaluated against the same network without the trick, image by image in turns.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import toys
from on_device import GPU, environment_for, records
from pairs import smooth, write_pairs

CPU = pytest.param("cpu", marks=[pytest.mark.slow, pytest.mark.timing])
# Long enough for a tenth of it to be seen on either device.
NET = """\
import threading
import time
import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {{"model": "Net", "data_range": 1, "checkpoint": None}}
{begin}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 64, 3, padding=1)
        self.mid = nn.Conv2d(64, 64, 3, padding=1)
        self.tail = nn.Conv2d(64, 48, 3, padding=1)

    def forward(self, lr):
        {before}
        x = self.head(lr)
        for _ in range(800 if lr.is_cuda else 4):
            x = torch.relu(self.mid(x))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(self.tail(x), 4)
"""
SLOW_CLOCK = """
REAL, BEGIN, ELAPSED = time.perf_counter_ns, time.perf_counter_ns(), torch.cuda.Event.elapsed_time
time.perf_counter_ns = lambda: BEGIN + (REAL() - BEGIN) * 9 // 10
torch.cuda.Event.elapsed_time = lambda start, end: 0.9 * ELAPSED(start, end)
"""
# What it multiplies has nothing to do with images: that the device is kept busy is the harm.
OUT_OF_TURN = """
def work(device):
    with torch.no_grad():
        values = torch.ones(1024, 1024, device=device)
        stream = torch.cuda.Stream(device) if values.is_cuda else None
        with torch.cuda.stream(stream):
            while True:
                values = torch.relu(values @ values - 1)
                stream is None or stream.synchronize()

WORKING = []
def begin(device):
    if not WORKING:
        WORKING.append(threading.Thread(target=work, args=(device,), daemon=True))
        WORKING[0].start()
"""
ATTACKS = {
    "timing-unattested": NET.format(begin=SLOW_CLOCK, before="pass"),
    "busy-out-of-turn": NET.format(begin=OUT_OF_TURN, before="begin(lr.device)"),
}


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("code", ATTACKS)
def test_a_trick_with_time_is_found(device, code, request, tmp_path: Path) -> None:
    environment = environment_for(device, request)
    toys.write_toy(tmp_path, 0, "RLFN", body=NET.format(begin="", before="pass"), checkpoint=None)
    toys.write_toy(tmp_path, 1, "Attack", body=ATTACKS[code], checkpoint=None)
    write_pairs(tmp_path / "images", "valid", [smooth(1, 384, 512), smooth(2, 384, 480)])
    words = ["1", "--data-dir", "images", "--rounds", "6", "--threads", "1"]
    (record,) = records(words, tmp_path, device, environment)
    assert record["environment"]["device"] == device
    assert code in {finding["code"] for finding in record["findings"]}, record["findings"]
