"""Computes constructor arguments from how the shapes of a network's tensors change with them. Worker only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ntire_bench.worker.fitting.arguments import widths
from ntire_bench.worker.fitting.shapes import Shapes, likeness
from ntire_bench.worker.fitting.weightless import WeightlessNetworks
from ntire_bench.worker.network.state_dict import StateDict

__all__ = ["solutions"]

_MOST = 6


def solutions(
    name: str,
    value: Any,  # noqa: ANN401 - of whatever type the constructor takes
    args: dict[str, Any],
    networks: WeightlessNetworks,
    states: Sequence[StateDict],
    touched: dict[str, set[str]],
) -> list[Any]:
    """Return the values of an argument with which more shapes would be the checkpoint's.

    Args:
        name: Of the argument.
        value: Its present one. Of a list, all elements are computed together, and one by one.
        args: All arguments.
        networks: Builds them and remembers their shapes.
        states: State dicts of the checkpoint.
        touched: The names of the tensors that each argument has been seen to change; grows here. An argument
            is left alone while all of its tensors are as they are in the checkpoint.
    """
    own = networks.shapes_or_none(args)
    if own is None:
        return []
    state = max(states, key=lambda state: likeness(own, state.shapes))
    wrong = {n for n in own.keys() | state.shapes.keys() if own.get(n, ()) != state.shapes.get(n, ())}
    if name in touched and not touched[name] & wrong:
        return []
    seen = touched.setdefault(name, set())

    def solved(number: Any, changed: Callable[[Any], dict[str, Any]]) -> list[Any]:  # noqa: ANN401
        return _solved(number, own, changed, networks, state, seen)

    if _is_number(value):
        return solved(value, lambda number: {**args, name: number})
    if not isinstance(value, (list, tuple)) or not value or not all(map(_is_number, value)):
        return []
    kind: Callable[[list[Any]], Any] = type(value)
    found: list[Any] = []
    if len(set(value)) == 1:
        alike = solved(value[0], lambda number: {**args, name: kind([number] * len(value))})
        found += [kind([number] * len(value)) for number in alike]
    for i, old in enumerate(value):

        def one(number: Any, i: int = i) -> dict[str, Any]:  # noqa: ANN401
            return {**args, name: kind([*value[:i], number, *value[i + 1 :]])}

        found += [one(number)[name] for number in solved(old, one)]
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _solved(
    value: Any,  # noqa: ANN401
    own: Shapes,
    changed: Callable[[Any], dict[str, Any]],
    networks: WeightlessNetworks,
    state: StateDict,
    seen: set[str],
) -> list[Any]:
    trials = []
    steps = (value + 1, value * 2, value // 2) if isinstance(value, int) else (value * 2, value + 0.5)
    for other in steps:
        shapes = None if other in (value, 0) else networks.shapes_or_none(changed(other))
        if shapes is not None and shapes != own:
            trials.append((other, shapes))
            seen |= {n for n in own.keys() | shapes.keys() if own.get(n, ()) != shapes.get(n, ())}
            break
    return _solve(value, own, trials, state)


def _solve(
    value: Any,  # noqa: ANN401 - a number, or several
    shapes: Shapes,
    trials: Sequence[tuple[Any, Shapes]],
    state: StateDict,
) -> list[Any]:
    """Return the values of a number for which shapes would be the checkpoint's, the most supported first.

    A side that grows with an argument mostly grows in proportion, or by a fixed amount per unit, or as a
    square does (a window's positions). Two builds give the line, and the checkpoint's side then gives the
    value. In the same way the number of tensors gives a number of blocks.

    Args:
        value: What the network was built with.
        shapes: Of its tensors.
        trials: Another value, and the shapes with that.
        state: The checkpoint's.
    """
    votes: Counter[Any] = Counter()
    goals = widths(state)
    for other, changed in trials:
        step = other - value
        for name in shapes.keys() & changed.keys() & state.shapes.keys():
            own, new, wanted = shapes[name], changed[name], state.shapes[name]
            if own is None or new is None or not len(own) == len(new) == len(wanted):
                continue
            for a, b, goal in zip(own, new, wanted, strict=True):
                if a != b and a != goal:
                    found = {(goal - a) * step / (b - a) + value, value * goal / a if a else 0}
                    roots = [math.isqrt(side) for side in (a, b, goal)]
                    if roots[0] != roots[1] and all(
                        r * r == s for r, s in zip(roots, (a, b, goal), strict=True)
                    ):
                        found.add((roots[2] - roots[0]) * step / (roots[1] - roots[0]) + value)
                    if value and a and b * value**2 == a * other**2:  # 3 * scale**2
                        found.add(value * math.sqrt(goal / a))
                    if isinstance(value, int) and (b < a) == (step > 0):  # it divides another width
                        found |= {side // goal for side in {*wanted, *goals} if side >= goal > 1}
                    votes.update({v for one in found for v in _rounded(one, value)})
        added = len(changed) - len(shapes)
        if added and (len(state.shapes) - len(shapes)) % added == 0:
            votes.update(_rounded(value + (len(state.shapes) - len(shapes)) / added * step, value))
    return [found for found, _ in votes.most_common(_MOST) if found != value]


def _rounded(found: float, value: Any) -> set[Any]:  # noqa: ANN401
    if not 0 < found < 1e5:
        return set()
    if isinstance(value, int):
        return {round(found)} if abs(found - round(found)) < 1e-6 else set()
    return {round(found, digits) for digits in (1, 2, 3)} | {float(found)}
