"""Fusing: the published training form gives the published inference form; failures change nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from ntire_bench.cli import main
from ntire_bench.data import sample
from ntire_bench.errors import SubmissionError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.protocols import protocol
from ntire_bench.submissions import models_folder, submission
from ntire_bench.workflows.fuse import default_output, write_fused

RULES = protocol.load()

# A network whose training form is a sum of two convolutions; FUSE is the body of its fuse().
TWO_BRANCHES = """
import torch
from torch import nn
from torch.nn import functional as F

SUBMISSION = {"model": "Net", "data_range": 1}

class Net(nn.Module):
    def __init__(self, deploy=True):
        super().__init__()
        self.deploy = deploy
        self.main = nn.Conv2d(3, 48, 3, padding=1)
        if not deploy:
            self.side = nn.Conv2d(3, 48, 1)

    def forward(self, x):
        y = self.main(x) if self.deploy else self.main(x) + self.side(x)
        return F.pixel_shuffle(y, 4)

    @torch.no_grad()
    def fuse(self):
        FUSE
"""
MERGE = """if self.deploy:
            return
        self.main.weight += F.pad(self.side.weight, (1, 1, 1, 1))
        self.main.bias += self.side.bias
        del self.side
        self.deploy = True"""


def write(folder: Path, fuse: str, *, training: bool = True) -> submission.Submission:
    (folder / "models").mkdir()
    (folder / "model_zoo").mkdir()
    (folder / "models" / "team05_Two.py").write_text(TWO_BRANCHES.replace("FUSE", fuse))
    shapes = {"main.weight": (48, 3, 3, 3), "main.bias": (48,)}
    if training:
        shapes |= {"side.weight": (48, 3, 1, 1), "side.bias": (48,)}
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    torch.save(state, folder / "model_zoo" / "team05_Two.pth")
    return models_folder.find(folder / "models", folder / "model_zoo").get(5)


def fuse(item: submission.Submission, output: Path) -> object:
    return write_fused(item, output, sample.probe_lr(), RULES, device="cpu", isolation=isolation_for("auto"))


def command(folder: Path, *words: str) -> Result:
    places = ["--models", str(folder / "models"), "--model-zoo", str(folder / "model_zoo")]
    return CliRunner().invoke(main, [*words, *places])


def test_merged_weights_are_the_sum_of_the_branches(tmp_path: Path) -> None:
    item = write(tmp_path, MERGE)
    assert item.checkpoint is not None
    before = torch.load(item.checkpoint, weights_only=True)
    done = command(tmp_path, "fuse", "5")
    assert done.exit_code == 0, done.output
    # Hand count: 48 filters of 3x3x3 and a bias, and 48 of 1x1x3 and a bias, on 256x256 pixels.
    assert "training form   1,536 parameters, 0.0944 G FLOPs" in done.output
    assert "inference form  1,344 parameters, 0.0849 G FLOPs" in done.output
    output = tmp_path / "model_zoo" / "team05_Two_deploy.pth"
    after = torch.load(output, weights_only=True)
    expected = before["main.weight"].clone()
    expected[:, :, 1, 1] += before["side.weight"][:, :, 0, 0]
    assert torch.allclose(after["main.weight"], expected)
    assert torch.allclose(after["main.bias"], before["main.bias"] + before["side.bias"])
    assert sorted(path.name for path in output.parent.iterdir()) == ["team05_Two.pth", output.name]


@pytest.mark.slow
def test_what_was_fused_is_what_is_submitted(tmp_path: Path) -> None:
    write(tmp_path, MERGE)
    found = command(tmp_path, "check", "5")
    assert found.exit_code == 0, found.output
    assert "[not-fused]" in found.output
    assert "1,344 parameters instead of 1,536" in found.output
    assert command(tmp_path, "fuse", "5").exit_code == 0
    found = command(tmp_path, "check", "5")
    assert "team05_Two_deploy.pth" in found.output
    assert "[not-fused]" not in found.output
    assert (
        command(tmp_path, "fuse", "5").exit_code == 0
    )  # again from the training form, not from its own result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "training", "message"),
    [
        (MERGE, False, "saves nothing"),
        ("raise RuntimeError('no')", True, "fuse() fails"),
        ("del self.side; self.deploy = True", True, "changes what the network computes"),
        (
            MERGE + "\n        self.register_parameter(f'p{id(self)}', nn.Parameter(torch.zeros(1)))",
            True,
            "cannot be loaded again: no network of this file takes team05_Two_deploy.pth",
        ),
    ],
    ids=["inference form already", "raises", "loses a branch", "never gives the same tensors"],
)
def test_a_failure_replaces_nothing(tmp_path: Path, body: str, training: bool, message: str) -> None:
    item = write(tmp_path, body, training=training)
    output = default_output(item, tmp_path / "model_zoo")
    output.write_bytes(b"the old one")
    with pytest.raises(SubmissionError) as caught:
        fuse(item, output)
    assert message in str(caught.value) and ".fused_" not in str(caught.value)
    assert output.read_bytes() == b"the old one"
    assert len(list(output.parent.iterdir())) == 2


DECLARED = 'SUBMISSION = {"model": "Net", "data_range": 1}'
NO_FLAG = (
    TWO_BRANCHES.replace("deploy=True", "").replace("self.deploy = deploy", "self.deploy = False")
    .replace("if not deploy:", "if True:")
)  # fmt: skip
BUILT = """

def build_model():
    return Net()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "key", "prefix"),
    [
        (NO_FLAG.replace(DECLARED, 'SUBMISSION = {"data_range": 1}') + BUILT, "", ""),
        (
            TWO_BRANCHES.replace('"data_range": 1', '"data_range": 1, "state_key": "a.b", "prefix": "net."'),
            "a.b",
            "net.",
        ),
    ],
    ids=["build_model", "key and prefix"],
)
def test_fuse_works_wherever_check_says_that_it_should(
    tmp_path: Path, text: str, key: str, prefix: str
) -> None:
    """And what it writes is then found, and infers no other network."""
    item = write(tmp_path, MERGE)
    item.file.write_text(text.replace("FUSE", MERGE))
    assert item.checkpoint is not None
    state = torch.load(item.checkpoint, weights_only=True)
    nested: object = {prefix + name: tensor for name, tensor in state.items()}
    for part in reversed(key.split(".") if key else []):
        nested = {part: nested}
    torch.save(nested, item.checkpoint)
    found = command(tmp_path, "check", "5", "--json", "--device", "cpu")
    assert found.exit_code == 0, found.output
    assert any("run: ntire-bench fuse 5" in one["message"] for one in json.loads(found.stdout)["findings"])
    done = command(tmp_path, "fuse", "5", "--device", "cpu")
    assert done.exit_code == 0, done.output
    found = command(tmp_path, "check", "5", "--json", "--device", "cpu")
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert document["submission"]["checkpoint"].endswith("team05_Two_deploy.pth")
    assert document["complexity"]["params"] == 1344  # counted by hand above
    assert "not-fused" not in {one["code"] for one in document["findings"]}


def test_a_network_without_fuse_is_a_plain_message(tmp_path: Path) -> None:
    item = write(tmp_path, MERGE)
    item.file.write_text(item.file.read_text().replace("def fuse(self)", "def unite(self)"))
    with pytest.raises(SubmissionError, match="has nothing to fuse"):
        fuse(item, tmp_path / "out.pth")


@pytest.mark.slow
@pytest.mark.shared
def test_lkdn_s_merged_is_the_released_merged_checkpoint(shared: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "team39_LKDN-S.pth").symlink_to(shared / "weights" / "lkdn_s_x4.pth")
    output = tmp_path / "out" / "merged.pth"
    words = ["fuse", "39", "--models", str(root / "models"), "--model-zoo", str(tmp_path), "-o", str(output)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "129,177 parameters, 8.3580 G" in done.output
    merged = torch.load(output, weights_only=True)
    released = torch.load(shared / "weights" / "lkdn_s_deploy_x4.pth", weights_only=True)
    released = released.get("params_ema", released.get("params", released))
    assert list(merged) == list(released)
    for name, tensor in released.items():
        difference = (merged[name] - tensor).abs().max() / tensor.abs().max()
        assert float(difference) < 1e-4, name


def test_the_probe_is_a_photograph() -> None:
    assert np.std(sample.probe_lr()) > 10
