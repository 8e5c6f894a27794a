"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import click

from ntire_bench.errors import UsageError

__all__ = [
    "PATH",
    "Effort",
    "IsolationWanted",
    "channel_option",
    "effort",
    "data_options",
    "json_flag",
    "machine",
    "options",
    "places",
    "protocol_option",
    "results_folder",
    "see_that_it_can_measure",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Join several option decorators to one."""

    def apply(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


def _device(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuse what torch would not understand, before a worker is started."""
    if re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value) is None:
        raise click.BadParameter(f"{value!r} is none of auto, cpu, cuda, cuda:N", ctx, parameter)
    return value


PATH = click.Path(path_type=Path)
places = options(
    click.option(
        "--models", type=PATH, default=Path("models"), show_default=True, help="Folder of the model files."
    ),
    click.option(
        "--model-zoo",
        type=PATH,
        default=Path("model_zoo"),
        show_default=True,
        help="Folder of the checkpoints.",
    ),
)
results_folder = click.option(
    "--results",
    type=PATH,
    default=Path("leaderboard/results"),
    show_default=True,
    help="Folder of the records.",
)
json_flag = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
protocol_option = click.option(
    "--protocol", "protocol_name", help="Rules: ntire2024 (default), ntire2025, ntire2026, sample, demo."
)
channel_option = click.option(
    "--psnr-channel",
    "channel",
    type=click.Choice(["y", "rgb"]),
    help="Channel to judge in; default: the protocol's.",
)
_machine_options = options(
    click.option(
        "--device", default="auto", show_default=True, callback=_device, help="auto, cpu, cuda, cuda:N."
    ),
    click.option(
        "--isolation",
        type=click.Choice(["auto", "none", "required", "L0", "L1", "L2", "L3"]),
        default="auto",
        show_default=True,
        help="How far the submission is kept from everything else; required: L2 or better.",
    ),
    click.option(
        "--allow-pickle",
        is_flag=True,
        help="Let checkpoints run code as they are loaded; needs isolation L2 or better.",
    ),
)


@dataclass(frozen=True)
class IsolationWanted:
    """What a user asks of isolation; see `isolation.isolation_for`."""

    level: str
    allow_pickle: bool


def machine(command: Command) -> Command:
    """Give a command the options --device and, as its one argument `isolation`, those on isolation."""

    @functools.wraps(command)
    def wrapped(*args: Any, isolation: str, allow_pickle: bool, **others: Any) -> Any:  # noqa: ANN401
        return command(*args, isolation=IsolationWanted(isolation, allow_pickle), **others)

    return _machine_options(wrapped)  # type: ignore[return-value]


def see_that_it_can_measure() -> None:
    """Refuse to go on where submissions cannot be run, before anything is imported for it.

    Raises:
        UsageError: This system has not what workers are started with and talk through.
    """
    if find_spec("fcntl") is None:
        raise UsageError(
            "submissions cannot be run on this system",
            expected="Linux",
            found=sys.platform,
            remedy="run it on Linux, or on Windows in WSL 2; what only reads records or images works here: "
            "list, leaderboard, import, prepare, gate --record and the like",
        )


data_options = options(
    click.option(
        "--data-dir",
        type=PATH,
        help="Folder of DIV2K_LSDIR_valid_HR, ..._LR and the like; without it a sample set.",
    ),
    click.option(
        "--splits",
        help="Comma-separated: valid, test, or NAME of folders NAME_HR, NAME_LR.  [default: valid]",
    ),
    click.option("--include-test", is_flag=True, help="Evaluate the split test as well."),
)
_effort_options = options(
    click.option(
        "--rounds",
        type=click.IntRange(1),
        help="Exactly so many timed passes over all images; without it they go on until --precision.",
    ),
    click.option(
        "--precision",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Half of the runtime's 95 % interval that is enough.  [default: 0.01 on a CPU, 0.0025 on a GPU]",
    ),
    click.option(
        "--max-rounds", type=click.IntRange(1), default=60, show_default=True, help="At most so many rounds."
    ),
    click.option(
        "--max-time",
        type=click.FloatRange(0, min_open=True),
        default=1200.0,
        show_default=True,
        help="Seconds of rounds per submission.",
    ),
    click.option(
        "--threads", type=click.IntRange(1), help="CPU threads of a network.  [default: all cores but one]"
    ),
)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long and with how much runtimes are measured; see `stopping.StopRule`."""

    rounds: int | None
    precision: float | None
    max_rounds: int
    max_time_s: float
    threads: int | None


def effort(command: Command) -> Command:
    """Give a command the options on rounds, as its one argument `effort`."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,  # noqa: ANN401
        rounds: int | None,
        precision: float | None,
        max_rounds: int,
        max_time: float,
        threads: int | None,
        **others: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        chosen = Effort(
            rounds=rounds, precision=precision, max_rounds=max_rounds, max_time_s=max_time, threads=threads
        )
        return command(*args, effort=chosen, **others)

    return _effort_options(wrapped)  # type: ignore[return-value]
