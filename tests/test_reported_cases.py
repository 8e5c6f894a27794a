"""Inputs that users reported: each kind goes right, or is refused with what is wrong with it.

The toys stand for real submissions. What a checkpoint of averaged weights, say, must lead to is compared with
the tensors themselves; what must be said, with the message.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from click.testing import CliRunner
from pairs import smooth, write_pairs
from PIL import Image
from toys import found, state_dict, toy, write_toy

from ntire_bench.cli import main
from ntire_bench.data.dataset import load_splits
from ntire_bench.errors import SubmissionError
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.submissions import models_folder
from ntire_bench.worker.costs import count
from ntire_bench.worker.costs.fusion import can_fuse, fuse
from ntire_bench.worker.loading.trial_image import trial_image
from ntire_bench.workflows.evaluate import Options, evaluate

ONE = 'SUBMISSION = {"data_range": 1}'
RAW = {name: tensor + 0.5 for name, tensor in state_dict().items()}
AVERAGED = state_dict()
SHAPE = (1, 3, 256, 256)


@pytest.fixture(scope="module")
def probe():
    return np.asarray(Image.fromarray(smooth(1, 256, 256)).resize((64, 64), Image.Resampling.BICUBIC))


@pytest.fixture
def load(tmp_path, probe):
    def loads(body=toys.DECLARED, **options):
        write_toy(tmp_path, body=body, **options)
        return toys.load(found(tmp_path), probe)

    return loads


@pytest.fixture
def refusal(load):
    def refuses(body=toys.DECLARED, **options):
        with pytest.raises(SubmissionError) as caught:
            load(body, **options)
        return str(caught.value)

    return refuses


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


def told(loaded):
    return {item.key: item.value for item in loaded.inferred}


@pytest.mark.parametrize("declared", ['SUBMISSION = {"model": "Toy", "data_range": 1}', ONE])
@pytest.mark.parametrize(
    "checkpoint",
    [
        {"step": 3, **prefixed(RAW, "generator."), **prefixed(AVERAGED, "generator_ema.")},
        {**prefixed(RAW, "net_g."), **prefixed(AVERAGED, "net_g_ema.")},
        {**prefixed(AVERAGED, "ema_model."), **prefixed(RAW, "model.")},
        {"params": RAW, "ema": AVERAGED},
        {"net_g": RAW, "net_g_ema": AVERAGED},
        {"state_dict": RAW, "state_dict_ema": AVERAGED},
        {"model": {"weights": RAW}, "other": {"swa": AVERAGED}},
        {"state_dict": {**prefixed(RAW, "net."), **prefixed(AVERAGED, "net_ema.")}},
    ],
    ids=["prefix", "net_g", "ema_model", "nested", "keys", "timm", "deep", "lightning"],
)
def test_averaged_weights_are_taken_and_never_the_raw_ones_beside_them(load, declared, checkpoint):
    loaded = load(toy(head=declared), checkpoint=checkpoint)
    own = loaded.upscaler.network.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in AVERAGED.items())
    assert {"state_key", "prefix"} & told(loaded).keys()


@pytest.mark.parametrize(
    ("checkpoint", "taken", "other"),
    [
        ([AVERAGED, RAW], "0", "1"),
        ({"model": AVERAGED, "best": RAW}, "model", "best"),
        ({"student": AVERAGED, "teacher": RAW}, "student", "teacher"),
    ],
    ids=["list", "best", "teacher"],
)
def test_weights_that_fit_as_well_are_named(load, checkpoint, taken, other):
    (finding,) = load(toy(head=ONE), checkpoint=checkpoint).findings
    assert finding.code == "other-weights-fit" and finding.severity == "info"
    assert f"at {other}: those at {taken} are taken. Declare state_key" in finding.message
    declared = f'SUBMISSION = {{"data_range": 1, "state_key": "{taken}"}}'
    assert not load(toy(head=declared), checkpoint=checkpoint).findings
    if other == "best":  # the same weights twice
        assert not load(toy(head=ONE), checkpoint={**checkpoint, other: AVERAGED}).findings


def test_a_block_called_ema_is_no_averaged_network(load):
    body = toy(head=ONE).replace("class Toy", _ATTENTION + "class Toy", 1)
    body = body.replace("self.tail = ", "self.ema = Ema(channels)\n        self.tail = ")
    loaded = load(body.replace("torch.relu(self.head(lr))", "self.ema(self.head(lr))"))
    assert loaded.model == "Toy" and "prefix" not in told(loaded)


_ATTENTION = """class Ema(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return torch.relu(x + self.mix(x))


"""


def test_arrays_are_taken_as_tensors_and_that_is_said(load):
    loaded = load(checkpoint={name: tensor.numpy() for name, tensor in AVERAGED.items()})
    own = loaded.upscaler.network.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in AVERAGED.items())
    assert told(loaded)["converted"] == "NumPy arrays, taken as tensors"


def test_a_scripted_network_and_a_text_are_called_what_they_are(refusal, tmp_path):
    network = torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.rand(1, 3, 4, 4))
    torch.jit.save(network, tmp_path / "scripted.pt")
    message = refusal(checkpoint=(tmp_path / "scripted.pt").read_bytes(), suffix=".pt")
    assert "holds code in the place of weights" in message and "copy it anew" not in message
    for text in (
        b"epoch 12, psnr 28.1\n",
        b"<!DOCTYPE html>\n<html lang='en'>" + b" " * 100,
        "\ufeffÄrger".encode(),
    ):
        assert "is a text file, not a checkpoint" in refusal(checkpoint=text, suffix=".pt")
    for nothing in (b"\x80\x02}q\x00.garbage", b"PK\x03\x04" + b"\x00" * 60):
        assert "text file" not in refusal(checkpoint=nothing, suffix=".pt")


def test_a_link_to_nothing_is_named_with_what_it_leads_to(tmp_path):
    write_toy(tmp_path, checkpoint=None)
    link = tmp_path / "model_zoo" / "team05_Toy.pth"
    link.symlink_to("nowhere.pth")
    for toml in (None, 'checkpoint = "team05_Toy.pth"\n'):
        if toml is not None:
            (tmp_path / "models" / "team05_Toy.toml").write_text(toml)
        problem = models_folder.find(tmp_path / "models", tmp_path / "model_zoo").problems[5]
        assert "team05_Toy.pth: is a link to nowhere.pth, which is not there" in str(problem.error)


@pytest.mark.parametrize(
    ("output", "source"), [("'sr'", "SUBMISSION"), (5, "SUBMISSION"), ("'0.3'", "SUBMISSION")]
)
def test_a_declared_output_that_is_not_there_is_the_declarations_fault(refusal, output, source):
    head = f'SUBMISSION = {{"data_range": 1, "output": {output}}}'
    message = refusal(toy("return sr, lr", head=head))
    assert f"{source} declares output = {output}, and the network returns no such thing" in message
    assert "0 (1x3x256x256), 1 (1x3x64x64)" in message and "correct output in SUBMISSION" in message


@pytest.mark.parametrize(
    ("returned", "output"),
    [
        ("[functional.avg_pool2d(sr, 2), sr], lr", "'0.1'"),
        ("{'images': {'small': lr, 'sr': sr}}", "'images.sr'"),
        ("lr, [sr, sr.clone()]", "'1.0'"),
    ],
)
def test_an_sr_image_one_level_down_is_found_and_can_be_declared(load, probe, returned, output):
    plain = load()
    for head in (ONE, f'SUBMISSION = {{"data_range": 1, "output": {output}}}'):
        loaded = load(toy(f"return {returned}", head=head))
        assert told(loaded).get("output", output) == output
        lr = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(1))
        assert torch.equal(loaded.upscaler.checked(lr), plain.upscaler.checked(lr))


def test_two_different_images_one_level_down_are_a_question_with_both_ways(refusal):
    message = refusal(toy("return [sr, sr + 0.1], lr", head=ONE))
    assert "output = '0.0' or output = '0.1'" in message


def test_a_declared_range_that_the_image_contradicts_is_a_finding(load):
    (finding,) = load(toy("sr = sr * 255.0", head=ONE)).findings
    assert finding.code == "range-contradicted" and "data_range 1" in finding.message
    (finding,) = load(toys.RANGE_255.replace("\n", 'SUBMISSION = {"data_range": 1}\n', 1)).findings
    assert "at data_range 255 it has " in finding.message
    assert not load(toys.DECLARED).findings


def test_noise_need_not_give_finite_values_and_images_must(load, refusal, tmp_path):
    # As a published entry: fine on images, and an overflow where neighbouring pixels have nothing in common.
    rough = "sr = sr + torch.exp(4000.0 * (lr[..., 1:] - lr[..., :-1]).var()).sub(1.0).mul(0.0)"
    counted = count.measure(load(toy(rough, head=ONE)).upscaler, SHAPE).costs
    assert counted.flops == count.measure(load().upscaler, SHAPE).costs.flops
    noisy = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
    assert not torch.isfinite(load(toy(rough, head=ONE)).upscaler.forward(noisy)).all()
    with pytest.raises(SubmissionError, match="NaN or infinite"):
        load(toy(rough, head=ONE)).upscaler.checked(noisy)


@pytest.mark.parametrize("declared", [ONE, 'SUBMISSION = {"model": "Toy", "data_range": 1}', ""])
def test_tensors_left_over_are_told_and_do_no_harm(load, declared):
    body = toy("sr = sr.clamp(0, 1)", head=declared)
    extra = {"aux.weight": torch.zeros(3, 8, 3, 3), "head.mask": torch.ones(1)}
    loaded = load(body, checkpoint={**AVERAGED, **extra})
    (finding,) = loaded.findings
    assert finding.code == "checkpoint-not-strict"
    assert "2 tensors that the network has not (first aux.weight)" in finding.message
    assert told(loaded)["strict"] == "False"


def test_further_blocks_of_a_row_are_no_left_over_tensors(refusal):
    blocks = toy(head=ONE).replace(
        "self.tail = ", "self.body = nn.Sequential(nn.Conv2d(8, 8, 1))\n        self.tail = "
    )
    blocks = blocks.replace("torch.relu(self.head(lr))", "self.body(torch.relu(self.head(lr)))")
    more = {"body.1.weight": torch.zeros(8, 8, 1, 1), "body.1.bias": torch.zeros(8)}
    assert "2 unknown to the network" in refusal(blocks, checkpoint={**state_dict(blocks), **more})


_TRAINED = """
        self.teacher = nn.Conv2d(3, 8, 3, padding=1)
        self.register_buffer("seen", torch.zeros(1, dtype=torch.long))"""


def test_tensors_that_only_training_needs_may_be_missing(load, refusal):
    body = toy(head=ONE).replace("self.upscale = upscale", "self.upscale = upscale" + _TRAINED)
    loaded = load(body, checkpoint=AVERAGED)
    (finding,) = loaded.findings
    assert "lacks 3 tensors of the network (first seen)" in finding.message
    own = loaded.upscaler.network.state_dict()
    assert torch.isnan(own["teacher.weight"]).all()  # should another image need it, it shows
    needed = body.replace("self.head(lr)", "self.head(lr) + 1e-6 * self.teacher(lr)")
    assert "3 missing in the checkpoint" in refusal(needed, checkpoint=AVERAGED)


_REP = """class Rep(nn.Module):
    def __init__(self, width, deploy=False):
        super().__init__()
        self.deploy = deploy
        if deploy:
            self.fused = nn.Conv2d(width, width, 3, padding=1)
        else:
            self.three = nn.Conv2d(width, width, 3, padding=1)
            self.one = nn.Conv2d(width, width, 1)

    def forward(self, x):
        return self.fused(x) if self.deploy else self.three(x) + self.one(x)

    def NAME(self):
        if not self.deploy:
            self.fused = nn.Conv2d(self.three.in_channels, self.three.out_channels, 3, padding=1)
            self.fused.weight.data = self.three.weight + functional.pad(self.one.weight, (1, 1, 1, 1))
            self.fused.bias.data = self.three.bias + self.one.bias
            self.deploy = True
            del self.three, self.one


class Toy(nn.Module):
    def __init__(self, width=8, num_block=3, deploy=False):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(Rep(width, deploy) for _ in range(num_block))
        self.tail = nn.Conv2d(width, 48, 3, padding=1)

    def forward(self, lr):
        x = self.head(lr)
        for block in self.body:
            x = torch.relu(block(x))
        detail = functional.pixel_shuffle(self.tail(x), 4)
        return functional.interpolate(lr, scale_factor=4, mode="bicubic") + detail
"""
_IMPORTS = f"import torch\nfrom torch import nn\nfrom torch.nn import functional\n\n{ONE}\n\n\n"


@pytest.mark.parametrize(
    "name", ["fuse", "switch_to_deploy", "switch_deploy", "reparameterize", "rep", "merge_branches"]
)
@pytest.mark.parametrize("whose", ["blocks", "network"])
def test_training_forms_are_merged_by_whatever_method_the_author_wrote(load, probe, name, whose):
    body = _IMPORTS + _REP.replace("NAME", name if whose == "blocks" else "join")
    if whose == "network":
        body += f"\n    def {name}(self):\n        for block in self.body:\n            block.join()\n"
    loaded = load(body, num_block=2)
    assert told(loaded)["args.num_block"] == "2" and can_fuse(loaded.upscaler.network)
    reply, _ = fuse(loaded.upscaler, probe, SHAPE)
    # Hand count: two blocks lose 8 filters of 1x1x8 with a bias each.
    assert reply.before.params - reply.after.params == 2 * (8 * 8 + 8)
    assert reply.relative < 1e-5


@pytest.mark.parametrize("args", [{}, {"num_block": 2}, {"width": 12, "num_block": 4}])
def test_a_deploy_form_is_resolved_with_as_few_other_arguments_as_it_takes(load, args):
    loaded = load(_IMPORTS + _REP.replace("NAME", "switch_to_deploy"), deploy=True, **args)
    inferred = {
        key.removeprefix("args."): value for key, value in told(loaded).items() if key.startswith("args.")
    }
    assert inferred == {"deploy": "True", **{key: str(value) for key, value in args.items()}}
    assert not loaded.findings


_NO_FLAG = _REP.replace("NAME", "switch_to_deploy").replace("num_block=3, deploy=False", "num_block=3")
_NO_FLAG = _NO_FLAG.replace("Rep(width, deploy)", "Rep(width)")


@pytest.mark.parametrize(
    "head",
    [
        '{"data_range": 1}',
        '{"model": "Toy", "data_range": 1}',
        '{"model": "build_model", "data_range": 1}',
        '{"model": "Toy", "data_range": 1, "args": {"num_block": 2}}',
        '{"model": "Toy", "data_range": 1, "args": {"num_block": 2}, "strict": False}',
    ],
)
def test_a_merged_checkpoint_is_taken_where_no_argument_builds_its_form(load, probe, head):
    body = _IMPORTS.replace(ONE, f"SUBMISSION = {head}") + _NO_FLAG
    body += "\n\ndef build_model(num_block=3):\n    return Toy(8, num_block)\n" if "build" in head else ""
    trained = load(body, num_block=2)
    before = trained.upscaler.checked(torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(1)))
    _, merged = fuse(trained.upscaler, probe, (1, 3, 32, 32))
    loaded = load(body, checkpoint=merged)
    assert told(loaded)["merged"] == "True" and loaded.merged and not loaded.findings
    after = loaded.upscaler.checked(torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(1)))
    assert torch.allclose(before, after, atol=1e-5)
    assert any(name.endswith("fused.weight") for name in loaded.upscaler.network.state_dict())
    assert not any(name.endswith("three.weight") for name in loaded.upscaler.network.state_dict())


def test_a_training_form_is_not_merged_on_its_way(load):
    loaded = load(_IMPORTS + _NO_FLAG, num_block=2)
    assert "merged" not in told(loaded) and not loaded.merged and can_fuse(loaded.upscaler.network)


_MEAN = """
        self.mean = None
        if mean is not None:
            del self.mean
            self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))"""


@pytest.mark.parametrize("default", ["mean=None", "mean: list | None = None"])
def test_a_buffer_that_hangs_on_an_optional_argument(load, default):
    body = toy(head=ONE).replace("upscale=4", f"upscale=4, {default}")
    body = body.replace("self.upscale = upscale", f"self.upscale = upscale{_MEAN}")
    body = body.replace("self.head(lr)", "self.head(lr if self.mean is None else lr - self.mean)")
    mean = torch.tensor([0.25, 0.5, 0.125]).view(1, 3, 1, 1)
    loaded = load(body, checkpoint={**AVERAGED, "mean": mean})
    assert torch.equal(loaded.upscaler.network.mean, mean)
    assert told(loaded)["args.mean"] == "[0.25, 0.5, 0.125]"


BUILT = (
    toy(head=ONE)
    + """

def build_model():
    BODY
"""
)


@pytest.mark.parametrize(
    ("body", "cause", "remedy"),
    [
        ("return torch.jit.script(Toy())", "torch.jit cannot script it: Arguments for call", "not scripted"),
        (
            "net = Toy()\n    net.load_state_dict(torch.load('model_zoo/best.pth'))\n    return net",
            "No such file or directory: 'model_zoo/best.pth'",
            "leave loading to this program",
        ),
        ("return Toy(), 1.0", "gives a tuple, not an nn.Module", "return the network alone"),
        ("Toy()", "gives a NoneType, not an nn.Module", "return the network alone"),
        ("return Toy(colour=3)", "unexpected keyword argument 'colour'", "mend it, or declare model or args"),
    ],
    ids=["cannot be scripted", "loads its own", "two things", "nothing", "raises"],
)
def test_a_builder_that_gives_no_network_is_told_the_true_cause(refusal, body, cause, remedy):
    message = refusal(BUILT.replace("BODY", body), checkpoint=AVERAGED)
    assert "no class or function of this file gives a network" in message
    assert cause in message and remedy in message and "put the matching checkpoint" not in message


def test_a_builder_that_traces_its_network_is_taken(load):
    loaded = load(
        BUILT.replace("BODY", "return torch.jit.trace(Toy(), torch.rand(1, 3, 16, 16))"), checkpoint=AVERAGED
    )
    own = loaded.upscaler.network.state_dict()
    assert loaded.model == "build_model"
    assert all(torch.equal(own[name], tensor) for name, tensor in AVERAGED.items())


def clock_of(step_s):
    """Return a clock that goes on by so much whenever it is read."""
    now = iter(np.arange(1000.0) * step_s)
    return lambda: next(now)


HALVES = toy(
    "sr = sr + functional.conv2d(lr.half(), torch.zeros(3, 3, 1, 1).half()).float().mean() * 0", head=ONE
)  # fmt: skip


def test_a_slow_network_is_tried_on_a_small_part_of_the_image(load, probe):
    upscaler = load(HALVES).upscaler
    assert trial_image(upscaler, probe, clock_of(1e-3)).image is probe
    assert trial_image(upscaler, probe, clock_of(1e-3)).slow is None
    found = trial_image(upscaler, probe, clock_of(0.5))
    assert found.image.shape == (32, 32, 3) and found.slow.precision == "float16"
    assert found.slow.pixel_s == pytest.approx(0.5 / 24**2)
    assert trial_image(load().upscaler, probe, clock_of(0.5)).slow.precision == ""
    with pytest.raises(SubmissionError) as caught:
        trial_image(upscaler, probe, clock_of(15.0))
    assert "about 27 s: it computes in float16, which this CPU is slow at" in str(caught.value)


RANDOM = toy("sr = sr + 0.05 * torch.randn_like(sr)", head=ONE)
UNSAVED = toy("sr = sr + self.noise", head=ONE).replace(
    "self.upscale = upscale", "self.upscale = upscale\n        self.noise = 0.1 * torch.rand(1)"
)
QUICK = Options(psnr_channel="y", stop=StopRule(rounds=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "expected"),
    [(RANDOM, True), (UNSAVED, True), (toys.DECLARED, False)],
    ids=["random numbers", "an unsaved tensor", "a plain one"],
)
def test_one_image_is_run_again_by_a_fresh_process(tmp_path, body, expected):
    write_toy(tmp_path, body=body)
    write_pairs(tmp_path / "data", "valid", [smooth(1), smooth(2)])
    splits = load_splits(("valid",), tmp_path / "data")
    item = found(tmp_path)
    from ntire_bench.protocols import protocol

    record = evaluate(item, item, splits, protocol.load("ntire2024"), QUICK)
    assert record.error is None and len(record.timing.launches) == 1
    assert ("output-not-reproducible" in {finding.code for finding in record.findings}) is expected
    assert record.wall_s["compare"] > 0


@pytest.mark.slow
def test_a_small_image_that_needs_padding_changes_no_other(tmp_path):
    pool = "sr = sr + functional.max_pool2d(functional.avg_pool2d(lr, 2), 7, 3).mean() * 0"
    write_toy(tmp_path, body=toy(pool, head=ONE))
    write_pairs(tmp_path / "mixed", "valid", [smooth(1, 228, 344), smooth(2, 48, 48)])
    write_pairs(tmp_path / "alone", "valid", [smooth(1, 228, 344)])
    found_: dict[str, dict] = {}
    for folder in ("mixed", "alone"):
        words = ["run", "5", "--baseline", "5", "--rounds", "1", "--protocol", "ntire2024", "--json"]
        places = [f"--{key}={tmp_path / value}" for key, value in PLACES.items()]
        done = CliRunner().invoke(main, [*words, *places, f"--data-dir={tmp_path / folder}"])
        assert done.exit_code == 0, done.output
        found_[folder] = json.loads(done.stdout)["records"][0]["record"]
    mixed, alone = (found_[folder]["splits"]["valid"]["per_image"][0] for folder in ("mixed", "alone"))
    assert mixed["name"] == alone["name"] and mixed["psnr_y_db"] == alone["psnr_y_db"]
    info = found_["mixed"]["submission"]
    assert info["pad_to"] is None
    (padded,) = [item for item in info["inferred"] if item["key"] == "padded_sizes"]
    assert padded["value"] == "12x12 to a multiple of 8"
    assert not [item for item in found_["alone"]["submission"]["inferred"] if "pad" in item["key"]]


PLACES = {"models": "models", "model-zoo": "model_zoo", "results": "results"}


@pytest.mark.slow
@pytest.mark.shared
def test_the_published_rlfn_on_a_tiny_image_beside_woman(shared: Path, root: Path, tmp_path: Path) -> None:
    """30.6680 dB is woman's PSNR on Y with the published checkpoint, run alone (shared/cases/README.md)."""
    zoo = tmp_path / "model_zoo"
    zoo.mkdir()
    (zoo / "team00_RLFN.pth").symlink_to(shared / "weights" / "rlfn_ntire_x4.pth")
    for side, name, box in (("HR", "woman.png", 48), ("LR", "womanx4.png", 12)):
        folder = tmp_path / f"Mixed_{side}"
        folder.mkdir()
        source = shared / "data" / "Set5" / ("HR" if side == "HR" else "LR_x4") / name
        image = Image.open(source).convert("RGB")
        image.save(folder / name)
        image.crop((0, 0, box, box)).save(folder / name.replace("woman", "tiny"))
    words = ["run", "0", "--rounds", "1", "--protocol", "ntire2024", "--splits", "Mixed", "--json"]
    places = [
        "--models",
        str(root / "models"),
        "--model-zoo",
        str(zoo),
        "--results",
        str(tmp_path / "results"),
    ]
    done = CliRunner().invoke(main, [*words, *places, "--data-dir", str(tmp_path)])
    assert done.exit_code == 0, done.output
    images = json.loads(done.stdout)["records"][0]["record"]["splits"]["Mixed"]["per_image"]
    assert {image["name"]: image for image in images}["woman"]["psnr_y_db"] == pytest.approx(
        30.6680, abs=1e-3
    )


NEAR = {name: tensor * 0.5 for name, tensor in AVERAGED.items()}  # works as well as the averaged ones


@pytest.mark.parametrize("declared", ['SUBMISSION = {"model": "Toy", "data_range": 1}', ONE])
@pytest.mark.parametrize(
    "checkpoint",
    [
        {**NEAR, **prefixed(AVERAGED, "ema.")},
        {**NEAR, **prefixed(AVERAGED, "ema.module."), "ema.n_averaged": torch.tensor(3)},
        {"state_dict": {**prefixed(NEAR, "net."), **prefixed(AVERAGED, "ema.module.")}},
        {"state_dict": {**prefixed(NEAR, "model.net."), **prefixed(AVERAGED, "model.ema.")}},
        {"model": NEAR, "modelEMA": AVERAGED},
    ],
    ids=["beside", "AveragedModel", "of lightning", "one level down", "capitals"],
)
def test_averaged_weights_are_taken_before_raw_ones_that_work_too(load, declared, checkpoint):
    own = load(toy(head=declared), checkpoint=checkpoint).upscaler.network.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in AVERAGED.items())


def test_averaged_weights_that_cannot_be_taken_are_a_finding(load):
    part = {name: tensor for name, tensor in AVERAGED.items() if name != "tail.bias"}
    loaded = load(toy(head=ONE), checkpoint={"params": NEAR, "params_ema": part})
    (finding,) = loaded.findings
    assert finding.code == "averaged-not-taken"
    assert "at params_ema" in finding.message and "1 missing in the checkpoint" in finding.message


def test_counters_alone_are_no_state_dict(load):
    counters = {"total_ops": torch.zeros(1), "n_averaged": torch.zeros(1)}
    assert load(checkpoint={"counted": counters, "params": AVERAGED}).model == "Toy"


_ATTENTION_LINE = "self.attention = nn.Conv2d(channels, channels, 1) if attend else None"
_ATTENDING = (
    toy(head=ONE)
    .replace("upscale=4", "upscale=4, attend=False")
    .replace("self.tail = ", f"{_ATTENTION_LINE}\n        self.tail = ")
    .replace(
        "torch.relu(self.head(lr))",
        "torch.relu(self.head(lr) if self.attention is None else self.attention(self.head(lr)))",
    )
)  # fmt: skip
_AUX = {"aux.weight": torch.zeros(3)}


@pytest.mark.parametrize("declared", [ONE, 'SUBMISSION = {"model": "Toy", "data_range": 1}'])
def test_no_needed_tensors_are_left_over_where_a_flag_would_use_them(load, declared):
    state = state_dict(_ATTENDING, attend=True)
    loaded = load(_ATTENDING.replace(ONE, declared), checkpoint={**state, **_AUX})
    assert told(loaded)["args.attend"] == "True" and told(loaded)["left_out"] == "aux.weight"
    assert "holds 1 tensor that the network has not" in loaded.findings[0].message


def test_of_two_classes_the_one_that_leaves_less_over_is_taken(load):
    larger = _ATTENDING.split("class Toy", 1)[1].replace("attend=False", "attend=True")
    loaded = load(
        f"{toy(head=ONE)}\n\nclass Full{larger}", checkpoint={**state_dict(_ATTENDING, attend=True), **_AUX}
    )
    assert loaded.model == "Full" and told(loaded)["left_out"] == "aux.weight"
    (finding,) = loaded.findings
    assert "first aux.weight" in finding.message


_MERGING = """
        self.one = nn.Conv2d(3, channels, 1)
        self.merged = None

    def merge(self):
        self.merged = self.head.weight + functional.pad(self.one.weight, (1, 1, 1, 1))

    def {method}"""
_ON_EVAL = """train(self, mode=True):
        self.merge()
        return super().train(mode)"""
_ON_LOAD = """load_state_dict(self, *args, **options):
        result = super().load_state_dict(*args, **options)
        self.merge()
        return result"""
_AND_GONE = """train(self, mode=True):
        if self.merged is None:
            self.merge()
            del self.one
        return super().train(mode)"""
_WHEN_FIRST_RUN = """once(self):
        if self.merged is None:
            self.merge()"""


@pytest.mark.parametrize("method", [_ON_EVAL, _ON_LOAD, _AND_GONE, _WHEN_FIRST_RUN])
def test_a_branch_that_was_merged_before_it_was_tried_is_needed(refusal, method):
    once = "self.once()\n        " if method is _WHEN_FIRST_RUN else ""
    body = toy(head=ONE).replace(
        "self.upscale = upscale", "self.upscale = upscale" + _MERGING.format(method=method) + "\n", 1
    )
    # What was the constructor goes on in a method of its own.
    body = body.replace(
        "        self.head = nn", "    def _rest(self, channels, upscale):\n        self.head = nn", 1
    )
    body = body.replace(
        "        self.merged = None", "        self.merged = None\n        self._rest(channels, upscale)", 1
    )
    body = body.replace("        detail =", f"        {once}detail =").replace(
        "self.head(lr)", "functional.conv2d(lr, self.merged, self.head.bias, padding=1)"
    )
    assert "2 missing in the checkpoint (first one.weight, one.bias)" in refusal(body, checkpoint=AVERAGED)


def test_a_missing_tensor_that_cannot_be_written_is_no_fault_of_ours(refusal):
    line = "self.register_buffer('ones', torch.zeros(1).expand(3))"
    body = toy(head=ONE).replace("self.upscale = upscale", f"self.upscale = upscale\n        {line}")
    assert "1 missing in the checkpoint (first ones)" in refusal(body, checkpoint=AVERAGED)


def test_a_property_with_the_name_of_a_merging_method_is_not_looked_at(load):
    lines = "@property\n    def merged_kernel(self):\n        raise RuntimeError('not yet')"
    body = toy(head=ONE).replace("    def forward", f"    {lines}\n\n    def forward")
    assert not can_fuse(load(body).upscaler.network)


def test_a_merging_block_inside_a_merging_block_is_merged_once(load, probe):
    outer = """
class Outer(nn.Module):
    def __init__(self, width, deploy=False):
        super().__init__()
        self.inner = Rep(width, deploy)

    def forward(self, x):
        return self.inner(x)

    def fuse(self):
        self.inner.fuse()


class Toy("""
    once = _REP.replace("NAME", "fuse").replace(
        "        if not self.deploy:\n            self.fused", "        if True:\n            self.fused"
    )
    body = _IMPORTS + once.replace("class Toy(", outer.lstrip()).replace(
        "ModuleList(Rep(", "ModuleList(Outer("
    )
    reply, _ = fuse(load(body).upscaler, probe, SHAPE)
    assert reply.before.params - reply.after.params == 3 * (8 * 8 + 8)


def test_the_padding_of_a_small_image_counts_when_a_long_time_is_foreseen(load, probe):
    body = toy("assert lr.shape[-1] % 64 == 0 and lr.shape[-2] % 64 == 0", head=ONE)
    found = trial_image(load(body).upscaler, probe, clock_of(11.5))
    assert found.slow.pixel_s == pytest.approx(11.5 / 64**2)


def test_a_link_to_nothing_beside_the_checkpoint_is_no_second_one(tmp_path):
    write_toy(tmp_path, checkpoint=None)
    torch.save(AVERAGED, tmp_path / "model_zoo" / "team05_final.pth")
    (tmp_path / "model_zoo" / "team05_old.pth").symlink_to("nowhere.pth")
    assert found(tmp_path).checkpoint == tmp_path / "model_zoo" / "team05_final.pth"
