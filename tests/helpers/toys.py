"""Toy submissions: model files and checkpoints that tests write into folders of their own.

Every body below is the text of a model file. The plain toy enlarges its input bicubically and adds the faint
output of two small convolutions, so its SR image resembles the bicubic enlargement closely, as one of a
trained network does, and it takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.submission import Submission
from ntire_bench.worker.loading import load as loader
from ntire_bench.worker.loading.load import Loaded

_IMPORTS = """\
import torch
from torch import nn
from torch.nn import functional


"""

# {changes} is executed in forward on the SR image `sr`, with the LR image `lr` at hand.
_TOY = (
    _IMPORTS
    + '''\
class Toy(nn.Module):
    """Bicubic enlargement plus the faint output of two convolutions."""

    def __init__(self, channels=8, upscale=4):
        super().__init__()
        self.upscale = upscale
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.tail = nn.Conv2d(channels, 3 * upscale**2, 3, padding=1)

    def forward(self, lr):
        detail = functional.pixel_shuffle(self.tail(torch.relu(self.head(lr))), self.upscale)
        sr = functional.interpolate(lr, scale_factor=self.upscale, mode="bicubic") + detail
        {changes}
        return sr
'''
)


def toy(changes: str = "pass", *, head: str = "") -> str:
    """Return the text of a toy's model file.

    Args:
        changes: One line of Python, executed in forward on the SR image `sr` (LR image: `lr`) before it is
            returned; it may return something else, raise, or spoil `sr`.
        head: Text to begin the file with, such as a SUBMISSION.
    """
    return f"{head}\n{_TOY.format(changes=changes)}"


# No SUBMISSION: class, arguments and range are inferred. White is 1; a white of 255 saturates it.
TOY = toy("sr = sr.clamp(0, 1)")
RANGE_255 = toy("sr = sr + (sr.detach() < 4) * 1.5")  # lifts what is nearly black where white is 255
EITHER_RANGE = toy()  # like the bicubic enlargement at 1 and 255, but not the same image: must be declared
SCALE_FREE = toy("sr = functional.interpolate(lr, scale_factor=4.0, mode='bicubic')")  # the same at both
DECLARED = toy(head='SUBMISSION = {"model": "Toy", "data_range": 1}')
SLOW = toy("__import__('time').sleep(0.2)", head='SUBMISSION = {"model": "Toy", "data_range": 1}')
TOO_SMALL = toy("return lr")
NOT_FINITE = toy("sr[..., 0, 0] = float('nan')")
HALF = toy("return sr.half()")
INTEGER = toy("return sr.mul(255).to(torch.uint8)")
TUPLE = toy("return sr, lr")
RAISES = toy("raise RuntimeError('a toy that fails')")
WINDOW_8 = toy("assert lr.shape[-1] % 8 == 0 and lr.shape[-2] % 8 == 0, 'not a multiple of 8'")
BLACK = toy("sr = sr * 0")


def state_dict(body: str = TOY, network: str = "Toy", **args: Any) -> dict[str, Tensor]:
    """Return small random weights, always the same, for a class of a model file.

    Args:
        body: Text of the model file; it is executed here.
        network: Name of the class.
        args: Constructor arguments.
    """
    module: dict[str, Any] = {"__name__": "toy"}
    exec(compile(body, "toy", "exec"), module)  # the text is a test's own
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built: nn.Module = module[network](**args)
    return {
        name: tensor.detach() * 0.01 if tensor.is_floating_point() else tensor
        for name, tensor in built.state_dict().items()
    }


def write_toy(
    folder: Path,
    id: int = 5,
    name: str = "Toy",
    *,
    body: str = TOY,
    checkpoint: Mapping[str, Any] | bytes | None | str = "",
    suffix: str = ".pth",
    stem: str | None = None,
    network: str = "Toy",
    **args: Any,
) -> Path:
    """Write models/team{id}_{name}.py and model_zoo/team{id}_{name}.pth into a folder.

    Args:
        folder: Where models/ and model_zoo/ are; made if need be.
        id: The team's number.
        name: NAME in the file's name.
        body: Text of the model file.
        checkpoint: What to save: "" for weights of `network`, a dictionary for torch.save, bytes to write as
            they are, None for no checkpoint.
        suffix: Of the checkpoint; ".safetensors" is written in that format.
        stem: Of both files' names instead of team{id}_{name}.
        network: The class of `body` that the weights are made for.
        args: Its constructor arguments.

    Returns:
        The model file.
    """
    stem = f"team{id:02d}_{name}" if stem is None else stem
    file = folder / "models" / f"{stem}.py"
    zoo = folder / "model_zoo"
    file.parent.mkdir(parents=True, exist_ok=True)
    zoo.mkdir(exist_ok=True)
    file.write_text(body, encoding="utf-8")
    target = zoo / f"{stem}{suffix}"
    content = state_dict(body, network, **args) if checkpoint == "" else checkpoint
    if isinstance(content, bytes):
        target.write_bytes(content)
    elif content is not None and suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(dict(content), target)
    elif content is not None:
        torch.save(content, target)
    return file


def load(submission: Submission, probe: npt.NDArray[np.uint8]) -> Loaded:
    """Return what a worker makes of a submission on a CPU, loaded in this process."""
    return loader.load(
        submission.file,
        submission.name,
        submission.checkpoint,
        submission.declaration,
        scale=4,
        device=torch.device("cpu"),
        probe=probe,
    )


def found(folder: Path, id: int = 5) -> Submission:
    """Return one submission of a folder that `write_toy` wrote."""
    return find(folder / "models", folder / "model_zoo").get(id)
