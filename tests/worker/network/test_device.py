"""Torch's settings: the benchmark's, whatever a model file has done to them."""

from __future__ import annotations

import mmap
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from ntire_bench.worker import serve
from ntire_bench.worker.network import device

SETTINGS = (
    "import torch; from ntire_bench.worker.network import device; {changes}; device.apply_settings(1); "
    "found = device.settings(); print(found['float32_matmul_precision'], found['matmul_allow_tf32'])"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        "torch.backends.cuda.matmul.allow_tf32 = True; torch.set_float32_matmul_precision('high')",
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    ],
)
def test_both_ways_to_set_the_precision_of_products_are_undone(changes):
    code = SETTINGS.format(changes=changes)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["highest", "False"], done.stderr


@pytest.mark.parametrize(
    ("kind", "asked", "taken"), [("cuda", None, 1), ("cuda", 3, 3), ("cpu", None, 2), ("cpu", 3, 3)]
)
def test_a_worker_on_a_gpu_computes_with_one_thread_unless_it_is_told_otherwise(
    monkeypatch, kind, asked, taken
):
    before = torch.get_num_threads()
    worker = serve._Worker("cpu", mmap.mmap(-1, 16), mmap.mmap(-1, 16), allow_pickle=False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A GPU")
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="1234", total_memory=80)
    )
    worker.device = torch.device(kind)
    try:
        told = worker.hello(threads=asked, cpu_threads=2)
        assert (told["device"], told["threads"], told["flags"]["threads"]) == (kind, taken, taken)
        torch.set_num_threads(7)  # as a submission may
        worker.begin_round()
        assert torch.get_num_threads() == taken
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "index"), [("cuda", None), ("cuda:1", 1)])
def test_memory_of_a_gpu_is_bounded_as_a_share_of_what_it_has(monkeypatch, name, index):
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=80))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *words: asked.append(words))
    device.bound_memory(torch.device(name), 20)
    device.bound_memory(torch.device(name), 100)
    assert asked == [(0.25, index), (1.0, index)]
