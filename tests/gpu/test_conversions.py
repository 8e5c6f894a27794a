"""Pixels that are converted on a GPU are those of the CPU, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_device import CPU, GPU, environment_for, program


@pytest.mark.parametrize("device", [CPU, GPU])
def test_pixels_are_those_of_the_cpu(device, request) -> None:
    script = Path(__file__).with_name("conversions.py")
    assert program([script, device], script.parent, environment_for(device, request)) == "the same\n"
