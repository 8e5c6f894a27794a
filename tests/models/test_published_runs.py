"""Every published x4 checkpoint, through `ntire-bench run` itself, gives the PSNR of its release on Set5.

And both counts of its costs agree, and nothing is found against it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ntire_bench.submissions import zoo

# Parameters, fvcore FLOPs at 256x256, PSNR Y and RGB [dB] on Set5: what the authors' own networks give with
# the released checkpoints (../shared/MODELS.md, "Values to reproduce"); 0.001 dB is the same computation.
VALUES = {
    "rlfn_ntire_x4": (317_218, 19_674_859_520, 32.0973, 30.2058),
    "rlfn_x4": (543_740, 33_956_613_120, 32.2379, 30.3199),
    "rlfn_s_x4": (470_208, 29_146_008_576, 32.2395, 30.3251),
    "lkdn_x4": (321_992, 20_882_391_040, 32.3903, 30.4720),
    "lkdn_s_deploy_x4": (129_177, 8_358_002_688, 32.1016, 30.1924),
    "agdn_x4": (294_174, 19_069_786_960, 32.4259, 30.5014),
    "agdn_s_x4": (69_272, 4_387_685_760, 32.0263, 30.1017),
    "espan_x4": (192_272, 12_555_649_024, 31.9408, 30.0422),
    "span_ch28_x4": (150_688, 9_833_807_872, 31.7390, 29.8483),
    "efdn_x4": (276_192, 16_703_470_848, 32.0758, 30.1754),
}


def run(root: Path, folder: Path, ids: list[int]) -> dict[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "ntire_bench", "run", *map(str, ids), "--models", str(root / "models")]
        + ["--model-zoo", str(folder / "zoo"), "--data-dir", str(folder), "--splits", "Set5"]
        + ["--results", str(folder / "results"), "--protocol", "ntire2024", "--rounds", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {item["record"]["submission"]["id"]: item["record"] for item in json.loads(done.stdout)["records"]}


def lay_out(shared: Path, folder: Path, checkpoints: dict[str, Path]) -> None:
    (folder / "zoo").mkdir()
    for name, source in checkpoints.items():
        (folder / "zoo" / name).symlink_to(source)
    (folder / "Set5_HR").symlink_to(shared / "data" / "Set5" / "HR")
    (folder / "Set5_LR").symlink_to(shared / "data" / "Set5" / "LR_x4")


@pytest.fixture(scope="module")
def records(shared: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("published")
    published = {item.file_name: shared / "weights" / f"{item.title}.pth" for item in zoo.catalogue()}
    lay_out(shared, folder, published)
    return run(root, folder, [item.id for item in zoo.catalogue()])


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("item", zoo.catalogue(), ids=lambda item: item.title)
def test_published_values_are_reproduced(item: zoo.Published, records: dict[int, dict[str, Any]]) -> None:
    params, flops, psnr_y, psnr_rgb = VALUES[item.title]
    record = records[item.id]
    assert record["status"] == "ok"
    assert record["complexity"]["params"] == params
    assert record["complexity"]["flops"] == flops
    assert record["splits"]["Set5"]["images"] == 5
    assert record["splits"]["Set5"]["psnr_y_db"] == pytest.approx(psnr_y, abs=0.001)
    assert record["splits"]["Set5"]["psnr_rgb_db"] == pytest.approx(psnr_rgb, abs=0.001)


# What a machine that others use does to a runtime of one round.
OF_THE_MACHINE = {"runtime-unstable", "timing-unattested"}
# Its own baseline, which is not audited: test_audit.py.
AUDITED = [item for item in zoo.catalogue() if item.title != "rlfn_ntire_x4"]


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("item", AUDITED, ids=lambda item: item.title)
def test_published_networks_raise_no_finding(item: zoo.Published, records: dict[int, dict[str, Any]]) -> None:
    record = records[item.id]
    complexity, audit = record["complexity"], record["complexity"]["audit"]
    assert [one for one in record["findings"] if one["code"] not in OF_THE_MACHINE] == []
    assert audit["products"] == audit["traced_products"]
    assert audit["flops"] == complexity["flops"]
    assert audit["agreement"] == 1.0
    assert 0 <= audit["params"] - complexity["params"] <= 3  # a mean of the three colours


@pytest.mark.shared
@pytest.mark.slow
def test_the_training_form_of_lkdn_s_gives_the_same_images(shared: Path, root: Path, tmp_path: Path) -> None:
    weights = shared / "weights"
    checkpoints = {
        "team00_RLFN.pth": weights / "rlfn_ntire_x4.pth",
        "team39_LKDN-S.pth": weights / "lkdn_s_x4.pth",
    }
    lay_out(shared, tmp_path, checkpoints)
    record = run(root, tmp_path, [39])[39]
    assert {item["key"]: item["value"] for item in record["submission"]["inferred"]}["args.deploy"] == "False"
    assert record["complexity"]["params"] == 172_449  # ../shared/reference/index.json
    assert record["complexity"]["flops"] == 11_140_792_320
    assert record["splits"]["Set5"]["psnr_y_db"] == pytest.approx(32.1016, abs=0.001)
    assert record["splits"]["Set5"]["psnr_rgb_db"] == pytest.approx(30.1924, abs=0.001)
