"""What a class or function can be called with, from its signature and its source text. Worker only.

Constructors take more than named arguments: a configuration object whose keys only the code shows, **kwargs
that the code reads, a string that it compares with a few words. All of these become parameters with a name,
those of a configuration with a dotted name ("opt.n_feats"), and `Signature.call` puts them together again.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ntire_bench.worker.fitting.source_text import EMPTY, Parameter, SourceText
from ntire_bench.worker.network.merging import merging_methods

__all__ = ["NoNetwork", "Signature", "flatten"]

_CONFIG = re.compile(
    r"^(net_?|model_?|network_?)?(args?|opts?|options?|cfgs?|conf|configs?|configuration|hparams?|hps?|params?"
    r"|flags|settings?)$"
)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class NoNetwork(Exception):
    """What was called gives no network, or none of the form that is wanted."""


class Config(dict[str, Any]):
    """A configuration: its values are keys and attributes alike."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a configuration holds anything
        """Return a key's value."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Set a key's value."""
        self[name] = value


@dataclass
class Signature:
    """A class or function, and what it may be called with.

    Attributes:
        build: The class or function.
        parameters: In the order of the signature.
        open_ended: Whether it takes keyword arguments of any name.
        optional: Whether it takes a configuration whose default is None.
        positional: Names that can only be passed by position, in order.
        examples: The plain arguments of each call in the file, with dotted names as `flatten` gives them.
    """

    build: Callable[..., Any]
    parameters: list[Parameter]
    open_ended: bool = False
    optional: bool = False
    positional: tuple[str, ...] = ()
    examples: list[dict[str, Any]] = field(default_factory=list)

    def merged(self) -> Signature:
        """Return the same, with a network's branches for training merged as soon as it is built."""
        return dataclasses.replace(self, build=_merging(self.build))

    @classmethod
    def of(cls, build: Callable[..., Any], *, configured: bool = True) -> Signature:
        """Read a class or function.

        Args:
            build: The class or function.
            configured: Whether to list the keys of a configuration whose default is None.

        Raises:
            TypeError, ValueError: Its signature cannot be read.
        """
        signature = list(inspect.signature(build).parameters.values())
        result = cls(build, [])
        result.open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature)
        named = [p for p in signature if p.kind in _NAMED]
        if inspect.isclass(build) and any(p.kind not in _NAMED for p in signature):
            inherited = [p for p in _inherited(build) if p.name not in {own.name for own in named}]
            if not result.open_ended:
                result.positional = tuple(p.name for p in inherited)
            named += inherited
        text = SourceText.of(build)
        for one in named:
            keys = text.keys(one.name) if _CONFIG.match(one.name.lower()) else []
            result.optional |= bool(keys) and one.default is None
            if keys and (one.default is EMPTY or (one.default is None and configured)):
                result.parameters += keys
            else:
                choices = text.choices(one.name)
                listed = one.default is EMPTY and text.taken_apart(one.name)
                result.parameters.append(Parameter(one.name, one.default, one.annotation, choices, listed))
        for one in signature:
            if one.kind is inspect.Parameter.VAR_KEYWORD:
                known = {p.name for p in result.parameters}
                for key in text.keys(one.name):
                    key.name = key.name.split(".", 1)[1]
                    result.parameters += [key] if key.name not in known else []
        calls = text.calls(getattr(build, "__name__", ""), [p.name for p in named])
        result.examples = [flatten(result, call) for call in calls]
        for parameter in result.parameters:
            values = [call[parameter.name] for call in result.examples if parameter.name in call]
            parameter.examples = [v for i, v in enumerate(values) if v not in values[:i]]
        return result

    def call(self, args: dict[str, Any]) -> Any:  # noqa: ANN401 - a stranger's class or function
        """Call it with arguments as `flatten` gives them."""
        keywords: dict[str, Any] = {}
        for name, value in args.items():
            *path, last = name.split(".")
            into = keywords
            for part in path:
                into = into.setdefault(part, Config())
            into[last] = Config(value) if isinstance(value, dict) else value
        leading = [keywords.pop(name) for name in self.positional if name in keywords]
        try:
            return self.build(*leading, **keywords)
        except SystemExit as error:  # of a parser of command lines, for instance
            raise RuntimeError(f"it ends the process ({error.code})") from error


def _merging(build: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that builds a network and has it merge its branches for training.

    Some classes need that for the checkpoint that their own method makes: no argument builds this form.
    """

    def built(*args: Any, **keywords: Any) -> Any:  # noqa: ANN401
        network = build(*args, **keywords)
        methods = merging_methods(network) if isinstance(network, nn.Module) else []
        if not methods:
            raise NoNetwork("has no method that merges branches for training")
        network.eval()  # its result is not used: a train() that the network defines may return nothing
        with torch.no_grad():
            for method in methods:
                method()
        return network

    return built


def flatten(signature: Signature, declared: dict[str, Any]) -> dict[str, Any]:
    """Return declared arguments with dotted names where the signature has dotted names.

    >>> opt = Signature(dict, [Parameter("opt.width")])
    >>> flatten(opt, {"opt": {"width": 3, "depth": 2}, "scale": 4})
    {'opt.width': 3, 'opt.depth': 2, 'scale': 4}
    """
    dotted = {p.name.split(".", 1)[0] for p in signature.parameters if "." in p.name}
    result: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:  # noqa: ANN401
        if isinstance(value, dict) and name.split(".")[0] in dotted:
            for key, inner in value.items():
                add(f"{name}.{key}", inner)
        else:
            result[name] = value

    for name, value in declared.items():
        add(name, value)
    return result


def _inherited(build: type) -> Iterator[inspect.Parameter]:
    """Yield the named arguments of the base classes' constructors, as far up as **kwargs or *args lead."""
    for base in build.__mro__[1:]:
        init = vars(base).get("__init__")
        if init is None:
            continue
        if not inspect.isfunction(init) or base.__module__.startswith("torch."):
            return
        parameters = list(inspect.signature(init).parameters.values())[1:]
        yield from (p for p in parameters if p.kind in _NAMED)
        if all(p.kind in _NAMED for p in parameters):
            return
