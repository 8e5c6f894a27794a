"""Pixels to a device and back: bit for bit what the CPU's own way gives, shown on tensors of the CPU."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
import torch

from ntire_bench.worker.network.pixels import from_table, level_table, to_planes, to_tensor, write_planes
from ntire_bench.worker.network.transfer import DeviceTransfer, HostTransfer

CPU = torch.device("cpu")


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(torch.int32)


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_each_level_is_what_numpy_divides_it_to(data_range):
    levels = np.arange(256, dtype=np.float32)
    expected = levels if data_range == 255.0 else levels / np.float32(255)
    assert level_table(data_range).numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("data_range", [1.0, 255.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (7, 300)])
def test_an_image_by_the_table_is_the_one_converted(data_range, height, width):
    random = np.random.default_rng(width)
    values = random.permutation(np.arange(height * width * 3) % 256).astype(np.uint8)
    image = values.reshape(height, width, 3)
    found = from_table(torch.from_numpy(image), level_table(data_range))
    expected = to_tensor(image, data_range)
    assert found.shape == expected.shape and found.dtype == torch.float32 and found.is_contiguous()
    assert torch.equal(bits(found), bits(expected))


@pytest.mark.parametrize("data_range", [1.0, 255.0])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_whole_planes_hold_what_blocks_of_them_hold(data_range, layout):
    random = np.random.default_rng(5)
    halves = random.integers(-40, 600, (1, 3, 40, 300)) / 2 * (data_range / 255)
    near = halves + random.normal(0, 1e-6, halves.shape)
    for values in (halves, near):
        output = torch.from_numpy(values.astype(np.float32)).contiguous(memory_format=layout)
        before = output.clone()
        buffer = torch.zeros(output.numel(), dtype=torch.uint8)
        write_planes(output, data_range, buffer)
        found = to_planes(output, data_range)
        assert found.is_contiguous() and torch.equal(found.view(-1), buffer)
        assert torch.equal(output, before)


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_both_ways_through_the_buffers_give_the_same(data_range):
    """From a buffer that cannot be written, as a worker's, and for images smaller than it."""
    shared = mmap.mmap(-1, 3 * 24 * 32)
    shared.write(np.random.default_rng(0).integers(0, 256, 3 * 24 * 32, np.uint8).tobytes())
    lr = np.frombuffer(memoryview(shared).toreadonly(), np.uint8)
    srs = [torch.full((3 * 24 * 32 * 16,), 7, dtype=torch.uint8) for _ in range(2)]
    ways = [HostTransfer(lr, srs[0]), DeviceTransfer(lr, srs[1], CPU, pinned=False)]
    for height, width in ((24, 32), (9, 5)):
        with torch.inference_mode():
            images = [way.take(height, width, data_range) for way in ways]
            assert torch.equal(bits(images[0]), bits(images[1]))
            for way, image in zip(ways, images, strict=True):
                way.give(image.repeat_interleave(4, 2).repeat_interleave(4, 3) * 1.1, data_range)
        assert torch.equal(*srs)


def test_what_was_taken_before_stays_as_it_was():
    lr = np.arange(12, dtype=np.uint8)
    way = DeviceTransfer(lr, torch.zeros(192, dtype=torch.uint8), CPU, pinned=False)
    first = way.take(2, 2, 255.0)
    lr += 1
    second = way.take(2, 2, 255.0)
    assert torch.equal(second, first + 1)
