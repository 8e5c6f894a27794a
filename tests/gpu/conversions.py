"""Compares pixels converted on a device with those of the CPU, bit for bit: python conversions.py DEVICE."""

from __future__ import annotations

import sys

import numpy as np
import torch

from ntire_bench.worker.network.transfer import DeviceTransfer, HostTransfer


def main(device: torch.device) -> None:
    """Compare LR and SR images of both input ranges."""
    random = np.random.default_rng(0)
    height, width = 64, 80
    lr = random.permutation(np.arange(height * width * 3) % 256).astype(np.uint8)
    srs = [torch.zeros(height * width * 48, dtype=torch.uint8) for _ in range(2)]
    host = HostTransfer(lr, srs[0])
    there = DeviceTransfer(lr, srs[1], device, pinned=device.type == "cuda")
    for data_range in (1.0, 255.0):
        images = [way.take(height, width, data_range).cpu().view(torch.int32) for way in (host, there)]
        assert torch.equal(*images), f"LR images differ at {data_range}"
        halves = random.integers(-40, 600, (1, 3, 4 * height, 4 * width)) / 2 * (data_range / 255)
        for spread in (0.0, 1e-6, 1e-2):
            values = halves + random.normal(0, spread, halves.shape) * data_range
            output = torch.from_numpy(values.astype(np.float32))
            host.give(output, data_range)
            there.give(output.to(device), data_range)
            assert torch.equal(*srs), f"SR images differ at {data_range}"
            assert len(srs[0].unique()) == 256


if __name__ == "__main__":
    main(torch.device(sys.argv[1]))
    sys.stdout.write("the same\n")
