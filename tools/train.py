"""Train a network of models/ from scratch on a folder of photographs, on the CPU.

    python tools/train.py models/team00_RLFN.py --data PHOTOGRAPHS [--val SET5]

What it does: L1 loss; Adam (0.9, 0.99) with a linear warm-up and a cosine down to 1e-6; random crops with
flips and transposes; LR by MATLAB's bicubic on 8-bit images, made once from each whole photograph with the
code of `ntire-bench prepare`; bfloat16 autocast, or --float32; gradient norm clipped at 50.

The checkpoint it writes is a plain state dict of *averaged* weights: an exponential moving average, decay
0.999, of the weights after each step. --val measures those, too. A network with a training form (its class
takes `deploy`, and it has a method `fuse()`) is trained in it, and written and measured fused.

Ctrl-C saves everything beside --out and says how to go on; going on with --resume continues as if nothing had
happened, to the last bit with the same number of threads. With other --steps it goes on too, on the new
schedule: a run can be shortened or prolonged. Where other programs compute at the same time, set
OMP_WAIT_POLICY=passive in the environment: threads that wait for each other then leave the cores to them.

The model file is executed, with all your rights: train what you wrote or have read.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import inspect
import io
import math
import os
import pickle
import shlex
import signal
import sys
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn

from ntire_bench import declaration
from ntire_bench.declaration import Declaration
from ntire_bench.errors import (
    DatasetError,
    MeasurementError,
    NtireBenchError,
    RecordError,
    SubmissionError,
    UsageError,
    relative,
)
from ntire_bench.images import matlab_bicubic_down, modcrop, read_png
from ntire_bench.inference import Upscaler, blame, to_tensor, to_uint8
from ntire_bench.loader import import_file
from ntire_bench.metrics import psnr

SCALE = 4
FINAL_LR = 1e-6
MAX_GRADIENT_NORM = 50.0  # of a loss in grey levels (0 to 255)
EMA_DECAY = 0.999
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

Pixels = NDArray[np.uint8]
State = dict[str, Tensor]


class Interrupted(Exception):
    """Ctrl-C came; everything up to the last whole step is saved."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that the weights depend on, besides the number of threads; a resumed run must have the same."""

    steps: int
    batch: int
    patch: int
    lr: float
    warmup: int
    seed: int
    float32: bool = False
    data_range: float = 0.0  # until the model file has been read
    model_sha256: str = ""
    data_sha256: str = ""
    begun_sha256: str = ""  # of the state that a second stage begins with


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Photographs held as uint8 RGB (H, W, 3): `hr[i]` is 4 times as high and as wide as `lr[i]`."""

    lr: list[Pixels]
    hr: list[Pixels]

    def sha256(self) -> str:
        """Return a fingerprint of the HR pixels, in their order."""
        digest = hashlib.sha256()
        for image in self.hr:
            digest.update(repr(image.shape).encode() + image.tobytes())
        return digest.hexdigest()


# --- the network --------------------------------------------------------------------------------


def build_network(file: Path, *, training: bool = False) -> tuple[nn.Module, Declaration]:
    """Execute a model file and build its network.

    The network is what the file, or the TOML file beside it, declares; else what build_model() returns;
    else the one class of the file that needs no arguments and is no part of another such class.

    Returns:
        The network with fresh weights, and what the file declares.

    Raises:
        SubmissionError: The file cannot be executed, or does not say which class is the network.
    """
    declared = declaration.read(file, declaration.parse(file))
    module = import_file(file)
    if declared.model is None:
        build = getattr(module, "build_model", None) or _only_network(file, module)
    else:
        build = getattr(module, declared.model, None)
        if not callable(build):
            raise SubmissionError(
                f"{declared.source} names model {declared.model!r}, which the file does not define",
                file=file,
                found=", ".join(_classes(module)) or "no nn.Module class",
                remedy=f"correct {declared.source}",
            )
    args = dict(declared.args)
    if training and "deploy" in inspect.signature(build).parameters:
        args.setdefault("deploy", False)
    try:
        network = build(**args)
    except Exception as error:
        raise SubmissionError(
            "cannot be built", file=file, found=blame(error, file), remedy="mend the file, or declare args"
        ) from error
    if not isinstance(network, nn.Module):
        found = type(network).__name__
        raise SubmissionError(
            "builds no network", file=file, expected="nn.Module", found=found, remedy="return the network"
        )
    return network, declared


def _classes(module: ModuleType) -> dict[str, type[nn.Module]]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    }


def _only_network(file: Path, module: ModuleType) -> type[nn.Module]:
    classes = _classes(module)
    networks = {name: cls() for name, cls in classes.items() if _needs_no_arguments(cls)}
    parts = {type(part) for network in networks.values() for part in list(network.modules())[1:]}
    whole = [name for name in networks if classes[name] not in parts]
    if len(whole) != 1:
        raise SubmissionError(
            "does not say which class is the network",
            file=file,
            expected="one nn.Module class that needs no arguments and is no part of another",
            found=", ".join(whole or classes) or "no nn.Module class",
            remedy='declare it: SUBMISSION = {"model": "NAME", "data_range": 1}',
        )
    return classes[whole[0]]


def _needs_no_arguments(cls: type[nn.Module]) -> bool:
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(cls).parameters.values()
    return all(p.default is not p.empty or p.kind in optional for p in parameters)


# --- images -------------------------------------------------------------------------------------


def read_photographs(folder: Path, patch: int) -> Pairs:
    """Decode every photograph of a folder and make its LR.

    Args:
        folder: Holds 8-bit RGB images; other files are passed over.
        patch: Side of a crop [LR pixels]; each photograph must hold one.

    Raises:
        DatasetError: There are none, or some are unreadable, not 8-bit RGB or too small; all are named.
    """
    files: list[Path] = []
    if folder.is_dir():
        # Hidden files are none of the user's: macOS puts ._a.png beside a.png.
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.name[0] != ".")
    if not files:
        raise DatasetError(
            "holds no photographs",
            file=folder,
            expected=f"files with one of {' '.join(SUFFIXES)}",
            found="nothing of the kind" if folder.is_dir() else "no such folder",
            remedy="name the folder that holds them with --data",
        )
    pairs = Pairs(lr=[], hr=[])
    problems: list[str] = []
    for file in files:
        try:
            hr = modcrop(_read_rgb(file), SCALE)
        except DatasetError as error:
            problems.append(f"{file.name} ({error.what})")
            continue
        if min(hr.shape[:2]) < patch * SCALE:
            problems.append(f"{file.name} (only {hr.shape[1]}x{hr.shape[0]} pixels)")
            continue
        pairs.hr.append(hr)
        pairs.lr.append(matlab_bicubic_down(hr, SCALE))
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise DatasetError(
            f"{len(problems)} of {len(files)} images cannot be trained on",
            file=folder,
            expected=f"8-bit RGB of at least {patch * SCALE}x{patch * SCALE} pixels",
            found=", ".join(problems[:5]) + more,
            remedy="remove them, or make --patch smaller if only the size is wrong",
        )
    return pairs


def _read_rgb(file: Path) -> Pixels:
    try:
        with Image.open(file) as image:
            if image.mode != "RGB":
                raise DatasetError(f"mode {image.mode}", file=file)
            return np.array(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"unreadable: {error}", file=file) from None


def read_validation(folder: Path) -> Pairs:
    """Decode the LR and HR images of a validation folder.

    Args:
        folder: Holds HR/NAME.png with LR_x4/NAMEx4.png, or one or more pairs of folders SET_HR and SET_LR.

    Raises:
        DatasetError: There is no pair of folders, or LR and HR do not fit together.
    """
    places = {folder / "HR": folder / f"LR_x{SCALE}"}
    places.update({hr: hr.with_name(hr.name[:-2] + "LR") for hr in sorted(folder.glob("*_HR"))})
    pairs = Pairs(lr=[], hr=[])
    for hr_file, lr_folder in ((f, lr) for hr, lr in places.items() for f in sorted(hr.glob("*.png"))):
        lr_file = lr_folder / f"{hr_file.stem}x{SCALE}.png"
        if not lr_file.is_file():
            lr_file = lr_folder / hr_file.name
        lr, hr = read_png(lr_file), modcrop(read_png(hr_file), SCALE)
        if hr.shape[:2] != (lr.shape[0] * SCALE, lr.shape[1] * SCALE):
            raise DatasetError(
                f"is not 1/{SCALE} of its HR image",
                file=lr_file,
                expected=f"{hr.shape[1] // SCALE}x{hr.shape[0] // SCALE} pixels",
                found=f"{lr.shape[1]}x{lr.shape[0]}",
                remedy="make LR anew with ntire-bench prepare",
            )
        pairs.lr.append(lr)
        pairs.hr.append(hr)
    if not pairs.hr:
        raise DatasetError(
            "holds nothing to validate on",
            file=folder,
            expected=f"HR/NAME.png with LR_x{SCALE}/NAMEx{SCALE}.png, or folders SET_HR and SET_LR of PNGs",
            remedy="name such a folder with --val, or leave --val out",
        )
    return pairs


def crop_batch(pairs: Pairs, settings: Settings, step: int) -> tuple[Tensor, Tensor]:
    """Cut the crops of one step: a pure function of the photographs, the seed and the step.

    Returns:
        LR (N, 3, P, P) and HR (N, 3, 4P, 4P), uint8, each pair flipped and transposed alike.
    """
    random = np.random.default_rng((settings.seed, step))
    side = settings.patch
    crops: tuple[list[Pixels], list[Pixels]] = ([], [])
    for _ in range(settings.batch):
        index = int(random.integers(len(pairs.lr)))
        height, width = pairs.lr[index].shape[:2]
        top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
        flip_rows, flip_columns, transpose = random.integers(2, size=3)
        for image, scale, out in ((pairs.lr[index], 1, crops[0]), (pairs.hr[index], SCALE, crops[1])):
            crop = image[top * scale : (top + side) * scale, left * scale : (left + side) * scale]
            crop = crop[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
            out.append(crop.transpose(1, 0, 2) if transpose else crop)
    lr, hr = (torch.from_numpy(np.stack(crop)).permute(0, 3, 1, 2) for crop in crops)
    return lr, hr


# --- training -----------------------------------------------------------------------------------


def learning_rate(step: int, settings: Settings) -> float:
    """Return the learning rate of a step counted from 0: linear warm-up, then half a cosine.

    >>> run = Settings(steps=100, batch=1, patch=8, lr=1e-3, warmup=10, seed=0, data_range=1)
    >>> [f"{learning_rate(step, run):.6f}" for step in (0, 9, 10, 55, 100)]
    ['0.000100', '0.001000', '0.001000', '0.000501', '0.000001']
    """
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return FINAL_LR + (settings.lr - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * done))


def update_average(average: State, network: nn.Module, step: int) -> None:
    """Move the averaged weights towards the network's; buffers that are not floating point are copied.

    The decay grows to `EMA_DECAY` as (1 + step) / (10 + step), lest the first weights weigh on short runs.
    """
    weight = 1 - min(EMA_DECAY, (1 + step) / (10 + step))
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                average[key].lerp_(value, weight)
            else:
                average[key].copy_(value)


def mean_psnr_y_db(upscaler: Upscaler, pairs: Pairs) -> float:
    """Return the mean PSNR Y [dB] over image pairs: in float32, as the leaderboard measures it."""
    values = []
    for lr, hr in zip(pairs.lr, pairs.hr, strict=True):
        with torch.inference_mode():
            output = upscaler.checked(to_tensor(lr, upscaler.data_range))
        values.append(psnr(to_uint8(output, upscaler.data_range).numpy(), hr).y_db)
    return float(np.mean(values))


def save_atomically(value: object, path: Path) -> None:
    """Write `value` with torch.save such that `path` is always either the old or the whole new file.

    Raises:
        MeasurementError: The file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(value, buffer)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(buffer.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        raise MeasurementError(
            "cannot be written",
            file=path,
            found=error.strerror or str(error),
            remedy="check the folder's permissions and the free space",
        ) from error


def read_state(path: Path) -> dict[str, Any]:
    """Return what `Training.save` stored.

    Raises:
        RecordError: The file cannot be read.
    """
    try:
        if not zipfile.is_zipfile(path):  # what torch.load says of other files is anyone's guess
            raise ValueError("no file of torch.save, or a torn one")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state["settings"], dict):
            raise TypeError("no settings in it")
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise RecordError(
            "is not the state of a run",
            file=path,
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            remedy="name a .state file that a run has left, or train anew without it",
        ) from None
    return state


def begin_with(network: nn.Module, path: Path) -> str:
    """Give a network the averaged weights of another run of the same model file.

    Returns:
        The SHA-256 of the state file.

    Raises:
        RecordError: It is no such file, or of another network.
    """
    try:
        network.load_state_dict(read_state(path)["average"])
    except RuntimeError as error:
        found = str(error).splitlines()[0]
        raise RecordError("is of another network", file=path, found=found, remedy="name another") from None
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Training:
    """A run: network, averaged weights, optimizer and the number of steps done.

    Args:
        network: In the state it starts from.
        settings: Of the run.
        file: The model file, for messages.
    """

    def __init__(self, network: nn.Module, settings: Settings, file: Path) -> None:
        # oneDNN's bfloat16 convolutions are up to a half faster with the channels last.
        self.network: nn.Module = network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.file = file
        self.average: State = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, betas=(0.9, 0.99), fused=True)
        self.step = 0

    def do_step(self, pairs: Pairs) -> float:
        """Do one step and return its loss, the mean absolute difference [grey levels, 0 to 255].

        Raises:
            SubmissionError: The network fails, or its output is not 4 times as large as its input.
            MeasurementError: The loss is not finite.
        """
        lr, hr = crop_batch(pairs, self.settings, self.step)
        white = self.settings.data_range
        x = lr.float().mul_(white / 255).contiguous(memory_format=torch.channels_last)
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not self.settings.float32):
                sr = self.network(x)
        except Exception as error:
            raise self._wrong(blame(error, self.file), lr) from error
        if not isinstance(sr, Tensor):
            raise self._wrong(f"a {type(sr).__name__}", lr)
        if sr.shape != hr.shape:
            raise self._wrong("x".join(map(str, sr.shape)), lr)
        loss = nn.functional.l1_loss(sr.float() * (255 / white), hr.float())
        value = loss.item()
        if not math.isfinite(value):
            raise MeasurementError(
                f"training diverged at step {self.step + 1}",
                found=f"a loss of {value}",
                remedy="lower --lr, or give --float32",
            )
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.settings)
        self.optimizer.step()
        update_average(self.average, self.network, self.step)
        self.step += 1
        return value

    def _wrong(self, found: str, lr: Tensor) -> SubmissionError:
        count, colours, height, width = lr.shape
        return SubmissionError(
            f"forward gives no SR for a batch of {count}x{colours}x{height}x{width}",
            file=self.file,
            expected=f"{count}x{colours}x{height * SCALE}x{width * SCALE}",
            found=found,
            remedy=f"mend the network, or choose a --patch it can take; it must enlarge {SCALE} times",
        )

    def averaged_network(self) -> nn.Module:
        """Return a copy of the network in eval mode that has the averaged weights, fused if it can fuse."""
        network = copy.deepcopy(self.network).eval()
        network.load_state_dict(self.average)
        fuse = getattr(network, "fuse", None)
        if callable(fuse):
            fuse()
        return network

    def save(self, path: Path) -> None:
        """Store everything that the rest of the run depends on."""
        state = {
            "settings": dataclasses.asdict(self.settings),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),  # for networks with dropout; crops need no state
        }
        save_atomically(state, path)

    def restore(self, path: Path) -> None:
        """Go back to what `save` stored.

        Raises:
            RecordError: The file cannot be read.
            UsageError: It is the state of a run with other settings.
        """
        state = read_state(path)
        stored = state["settings"]
        now = dataclasses.asdict(self.settings)
        # A run may be shortened or prolonged: the learning rate goes on from where the new schedule has it.
        different = [key for key in now if stored.get(key, "") != now[key] and key != "steps"]
        if state["step"] > self.settings.steps:
            different.append("steps")
        if different:
            raise UsageError(
                "belongs to a run with other settings",
                file=path,
                expected=", ".join(f"{key} {stored.get(key)}" for key in different),
                found=", ".join(f"{key} {now[key]}" for key in different),
                remedy="give the same options, model file and photographs as before, or another --out",
            )
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.step = state["step"]


@contextmanager
def catch_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C (or a termination signal) has come; a second one kills."""
    before = {
        number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)
    }
    came = False

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        put_back()

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: came
    finally:
        put_back()


def run(
    training: Training,
    pairs: Pairs,
    state: Path,
    *,
    every: int,
    validate: Callable[[nn.Module], float] | None,
    console: Console,
) -> None:
    """Train to the last step; every so many steps, save the state and print loss, speed and PSNR.

    Args:
        training: At any step.
        pairs: The photographs.
        state: File that keeps the state.
        every: How many steps.
        validate: Returns the PSNR Y [dB] of a network.
        console: To print to.

    Raises:
        Interrupted: Ctrl-C came; the state is saved.
    """
    steps, first, start = training.settings.steps, training.step, time.perf_counter()
    recent: deque[float] = deque(maxlen=100)
    columns = (
        TextColumn("loss {task.fields[loss]:6.3f}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:5.1f} steps/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress, catch_interrupt() as interrupted:
        task = progress.add_task("", total=steps, completed=first, loss=math.nan, speed=math.nan)
        while training.step < steps:
            recent.append(training.do_step(pairs))
            loss = sum(recent) / len(recent)
            speed = (training.step - first) / (time.perf_counter() - start)
            progress.update(task, advance=1, loss=loss, speed=speed)
            if interrupted():
                training.save(state)
                raise Interrupted
            if training.step % every == 0 or training.step == steps:
                training.save(state)
                db = "" if validate is None else f", PSNR Y {validate(training.averaged_network()):.3f} dB"
                progress.console.print(
                    f"step {training.step}: loss {loss:.3f}, {speed:.1f} steps/s{db}", highlight=False
                )


def export(training: Training, file: Path, out: Path) -> None:
    """Write the averaged weights, and read them back into a network built anew, strictly.

    Raises:
        MeasurementError: What was read back is not what was written.
    """
    trained = training.averaged_network().state_dict()
    save_atomically({key: value.contiguous().clone() for key, value in trained.items()}, out)
    network, _ = build_network(file)
    network.load_state_dict(torch.load(out, map_location="cpu", weights_only=True), strict=True)
    wrong = [key for key, value in network.state_dict().items() if not torch.equal(value, trained[key])]
    if wrong:
        raise MeasurementError(
            "was not read back as it was written", file=out, found=", ".join(wrong), remedy="check the disk"
        )


def check_files(file: Path, out: Path, state: Path, resume: bool) -> None:
    """Check that there is a model to train, and that no earlier work would be lost.

    Raises:
        UsageError: Otherwise.
    """
    if not file.is_file():
        raise UsageError("there is no such model file", file=file, remedy="name a .py file of models/")
    if resume and not state.is_file():
        raise UsageError(
            "there is no run to resume", file=state, remedy="leave --resume out, or correct --out"
        )
    if not resume and state.exists():
        remedy = "go on with it by --resume, delete it, or choose another --out"
        raise UsageError("a run was begun before", file=state, remedy=remedy)
    if not resume and out.exists():
        raise UsageError("is there already", file=out, remedy="choose another --out")


def train(
    file: Path,
    data: Path,
    out: Path,
    settings: Settings,
    *,
    val: Path | None,
    every: int,
    resume: bool,
    begin: Path | None,
    console: Console,
) -> None:
    """Do what the command says, with its arguments; see `main`."""
    state = out.with_name(out.name + ".state")
    check_files(file, out, state, resume)
    torch.manual_seed(settings.seed)
    network, declared = build_network(file, training=True)
    begun = "" if begin is None else begin_with(network, begin)
    white = settings.data_range or declared.data_range
    if not white:
        raise UsageError(
            "does not declare the value of white", file=file, remedy="give --data-range 1 or --data-range 255"
        )
    if declared.data_range not in (None, white):
        raise UsageError(
            f"declares data_range {declared.data_range:g}, and --data-range is {white:g}",
            file=file,
            remedy="leave --data-range out: the weights would be evaluated with the declared one",
        )
    console.print("reading photographs and making their LR", highlight=False)
    pairs = read_photographs(data, settings.patch)
    validate: Callable[[nn.Module], float] | None = None
    if val is not None:
        validation = read_validation(val)

        def validate(averaged: nn.Module) -> float:
            upscaler = Upscaler(
                network=averaged,
                file=file,
                scale=SCALE,
                device=torch.device("cpu"),
                data_range=white,
                pad_to=declared.pad_to,
                tile=declared.tile,
            )
            return mean_psnr_y_db(upscaler, validation)

    settings = dataclasses.replace(
        settings,
        data_range=white,
        model_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        data_sha256=pairs.sha256(),
        begun_sha256=begun,
    )
    training = Training(network, settings, file)
    if resume:
        training.restore(state)
    parameters = sum(p.numel() for p in network.parameters())
    console.print(
        f"{len(pairs.hr)} photographs, {parameters:,} parameters, input range {white:g}, "
        f"{torch.get_num_threads()} threads",
        highlight=False,
    )
    run(training, pairs, state, every=every, validate=validate, console=console)
    export(training, file, out)
    state.unlink(missing_ok=True)


POSITIVE = click.IntRange(min=1)
FOLDER = click.Path(path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", type=FOLDER, required=True, help="Folder of 8-bit RGB photographs to train on.")
@click.option("--out", type=FOLDER, help="Checkpoint to write.  [default: runs/MODEL.pth]")
@click.option(
    "--val", type=FOLDER, help="Folder with HR/ and LR_x4/, or NAME_HR/ and NAME_LR/; prints PSNR Y."
)
@click.option("--steps", type=POSITIVE, default=3000)
@click.option("--batch", type=POSITIVE, default=16, help="Crops per step.")
@click.option("--patch", type=POSITIVE, default=32, help="Side of a crop [LR pixels].")
@click.option("--lr", type=click.FloatRange(min=FINAL_LR), default=2e-3, help="Peak learning rate.")
@click.option(
    "--warmup", type=click.IntRange(min=0), help="Steps.  [default: 500, at most a sixth of --steps]"
)
@click.option("--seed", type=click.IntRange(min=0), default=0)
@click.option(
    "--data-range", type=click.Choice(["1", "255"]), help="Value of white, where the model declares none."
)
@click.option("--float32", is_flag=True, help="Compute in float32 throughout: slower, for what diverges.")
@click.option("--threads", type=POSITIVE, help="CPU threads.  [default: all that this process may use]")
@click.option("--every", type=POSITIVE, default=500, help="Save the state and report every so many steps.")
@click.option("--resume", is_flag=True, help="Go on with the run that was interrupted.")
@click.option(
    "--begin-with",
    type=FOLDER,
    metavar="STATE",
    help="Begin with the averaged weights of another run that was interrupted, as a second stage does.",
)
def main(
    model: Path,
    data: Path,
    out: Path | None,
    val: Path | None,
    steps: int,
    batch: int,
    patch: int,
    lr: float,
    warmup: int | None,
    seed: int,
    data_range: str | None,
    float32: bool,
    threads: int | None,
    every: int,
    resume: bool,
    begin_with: Path | None,
) -> None:
    """Train MODEL, a file of models/, on the photographs of --data."""
    if threads is not None:
        torch.set_num_threads(threads)
    out = Path("runs") / f"{model.stem}.pth" if out is None else out
    settings = Settings(
        steps=steps,
        batch=batch,
        patch=patch,
        lr=lr,
        warmup=min(500, steps // 6) if warmup is None else warmup,
        seed=seed,
        float32=float32,
        data_range=float(data_range or 0),
    )
    try:
        train(
            model,
            data,
            out,
            settings,
            val=val,
            every=every,
            resume=resume,
            begin=begin_with,
            console=Console(stderr=True),
        )
    except Interrupted:
        again = [*sys.argv[1:], *([] if resume else ["--resume"])]
        click.echo(f"Stopped and saved. Go on with: python {shlex.join([sys.argv[0], *again])}", err=True)
        sys.exit(130)
    except NtireBenchError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    click.echo(relative(out))


if __name__ == "__main__":
    main()
