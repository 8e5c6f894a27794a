"""Searches for constructor arguments with which a network's tensors are the checkpoint's. Worker only.

First, one argument after another is set to what its effect on the shapes suggests, as long as more tensors
match. Then all other candidates are tried, and the best is kept. Networks are built without memory.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ntire_bench.worker.fitting.arguments import Start, is_deploy_flag
from ntire_bench.worker.fitting.sensitivity import solutions
from ntire_bench.worker.fitting.shapes import difference, likeness, loosely
from ntire_bench.worker.fitting.signature import NoNetwork, Signature
from ntire_bench.worker.fitting.weightless import WeightlessNetworks
from ntire_bench.worker.network.packages import Missing, missing_by
from ntire_bench.worker.network.state_dict import StateDict
from ntire_bench.worker.network.upscaler import blame

__all__ = ["Attempt", "Search"]

MAX_ATTEMPTS = {1: 250, 2: 60}  # by how many arguments are changed at a time; each takes milliseconds
_MOST_FLAGS = 4  # that are changed before anything else is tried
_RELATED = 0.2  # below this likeness a class is a block of the network, or another network


@dataclass(frozen=True)
class Attempt:
    """One way to build the network that was tried.

    Attributes:
        name: Of the class or function.
        call: It and its arguments.
        reason: Why it does not fit.
        likeness: From 0, no tensor in common with the checkpoint, to 1, all; -1 where nothing was built.
        missing: The package that is not installed, if that is why.
    """

    name: str
    call: str
    reason: str
    likeness: float = -1.0
    missing: Missing | None = None


class Search:
    """Tries arguments for one class or function, and remembers what came of it."""

    def __init__(
        self, signature: Signature, name: str, states: Sequence[StateDict], begin: Start, loose: bool
    ) -> None:
        self.loose = loose
        self.signature = signature
        self.name = name
        self.states = states
        self.begin = begin
        self.fixed = begin.args.keys() - begin.options.keys()
        self.attempts: list[Attempt] = []
        self.hopeless = False
        self.networks = WeightlessNetworks(signature)
        self.touched: dict[str, set[str]] = {}
        self._told: set[str] = set()
        self.nearly: tuple[float, dict[str, Any], StateDict] | None = None  # the closest that is not strict

    def climb(self, args: dict[str, Any]) -> tuple[dict[str, Any], StateDict] | None:
        """Change one argument after another as long as more tensors match; then two at a time."""
        alike, state = self.judge(args)
        if state is None and 0 <= alike < _RELATED and not self.related(args):
            self.hopeless = True  # other arguments do not rename the parts of a network
            return None
        for together, most in MAX_ATTEMPTS.items():
            most += len(self.attempts)
            while state is None:
                args, alike, state = self.ascend(args, alike)
                best = args
                for change in self._changes(args, together) if state is None else ():
                    if self.hopeless or self.networks.late:
                        return None
                    trial = {**args, **change}
                    if len(self.attempts) >= most or any(args.get(k, args) == v for k, v in change.items()):
                        continue
                    found, state = self.judge(trial)
                    if found > alike:
                        alike, best = found, trial
                    if state is not None:
                        break
                if best is args:
                    break
                args = best
        return None if state is None else (args, state)

    def _changes(self, args: dict[str, Any], together: int) -> Iterator[dict[str, Any]]:
        """Yield other values for arguments; one that was changed may go back to its default."""
        options = dict(self.begin.options)
        for name in args.keys() & self.begin.defaults.keys() - self.fixed:
            if args[name] != self.begin.defaults[name]:
                options[name] = [self.begin.defaults[name], *options.get(name, [])]
        yield from _changes(options, together)

    def with_flags(self) -> Iterator[dict[str, Any]]:
        """Yield the arguments to begin with; then, for the network itself, the same with one flag changed."""
        yield self.begin.args
        shapes = self.networks.shapes_or_none(self.begin.args)
        if shapes is not None and not self.related(self.begin.args):
            return
        flags = [name for name, default in self.begin.defaults.items() if isinstance(default, bool)]
        ordered = sorted(flags, key=lambda name: not is_deploy_flag(name))
        for name in [name for name in ordered if name not in self.fixed][:_MOST_FLAGS]:
            yield {**self.begin.args, name: not self.begin.defaults[name]}

    def closest_first(self, starts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Sort arguments to begin with: those whose network is most like the checkpoint first."""
        if len(starts) == 1:
            return starts
        own = [self.networks.shapes_or_none(args) or {} for args in starts]
        alike = [max(likeness(shapes, state.shapes) for state in self.states) for shapes in own]
        return [starts[i] for i in sorted(range(len(starts)), key=lambda i: -alike[i])]

    def ascend(self, args: dict[str, Any], alike: float) -> tuple[dict[str, Any], float, StateDict | None]:
        """Set one argument after another to what its effect on the shapes suggests, while that helps."""
        names = [name for name in (*self.begin.args, *self.begin.defaults) if name not in self.fixed]
        state, improved = None, True
        while improved and state is None and not self.networks.late:
            improved = False
            for name in names:
                for value in self.solved(name, args) if state is None else ():
                    found, state = self.judge({**args, name: value})
                    if found > alike:
                        args, alike, improved = {**args, name: value}, found, True
                        break
        return args, alike, state

    def solved(self, name: str, args: dict[str, Any]) -> list[Any]:
        """Return the values that one argument's effect on the shapes suggests."""
        if name in self.begin.conventional:
            return []
        default = self.begin.defaults.get(name)
        value = args.get(name, default)
        if isinstance(default, float) and type(value) is int:  # a ratio of 2 that may be 1.5
            value = float(value)
        return solutions(name, value, args, self.networks, self.states, self.touched)

    def judge(self, args: dict[str, Any]) -> tuple[float, StateDict | None]:
        """Return how like the checkpoint the network with these arguments is, and the state dict it takes."""
        try:
            shapes = self.networks.shapes(args)
        except NoNetwork as error:
            self.hopeless = True
            self.fail(args, str(error), -1.0)
            return -1.0, None
        except Exception as error:
            missing = missing_by(error) if isinstance(error, ModuleNotFoundError) else None
            self.fail(args, blame(error), -1.0, missing)
            return -1.0, None
        best, reason = -1.0, ""
        for state in self.states:
            problem = difference(shapes, state)
            if problem is None:
                return 1.0, state
            alike = likeness(shapes, state.shapes)
            # Not the first that fits: with another flag, the network may have what is left over here.
            if self.loose and (found := loosely(shapes, state)) is not None:
                if self.nearly is None or (found.averaged, alike) > (self.nearly[2].averaged, self.nearly[0]):
                    self.nearly = alike, args, found
            if alike > best:
                best, reason = alike, problem
        self.fail(args, reason, best)
        return best, None

    def takes(self, args: dict[str, Any], state: StateDict) -> bool:
        """Whether the network with these arguments takes a state dict strictly."""
        shapes = self.networks.shapes_or_none(args)
        if shapes is None:
            return False
        needed = {name: shape for name, shape in shapes.items() if name not in state.missing}
        return difference(needed, state) is None

    def related(self, args: dict[str, Any]) -> bool:
        """Whether a third of the checkpoint's top-level names are the network's, numbers aside."""

        def top(names: Sequence[str]) -> set[str]:
            return {re.sub(r"\d+", "#", name.split(".")[0]) for name in names}

        own = top(list(self.networks.shapes(args)))
        return any(3 * len(top(list(s.shapes)) & own) >= len(top(list(s.shapes))) for s in self.states)

    def fail(self, args: dict[str, Any], reason: str, alike: float, missing: Missing | None = None) -> None:
        """Remember what was tried in vain, once."""
        call = f"{self.name}({', '.join(f'{k}={v!r}' for k, v in args.items())})"
        if call not in self._told:
            self._told.add(call)
            self.attempts.append(Attempt(self.name, call, reason, alike, missing))


def _changes(options: dict[str, list[Any]], together: int) -> Iterator[dict[str, Any]]:
    # Words and flags first: they are few, and where one is wrong, no number helps.
    ordered = sorted(options, key=lambda name: not isinstance(options[name][0], (str, bool)))
    for names in itertools.combinations(ordered, together):
        for values in itertools.product(*(options[name] for name in names)):
            yield dict(zip(names, values, strict=True))
