"""What processes hold of a GPU's memory, as a fake NVML tells it."""

from __future__ import annotations

import sys

import pytest
from nvml import FakeNvml

from ntire_bench.machine.gpu_memory import GpuMemory


@pytest.fixture
def nvml(monkeypatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_only_the_processes_asked_for_count(nvml):
    nvml.held = {10: 100, 11: 20, 12: 7000}
    for uuid in (nvml.uuid, f"GPU-{nvml.uuid}"):
        memory = GpuMemory(uuid)
        assert memory.held_by([10, 11, 99]) == 120 and memory.missing is None


def test_what_is_not_known_is_not_guessed(nvml):
    memory = GpuMemory(nvml.uuid)
    nvml.held = {7001: 100}
    assert memory.held_by([10]) is None
    assert memory.missing == "NVML does not list the worker by the id that it has here"
    nvml.held = {10: None}
    assert memory.held_by([10]) is None and "does not tell the memory" in str(memory.missing)
    nvml.silent = True
    assert memory.held_by([10]) is None and memory.missing == "NVML says 'Not Supported'"
    nvml.held, nvml.silent = {10: 5}, False
    assert memory.held_by([10]) == 5 and memory.missing is None


def test_a_gpu_that_nvml_does_not_know_is_told_so(nvml):
    absent = GpuMemory("MIG-1")
    assert absent.held_by([10]) is None and absent.missing == "NVML says 'Not Found'"
