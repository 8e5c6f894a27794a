"""A model file and its checkpoint to a network: declared, by build_model(), or from the checkpoint alone."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import torch
import toys
from PIL import Image
from toys import found, state_dict, toy, write_toy

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.declaration import Declaration
from ntire_bench.worker.loading import load as loader

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def probe():
    """A smooth LR image with a few edges, uint8 HWC."""
    y, x = np.mgrid[0:40, 0:44]
    planes = [127 + 90 * np.sin(x / 6 + c) * np.cos(y / (5 + c)) + 30 * ((x + y) % 22 > 11) for c in range(3)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


@pytest.fixture
def load(tmp_path, probe):
    """Writes a toy submission and loads it."""

    def loads(body=toys.TOY, **options):
        write_toy(tmp_path, body=body, **options)
        return toys.load(found(tmp_path), probe)

    return loads


@pytest.fixture
def refusal(load):
    """Writes a toy submission, and returns the message with which it is refused."""

    def refuses(body=toys.TOY, **options):
        with pytest.raises(SubmissionError) as caught:
            load(body, **options)
        message = str(caught.value)
        assert "team05_Toy" in message
        assert "Remedy: " in message
        assert "\n" not in message
        assert len(message) < 1200
        return message

    return refuses


def inferred(loaded):
    return {item.key: item.value for item in loaded.inferred}


BUILDS = "\n\ndef build_model(channels=8):\n    return Toy(channels)\n"
TWO = "\n\nclass Other(Toy):\n    pass\n"


# Which class


def test_without_a_word_class_and_range_are_inferred_and_told(load):
    loaded = load()
    assert loaded.model == "Toy"
    assert inferred(loaded) == {"model": "Toy", "data_range": "1"}
    assert all(item.how for item in loaded.inferred)
    assert loaded.findings == []


def test_the_checkpoint_is_in_the_network(load):
    weights = state_dict()
    loaded = load(checkpoint=weights)
    assert all(torch.equal(v, weights[k]) for k, v in loaded.upscaler.network.state_dict().items())


def test_the_network_is_ready_to_be_measured(load):
    network = load().upscaler.network
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_declaration_leaves_nothing_to_infer(load):
    loaded = load(toys.DECLARED)
    assert loaded.inferred == []
    assert loaded.upscaler.data_range == 1.0


def test_a_declaration_goes_before_build_model_and_that_before_inference(load):
    assert load(toys.TOY + BUILDS).model == "build_model"
    assert load('SUBMISSION = {"model": "Toy"}\n' + toys.TOY + BUILDS).model == "Toy"
    assert load('SUBMISSION = {"data_range": 1}\n' + toys.TOY + BUILDS).model == "build_model"


def test_a_function_can_be_declared(load):
    make = "\n\ndef make(width):\n    return Toy(width)\n"
    loaded = load('SUBMISSION = {"model": "make", "args": {"width": 8}}\n' + toys.TOY + make)
    assert loaded.model == "make"
    assert set(inferred(loaded)) == {"data_range"}


def test_toml_declares_as_well(load, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "team05_Toy.toml").write_text('model = "Toy"\ntile = 64\npad_to = 8\n')
    loaded = load(toys.TOY + TWO)
    assert (loaded.model, loaded.upscaler.tile, loaded.upscaler.pad_to) == ("Toy", 64, 8)
    assert loaded.upscaler.pad_declared


def test_arguments_are_derived_and_told(load):
    loaded = load(checkpoint={"params_ema": state_dict(channels=12)})
    assert inferred(loaded) == {
        "model": "Toy",
        "args.channels": "12",
        "state_key": "params_ema",
        "data_range": "1",
    }


def test_build_model_gets_arguments_derived_too(load):
    loaded = load(toys.TOY + BUILDS, checkpoint=state_dict(channels=20))
    assert inferred(loaded)["args.channels"] == "20"


@pytest.mark.parametrize("wrap", ["params", "params_ema", "state_dict", "model"])
def test_checkpoints_of_data_parallel_training(load, wrap):
    weights = {f"module.{name}": tensor for name, tensor in state_dict().items()}
    loaded = load(checkpoint={wrap: weights, "epoch": 3})
    assert inferred(loaded)["state_key"] == wrap
    assert inferred(loaded)["prefix"] == "module."


def test_safetensors_with_and_without_prefix(load):
    assert "state_key" not in inferred(load(suffix=".safetensors"))
    weights = {f"module.{name}": tensor for name, tensor in state_dict().items()}
    assert "prefix" in inferred(load(suffix=".safetensors", checkpoint=weights))


def test_helper_classes_do_not_disturb(load):
    helpers = "\n\nclass Part(nn.Module):\n    def __init__(self, conv, act):\n        super().__init__()\n"
    assert load(toys.TOY + helpers).model == "Toy"


def test_imported_classes_are_not_candidates(load):
    assert load("from torch.nn import Conv2d, Module, Sequential\n" + toys.TOY).model == "Toy"


def test_of_two_classes_that_fit_the_one_named_as_the_file_is_taken(load):
    loaded = load(toys.TOY + TWO)
    assert loaded.model == "Toy"
    assert "Toy, Other" in loaded.inferred[0].how


def test_two_classes_that_fit_ask_for_a_declaration(refusal):
    body = toys.TOY.replace("Toy", "Some") + TWO.replace("Toy", "Some").replace(
        "pass", "def forward(self, lr):\n        return (super().forward(lr) + 0.008).clamp(0, 1)"
    )
    message = refusal(body, network="Some")
    assert "several classes take the checkpoint strictly" in message
    assert "found Some, Other (Some: " in message
    assert 'SUBMISSION = {"model": "Some"}' in message
    assert '`model = "Some"` or `model = "Other"`' in message


def test_two_classes_that_do_the_same_are_one_answer(load):
    loaded = load(toys.TOY.replace("Toy", "Some") + TWO.replace("Toy", "Some"), network="Some")
    assert loaded.model == "Some"
    assert "give the same image at the same cost" in loaded.inferred[0].how


def test_the_network_that_was_saved_goes_before_a_part_of_it(load):
    outer = """

class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Toy()

    def forward(self, lr):
        return self.model(lr)
"""
    body = toys.TOY.replace("Toy", "Inner") + outer.replace("Toy", "Inner")
    loaded = load(body, network="Outer")
    assert loaded.model == "Outer"


# What is refused


def test_a_checkpoint_of_another_network(refusal):
    message = refusal(checkpoint={"params": {"conv.weight": torch.ones(3, 3, 1, 1)}})
    assert "no network of this file takes team05_Toy.pth strictly" in message
    assert "the 1 tensors of the checkpoint (state dict at params)" in message
    assert "none or few of the names (first conv.weight) in Toy" in message
    assert "put the matching checkpoint into model_zoo/" in message


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


def test_a_checkpoint_that_nearly_fits_names_the_difference(refusal):
    message = refusal(checkpoint=without(state_dict(channels=12), "tail.bias"))
    assert "Toy(channels=12): 1 missing in the checkpoint (first tail.bias)" in message
    assert "ways to build the network were tried" in message


def test_a_refusal_comes_soon(refusal):
    begin = time.perf_counter()
    refusal(checkpoint=without(state_dict(), "tail.bias"))
    assert time.perf_counter() - begin < 5.0  # 0.1 s on one idle core


def test_declared_arguments_that_do_not_fit(refusal):
    message = refusal('SUBMISSION = {"model": "Toy", "args": {"channels": 4}}\n' + toys.TOY)
    assert "Toy(channels=4): 3 of another shape" in message


def test_declared_arguments_that_the_constructor_refuses(refusal):
    message = refusal('SUBMISSION = {"model": "Toy", "args": {"channels": "x"}}\n' + toys.TOY)
    assert "Toy(channels='x'): TypeError" in message


def test_a_declared_model_that_is_not_there(refusal):
    message = refusal('SUBMISSION = {"model": "Net"}\n' + toys.TOY)
    assert "SUBMISSION declares the model 'Net'" in message
    assert "found Toy" in message


def test_a_declared_model_that_is_no_network(refusal):
    message = refusal('SUBMISSION = {"model": "make"}\n' + toys.TOY + "\n\ndef make():\n    return 5\n")
    assert "make(): gives a int, not an nn.Module" in message


def test_no_class_at_all(refusal):
    assert "defines no nn.Module" in refusal("x = 1", checkpoint=state_dict())


def test_without_checkpoint_the_class_must_be_declared(refusal):
    message = refusal('SUBMISSION = {"checkpoint": None}\n' + toys.SCALE_FREE, checkpoint=None)
    assert "does not say which class is the network" in message
    assert 'SUBMISSION = {"model": "Toy"}' in message


def test_a_declared_class_without_checkpoint(load):
    body = 'SUBMISSION = {"model": "Toy", "checkpoint": None, "args": {"channels": 3}}\n' + toys.SCALE_FREE
    loaded = load(body, checkpoint=None)
    assert loaded.upscaler.network.head.weight.shape[0] == 3


def test_a_constructor_that_fails_without_checkpoint(refusal):
    body = 'SUBMISSION = {"model": "Toy", "checkpoint": None, "args": {"chanels": 3}}\n' + toys.SCALE_FREE
    assert "Toy(chanels=3) raises; found TypeError" in refusal(body, checkpoint=None)
    body = 'SUBMISSION = {"model": "make", "checkpoint": None}\ndef make():\n    return 5\n'
    assert "make gives no network; expected an nn.Module; found int" in refusal(body, checkpoint=None)


# Loading that is not strict


LOOSE = 'SUBMISSION = {"model": "Toy", "strict": False, "data_range": 1}\n' + toys.TOY


@pytest.mark.parametrize("prefix", ["", "module."])
def test_not_strict_loads_what_fits_and_says_so(load, prefix):
    weights = {f"{prefix}{name}": tensor for name, tensor in state_dict().items() if name != "tail.bias"}
    loaded = load(LOOSE, checkpoint={"params": {**weights, f"{prefix}ops": torch.ones(1)}})
    assert torch.equal(loaded.upscaler.network.head.weight, state_dict()["head.weight"])
    (finding,) = loaded.findings
    assert finding.code == "checkpoint-not-strict"
    assert "1 missing in the checkpoint (first tail.bias), 1 unknown to the network" in finding.message


def test_not_strict_with_all_that_is_needed_has_no_finding(load):
    assert load(LOOSE).findings == []


def test_not_strict_is_no_licence_to_load_nothing(refusal):
    message = refusal(LOOSE, checkpoint={"conv.weight": torch.ones(3)})
    assert "has not one tensor of the network" in message
    assert "head.weight" in message
    assert "conv.weight" in message


def test_not_strict_does_not_change_shapes(refusal):
    message = refusal(LOOSE, checkpoint=state_dict(channels=4))
    assert "does not fit the network, even with strict = False" in message
    assert "3 of another shape" in message


# The file itself


def test_an_import_that_fails_is_told_with_its_line(refusal):
    assert "(team05_Toy.py, line 2)" in refusal("x = 1\n1 / 0\n", checkpoint={})
    message = refusal("\n\nfrom no_such_package import x\n", checkpoint=state_dict())
    assert "needs a package that is not installed" in message
    assert "No module named 'no_such_package'" in message
    assert "raises when it is imported; found SystemExit" in refusal("raise SystemExit('bye')", checkpoint={})
    message = refusal("from .helper import x", checkpoint=state_dict())
    assert "needs another file; found .helper is another file" in message


def test_names_with_hyphens_and_unicode_can_be_imported(tmp_path):
    for name in ("AGDN-S", "Überauflösung", "v1.5"):
        file = write_toy(tmp_path, name=name)
        assert loader.import_file(file).Toy.__module__ == f"submission_team05_{name}"


def test_dataclasses_of_a_model_file_find_their_module(tmp_path):
    body = "from __future__ import annotations\nimport dataclasses\n\n"
    body += "@dataclasses.dataclass\nclass A:\n    x: int\n"
    assert loader.import_file(write_toy(tmp_path, body=body, checkpoint={})).A(3).x == 3


def test_the_folder_of_the_models_is_not_importable(refusal, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "helper_of_a_team.py").write_text("x = 1\n")
    assert "not installed" in refusal("import helper_of_a_team\n", checkpoint=state_dict())
    assert "helper_of_a_team" not in sys.modules


def test_an_eval_that_returns_nothing_is_no_harm(load):
    forgets = "\n    def train(self, mode=True):\n        super().train(mode)\n"
    assert not load(toys.TOY + forgets).upscaler.network.training


def test_an_eval_that_fails_is_told(refusal):
    fails = "\n    def train(self, mode=True):\n        raise ValueError('never trained')\n"
    assert "cannot be put into eval mode on cpu; found ValueError: never trained" in refusal(toys.TOY + fails)


def test_code_in_a_checkpoint_is_not_run_on_the_way(refusal, tmp_path):
    trap = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return open, (str(trap), "w")

    assert "the Python object" in refusal(checkpoint={"params": state_dict(), "x": Evil()})
    assert not trap.exists()


# The input range


def test_range_1_and_255(load):
    assert load(toys.TOY).upscaler.data_range == 1.0
    assert load(toys.RANGE_255).upscaler.data_range == 255.0


def test_a_network_to_which_the_range_is_all_the_same(load):
    loaded = load(toys.SCALE_FREE)
    assert loaded.upscaler.data_range == 1.0
    assert "both ranges give the same image" in loaded.inferred[-1].how


def test_a_network_that_works_at_either_range_is_asked(refusal):
    message = refusal(toys.EITHER_RANGE)
    assert "its input range cannot be determined" in message
    assert re.search(r"found \d+\.\d dB at range 1, \d+\.\d dB at range 255", message)
    assert message.endswith('Remedy: declare it: SUBMISSION = {"data_range": 1} (or 255).')


@pytest.mark.parametrize(
    "change", ["sr = sr * 0", "sr = 1 - sr", "sr = torch.rand_like(sr)", "sr = sr.flip(-1)"]
)
def test_a_network_that_works_at_neither_range_is_asked_too(refusal, change):
    message = refusal(toy(change))
    assert "its input range cannot be determined" in message
    assert "check that the checkpoint is trained" in message


def test_a_network_that_fails_at_the_wrong_range_only(load):
    loaded = load(toy("sr = sr / (lr.max() <= 1).float()"))  # infinite at 255
    assert loaded.upscaler.data_range == 1.0
    assert "it fails at range 255" in loaded.inferred[-1].how


def test_a_network_that_fails_at_both_ranges_says_how(refusal):
    assert "a toy that fails (team05_Toy.py, line " in refusal(toys.RAISES)
    assert "expected an SR image of 1x3x160x176; found 1x3x40x44" in refusal(toys.TOO_SMALL)
    assert "a denoiser is measured with --protocol dn50" in refusal(toys.TOO_SMALL)


@pytest.mark.parametrize(
    ("error_1", "error_255", "told"),
    [  # how much too bright the SR image is, of white, at either range: 0.02 is 34 dB, 0.07 is 23 dB
        (0.02, 0.07, "1"),
        (0.07, 0.02, "255"),
        (0.01, 0.01, None),
        (0.02, 0.03, None),  # 3.5 dB apart, as small networks that add a residual to an enlarged input are
        (0.03, 0.02, None),
        (0.07, 0.3, None),  # clearly apart, but neither is good
    ],
)
def test_only_a_clear_lead_of_a_good_image_counts(load, error_1, error_255, told):
    scaled = f"sr = sr + ({error_1} if lr.max() <= 1 else {error_255} * 255)"
    if told is not None:
        assert inferred(load(toy(scaled)))["data_range"] == told
        return
    with pytest.raises(SubmissionError, match="its input range cannot be determined"):
        load(toy(scaled))


def test_a_declared_range_is_not_doubted(load):
    assert load('SUBMISSION = {"data_range": 255}\n' + toys.TOY).upscaler.data_range == 255.0


def test_the_probe_finds_the_padding_on_the_way(load):
    window = toy("sr = sr.clamp(0, 1)\n        assert lr.shape[-1] % 8 == 0 == lr.shape[-2] % 8, 'windows'")
    assert load(window).upscaler.found_pads == {(40, 44): 8}


# Published networks


def inferred_without_declaration(file, checkpoint, folder, image):
    text = re.sub(r"^SUBMISSION = .*$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert text != file.read_text(encoding="utf-8")
    copy = folder / file.name
    copy.write_text(text, encoding="utf-8")
    return loader.load(copy, "RLFN", checkpoint, Declaration(), scale=4, device=CPU, probe=image)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("weights", "args"),
    [
        ("rlfn_ntire_x4", {}),
        ("rlfn_x4", {"args.blocks": "6", "args.channels": "52", "args.middle": "52"}),
        ("rlfn_s_x4", {"args.blocks": "6", "args.channels": "48"}),
    ],
)
@pytest.mark.parametrize("image", ["butterflyx4", "headx4"])
def test_published_rlfn_checkpoints_need_no_declaration(shared, root, tmp_path, weights, args, image):
    # Sizes and range: RLFN paper, section 4.4 (challenge entry) and 4.1; the released code multiplies by 255.
    # At range 1, rlfn_x4 gives an image closer to the bicubic enlargement than at its own range.
    lr = np.array(Image.open(shared / "data" / "Set5" / "LR_x4" / f"{image}.png").convert("RGB"))
    file, checkpoint = root / "models" / "team00_RLFN.py", shared / "weights" / f"{weights}.pth"
    loaded = inferred_without_declaration(file, checkpoint, tmp_path, np.ascontiguousarray(lr[:64, :70]))
    assert inferred(loaded) == {"model": "RLFN", **args, "data_range": "255"}


def test_the_checkpoint_in_model_zoo_needs_no_declaration(root, tmp_path):
    skimage = pytest.importorskip("skimage")
    lr = np.array(Image.fromarray(skimage.data.astronaut()).resize((64, 64), Image.Resampling.BICUBIC))
    file, checkpoint = root / "models" / "team00_RLFN.py", root / "model_zoo" / "team00_RLFN.pth"
    loaded = inferred_without_declaration(file, checkpoint, tmp_path, lr)
    assert inferred(loaded) == {"model": "RLFN", "data_range": "255"}


def test_loading_does_not_import_torchs_compiler(tmp_path):
    """It takes a second of every worker; torch gets it where the meta device is filled with normal noise."""
    (tmp_path / "team05_Net.py").write_text(
        textwrap.dedent(
            """
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self, width=4):
                    super().__init__()
                    self.body = nn.Conv2d(3, width, 3, padding=1)
                    self.tail = nn.Conv2d(width, 48, 3, padding=1)
                    self.gain = nn.Parameter(torch.empty(1, width, 1, 1).normal_(1, 0.02))
                    nn.init.normal_(self.body.bias, mean=0.5, std=0.1)
                    nn.init.kaiming_normal_(self.body.weight, mode="fan_out")
                    nn.init.xavier_normal_(self.tail.weight, gain=0.5)

                def forward(self, x):
                    return nn.functional.pixel_shuffle(self.tail(self.gain * self.body(x)), 4)
            """
        )
    )
    shapes = {"body.weight": (12, 3, 3, 3), "body.bias": (12,), "gain": (1, 12, 1, 1)}
    shapes |= {"tail.weight": (48, 12, 3, 3), "tail.bias": (48,)}
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, tmp_path / "net.pth")
    program = """
        import sys, torch
        from pathlib import Path
        from ntire_bench.data import sample
        from ntire_bench.wire.declaration import Declaration
        from ntire_bench.worker.loading import load as loader

        file, checkpoint = map(Path, sys.argv[1:])
        declaration = Declaration(data_range=1.0)
        loaded = loader.load(
            file, "Net", checkpoint, declaration, scale=4, device=torch.device("cpu"),
            probe=sample.probe_lr(), allow_pickle=False,
        )
        print(sum(p.numel() for p in loaded.upscaler.network.parameters()), "torch._dynamo" in sys.modules)
    """
    files = [str(tmp_path / name) for name in ("team05_Net.py", "net.pth")]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *files], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(sum(math.prod(shape) for shape in shapes.values())), "False"]
