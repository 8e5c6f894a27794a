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

import dataclasses
import hashlib
import math
import shlex
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import nn
from training import Training, mean_psnr_y_db
from training_images import SCALE, Pairs, read_photographs, read_validation
from training_network import build_network
from training_settings import FINAL_LR, Settings
from training_state import begin_with, save_atomically

from ntire_bench.errors import MeasurementError, NtireBenchError, UsageError
from ntire_bench.text import relative
from ntire_bench.worker.network.upscaler import Upscaler


class Interrupted(Exception):
    """Ctrl-C came; everything up to the last whole step is saved."""


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
