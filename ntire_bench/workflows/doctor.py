"""What a machine gives before anything is run: what fits, what does not, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ntire_bench
from ntire_bench.data import nearby, sample
from ntire_bench.data.cache_dir import cache_dir
from ntire_bench.errors import NtireBenchError
from ntire_bench.isolation.advice import for_next_level
from ntire_bench.machine import environment, installed
from ntire_bench.machine.gpu_fit import fit
from ntire_bench.machine.monitor import CpuShare
from ntire_bench.machine.resources import free_bytes, memory
from ntire_bench.records.record import Isolation
from ntire_bench.text import few, relative
from ntire_bench.workflows.estimate import size
from ntire_bench.workflows.speed import Speed

__all__ = ["Part", "State", "computer", "isolation_part", "places", "speed_part"]

State = Literal["ok", "note", "problem"]
_BUSY = 0.1  # share of the cores that others use from which on runtimes scatter
_LOOK_S = 0.5
_LITTLE_MEMORY = 4 * 2**30
_LITTLE_DISK = 2**30
_DIV2K_PIXELS = 339 * 510  # of most LR images of DIV2K
_MOST_SETS = 12


@dataclass(frozen=True, kw_only=True)
class Part:
    """What was found of one thing.

    Attributes:
        name: Of the thing, such as "GPU".
        state: "ok"; "note" where something is less than it could be; "problem" where nothing can be run.
        found: Sentences, the first the most important.
        remedy: What to do; empty where there is nothing to do.
    """

    name: str
    state: State
    found: tuple[str, ...]
    remedy: str = ""


def computer(device: str) -> Iterator[Part]:
    """Yield what the computer and its Python are.

    Args:
        device: As --device has it: "cpu" needs no GPU.
    """
    python = f"Python {platform.python_version()}, ntire_bench {ntire_bench.__version__}"
    linux = sys.platform == "linux"
    yield Part(
        name="system",
        state="ok" if linux else "problem",
        found=(f"{platform.system()} {platform.release()} ({platform.machine()}), {python}",),
        remedy="" if linux else "submissions run on Linux, or on Windows in WSL 2",
    )
    cores = environment.cores()
    threads = environment.compute_threads()
    yield Part(
        name="CPU",
        state="ok" if cores > 1 else "note",
        found=(
            f"{environment.cpu_model()}; {_count(cores, 'core')}, networks compute with "
            f"{_count(threads, 'thread')} on a CPU",
        ),
        remedy="" if cores > 1 else "give it two cores: what runs beside a timed call takes its core from it",
    )
    yield _load()
    yield _memory()
    yield from _gpu_and_torch(device)


def _load() -> Part:
    share = CpuShare(())
    time.sleep(_LOOK_S)
    others = share.others()
    if others is None:
        return Part(name="load", state="note", found=("what other programs use cannot be told here",))
    text = f"other programs use {others:.0%} of the cores now"
    if others < _BUSY:
        return Part(name="load", state="ok", found=(text,))
    remedy = "measure when the machine is idle: runtimes scatter, and rounds go on for longer"
    return Part(name="load", state="note", found=(text,), remedy=remedy)


def _memory() -> Part:
    found = memory()
    if found is None:
        return Part(name="memory", state="note", found=("how much memory there is cannot be told here",))
    text = f"{size(found.available)} of {size(found.total)} can be had"
    if found.available >= _LITTLE_MEMORY:
        return Part(name="memory", state="ok", found=(text,))
    remedy = "two workers with torch take 1 GiB and more, on large images several: end other programs"
    return Part(name="memory", state="note", found=(text,), remedy=remedy)


def _gpu_and_torch(device: str) -> Iterator[Part]:
    build, gpus, cuda = installed.torch_build(), installed.gpus(), None
    if gpus is not None and gpus.models:
        cuda = installed.driver_cuda()
    found = fit(build, gpus, cuda)
    if build is None:
        yield Part(name="torch", state="problem", found=(found.why,), remedy=found.remedy)
        return
    made_for = "CPUs alone" if build.cuda is None else f"CUDA {build.cuda}"
    yield Part(name="torch", state="ok", found=(f"{build.version}, for {made_for}; {_fvcore()}",))
    wanted = device.startswith("cuda")
    if gpus is not None and not gpus.models:
        state: State = "problem" if wanted else "ok"
        yield Part(name="GPU", state=state, found=(found.why,))
        return
    models = [] if gpus is None else [f"{', '.join(gpus.models)}; driver {gpus.driver}"]
    if models and cuda:
        models[0] += f", CUDA up to {cuda}"
    fine = found.gpu and not found.why
    state = "ok" if fine else "problem" if wanted and not found.gpu else "note"
    yield Part(
        name="GPU",
        state=state,
        found=tuple([*models, *([found.why] if found.why else [])]),
        remedy=found.remedy,
    )


def _fvcore() -> str:
    try:
        return f"fvcore {importlib.metadata.version('fvcore')}"
    except importlib.metadata.PackageNotFoundError:
        return "fvcore is missing: FLOPs cannot be counted"


def isolation_part(found: Isolation) -> Part:
    """Return which level of isolation holds, and why not a higher one."""
    best = found.level == "L3"
    return Part(
        name="isolation",
        state="ok" if best else "note",
        found=(f"{found.level}: {found.detail}", *(f"not {text}" for text in found.refused)),
        remedy=for_next_level(found),
    )


def places(data_dir: Path | None, results: Path, save_dir: Path | None = None) -> Iterator[Part]:
    """Yield what lies where images are looked for, and what room there is.

    Args:
        data_dir: As --data-dir has it; None looks where the other commands do.
        results: Folder of the records.
        save_dir: Folder of the SR images; None where none are kept.
    """
    yield _data(nearby.PLACES if data_dir is None else (data_dir,), named=data_dir is not None)
    try:
        cache = cache_dir()
    except NtireBenchError as error:
        yield Part(name="cache", state="problem", found=(str(error),))
    else:
        made = "made" if sample.is_made() else "made on first use"
        held = _held(cache)
        yield _disk("cache", cache, f"holds {size(held)}; " * bool(held) + f"the sample set is {made}")
    yield _disk("records", results, "")
    if save_dir is not None:
        yield _disk("SR images", save_dir, "")


def _data(roots: Sequence[Path], *, named: bool) -> Part:
    pairs = [pair for root in roots for pair in nearby.folder_pairs(root)]
    whole = [
        f"{relative(p.base)}: {_count(p.hr, 'pair')}{'' if p.side == 'LR' else f' of {p.side}'}"
        for p in pairs
        if p.hr and p.hr == p.lr
    ]
    others = [
        f"{relative(pair.base)}: {_files(pair.hr)} in _HR, {_files(pair.lr)} in _{pair.side}"
        for pair in pairs
        if not pair.hr or pair.hr != pair.lr
    ]
    looked = few([relative(root) for root in roots])
    if not pairs:
        text = f"no folders NAME_HR and NAME_LR in {looked}" + ("" if named else ": the sample set is used")
        remedy = "name the folder of DIV2K_LSDIR_valid_HR and the like with --data-dir"
        return Part(name="data", state="problem" if named else "note", found=(text,), remedy=remedy)
    found = [*whole, *others]
    left = len(found) - _MOST_SETS
    more = [f"and {left} more"] if left > 0 else []
    remedy = "ntire-bench prepare NAME_HR makes LR images; HR and LR files must be as many" if others else ""
    return Part(
        name="data", state="note" if others else "ok", found=(*found[:_MOST_SETS], *more), remedy=remedy
    )


def _disk(name: str, folder: Path, also: str) -> Part:
    free = free_bytes(folder)
    text = f"{relative(folder)}: " + ("free space cannot be told" if free is None else f"{size(free)} free")
    text += f"; {also}" if also else ""
    if free is None or free >= _LITTLE_DISK:
        return Part(name=name, state="ok", found=(text,))
    return Part(name=name, state="note", found=(text,), remedy="free space there, or name another folder")


def _held(folder: Path) -> int:
    """Return how much lies in a folder of ours [bytes]."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # another program has taken it away
                continue
    return total


def speed_part(speed: Speed | None) -> Part:
    """Return how a worker starts and computes here.

    Args:
        speed: Of the baseline; None where there is no submission to run.
    """
    if speed is None:
        return Part(name="worker", state="note", found=("not tried: there is no submission",))
    each_s = speed.pair_s * _DIV2K_PIXELS
    how = "timed just now" if speed.source == "timed" else "as the records here say"
    return Part(
        name="worker",
        state="ok",
        found=(
            f"starts and loads in {speed.start_s:.1f} s, computes on {speed.device}; a round beside the "
            f"baseline {speed.baseline} takes about {_seconds(each_s)} for an image of DIV2K's size ({how})",
        ),
    )


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 0.1 else f"{value * 1000:.0f} ms"


def _count(number: int | None, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _files(number: int | None) -> str:
    return "no folder" if number is None else _count(number, "PNG file")
