"""tools/train.py trains, can be interrupted without loss, and tells users' faults in plain messages."""

from __future__ import annotations

import doctest
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click.testing
import numpy as np
import pytest
import torch
import train
import training_settings
from PIL import Image
from training import Training, mean_psnr_y_db
from training_images import Pairs, crop_batch, read_photographs, read_validation
from training_network import build_network
from training_settings import Settings, learning_rate
from training_state import begin_with, save_atomically

from ntire_bench.errors import MeasurementError, RecordError, UsageError
from ntire_bench.worker.network.upscaler import Upscaler

# Batch normalization has buffers and dropout draws random numbers: both must survive an interruption.
TINY = """
from torch import nn

SUBMISSION = {"model": "Tiny", "args": {"width": 8}, "data_range": 1}


class Tiny(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.1),
            nn.Conv2d(width, 48, 3, padding=1), nn.PixelShuffle(4),
        )

    def forward(self, x):
        return self.body(x)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "team07_Tiny.py"
    file.write_text(TINY)
    return file


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three smooth colour images of odd sizes."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    random = np.random.default_rng(1)
    for number, size in enumerate([(90, 77), (81, 120), (100, 101)]):
        small = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def settings(**changes: Any) -> Any:
    values = {"steps": 12, "batch": 4, "patch": 8, "lr": 0.01, "warmup": 2, "seed": 3, "data_range": 1.0}
    return Settings(**{**values, **changes})


def new_training(model: Path, chosen: Any) -> Any:
    torch.manual_seed(chosen.seed)
    return Training(build_network(model)[0], chosen, model)


def invoke(*arguments: object) -> click.testing.Result:
    short = ["--steps", "4", "--batch", "2", "--patch", "8"]
    return click.testing.CliRunner().invoke(train.main, [*map(str, arguments), *short])


# --- what it computes -----------------------------------------------------------------------------


def test_docstring_examples() -> None:
    result = doctest.testmod(training_settings)
    assert result.attempted > 0 and result.failed == 0


@pytest.mark.shared
def test_lr_of_photographs_is_the_published_lr_of_set5(shared: Path) -> None:
    folder = shared / "data" / "Set5"
    pairs = read_photographs(folder / "HR", 15)
    names = [file.stem for file in sorted((folder / "HR").glob("*.png"))]
    assert len(names) == len(pairs.lr) == 5
    for name, lr in zip(names, pairs.lr, strict=True):
        assert np.array_equal(lr, np.asarray(Image.open(folder / "LR_x4" / f"{name}x4.png")))


def test_lr_and_hr_crops_show_the_same_place_in_all_eight_orientations() -> None:
    # Every LR pixel is told from every other by its values, and HR repeats it 4 x 4 times.
    lr = np.stack([*np.mgrid[0:40, 0:50], np.zeros((40, 50))], axis=2).astype(np.uint8)
    pairs = Pairs(lr=[lr], hr=[lr.repeat(4, axis=0).repeat(4, axis=1)])
    orientations = set()
    corners = set()
    for step in range(30):
        x, y = crop_batch(pairs, settings(), step)
        assert x.shape == (4, 3, 8, 8) and y.shape == (4, 3, 32, 32) and x.dtype == y.dtype == torch.uint8
        assert torch.equal(x.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3), y)
        for crop in x.int():
            down, right = (
                (crop[:2, 1, 0] - crop[:2, 0, 0]).tolist(),
                (crop[:2, 0, 1] - crop[:2, 0, 0]).tolist(),
            )
            orientations.add((*down, *right))
            corners.add((int(crop[0].min()), int(crop[1].min())))
    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    assert orientations == {(*a, *b) for a in steps for b in steps if a[0] * b[0] + a[1] * b[1] == 0}
    assert len(corners) > 60 and max(corners)[0] <= 32 and max(c for _, c in corners) <= 42


def test_learning_rate_is_torchs_cosine_after_the_warm_up() -> None:
    chosen = settings(steps=50, warmup=10, lr=2e-3)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=1e-6)
    for step in range(10, 50):
        assert learning_rate(step, chosen) == pytest.approx(cosine.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        cosine.step()
    assert [learning_rate(step, chosen) for step in (0, 4, 9)] == pytest.approx([2e-4, 1e-3, 2e-3])


def test_averaged_weights_are_the_exponential_average_of_every_step(model: Path, photographs: Path) -> None:
    training = new_training(model, settings())
    pairs = read_photographs(photographs, 8)
    expected = training.network.body[0].weight.detach().double().clone()
    for step in range(12):
        training.do_step(pairs)
        decay = min(0.999, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * training.network.body[0].weight.detach().double()
    assert torch.allclose(training.average["body.0.weight"].double(), expected, atol=1e-6)
    assert training.average["body.1.num_batches_tracked"] == 12  # an integer: copied, not averaged


@pytest.mark.parametrize("name", ["Tiny", "RLFN"])
def test_loss_falls(root: Path, model: Path, photographs: Path, name: str) -> None:
    """In both input ranges; the bound is how far these seeds get, with room to spare."""
    if name == "Tiny":
        training = new_training(model, settings(steps=60))
    else:
        chosen = settings(steps=60, batch=1, patch=16, lr=1e-3, data_range=255.0)
        training = new_training(root / "models" / "team00_RLFN.py", chosen)
    pairs = read_photographs(photographs, 16)
    losses = [training.do_step(pairs) for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])


@pytest.mark.shared
@pytest.mark.parametrize("layout", ["HR and LR_x4", "Set5_HR and Set5_LR"])
def test_validation_is_the_leaderboards_psnr(root: Path, shared: Path, tmp_path: Path, layout: str) -> None:
    """31.5587 dB: see tests/test_model_rlfn.py, which measures it with scikit-image."""
    folder = shared / "data" / "Set5"
    if layout.startswith("Set5"):
        (tmp_path / "Set5_HR").symlink_to(folder / "HR")
        (tmp_path / "Set5_LR").symlink_to(folder / "LR_x4")
        folder = tmp_path
    file = root / "models" / "team00_RLFN.py"
    network, declared = build_network(file)
    network.load_state_dict(torch.load(root / "model_zoo" / "team00_RLFN.pth", weights_only=True))
    upscaler = Upscaler(
        network=network.eval(), file=file, scale=4, device=torch.device("cpu"), data_range=declared.data_range
    )
    assert mean_psnr_y_db(upscaler, read_validation(folder)) == pytest.approx(31.5587, abs=0.001)


# --- interruptions --------------------------------------------------------------------------------


def test_resumed_training_equals_an_uninterrupted_one_to_the_bit(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    chosen = settings()
    pairs = read_photographs(photographs, 8)
    whole = new_training(model, chosen)
    for _ in range(12):
        whole.do_step(pairs)

    first = new_training(model, chosen)
    for _ in range(5):
        first.do_step(pairs)
    first.save(tmp_path / "state")
    torch.manual_seed(99)  # whatever ran in between
    second = Training(build_network(model)[0], chosen, model)
    second.restore(tmp_path / "state")
    assert second.step == 5
    for _ in range(7):
        second.do_step(pairs)
    for mine, theirs in (
        (whole.network.state_dict(), second.network.state_dict()),
        (whole.average, second.average),
    ):
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "state"
    save_atomically({"step": 1}, file)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(MeasurementError, match=r"state: cannot be"),
    ):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        save_atomically({"step": 2}, file)
    assert torch.load(file, weights_only=True) == {"step": 1}


def test_a_run_is_shortened_and_prolonged_but_not_to_less_than_is_done(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    state = tmp_path / "a.state"
    training = new_training(model, settings(steps=12))
    pairs = read_photographs(photographs, 8)
    for _ in range(5):
        training.do_step(pairs)
    training.save(state)
    for steps in (5, 8, 30):
        other = new_training(model, settings(steps=steps))
        other.restore(state)
        assert other.step == 5
        if steps > 5:
            other.do_step(pairs)
            assert other.optimizer.param_groups[0]["lr"] == learning_rate(5, other.settings)
    with pytest.raises(UsageError, match=r"expected steps 12; found steps 4"):
        new_training(model, settings(steps=4)).restore(state)


def test_a_second_stage_begins_with_the_averaged_weights_of_the_first(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    state, out = tmp_path / "first.state", tmp_path / "second.pth"
    training = new_training(model, settings())
    pairs = read_photographs(photographs, 8)
    for _ in range(5):
        training.do_step(pairs)
    training.save(state)
    network = build_network(model)[0]
    begin_with(network, state)
    assert all(torch.equal(network.state_dict()[key], value) for key, value in training.average.items())
    result = invoke(model, "--data", photographs, "--out", out, "--begin-with", state)
    assert result.exit_code == 0 and out.is_file() and state.is_file(), result.output

    with pytest.raises(RecordError, match="is of another network"):
        begin_with(torch.nn.Conv2d(3, 3, 1), state)
    state.write_bytes(b"torn")
    result = invoke(model, "--data", photographs, "--out", tmp_path / "a.pth", "--begin-with", state)
    assert result.exit_code == 1 and "is not the state of a run" in result.stderr


def test_run_struck_down_after_its_last_step_is_finished_by_resume(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.pth"
    call = [model, "--data", photographs, "--out", out]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "export", lambda *_: sys.exit(77))
        assert invoke(*call).exit_code == 77
    average = torch.load(tmp_path / "a.pth.state", weights_only=True)["average"]
    assert invoke(*call, "--resume").exit_code == 0
    assert all(torch.equal(average[key], value) for key, value in torch.load(out, weights_only=True).items())


@pytest.mark.slow
def test_command_struck_down_twice_and_resumed_writes_the_same_checkpoint(
    root: Path, model: Path, photographs: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    struck, whole = tmp_path / "struck.pth", tmp_path / "whole.pth"
    state = tmp_path / "struck.pth.state"

    def command(out: Path, *more: str) -> list[str]:
        options = "--steps 240 --batch 4 --patch 8 --every 20 --threads 1".split()
        tool = str(root / "tools" / "train.py")
        return [
            sys.executable,
            tool,
            str(model),
            "--data",
            str(photographs),
            "--out",
            str(out),
            *options,
            *more,
        ]

    def strike(blow: signal.Signals, *more: str) -> tuple[int, str]:
        """Start, wait for the state to be written anew, strike; return the exit code and the last line."""
        before = state.stat().st_mtime_ns if state.exists() else 0
        with subprocess.Popen(
            command(struck, *more), stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and not (state.exists() and state.stat().st_mtime_ns > before):
                time.sleep(0.005)
            process.send_signal(blow)
            _, stderr = process.communicate(timeout=60)
        assert "Traceback" not in stderr and not struck.exists()
        return process.returncode, stderr.splitlines()[-1]

    code, line = strike(signal.SIGINT)
    assert code == 130 and line.startswith("Stopped and saved.") and line.endswith("--threads 1 --resume")
    first = torch.load(state, weights_only=True)["step"]
    code, _ = strike(signal.SIGKILL, "--resume")
    assert code == -signal.SIGKILL
    assert 20 <= first < torch.load(state, weights_only=True)["step"] < 240
    for arguments in (command(struck, "--resume"), command(whole)):
        subprocess.run(arguments, check=True, capture_output=True, timeout=300, env=environment)
    assert not state.exists()
    a, b = torch.load(struck, weights_only=True), torch.load(whole, weights_only=True)
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


# --- the command ----------------------------------------------------------------------------------


def test_command_writes_a_plain_state_dict_that_loads_strictly(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    validation = tmp_path / "val"
    (validation / "mini_HR").mkdir(parents=True)
    (validation / "mini_LR").mkdir()
    pairs = read_photographs(photographs, 8)
    Image.fromarray(pairs.hr[0]).save(validation / "mini_HR" / "a.png")
    Image.fromarray(pairs.lr[0]).save(validation / "mini_LR" / "ax4.png")
    out = tmp_path / "new" / "team07_Tiny.pth"
    result = invoke(model, "--data", photographs, "--out", out, "--val", validation)
    assert result.exit_code == 0, result.output
    assert re.search(r"step 4: loss \d+\.\d+, \d+\.\d steps/s, PSNR Y \d+\.\d+ dB", result.stderr)
    state = torch.load(out, weights_only=True)
    assert type(state) is dict and all(type(value) is torch.Tensor for value in state.values())
    build_network(model)[0].load_state_dict(state, strict=True)
    assert [file.name for file in out.parent.iterdir()] == ["team07_Tiny.pth"]  # nothing else is left


BODY = TINY.split("SUBMISSION")[0] + TINY[TINY.index("\n\nclass") :].replace("width):", "width=8):")


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (BODY, ["--data-range", "255"]),
        (BODY + "\ndef build_model():\n    return Tiny(4)\n", ["--data-range", "1"]),
        (BODY + "\nclass Whole(Tiny):\n    def __init__(self):\n        super().__init__()\n"
         "        self.part = Tiny()\n", ["--data-range", "1"]),
        (BODY.replace("width=8)", "width)") + 'SUBMISSION = {"model": "Tiny", "args": {"width": 6}}\n',
         ["--data-range", "1"]),
    ],
    ids=["only class", "build_model", "class that is no part", "declared arguments"],
)  # fmt: skip
def test_network_is_found(
    model: Path, photographs: Path, tmp_path: Path, source: str, options: list[str]
) -> None:
    model.write_text(source)
    result = invoke(model, "--data", photographs, "--out", tmp_path / "a.pth", *options)
    assert result.exit_code == 0, result.output


def test_declaration_beside_the_file_counts(model: Path) -> None:
    model.write_text(BODY.replace("width=8)", "width)"))
    model.with_suffix(".toml").write_text('model = "Tiny"\ndata_range = 255\nargs = { width = 5 }\n')
    network, declared = build_network(model)
    assert network.body[0].weight.shape[0] == 5 and declared.data_range == 255


TWO = BODY + "\nclass Other(Tiny):\n    pass\n"
FAULTS = {
    "no such model": (None, [], 2, r"team07_Tiny\.py: there is no such model file.*Remedy"),
    "not Python": ("def", [], 1, r"is not Python.*line 1"),
    "fails on import": ("import torch\n\n1 / 0\n", [], 1, r"when it is imported.*ZeroDivisionError.*line 3"),
    "no network": ("x = 1\n", [], 1, r"does not say which class.*no nn\.Module class"),
    "two networks": (TWO, [], 1, r"does not say which class.*Tiny, Other"),
    "unknown class": ('SUBMISSION = {"model": "Nope"}\n', [], 1, r"'Nope', which the file does not define"),
    "builds nothing": ("def build_model():\n    pass\n", [], 1, r"builds no network.*NoneType"),
    "no data range": (BODY, [], 2, r"does not declare the value of white.*--data-range"),
    "class with arguments": (BODY.replace("width=8", "width"), [], 1, r"does not say which class"),
    "wrong arguments": (TINY.replace('"width"', '"breadth"'), [], 1, r"cannot be built.*breadth"),
    "two data ranges": (TINY, ["--data-range", "255"], 2, r"declares data_range 1, and --data-range is 255"),
    "fails": (TINY.replace("(x)", "(y)"), [], 1, r"forward gives no SR.*NameError.*line 16"),
    "gives a list": (TINY.replace("self.body(x)", "[self.body(x)]"), [], 1, r"found a list"),
    "not x4": (TINY.replace("48", "12").replace("(4)", "(2)"), [], 1, r"2x3x32x32; found 2x3x16x16.*4 times"),
    "diverges": (TINY.replace("self.body(x)", "self.body(x) * float('nan')"), [], 1, r"diverged.*nan"),
    "no state": (TINY, ["--resume"], 2, r"no run to resume"),
    "nothing to validate on": (TINY, ["--val", "nowhere"], 1, r"nowhere: holds nothing to validate on"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "options", "code", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_one_plain_line(
    model: Path, photographs: Path, tmp_path: Path,
    source: str | None, options: list[str], code: int, message: str,
) -> None:  # fmt: skip
    if source is None:
        model.unlink()
    else:
        model.write_text(source)
    result = invoke(model, "--data", photographs, "--out", tmp_path / "a.pth", *options)
    assert result.exit_code == code, result.output
    assert re.fullmatch(f"Error: .*{message}.*", result.stderr.splitlines()[-1]), result.stderr
    assert "Traceback" not in result.stderr and not (tmp_path / "a.pth").exists()


def test_bad_photographs_are_all_named_in_one_message(model: Path, photographs: Path, tmp_path: Path) -> None:
    Image.new("L", (64, 64)).save(photographs / "grey.png")
    Image.new("RGB", (64, 31)).save(photographs / "flat.png")
    (photographs / "torn.png").write_bytes((photographs / "0.png").read_bytes()[:200])
    (photographs / "notes.txt").write_text("not an image")
    result = invoke(model, "--data", photographs, "--out", tmp_path / "a.pth")
    line = result.stderr.splitlines()[-1]
    assert result.exit_code == 1
    assert "3 of 6 images cannot be trained on" in line and "notes" not in line
    assert (
        "grey.png (mode L)" in line
        and "flat.png (only 64x28 pixels)" in line
        and "torn.png (unreadable" in line
    )


@pytest.mark.parametrize("there", [True, False])
def test_no_photographs(model: Path, tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "empty"
    if there:
        folder.mkdir()
    result = invoke(model, "--data", folder, "--out", tmp_path / "a.pth")
    assert result.exit_code == 1
    assert re.search(r"Error: .*empty: holds no photographs; expected .*Remedy", result.stderr)


def test_validation_images_that_do_not_fit(model: Path, photographs: Path, tmp_path: Path) -> None:
    for folder, size in (("HR", (64, 64)), ("LR_x4", (16, 15))):
        (tmp_path / folder).mkdir()
        Image.new("RGB", size).save(tmp_path / folder / "a.png")
    result = invoke(model, "--data", photographs, "--out", tmp_path / "a.pth", "--val", tmp_path)
    assert result.exit_code == 1 and "expected 16x16 pixels; found 16x15" in result.stderr
    (tmp_path / "LR_x4" / "a.png").unlink()
    result = invoke(model, "--data", photographs, "--out", tmp_path / "a.pth", "--val", tmp_path)
    assert result.exit_code == 1 and "cannot be read" in result.stderr


def test_earlier_work_is_never_overwritten_nor_continued_otherwise(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    out, state = tmp_path / "a.pth", tmp_path / "a.pth.state"
    call = [model, "--data", photographs, "--out", out]
    out.write_bytes(b"precious")
    result = invoke(*call)
    assert result.exit_code == 2 and "is there already" in result.stderr and out.read_bytes() == b"precious"

    out.unlink()
    new_training(model, settings()).save(state)
    result = invoke(*call)
    assert result.exit_code == 2 and "a run was begun before" in result.stderr and "--resume" in result.stderr
    result = invoke(*call, "--resume")
    assert result.exit_code == 2 and "other settings" in result.stderr and "batch 4" in result.stderr

    state.write_bytes(b"torn")
    result = invoke(*call, "--resume")
    assert result.exit_code == 1 and "is not the state of a run" in result.stderr and not out.exists()
