"""Answers for packages that a model file imports and that are not installed. Worker only.

A file often imports what its network never uses: a counter of FLOPs, a registry's decorator, a logger. Such
an import must not keep the network from loading. What is missing is told when it is used, and by its name.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ntire_bench.records import Inference

__all__ = ["StandIns", "execute", "missing", "used"]

_NAME = "__ntire_bench_stand_in__"
_OF_A_REPOSITORY = {"models", "utils", "model", "archs", "basicblock", "data", "options"}


class MissingPackage(ModuleNotFoundError):
    """A package that is not installed is wanted for more than being imported."""


class StandIns:
    """What stands in for the missing packages of one file.

    Attributes:
        missing: Why each module cannot be imported, by its name.
        used: What was answered rather than missed, and how.
    """

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.used: dict[str, Inference] = {}

    def note(self, name: str, how: str) -> None:
        """Remember that something was answered."""
        self.used[name] = Inference(key="stand_in", value=name, how=how)

    def get(self, module: str, name: str = "") -> Any:  # noqa: ANN401 - what a module holds may be anything
        """Return what a name of a missing module is bound to."""
        path = f"{module}.{name}".rstrip(".")
        answer = _ANSWERS.get((module.split(".")[0], name))
        if answer is not None:
            value, how = answer
            self.note(path, f"{module.split('.')[0]} is not installed; {how}")
            return value
        return _StandIn(self, module, path)


class _StandIn:
    """Bound to a name of a missing module: may be named, passed on and registered with, not used."""

    def __init__(self, owner: StandIns, module: str, path: str) -> None:
        self.__owner, self.__module, self.__path = owner, module, path

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        answer = _ANSWERS.get((self.__module.split(".")[0], name))
        if answer is not None:
            return self.__owner.get(self.__module, name)
        return _StandIn(self.__owner, self.__module, f"{self.__path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if "regist" not in self.__path.rsplit(".", 1)[-1].lower():
            raise self.__error()
        package = self.__module.split(".")[0]
        self.__owner.note(self.__path, f"{package} is not installed; the class is not registered anywhere")
        if len(args) == 1 and (inspect.isclass(args[0]) or inspect.isfunction(args[0])):
            return args[0]
        return self  # a decorator with arguments, or a registry

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """A class may name it as its base; the others of the file are not harmed, only this one."""
        error = self.__error()

        class Missing(nn.Module):
            def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
                raise error

        return (Missing,)

    def __error(self) -> MissingPackage:
        reason = self.__owner.missing.get(self.__module, "it is not installed")
        return MissingPackage(f"{self.__path} is used, and {reason}", name=self.__module)


class _Kept(nn.Module):
    """DropPath in eval mode: it drops paths in training only."""

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


def _pair(value: Any) -> Any:  # noqa: ANN401
    return value if isinstance(value, (tuple, list)) else (value, value)


def _make_layer(block: Callable[..., nn.Module], number: int, **kwargs: Any) -> nn.Sequential:  # noqa: ANN401
    return nn.Sequential(*(block(**kwargs) for _ in range(number)))


# Initial weights are overwritten by the checkpoint's, and these helpers do nothing else, or next to nothing.
_ANSWERS: dict[tuple[str, str], tuple[Any, str]] = {
    ("timm", "trunc_normal_"): (nn.init.trunc_normal_, "torch's own function stands in"),
    ("timm", "DropPath"): (_Kept, "it does nothing in eval mode"),
    ("timm", "to_2tuple"): (_pair, "a number twice"),
    ("basicsr", "default_init_weights"): (lambda *_, **__: None, "the checkpoint replaces initial weights"),
    ("basicsr", "trunc_normal_"): (nn.init.trunc_normal_, "torch's own function stands in"),
    ("basicsr", "to_2tuple"): (_pair, "a number twice"),
    ("basicsr", "pixel_unshuffle"): (functional.pixel_unshuffle, "torch's own function stands in"),
    ("basicsr", "make_layer"): (_make_layer, "a row of blocks stands in"),
}


def missing(module: ModuleType) -> str:
    """Return what a module executed by `execute` wanted to import in vain, and why; "" if nothing."""
    reasons = dict.fromkeys(_of(module).missing.values())
    return "; ".join(reasons)


def used(module: ModuleType) -> list[Inference]:
    """Return what was answered for a module executed by `execute`, so far."""
    return list(_of(module).used.values())


def _of(module: ModuleType) -> StandIns:
    get = getattr(module, _NAME, None)
    owner = getattr(get, "__self__", None)
    return owner if isinstance(owner, StandIns) else StandIns()


def execute(source: bytes, filename: str, module: ModuleType) -> None:
    """Execute the text of a model file in a module, with stand-ins for what it imports and is not there.

    Only imports at the level of the file are answered: one inside `try` has an answer of its own.

    Args:
        source: The text.
        filename: For messages, and for the line cache.
        module: Where to.
    """
    stand_ins = StandIns()
    tree = ast.parse(source, filename=filename)
    tree.body = list(_answered(tree.body, stand_ins))
    ast.fix_missing_locations(tree)
    setattr(module, _NAME, stand_ins.get)
    exec(compile(tree, filename, "exec", dont_inherit=True), vars(module))


def _answered(body: Sequence[ast.stmt], stand_ins: StandIns) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and "__name__" not in ast.unparse(node.test):
            node.body = list(_answered(node.body, stand_ins))
            node.orelse = list(_answered(node.orelse, stand_ins))
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _import(node, stand_ins)
        else:
            yield node


def _import(node: ast.Import | ast.ImportFrom, stand_ins: StandIns) -> Iterator[ast.stmt]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            one = ast.copy_location(ast.Import([alias]), node)
            if _why_missing(alias.name, 0, stand_ins) is None:
                yield one
            else:
                name = alias.asname or alias.name.split(".")[0]
                yield _bind(node, name, alias.name if alias.asname else name, "")
        return
    module = "." * node.level + (node.module or "")
    if _why_missing(module, node.level, stand_ins) is not None:
        for alias in node.names:
            if alias.name != "*":
                yield _bind(node, alias.asname or alias.name, module, alias.name)
        return
    for alias in node.names:
        if alias.name != "*" and not _has(module, alias.name):
            stand_ins.missing[module] = f"{module}, which is installed, does not have it"
            yield _bind(node, alias.asname or alias.name, module, alias.name)
        else:
            yield ast.copy_location(ast.ImportFrom(node.module, [alias], node.level), node)


def _why_missing(module: str, level: int, stand_ins: StandIns) -> str | None:
    if module.split(".")[0] in ("__future__", "torch"):
        return None
    reason = stand_ins.missing.get(module)
    if level:
        reason = f"{module} is another file: the network must be in one, this file"
    else:
        try:
            importlib.import_module(module)
        except Exception as error:  # a package may fail in any way; many of this field's do on a newer torch
            reason = f"importing {module} fails: {type(error).__name__}: {error}".split("\n")[0]
            if isinstance(error, ModuleNotFoundError):
                reason = str(error).split("\n")[0]
            if module.split(".")[0] in _OF_A_REPOSITORY:
                reason += " (another file of the repository: the network must be in one, this file)"
    if reason is not None:
        stand_ins.missing[module] = stand_ins.missing[module.split(".")[0]] = reason
    return reason


def _has(module: str, name: str) -> bool:
    if hasattr(sys.modules[module], name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except Exception:
        return False
    return True


def _bind(node: ast.stmt, name: str, module: str, attribute: str) -> ast.stmt:
    arguments: list[ast.expr] = [ast.Constant(module), ast.Constant(attribute)]
    call = ast.Call(ast.Name(_NAME, ast.Load()), arguments, [])
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], call), node)
