"""The commands on a challenge's checkout, and the published networks in one."""

from __future__ import annotations

import json

import challenge_checkout as checkout
import numpy as np
import pytest
from challenge_branches import run_all
from PIL import Image
from places import ROOT

from ntire_bench.cli import wording


def test_list_tells_what_was_read(call, challenge_root):
    result = call("list", "--challenge-root", challenge_root)
    assert result.exit_code == 0
    assert "named '15_Range', range 255" in result.stdout
    assert "team19_NoCheckpoint.pth (missing)" in result.stdout
    document = json.loads(call("list", "--challenge-root", challenge_root, "--json").stdout)
    tiled = next(item for item in document["submissions"] if item["id"] == checkout.TILED)
    assert tiled["branch"]["tile"] == 32 and tiled["branch"]["missing"] == []


def test_a_checkout_and_a_models_folder_are_not_both_taken(call, challenge_root):
    result = call("list", "--challenge-root", challenge_root, "--models", challenge_root / "models")
    assert result.exit_code == 2
    assert "--challenge-root and --models are both given" in result.stderr


def test_check_loads_a_branch_in_its_worker(call, challenge_root):
    result = call("check", checkout.PADDED, "--challenge-root", challenge_root)
    assert result.exit_code == 0, result.output
    assert "forward = forward_team13(model, img_lr): as run() of test_demo.py runs it" in result.stdout
    assert "parameters   3,728" in result.stdout
    result = call("check", checkout.POINTER, "--challenge-root", challenge_root)
    assert result.exit_code == 1
    assert "is a Git LFS pointer" in result.stderr


@pytest.mark.slow
def test_run_goes_on_after_a_branch_that_fails(call, challenge_root, images, tmp_path):
    ids = [checkout.POINTER, checkout.TILED]
    options = ["--protocol", "sample", "--rounds", 1, "--data-dir", images, "--results", tmp_path / "results"]
    result = call(
        "run", *ids, "--challenge-root", challenge_root, *options, "--save-dir", tmp_path / "sr", "--json"
    )
    assert result.exit_code == 1, result.output
    failed, done = (item["record"] for item in json.loads(result.stdout)["records"])
    assert (failed["status"], failed["error"]["phase"]) == ("failed", "load")
    assert "is a Git LFS pointer" in failed["error"]["message"]
    assert (done["status"], done["submission"]["name"], done["submission"]["tile"]) == ("ok", "Tiled", 32)
    assert done["baseline"]["submission"]["name"] == "RLFN_baseline"
    assert len(done["submission"]["sources_sha256"]) == 64
    (tmp_path / "alone").mkdir()
    expected = run_all("ours", challenge_root, images, tmp_path / "alone", [checkout.TILED])
    saved = sorted((tmp_path / "sr" / "14_Tiled").rglob("*.png"))
    assert [np.asarray(Image.open(file)).tobytes() for file in saved] == [
        image.tobytes() for image in expected[checkout.TILED][1]
    ]

    again = call("run", *ids, "--challenge-root", challenge_root, *options, "--resume", "--json")
    document = json.loads(again.stdout)
    # The failed one is tried again, and what is not believed as the machine was busy.
    tried = [checkout.TILED] * (not done["timing"]["attested"]) + [checkout.POINTER]
    assert len(document["already_done"]) == 2 - len(tried)
    assert sorted(item["record"]["submission"]["id"] for item in document["records"]) == sorted(tried)


@pytest.mark.slow
def test_gate_judges_a_branch(call, challenge_root, images):
    options = ["--challenge-root", challenge_root, "--data-dir", images, "--protocol", "sample"]
    result = call("gate", checkout.PARAMS, *options, "--baseline", checkout.PARAMS)
    assert result.exit_code in (0, 1), result.output
    assert "03_Params" in result.stdout
    result = call("gate", "--changed", "main", *options)
    assert result.exit_code == 2
    assert "--changed does not go with --challenge-root" in result.stderr


def test_lines_of_a_catalogue_name_the_branch(catalogue):
    lines = list(wording.catalogue_lines(catalogue))
    assert any("test_demo.py, line " in line for line in lines)
    assert lines[-1] == catalogue.ignored[0]


# Parameters, fvcore FLOPs at 256x256, PSNR Y and RGB [dB] on Set5: what the authors' own networks give with
# the released checkpoints (../shared/MODELS.md, "Values to reproduce"); 0.001 dB is the same computation.
PUBLISHED = {
    31: ("team31_AGDN-S.py", "AGDN", "agdn_s_x4", (69_272, 4_387_685_760, 32.0263, 30.1017)),
    38: ("team38_SPAN.py", "SPAN", "span_ch28_x4", (150_688, 9_833_807_872, 31.7390, 29.8483)),
}


@pytest.mark.shared
@pytest.mark.slow
def test_published_networks_in_a_checkout_give_their_published_values(call, shared, tmp_path):
    checkout_root = tmp_path / "checkout"
    for folder in ("models", "model_zoo"):
        (checkout_root / folder).mkdir(parents=True)
    chain = ""
    for id_, (file, network, title, _) in PUBLISHED.items():
        source = ROOT / "models" / file
        (checkout_root / "models" / file).write_bytes(source.read_bytes())
        (checkout_root / "model_zoo" / f"{title}.pth").symlink_to(shared / "weights" / f"{title}.pth")
        chain += (
            f"    {'elif' if chain else 'if'} model_id == {id_}:\n"
            f"        net = importlib.import_module('models.{file.removesuffix('.py')}').{network}()\n"
            f"        name, data_range = f'{{model_id:02}}_{network}', 1.0\n"
            f"        state = torch.load(os.path.join('model_zoo', '{title}.pth'))\n"
            "        net.load_state_dict(state.get('params_ema', state.get('params', state)), strict=True)\n"
            "        model = net.cuda()\n"
        )
    head, tail = (
        checkout.script().split("    if model_id == 0:")[0],
        checkout.script().split("    else:\n", 1)[1],
    )
    (checkout_root / "test_demo.py").write_text(f"{head}{chain}    else:\n{tail}")
    for side, name in (("HR", "HR"), ("LR", "LR_x4")):
        (tmp_path / f"Set5_{side}").symlink_to(shared / "data" / "Set5" / name)
    options = ["--data-dir", tmp_path, "--splits", "Set5", "--protocol", "ntire2024", "--rounds", 1]
    options += ["--baseline", 38, "--results", tmp_path / "results", "--json"]
    result = call("run", *PUBLISHED, "--challenge-root", checkout_root, *options)
    assert result.exit_code == 0, result.output
    records = {
        item["record"]["submission"]["id"]: item["record"] for item in json.loads(result.stdout)["records"]
    }
    for id_, (_, _, title, (params, flops, psnr_y, psnr_rgb)) in PUBLISHED.items():
        record = records[id_]
        assert (record["complexity"]["params"], record["complexity"]["flops"]) == (params, flops)
        assert record["splits"]["Set5"]["psnr_y_db"] == pytest.approx(psnr_y, abs=1e-3)
        assert record["splits"]["Set5"]["psnr_rgb_db"] == pytest.approx(psnr_rgb, abs=1e-3)
        assert record["submission"]["checkpoint"].endswith(f"{title}.pth")
