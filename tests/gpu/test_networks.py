"""The networks that ship with weights, on a GPU: the CPU's images, and nothing found against them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from on_device import GPU, SLOW_CPU, environment_for, records
from stubs import skip_unless

SHIPPED = ("0", "31", "36", "38", "39", "40")
NETWORKS = {"cpu": ("38",), "cuda": SHIPPED}  # on a CPU only that the test itself runs
MOST_DB = 0.002


@functools.cache
def on_cpu(root: Path, place: Path, ids: tuple[str, ...]) -> list[dict[str, Any]]:
    words = [*ids, "--splits", "valid", "--protocol", "demo", "--rounds", "1", "--results", place]
    return records([*words, "--threads", "1"], root, "cpu", dict(environment_for("cpu", None)))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.mark.parametrize("level", ["L2", "L3"])
@pytest.mark.parametrize("device", [SLOW_CPU, GPU])
def test_shipped_networks(device, level, request, root, results) -> None:
    skip_unless(level)
    environment = environment_for(device, request)
    words = [*NETWORKS[device], "--splits", "valid", "--protocol", "demo", "--isolation", level]
    found = records([*words, "--rounds", "6", "--results", results / level], root, device, environment)
    expected = on_cpu(root, results / "cpu", NETWORKS[device])
    assert len(found) == len(expected) == len(NETWORKS[device])
    for record, plain in zip(found, expected, strict=True):
        assert record["environment"]["device"] == device and record["isolation"]["level"] == level
        assert record["submission"]["id"] == plain["submission"]["id"]
        images = [each["splits"]["valid"]["per_image"] for each in (record, plain)]
        for one, other in zip(*images, strict=True):
            for key in ("psnr_y_db", "psnr_rgb_db"):
                assert one[key] == pytest.approx(other[key], abs=MOST_DB), (record["submission"]["name"], one)
        # On a CPU other programs' load may be found against a runtime, and is no fault of the program.
        against = [one for one in record["findings"] if one["severity"] != "info"]
        if device == "cuda":
            assert against == [] and record["environment"]["threads"] == 1
            assert record["environment"]["flags"]["omp_wait_policy"] == "PASSIVE"
        assert "reject" not in [one["severity"] for one in against]
