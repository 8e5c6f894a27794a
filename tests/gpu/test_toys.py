"""On a GPU: the same images as on the CPU, timed by its own events, from within the best isolation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toys
from pairs import smooth, write_pairs

pytestmark = pytest.mark.gpu

DECLARED = 'SUBMISSION = {"model": "Toy", "data_range": 1}'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("place")
    for id_, name in ((0, "RLFN"), (1, "Good")):
        toys.write_toy(place, id_, name, body=toys.toy(head=DECLARED), checkpoint=toys.state_dict())
    write_pairs(place / "images", "valid", [smooth(1), smooth(2, 100, 132)])
    return place


def evaluate(place: Path, device: str, environment: dict[str, str]) -> dict[str, Any]:
    words = ["run", "1", "--data-dir", "images", "--rounds", "1", "--device", device, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "from ntire_bench.cli import main; main()", *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(done.stdout)["records"]
    return item["record"]


def test_a_gpu_gives_what_the_cpu_gives(place: Path, sees_gpu: dict[str, str]) -> None:
    records = {device: evaluate(place, device, sees_gpu) for device in ("auto", "cpu")}
    machine = records["auto"]["environment"]
    assert (machine["device"], machine["clock"]) == ("cuda", "CUDA events")
    assert machine["device_name"] and machine["cuda"]
    assert records["cpu"]["environment"]["device"] == "cpu"
    for key in ("params", "flops"):
        assert records["auto"]["complexity"][key] == records["cpu"]["complexity"][key]
    pairs = [records[device]["splits"]["valid"]["per_image"] for device in ("auto", "cpu")]
    for on_gpu, on_cpu in zip(*pairs, strict=True):
        assert on_gpu["psnr_y_db"] == pytest.approx(on_cpu["psnr_y_db"], abs=0.01)
        assert on_gpu["runtime_ms"] > 0
