"""Finds the constructor arguments with which a class takes a checkpoint strictly. Worker only.

The checkpoint itself proves the answer: names and shapes of every tensor must match. What they do not show is
not guessed. It is handed on as a choice, which `loading.rivals` settles by the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ntire_bench.worker.fitting.arguments import has_few_values, other_numbers, start, variations
from ntire_bench.worker.fitting.search import Attempt, Search
from ntire_bench.worker.fitting.shapes import COUNTER
from ntire_bench.worker.fitting.signature import Signature
from ntire_bench.worker.fitting.source_text import EMPTY
from ntire_bench.worker.network.state_dict import StateDict
from ntire_bench.worker.network.upscaler import blame

__all__ = ["Choice", "Fit", "fit"]

_MOST_CHOICES = 8


@dataclass(frozen=True)
class Choice:
    """An argument of which the checkpoint fits several values.

    Attributes:
        name: Of the argument.
        value: The one that the network was built with.
        others: Values with which the checkpoint loads too.
        meant: Whether `value` is the author's: a default, or what the file itself calls with.
        closed: Whether these are all the values that it can have, and not some of many numbers.
    """

    name: str
    value: Any
    others: tuple[Any, ...]
    meant: bool
    closed: bool = True


@dataclass
class Fit:
    """A network that takes the checkpoint, and how it was built.

    Attributes:
        name: Of the class or function.
        network: Built, and with the checkpoint loaded.
        state: The state dict it took.
        args: All arguments that were passed.
        derived: Those that nobody declared and that differ from the class's defaults.
        choices: Arguments that the checkpoint does not show.
        how: Where a value of `derived` comes from, if it is not the one with which the checkpoint loads.
        merged: Whether its branches for training were merged before it took the checkpoint.
        again: Builds and loads it with some arguments changed.
        spoilt: Builds and loads it with NaN in the tensors that the checkpoint lacks, or with other whole
            numbers: a result that needs them is wrong then.
    """

    name: str
    network: nn.Module
    state: StateDict
    args: dict[str, Any]
    derived: dict[str, Any] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    how: dict[str, str] = field(default_factory=dict)
    merged: bool = False
    again: Callable[[dict[str, Any]], Fit] = field(kw_only=True)
    spoilt: Callable[[], nn.Module] = field(kw_only=True)


def fit(
    build: Callable[..., Any],
    states: Sequence[StateDict],
    declared: dict[str, Any],
    scale: int,
    *,
    loose: bool = False,
    merged: bool = False,
) -> tuple[Fit | None, list[Attempt]]:
    """Build a network that takes one of `states` strictly.

    Args:
        build: The class, or a function that returns a network.
        states: State dicts to try, the most likely first.
        declared: Arguments that are fixed.
        scale: Enlargement factor, for arguments that ask for it.
        loose: Whether the checkpoint may hold more than the network, or less (see `shapes.loosely`).
        merged: Whether the network merges its branches for training before it takes the checkpoint.

    Returns:
        The fit, with as few arguments other than the defaults as possible, or None; and what failed.
    """
    name = getattr(build, "__name__", str(build))
    try:
        signature = Signature.of(build)
        signatures = [Signature.of(build, configured=False), signature] if signature.optional else [signature]
    except (TypeError, ValueError) as error:
        return None, [Attempt(name, f"{name}(...)", f"its signature cannot be read ({error})")]
    attempts: list[Attempt] = []
    for signature in [one.merged() for one in signatures] if merged else signatures:
        found, failed = _fit(signature, name, states, declared, scale, loose)
        attempts += failed
        if found is not None:
            found.merged = merged
            return found, attempts
    return None, attempts


def _fit(
    signature: Signature,
    name: str,
    states: Sequence[StateDict],
    declared: dict[str, Any],
    scale: int,
    loose: bool,
) -> tuple[Fit | None, list[Attempt]]:
    begin = start(signature, states, declared, scale)
    if isinstance(begin, str):
        return None, [Attempt(name, f"{name}(...)", begin)]
    search = Search(signature, name, states, begin, loose)
    found = None
    starts = [begin.args]
    for example in signature.examples:
        open_ones = {k: v for k, v in example.items() if k in begin.options and k not in begin.conventional}
        starts += [{**begin.args, **open_ones}] if open_ones else []
    # The deploy form may differ from the default by one flag: flags are tried before any number.
    for args in search.with_flags():
        _, state = search.judge(args)
        if state is not None:
            found = args, state
        if found is not None or search.hopeless:
            break
    for args in search.closest_first(starts):
        if found is None and not search.hopeless:
            found = search.climb(args)
    if found is None and search.nearly is not None:
        found = search.nearly[1:]
    if found is None:
        return None, search.attempts
    args, state = found
    search.networks.more_time()  # other values that load must be found, however long the search took
    choices = _simplify(search, args, state)
    try:
        return _load(search, args, state, choices), search.attempts
    except Exception as error:  # names and shapes fit: a network with a load_state_dict of its own
        search.fail(args, blame(error), 1.0)
        return None, search.attempts


def _simplify(search: Search, args: dict[str, Any], state: StateDict) -> list[Choice]:
    """Drop changes that are not needed; return the arguments of which other values would load as well.

    The checkpoint does not show such an argument, though it may change what the network computes.
    """
    begin = search.begin
    changed = [key for key in args if key not in search.fixed and args[key] != begin.conventional.get(key)]
    for key in [key for key in changed if key not in begin.required]:
        trial = {k: v for k, v in args.items() if k != key}
        if search.takes(trial, state):
            del args[key]
    choices = []
    for parameter in search.signature.parameters:
        key = parameter.name
        if key in changed and key in args:
            value, meant = args[key], args[key] in parameter.examples
            others = [v for v in begin.options.get(key, []) if v != value]
            closed = has_few_values(parameter)
            if not closed and isinstance(value, (int, float)):
                others = [value + 1, *others, value * 2]
        elif key in begin.defaults and key not in args:
            value, meant, others, closed = parameter.default, True, variations(parameter), True
            numbers = [] if others else other_numbers(parameter)
            if any(search.takes({**args, key: v}, state) for v in numbers[:2]):
                others, closed = numbers, False
        else:
            continue
        others = [v for v in others[:_MOST_CHOICES] if search.takes({**args, key: v}, state)]
        if others and value is not EMPTY:
            choices.append(Choice(key, value, tuple(others), meant, closed))
    return choices


def _load(search: Search, args: dict[str, Any], state: StateDict, choices: list[Choice]) -> Fit:
    network = _loaded(search, args, state)
    derived = {k: v for k, v in args.items() if k not in search.fixed}
    meant = [choice.name for choice in choices if choice.meant and choice.name in derived]
    examples = {p.name: p.examples for p in search.signature.parameters}
    how = dict.fromkeys(meant, "the value with which the file itself calls it")
    for key, value in derived.items():
        if isinstance(value, str) and value in examples.get(key, []):
            how[key] = "the value with which the file itself calls it"
    return Fit(
        search.name,
        network,
        state,
        args,
        derived,
        choices,
        how,
        again=lambda change: _load(search, {**args, **change}, state, choices),
        spoilt=lambda: _loaded(search, args, state, _spoilt),
    )


def _loaded(
    search: Search,
    args: dict[str, Any],
    state: StateDict,
    lacking: Callable[[Tensor], Tensor] = lambda tensor: tensor,
) -> nn.Module:
    """Build a network and load it; `lacking` makes a tensor that the checkpoint lacks from the built one."""
    network: nn.Module = search.signature.call(args)
    own = network.state_dict()
    counters = {k: v for k, v in own.items() if k.endswith(COUNTER) and k not in state.tensors}
    missing = {name: lacking(own[name]) for name in state.missing}
    network.load_state_dict({**state.tensors, **counters, **missing}, strict=True)
    return network


def _spoilt(tensor: Tensor) -> Tensor:
    if tensor.is_floating_point() or tensor.is_complex():
        return torch.full_like(tensor, float("nan"))
    return tensor.logical_not() if tensor.dtype == torch.bool else tensor + 1
