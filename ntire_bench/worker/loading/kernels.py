"""What was built of a submission's kernels, given to its code when it asks for it. Worker only.

torch.utils.cpp_extension.load and load_inline return what the build step has built under that name, and
compile nothing. Modules that a setup.py has built are found as if they lay beside their sources. In the
process of a twin neither is there: the names are bound, and using them is an error that says so.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from ntire_bench.wire.messages import Kernels

__all__ = ["TRITON", "Forbidden", "ask", "module_name", "module_of", "serve", "stand_in"]

TRITON = "triton"  # the folder of built files that is Triton's cache
_TWIN = "a twin must compute in torch's operators, and uses the kernel"


class Forbidden:
    """Bound to a kernel in the process of a twin: it may be named, and not used.

    Args:
        path: What it stands for.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Forbidden:  # noqa: D105 - as of a module
        if name.startswith("__"):
            raise AttributeError(name)
        return Forbidden(f"{self._path}.{name}")

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Say that a twin must not use it.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(f"{_TWIN} {self._path}")


def serve(kernels: Kernels) -> None:
    """Have this process's code find what was built.

    Args:
        kernels: Their folder is there, to read.
    """
    sys.meta_path.insert(0, _Finder(kernels))  # before what its authors may have left beside the sources
    cache = kernels.folder / TRITON
    if cache.is_dir():  # Triton writes beside what it finds
        own = Path(os.environ.get("TMPDIR", "/tmp")) / TRITON
        shutil.copytree(cache, own, dirs_exist_ok=True)
        os.environ["TRITON_CACHE_DIR"] = str(own)
    if kernels.extensions or kernels.failed:
        ask(lambda name, is_module: _built(kernels, name, is_module))


def stand_in(kernels: Kernels) -> None:
    """Have this process's code find none of what was built, and load all the same.

    Args:
        kernels: As `serve` would be given; nothing in their folder is read.
    """
    sys.meta_path.insert(0, _NoneFinder(kernels))
    if kernels.extensions or kernels.failed:
        ask(lambda name, _: Forbidden(name))


def ask(answer: Any) -> None:  # noqa: ANN401 - a function of a name and whether a module is wanted
    """Have torch.utils.cpp_extension return what a function gives for the name of an extension."""
    from torch.utils import cpp_extension

    def load(name: str, *_: object, is_python_module: bool = True, **__: object) -> Any:  # noqa: ANN401
        return answer(name, is_python_module)

    cpp_extension.load = load
    cpp_extension.load_inline = load


def _built(kernels: Kernels, name: str, is_module: bool) -> ModuleType | str:
    """Return an extension, or where none of Python's is wanted have torch load it."""
    import torch

    if name in kernels.failed:
        raise RuntimeError(f"the extension {name} could not be built: {kernels.failed[name]}")
    if name not in kernels.extensions:
        why = f", as the network could not be loaded then: {kernels.loaded}" if kernels.loaded else ""
        raise RuntimeError(f"no extension of the name {name} was asked for when kernels were built{why}")
    file = str(kernels.folder / kernels.extensions[name])
    if not is_module:
        torch.ops.load_library(file)  # type: ignore[no-untyped-call]
        return file
    return module_of(name, file)


def module_of(name: str, file: str) -> ModuleType:
    """Return the module of a compiled file.

    Raises:
        ImportError: It is none.
    """
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no compiled module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules that a setup.py has built: where its folder is looked in, or is the top of the search."""

    def __init__(self, kernels: Kernels) -> None:
        self._places = {
            Path(os.path.realpath(setup)): kernels.folder / built for setup, built in kernels.setups.items()
        }

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a built module is; None where nothing of that name was built."""
        entries = sys.path if path is None else list(path)
        folders = [built for entry in entries for built in self._beside(Path(os.path.realpath(entry)))]
        folders += list(self._places.values()) if path is None else []
        found = PathFinder.find_spec(name, [str(folder) for folder in dict.fromkeys(folders)])
        return found if found is not None and found.loader is not None else None

    def _beside(self, entry: Path) -> list[Path]:
        """Return the folders of built files that stand for a folder of sources."""
        return [
            built / entry.relative_to(setup)
            for setup, built in self._places.items()
            if entry.is_relative_to(setup)
        ]


class _NoneFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives a module whose every name is forbidden for each that a setup.py has built."""

    def __init__(self, kernels: Kernels) -> None:
        files = [
            file for file in kernels.extensions.values() if file.split("/", 1)[0] in kernels.setups.values()
        ]
        self._names = {module_name(file) for file in files}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a module that forbids everything, for the last part of a name that was built."""
        return ModuleSpec(name, self) if name.rsplit(".", 1)[-1] in self._names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that has every name."""
        return _ForbiddenModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing."""


class _ForbiddenModule(ModuleType):
    def __getattr__(self, name: str) -> Forbidden:
        if name.startswith("__"):
            raise AttributeError(name)
        return Forbidden(f"{self.__name__}.{name}")


def module_name(file: str) -> str:
    """Return the name that a compiled file is imported by.

    >>> module_name("setup0/net/_C.cpython-311-x86_64-linux-gnu.so")
    '_C'
    """
    name = file.rsplit("/", 1)[-1]
    for suffix in sorted(EXTENSION_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name.split(".", 1)[0]
