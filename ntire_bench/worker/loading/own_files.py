"""Imports among the files of a checkout or package, with stand-ins for what is not installed. Worker only.

Python's own import system finds the files; only how one is compiled is changed here. So relative imports,
packages and changes of sys.path work as in the checkout's own run.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from ntire_bench.worker.loading.missing_packages import StandIns

__all__ = ["is_own", "is_package", "name_as_in_a_checkout", "serve"]


def is_package(file: Path) -> bool:
    """Return whether a model file begins a package, such as models/team08_Net/__init__.py."""
    return file.name == "__init__.py"


def is_own(value: object, module: ModuleType) -> bool:
    """Return whether a class or function was defined in a model file, or in another file of its package.

    Args:
        value: The class or function.
        module: The model file, executed.
    """
    name = str(getattr(value, "__module__", ""))
    if name == module.__name__:
        return True
    folders = list(getattr(module, "__path__", None) or ())
    origin = getattr(sys.modules.get(name), "__file__", None)
    return bool(folders and origin) and Path(str(origin)).is_relative_to(folders[0])


def name_as_in_a_checkout(module: ModuleType, folder: Path) -> None:
    """Let a package's files import each other by the names that they have in a challenge's checkout.

    There they are models.team08_Net.blocks, or plain blocks where the folder is on sys.path.

    Args:
        module: The package.
        folder: Its folder.
    """
    models = sys.modules.setdefault("models", ModuleType("models"))
    if not hasattr(models, "__path__"):
        models.__path__ = []
    setattr(models, folder.name, module)
    sys.modules[f"models.{folder.name}"] = module
    sys.path.append(str(folder))


def serve(root: Path) -> StandIns:
    """Give stand-ins to all files of a checkout that this process imports from now on.

    Args:
        root: The checkout, whose folder is on sys.path, or will be.

    Returns:
        The stand-ins, for all of the files.
    """
    folder = Path(os.path.realpath(root))

    def inside(path: str | None) -> bool:
        return path is not None and Path(os.path.realpath(path)).is_relative_to(folder)

    def own(top: str) -> bool:
        place = folder / top
        if not top or place.is_dir() or place.is_symlink() or place.with_name(f"{top}.py").is_file():
            return True
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):  # a module that does not say where it comes from
            return False
        places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
        return any(inside(place) for place in places)

    stand_ins = StandIns(own)

    def served(spec: ModuleSpec | None) -> ModuleSpec | None:
        if spec is not None and type(spec.loader) is SourceFileLoader and inside(spec.origin):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, stand_ins)
            return spec
        return None

    class Finder:
        """Finds the modules of the checkout, as Python's own search along sys.path finds them."""

        @staticmethod
        def find_spec(
            name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
        ) -> ModuleSpec | None:
            """Return where a module of the checkout is; None for any other module."""
            return served(PathFinder.find_spec(name, path, target))

    first = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(first, Finder)
    by_path = importlib.util.spec_from_file_location

    def spec_from_file_location(*args: Any, **kwargs: Any) -> ModuleSpec | None:  # noqa: ANN401 - as the original
        spec = by_path(*args, **kwargs)
        return served(spec) or spec

    importlib.util.spec_from_file_location = spec_from_file_location
    return stand_ins


class _Loader(SourceFileLoader):
    """Loads a file of a checkout from its text, never from a compiled file."""

    def __init__(self, name: str, path: str, stand_ins: StandIns) -> None:
        super().__init__(name, path)
        self._stand_ins = stand_ins

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the file's code, in which top-level imports that fail give stand-ins."""
        tree = ast.parse(self.get_data(self.path), filename=self.path)
        tree.body = list(self._stand_ins.answered(tree.body))
        code: CodeType = compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)
        return code

    def exec_module(self, module: ModuleType) -> None:
        """Run the file in its module."""
        self._stand_ins.attach(module)
        super().exec_module(module)
