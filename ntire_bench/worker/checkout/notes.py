"""What is recorded of how a branch was loaded: what was inferred, and what a reader must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ntire_bench.records.record import Finding, Inference
from ntire_bench.wire.messages import SELECT_MODEL
from ntire_bench.worker.checkout.script import Arguments, Script
from ntire_bench.worker.checkout.step import Step
from ntire_bench.worker.checkout.torch_load import CheckpointReads

__all__ = ["absent", "answered_calls", "defaults", "findings", "forward", "returned"]

_MOST_TEXT = 300  # characters of a call
_MOST_VALUE = 100  # characters of an argument
_MOST_LEFT_OUT = 200  # characters of the statements that are left out


def returned(name: str, data_range: float, tile: object) -> Iterator[Inference]:
    """Tell what select_model returned beside the network."""
    for key, value in {"name": name, "data_range": f"{data_range:g}", "tile": tile}.items():
        if value is not None:
            yield Inference(key=key, value=str(value), how=f"{SELECT_MODEL} returns it")


def forward(script: Path, step: Step | None) -> Inference:
    """Tell how the network is run on an image."""
    if step is None:
        how = f"{script.name} has no loop over images that could be followed: the network is called as it is"
        return Inference(key="forward", value="model(LR)", how=how)
    how = f"as {step.loop.place(script.name)} runs it"
    return Inference(key="forward", value=step.calls[:_MOST_TEXT], how=how)


def defaults(script: Path, arguments: Arguments, names: Sequence[str]) -> Iterator[Inference]:
    """Tell the command-line arguments that select_model read."""
    how = f"the default of {script.name}'s own command line"
    for name in names:
        yield Inference(key=f"args.{name}", value=repr(getattr(arguments, name))[:_MOST_VALUE], how=how)


def answered_calls(answered: Counter[str], reads: CheckpointReads) -> Inference:
    """Tell which calls for a GPU were answered on the CPU."""
    kinds = [f"{kind} ({count})" for kind, count in answered.items()]
    kinds += [f"tensors saved on {place}" for place in sorted(reads.places)]
    how = "no GPU is used: calls for one are answered on the CPU"
    how += f" (so far: {', '.join(kinds)})" if kinds else ""
    return Inference(key="device", value="cpu", how=how)


def absent(script: Script) -> Iterator[Inference]:
    """Tell what the file could not get and did not use."""
    for what, why in script.absent.items():
        how = f"{script.path.name} could not get it, and nothing that was run needed it: {why}"
        yield Inference(key="absent", value=what, how=how)


def findings(script: Path, step: Step | None, left_out: Sequence[str]) -> Iterator[Finding]:
    """Tell what of the checkout's loop is not done here.

    Args:
        script: The file that the loop is in.
        step: What is run of it; None where it could not be followed.
        left_out: What it does to the SR images after their conversion.
    """
    if step is None:
        message = (
            f"{script.name} has no loop over images that could be followed, so the network is called as it "
            "is: passes that only that loop makes are not made, and images are padded only where they must be"
        )
        yield Finding(code="loop-not-followed", severity="warning", message=message)
    elif left_out:
        message = (
            f"what {script.name} does to an SR image after its conversion to 8 bits is not done: "
            f"{'; '.join(left_out)[:_MOST_LEFT_OUT]}"
        )
        yield Finding(code="loop-partly-followed", severity="warning", message=message)
