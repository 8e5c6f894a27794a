"""Loads one model file and its checkpoint: a network in eval mode, and its input range. Worker only."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch

from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Finding, Inference
from ntire_bench.wire.declaration import Declaration
from ntire_bench.wire.messages import Slow
from ntire_bench.worker.loading import missing_packages, own_files
from ntire_bench.worker.loading.construction import Construction
from ntire_bench.worker.loading.cuda_on_cpu import answer_on_cpu
from ntire_bench.worker.network import packages
from ntire_bench.worker.network.checkpoint import read
from ntire_bench.worker.network.state_dict import StateDict, state_dicts
from ntire_bench.worker.network.upscaler import Upscaler, blame

__all__ = ["Loaded", "import_file", "load"]


@dataclass
class Loaded:
    """A network ready to run.

    Attributes:
        upscaler: The network and how to run it.
        model: The class or function that built it.
        inferred: All that was not declared.
        findings: What a reader of the result must know.
        slow: How slow it is; None where nothing says that it is slow.
        merged: Whether its branches for training were merged before the checkpoint was loaded.
    """

    upscaler: Upscaler
    model: str
    inferred: list[Inference] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    slow: Slow | None = None
    merged: bool = False


def load(
    file: Path,
    name: str,
    checkpoint: Path | None,
    declaration: Declaration,
    *,
    scale: int,
    device: torch.device,
    probe: npt.NDArray[np.uint8],
    allow_pickle: bool = False,
    twin: str | None = None,
) -> Loaded:
    """Build the network of a submission and load its checkpoint.

    Args:
        file: The model file; it is executed.
        name: NAME in its file name.
        checkpoint: The checkpoint, or None for a network without one.
        declaration: What the submission says of itself.
        scale: Enlargement factor.
        device: Where the network is to lie.
        probe: A real LR image, uint8 HWC, to find the input range with.
        allow_pickle: Whether the checkpoint may run code as it is loaded.
        twin: The method or function that is to run in place of forward; None for the network as it is.

    Raises:
        SubmissionError: The file does not run, no class takes the checkpoint, or the range cannot be told.
    """
    # Only where the file mentions CUDA: the changed functions would slow timed calls, if only a little.
    answered = answer_on_cpu() if device.type == "cpu" and b"cuda" in _all_text(file) else {}
    module = import_file(file)
    states: list[StateDict] = []
    if checkpoint is not None:
        content = read(checkpoint, allow_pickle=allow_pickle)
        states = state_dicts(content, checkpoint, declaration.state_key, declaration.prefix)
    construction = Construction(
        module, file, name, checkpoint, states, declaration, scale, device, probe, twin
    )
    upscaler, model = construction.build()
    inferred = [*construction.inferred, *missing_packages.used(module)]
    if answered:
        how = f"the file calls {', '.join(answered)}, and the network runs on the CPU"
        inferred.append(Inference(key="cuda", value="cpu", how=how))
    slow = None if construction.trial_image is None else construction.trial_image.slow
    merged = any(item.key == "merged" for item in inferred)
    return Loaded(upscaler, model, inferred, construction.findings, slow, merged)


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SubmissionError(
            "cannot be read", file=file, found=error.strerror or str(error), remedy="check the file"
        ) from None


def _all_text(file: Path) -> bytes:
    """Return the text of a model file, and of all other files of its package where it begins one."""
    if not own_files.is_package(file):
        return _text(file)
    return b"\n".join(_text(path) for path in sorted(file.parent.rglob("*.py")) if path.is_file())


def import_file(file: Path) -> ModuleType:
    """Execute a model file and return it as a module; the __init__.py of a folder makes it a package.

    Raises:
        SubmissionError: The file raises, or wants a package that is not there.
    """
    package = own_files.is_package(file)
    name = file.parent.name if package else f"submission_{file.stem}"
    if package:
        own_files.serve(file.parent)
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(file.parent)] if package else None
    )
    if spec is None or spec.loader is None:
        raise SubmissionError("cannot be imported", file=file, expected="a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and torch.jit look their module up by name
    arguments, sys.argv = sys.argv, [str(file)]  # the file may parse a command line, and this is not its own
    try:
        if package:
            own_files.name_as_in_a_checkout(module, file.parent)
            spec.loader.exec_module(module)
        else:
            missing_packages.execute(_text(file), str(file), module)
    except ModuleNotFoundError as error:
        raise packages.needed(file, blame(error, file), [packages.missing_by(error)]) from error
    except (Exception, SystemExit) as error:
        raise SubmissionError(
            "raises when it is imported", file=file, found=blame(error, file), remedy="mend the file"
        ) from error
    finally:
        sys.argv = arguments
    return module
