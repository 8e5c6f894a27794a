"""A model file to the network that is trained: the file is executed, in this process."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files
from ntire_bench.submissions import declaration
from ntire_bench.wire.declaration import Declaration
from ntire_bench.worker.loading.load import import_file
from ntire_bench.worker.network.upscaler import blame

__all__ = ["build_network"]


def build_network(file: Path, *, training: bool = False) -> tuple[nn.Module, Declaration]:
    """Execute a model file and build its network.

    The network is what the file, or the TOML file beside it, declares; else what build_model() returns;
    else the one class of the file that needs no arguments and is no part of another such class.

    Returns:
        The network with fresh weights, and what the file declares.

    Raises:
        SubmissionError: The file cannot be executed, or does not say which class is the network.
    """
    declared = declaration.read(file, files.parse(file))
    module = import_file(file)
    if declared.model is None:
        build = getattr(module, "build_model", None) or _only_network(file, module)
    else:
        build = getattr(module, declared.model, None)
        if not callable(build):
            raise SubmissionError(
                f"{declared.source} names model {declared.model!r}, which the file does not define",
                file=file,
                found=", ".join(_classes(module)) or "no nn.Module class",
                remedy=f"correct {declared.source}",
            )
    args = dict(declared.args)
    if training and "deploy" in inspect.signature(build).parameters:
        args.setdefault("deploy", False)
    try:
        network = build(**args)
    except Exception as error:
        raise SubmissionError(
            "cannot be built", file=file, found=blame(error, file), remedy="mend the file, or declare args"
        ) from error
    if not isinstance(network, nn.Module):
        found = type(network).__name__
        raise SubmissionError(
            "builds no network", file=file, expected="nn.Module", found=found, remedy="return the network"
        )
    return network, declared


def _classes(module: ModuleType) -> dict[str, type[nn.Module]]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    }


def _only_network(file: Path, module: ModuleType) -> type[nn.Module]:
    classes = _classes(module)
    networks = {name: cls() for name, cls in classes.items() if _needs_no_arguments(cls)}
    parts = {type(part) for network in networks.values() for part in list(network.modules())[1:]}
    whole = [name for name in networks if classes[name] not in parts]
    if len(whole) != 1:
        raise SubmissionError(
            "does not say which class is the network",
            file=file,
            expected="one nn.Module class that needs no arguments and is no part of another",
            found=", ".join(whole or classes) or "no nn.Module class",
            remedy='declare it: SUBMISSION = {"model": "NAME", "data_range": 1}',
        )
    return classes[whole[0]]


def _needs_no_arguments(cls: type[nn.Module]) -> bool:
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(cls).parameters.values()
    return all(p.default is not p.empty or p.kind in optional for p in parameters)
