"""What a record says of how a network took its checkpoint. Worker only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from ntire_bench.records.record import Finding, Inference
from ntire_bench.text import few
from ntire_bench.wire.declaration import Declaration
from ntire_bench.worker.fitting.fit import Fit
from ntire_bench.worker.fitting.shapes import difference, likeness, shapes_of
from ntire_bench.worker.network.state_dict import StateDict

__all__ = ["MERGED", "findings_on", "inferred_from", "not_strict"]

_FEW_NAMES = 3
_SAME_NETWORK = 0.5  # likeness from which tensors are weights of this network, if not quite
MERGED = Inference(
    key="merged",
    value="True",
    how="the checkpoint is of the form that the network's own method for merging branches makes: that was "
    "called before the checkpoint was loaded",
)
_STRICT = "the value with which the checkpoint loads strictly"


def inferred_from(
    fit: Fit, how: Mapping[str, str], declaration: Declaration, *, strictly: bool
) -> Iterator[Inference]:
    """Yield what was found out about a network and its checkpoint, as far as it was not declared.

    Args:
        fit: The network that was taken.
        how: How arguments were found that the checkpoint does not show, by name.
        declaration: What the submission says of itself.
        strictly: Whether it takes the checkpoint strictly.
    """
    state = fit.state
    if fit.merged:
        yield MERGED
    if not strictly:
        yield Inference(key="strict", value="False", how=not_strict(state))
    for key, value in fit.derived.items():
        found = how.get(key) or fit.how.get(key, _STRICT)
        yield Inference(key=f"args.{key}", value=repr(value), how=found)
    if state.key and declaration.state_key is None:
        where = "where the state dict lies in the checkpoint"
        yield Inference(key="state_key", value=state.key, how=where)
    if state.prefix and declaration.prefix is None:
        where = "names of the state dict begin with it, and the network's do not"
        yield Inference(key="prefix", value=state.prefix, how=where)
    if state.converted:
        yield Inference(key="converted", value=state.converted, how="the checkpoint holds no tensors")
    if state.dropped:
        where = "in the checkpoint beside the network's tensors"
        yield Inference(key="left_out", value=few(state.dropped, _FEW_NAMES), how=where)


def findings_on(fit: Fit, states: Sequence[StateDict], *, strictly: bool) -> Iterator[Finding]:
    """Yield what a reader must know of the weights that were taken.

    Args:
        fit: The network that was taken.
        states: All state dicts of the checkpoint.
        strictly: Whether it takes the checkpoint strictly.
    """
    if not strictly:
        message = not_strict(fit.state)
        yield Finding(code="checkpoint-not-strict", severity="warning", message=message)
    if fit.state.averaged:
        return
    shapes = shapes_of(fit.network)
    for state in states:
        if state.averaged and likeness(shapes, state.shapes) >= _SAME_NETWORK:
            message = (
                f"the weights taken are not the averaged ones, which the checkpoint holds too (at "
                f"{state.where}) and which do not fit the network: {difference(shapes, state)}"
            )
            yield Finding(code="averaged-not-taken", severity="warning", message=message)
            return
    if strictly and (other := _as_good(fit.state, states)) is not None:
        places = [one.where or "its top" for one in (other, fit.state)]
        message = (
            f"the checkpoint holds other weights that fit the network as well, at {places[0]}: those at "
            f"{places[1]} are taken. Declare state_key or prefix to choose"
        )
        yield Finding(code="other-weights-fit", severity="info", message=message)


def _as_good(taken: StateDict, states: Sequence[StateDict]) -> StateDict | None:
    """Return another state dict with the same names and shapes, and other weights; None for none."""
    for state in states:
        if (state.key, state.prefix) == (taken.key, taken.prefix) or state.shapes != taken.shapes:
            continue
        if any(not torch.equal(state.tensors[name], tensor) for name, tensor in taken.tensors.items()):
            return state
    return None


def not_strict(state: StateDict) -> str:
    """Return in words what a checkpoint has beyond a network, and what it lacks.

    >>> not_strict(StateDict({}, "", dropped=("up.bias",)))
    'the checkpoint holds 1 tensor that the network has not (first up.bias); save it anew from this network'
    """
    told = []
    if state.dropped:
        told.append(f"holds {_tensors(state.dropped)} that the network has not (first {state.dropped[0]})")
    if state.missing:
        told.append(
            f"lacks {_tensors(state.missing)} of the network (first {state.missing[0]}), and the SR image is "
            f"the same whatever {'it holds' if len(state.missing) == 1 else 'they hold'}"
        )
    return f"the checkpoint {' and '.join(told)}; save it anew from this network"


def _tensors(names: Sequence[str]) -> str:
    return f"{len(names)} tensor{'' if len(names) == 1 else 's'}"
