"""Stand-ins for packages that a file imports and that are not installed. Worker only.

A file often imports what its network never uses: a counter of FLOPs, a registry's decorator, a logger. Such
an import must not keep the network from loading. Only using what is missing is an error, which names it.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from torch import nn

from ntire_bench.records.record import Inference
from ntire_bench.worker.loading import stand_in_answers
from ntire_bench.worker.network.packages import Missing, MissingPackage, package_in

__all__ = ["StandIns", "execute", "missing", "used"]

_NAME, _ERROR = "__ntire_bench_stand_in__", "__ntire_bench_error__"
_OF_A_REPOSITORY = {"models", "utils", "model", "archs", "basicblock", "data", "options"}
# What using a stand-in raises an error for. It may be named in types, and nothing is an instance of it.
_USES = """
enter exit iter next len contains setitem delitem add radd sub rsub mul rmul matmul rmatmul truediv rtruediv
floordiv rfloordiv mod rmod pow rpow neg pos abs invert int float index lt le gt ge
""".split()


class StandIns:
    """What stands in for the missing packages of one file, or of the files of a checkout.

    Args:
        own: Returns whether a top-level module is one of the checkout's own, which nothing stands in for;
            None for a single file.

    Attributes:
        missing: Why each module cannot be imported, by its name.
        used: What a stand-in answered for, and how.
    """

    def __init__(self, own: Callable[[str], bool] | None = None) -> None:
        self.missing: dict[str, Missing] = {}
        self.used: dict[str, Inference] = {}
        self._own = own
        self._culprits: dict[str, str] = {}

    def note_answer(self, module: str, path: str, how: str) -> None:
        """Remember that a stand-in answered for something of a missing module, by its full name, and how."""
        top = module.split(".")[0]
        absent = self._culprits.get(module, "").split(".")[0] == top
        state = "is not installed" if absent else "cannot be imported"
        self.used[path] = Inference(key="stand_in", value=path, how=f"{top} {state}; {how}")

    def attach(self, module: ModuleType) -> None:
        """Make a module's `answered` code find its stand-ins."""
        setattr(module, _NAME, self.get)

    def answered(self, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Yield statements of a file's top level, changed so that imports that fail bind stand-ins.

        Only imports at the top level are changed: the file itself handles one inside `try`.
        """
        for node in body:
            if isinstance(node, ast.If) and "__name__" not in ast.unparse(node.test):
                node.body = list(self.answered(node.body))
                node.orelse = list(self.answered(node.orelse))
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from self._import(node)
            else:
                yield node

    def get(self, module: str, name: str, level: int, error: Exception) -> Any:  # noqa: ANN401
        """Return what a name of a module that cannot be imported is bound to.

        Args:
            module: As the file names it.
            name: What it wants of it; "" for the module itself.
            level: How many dots stand before it.
            error: What importing it raised.

        Raises:
            Exception: `error`, where the module is the checkout's own, or all of its names are wanted.
        """
        if self._own is not None and (name == "*" or self._own(module.split(".")[0])):
            raise error
        self._note_missing(module, level, error)
        return None if name == "*" else self.stand_in(module, f"{module}.{name}".rstrip("."))

    def stand_in(self, module: str, path: str) -> Any:  # noqa: ANN401 - what a module holds may be anything
        """Return what stands in for something of a missing module, by its full name."""
        answer = stand_in_answers.answer(*path.rpartition(".")[::2])
        if answer is None:
            return _StandIn(self, module, path)
        value, how = answer
        self.note_answer(module, path, how)
        return value

    def why(self, value: object) -> str | None:
        """Return why the import of what a name is bound to failed; None if it did not fail."""
        return self._missing(value._StandIn__module).reason if isinstance(value, _StandIn) else None

    def error(self, module: str, path: str) -> MissingPackage:
        """Return what using a stand-in raises."""
        missing = self._missing(module)
        text = f"{path} is used, and {missing.reason}"
        return MissingPackage(text, name=self._culprits.get(module, module), missing=missing)

    def _missing(self, module: str) -> Missing:
        return self.missing.get(module, Missing("it is not installed", module.split(".")[0]))

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[ast.stmt]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                one: ast.stmt = ast.copy_location(ast.Import([alias]), node)
                bound, module = (alias.asname, alias.name) if alias.asname else (top, top)
                yield one if top == "torch" else _tried(one, bound, module, "", 0)
            return
        module = "." * node.level + (node.module or "")
        left_alone = module.split(".")[0] in ("__future__", "torch") or (node.level and self._own is not None)
        for alias in node.names:
            one = ast.copy_location(ast.ImportFrom(node.module, [alias], node.level), node)
            yield (
                one if left_alone else _tried(one, alias.asname or alias.name, module, alias.name, node.level)
            )

    def _note_missing(self, module: str, level: int, error: Exception) -> None:
        top = module.split(".")[0]
        if level:
            reason = f"{module} is another file: the network must be in one, this file"
        elif isinstance(error, ModuleNotFoundError):
            reason = str(error).split("\n")[0]
            self._culprits[module] = error.name or module
        elif isinstance(error, ImportError) and error.name == module and module in sys.modules:
            reason = f"{module}, which is installed, does not have it"
        else:  # a package may fail in any way; many of this field's do on a newer torch
            reason = f"importing {module} fails: {type(error).__name__}: {error}".split("\n")[0]
        of_the_repository = not level and self._own is None and top in _OF_A_REPOSITORY
        if of_the_repository:
            reason += " (another file of the repository: the network must be in one, this file)"
        another_file = bool(level) or of_the_repository
        self.missing[module] = Missing(reason, package_in(error) or top, another_file)


class _StandIn:
    """Bound to a name of a missing module. It may be named, passed on and registered with, but not used."""

    def __init__(self, owner: StandIns, module: str, path: str) -> None:
        self.__owner, self.__module, self.__path = owner, module, path

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__owner.stand_in(self.__module, f"{self.__path}.{name}")

    def __bool__(self) -> bool:
        """True, as what it stands for would be: a file may ask whether its import succeeded."""
        return True

    def __getitem__(self, key: object) -> _StandIn:
        """As in a type of a parameter, such as Float[Tensor, "b c"]."""
        return self

    def __or__(self, other: object) -> _StandIn:
        """As in a type of a parameter."""
        return self

    __ror__ = __or__

    def __instancecheck__(self, instance: object) -> bool:
        """Nothing is an instance of a class that is not there."""
        return False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if "regist" not in self.__path.rsplit(".", 1)[-1].lower():
            raise self.__error()
        self.__owner.note_answer(self.__module, self.__path, "the class is not registered anywhere")
        if len(args) == 1 and (inspect.isclass(args[0]) or inspect.isfunction(args[0])):
            return args[0]
        return self  # a decorator with arguments, or a registry

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """A class may name it as its base: only that class cannot be built then, others of the file can."""
        error = self.__error()

        class Missing(nn.Module):
            def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
                raise error

        return (Missing,)

    def __error(self) -> MissingPackage:
        return self.__owner.error(self.__module, self.__path)

    def __use(self, *_: object) -> Any:  # noqa: ANN401
        raise self.__error()

    for _use in _USES:
        locals()[f"__{_use}__"] = __use
    del _use


def missing(module: ModuleType) -> list[Missing]:
    """Return what a module executed by `execute` wanted to import in vain, and why."""
    return list(dict.fromkeys(_of(module).missing.values()))


def used(module: ModuleType) -> list[Inference]:
    """Return what stand-ins have answered for in a module executed by `execute`, so far."""
    return list(_of(module).used.values())


def _of(module: ModuleType) -> StandIns:
    get = getattr(module, _NAME, None)
    owner = getattr(get, "__self__", None)
    return owner if isinstance(owner, StandIns) else StandIns()


def execute(source: bytes, filename: str, module: ModuleType) -> None:
    """Execute the text of a model file in a module, with stand-ins for what it imports and cannot have.

    Args:
        source: The text.
        filename: For messages, and for the line cache.
        module: Where its names are put.
    """
    stand_ins = StandIns()
    stand_ins.attach(module)
    tree = ast.parse(source, filename=filename)
    tree.body = list(stand_ins.answered(tree.body))
    exec(compile(ast.fix_missing_locations(tree), filename, "exec", dont_inherit=True), vars(module))


def _tried(node: ast.stmt, bound: str, module: str, name: str, level: int) -> ast.stmt:
    """Return an import of one name that binds what `StandIns.get` gives where it fails."""
    arguments = [ast.Constant(module), ast.Constant(name), ast.Constant(level), ast.Name(_ERROR, ast.Load())]
    call = ast.Call(ast.Name(_NAME, ast.Load()), arguments, [])
    answer: ast.stmt = ast.Assign([ast.Name(bound, ast.Store())], call) if bound != "*" else ast.Expr(call)
    handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), _ERROR, [answer])
    tried = ast.Try([node], [handler], [], [])
    for part in ast.walk(tried):
        ast.copy_location(part, node)
    return tried
