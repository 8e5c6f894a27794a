"""What a record says of the machine."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from ntire_bench.machine import environment
from ntire_bench.worker.network import device


def test_a_worker_on_a_gpu_names_it_and_the_record_does_not(monkeypatch):
    properties = SimpleNamespace(uuid="12345678-1234-1234-1234-123456789abc", total_memory=80)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A GPU")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    told = device.describe(torch.device("cuda"))
    assert (told["gpu_uuid"], told["gpu_memory_bytes"]) == (properties.uuid, 80)
    assert environment.describe(told | {"gpu_unbounded": None}).device_name == "A GPU"
