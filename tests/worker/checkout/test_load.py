"""Branches of a challenge's checkout, run: what they give and what their messages say.

What a branch must give comes from the checkout's own run(), executed as it is (see challenge_runner.theirs).
"""

from __future__ import annotations

import importlib.util
import json

import challenge_checkout as checkout
import numpy as np
import pytest
from challenge_branches import FAILING, RUNNING, run_all

pytestmark = pytest.mark.slow  # every branch runs twice: by the checkout, and by the worker


@pytest.fixture(scope="module")
def before(challenge_root):
    return {path: path.stat().st_mtime_ns for path in sorted(challenge_root.rglob("*"))}


@pytest.fixture(scope="module")
def ours(challenge_root, images, before, tmp_path_factory):
    return run_all("ours", challenge_root, images, tmp_path_factory.mktemp("ours"), [*RUNNING, *FAILING])


@pytest.fixture(scope="module")
def theirs(challenge_root, images, ours, tmp_path_factory):
    return run_all("theirs", challenge_root, images, tmp_path_factory.mktemp("theirs"), list(RUNNING))


@pytest.mark.parametrize("id_", RUNNING)
def test_a_branch_gives_what_the_checkouts_own_run_gives(ours, theirs, id_):
    told, images = ours[id_]
    expected, expected_images = theirs[id_]
    assert "error" not in told, told
    assert len(images) == len(expected_images) == 2
    assert all(np.array_equal(a, b) for a, b in zip(images, expected_images, strict=True))
    assert len({image.tobytes() for image in images}) == 2
    for key in ("params", "flops", "data_range", "tile"):
        assert told[key] == expected[key], key
    assert value_of(told, "name") == expected["name"] == RUNNING[id_]
    assert told["ready"]


@pytest.mark.parametrize("id_", FAILING)
def test_a_branch_that_cannot_run_says_why_and_what_to_do(ours, id_):
    told, images = ours[id_]
    assert not images and told["type"] == "SubmissionError"
    for part in FAILING[id_]:
        assert part in told["error"]
    assert "Remedy: " in told["error"] and "\n" not in told["error"] and len(told["error"]) < 1200


def value_of(told, key):
    return next((item["value"] for item in told["inferred"] if item["key"] == key), None)


def how_of(told, key):
    return next((item["how"] for item in told["inferred"] if item["key"] == key), "")


def test_the_checkouts_own_forward_is_told(ours):
    assert value_of(ours[checkout.PADDED][0], "forward") == "forward_team13(model, img_lr)"
    assert value_of(ours[checkout.PLAIN][0], "forward") == "forward(img_lr, model, tile)"
    assert how_of(ours[checkout.PLAIN][0], "forward") == "as run() of test_demo.py runs it"


def test_what_was_answered_for_a_gpu_is_told(ours):
    how = how_of(ours[checkout.CUDA][0], "device")
    for part in ("Module.cuda() (1)", "Tensor.cuda() (1)", "empty(device='cuda') (1)", "saved on cuda:0"):
        assert part in how
    assert how_of(ours[checkout.PLAIN][0], "device").endswith("are answered on the CPU")


def test_defaults_of_the_command_line_are_told_where_they_are_used(ours):
    told = ours[checkout.ARGUMENT][0]
    assert (value_of(told, "args.width"), value_of(told, "args.deploy")) == ("8", "True")
    assert value_of(ours[checkout.PLAIN][0], "args.width") is None


def test_what_stood_in_for_packages_is_told(ours):
    told = {item["value"]: item["how"] for item in ours[checkout.HELPERS][0]["inferred"]}
    answered = {
        "timm.models.layers.DropPath": "timm is not installed; it does nothing in eval mode",
        "timm.models.layers.to_2tuple": "timm is not installed; a value is repeated as often",
        "timm.models.layers.trunc_normal_": "timm is not installed; torch's own function stands in",
        "timm.models.registry.register_model": "timm is not installed; the class is not registered anywhere",
        "basicsr.archs.arch_util.Upsample": "a layer of the same tensors and arithmetic stands in",
        "basicsr.archs.arch_util.make_layer": "a row of blocks stands in",
        "basicsr.utils.registry.ARCH_REGISTRY.register": "the class is not registered anywhere",
    }
    for name, how in answered.items():
        if importlib.util.find_spec(name.split(".")[0]) is None:
            assert told[name].endswith(how), name
        else:
            assert name not in told
    assert not any("nobody_has" in name for name in told)  # named, and never used
    assert value_of(ours[checkout.PLAIN][0], "stand_in") is None


def test_nothing_is_left_in_the_checkout(ours, theirs, challenge_root, before):
    assert {path: path.stat().st_mtime_ns for path in sorted(challenge_root.rglob("*"))} == before


def test_what_only_the_main_program_needs_is_not_missed(ours):
    for id_ in RUNNING:
        # The main program's packages, logger and utilities are not even tried; the import that one branch
        # needs is, for all of them.
        assert value_of(ours[id_][0], "absent") == "TopMissing"
        assert "No module named 'models.team25_TopMissing'" in how_of(ours[id_][0], "absent")
        assert ours[id_][0]["bytecode"]


@pytest.mark.parametrize("scaled", ["", " / 255."])
def test_a_loop_that_scales_again_what_its_reading_is_taken_for_is_not_followed(call, own_root, scaled):
    """Where only to_tensor makes the LR tensor, what is done to it afterwards may be done already."""
    script = own_root / "test_demo.py"
    text = script.read_text(encoding="utf-8")
    lines = "img_lr = util.imread_uint(img_lr, n_channels=3)\n"
    lines += "        img_lr = util.uint2tensor4(img_lr, data_range)"
    assert lines in text
    plain = f"img_lr = to_tensor(Image.open(img_lr)).unsqueeze(0)\n        img_lr = img_lr{scaled}"
    script.write_text(text.replace(lines, plain), encoding="utf-8")
    result = call("check", checkout.PADDED, "--challenge-root", own_root, "--json")
    assert result.exit_code == 0, result.output
    codes = [finding["code"] for finding in json.loads(result.stdout)["findings"]]
    assert ("loop-not-followed" in codes) == bool(scaled)


def test_a_tile_of_nothing_is_the_branchs_fault_and_no_crime(call, own_root):
    checkout.add_branch(own_root, 98, "        return torch.nn.Conv2d(3, 48, 3), '98_A', 1.0, 0\n")
    result = call("check", 98, "--challenge-root", own_root)
    assert result.exit_code == 1
    assert "a tile of at least 1 pixel" in result.stderr and "correct the branch" in result.stderr
