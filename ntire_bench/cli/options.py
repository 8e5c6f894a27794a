"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

import dataclasses
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
from ntire_bench.estimating.defaults import MAX_ROUNDS, MAX_TIME_S

__all__ = [
    "PATH",
    "RESULTS",
    "Command",
    "DefaultId",
    "Effort",
    "Images",
    "Machine",
    "channel_option",
    "effort_options",
    "image_options",
    "json_flag",
    "machine_options",
    "options",
    "places",
    "protocol_option",
    "references_folder",
    "results_folder",
    "see_that_it_can_measure",
    "taken_as",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Join several decorators to one; the first is the outermost."""

    def apply(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


def taken_as(name: str, kind: type) -> Callable[[Command], Command]:
    """Return a decorator with which a command takes several options as one argument.

    Args:
        name: Of the argument.
        kind: A dataclass. The options named like its fields become its values.
    """
    fields = [field.name for field in dataclasses.fields(kind)]

    def apply(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(*args: Any, **values: Any) -> Any:  # noqa: ANN401
            own = {field: values.pop(field) for field in fields if field in values}
            return command(*args, **{name: kind(**own)}, **values)

        return wrapped  # type: ignore[return-value]

    return apply


def _device(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuse what torch would not understand, before a worker is started."""
    if re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value) is None:
        raise click.BadParameter(f"{value!r} is none of auto, cpu, cuda, cuda:N", ctx, parameter)
    return value


def see_that_it_can_measure() -> None:
    """Refuse to go on where submissions cannot be run, before anything is imported for it.

    Raises:
        UsageError: This system lacks what workers are started with and talk through.
    """
    if find_spec("fcntl") is None:
        raise UsageError(
            "submissions cannot be run on this system",
            expected="Linux",
            found=sys.platform,
            remedy="run it on Linux, or on Windows in WSL 2; what only reads records or images works here: "
            "list, leaderboard, import, prepare, gate --record and the like",
        )


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
RESULTS = Path("leaderboard/results")
results_folder = click.option(
    "--results",
    type=PATH,
    default=RESULTS,
    show_default=True,
    help="Folder of the records.",
)
references_folder = click.option(
    "--references",
    type=PATH,
    default=Path("leaderboard/references"),
    show_default=True,
    help="Folder of the references that were kept with `reference add`.",
)
json_flag = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
protocol_option = click.option(
    "--protocol",
    "protocol_name",
    help="Rules: ntire2024 (default), ntire2025, ntire2026, dn50 (denoising), sample, demo, or a TOML file "
    "of your own.",
)
channel_option = click.option(
    "--psnr-channel",
    "channel",
    type=click.Choice(["y", "rgb"]),
    help="Channel to judge in; default: the protocol's.",
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and behind which walls submissions run; see `measuring.Options`."""

    device: str
    isolation: str
    allow_pickle: bool


machine_options = options(
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
    taken_as("machine", Machine),
)


@dataclass(frozen=True)
class DefaultId:
    """The id that `run` takes where none is named: test_demo.py has one, as the challenge's has."""

    id: int


@dataclass(frozen=True, kw_only=True)
class Images:
    """Which images networks are run on."""

    data_dir: Path | None
    splits: str | None
    include_test: bool

    @property
    def split_names(self) -> list[str]:
        """The splits that are asked for.

        Raises:
            UsageError: None is.

        >>> Images(data_dir=None, splits="valid, Set5", include_test=True).split_names
        ['valid', 'Set5', 'test']
        """
        names = [name.strip() for name in (self.splits or "valid").split(",") if name.strip()]
        if self.include_test and "test" not in names:
            names.append("test")
        if not names:
            raise UsageError("no split is named", remedy="give --splits valid,test or the like")
        return names


image_options = options(
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
    taken_as("images", Images),
)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long and with how many threads runtimes are measured; see `workflows.options_for`."""

    rounds: int | None
    precision: float | None = None
    max_rounds: int = MAX_ROUNDS
    max_time_s: float = MAX_TIME_S
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers of rounds that contradict each other, before images are looked at."""
        if self.rounds is not None and self.max_rounds != MAX_ROUNDS:
            from ntire_bench.workflows.options import refuse_contradiction

            refuse_contradiction(self.rounds, self.max_rounds)


effort_options = options(
    click.option(
        "--rounds",
        type=click.IntRange(1),
        help="Exactly so many timed passes over all images; without it, until --precision is reached.",
    ),
    click.option(
        "--precision",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Half of the runtime's 95 % interval, as a share of the runtime, at which rounds end.  "
        "[default: 0.01 on a CPU, 0.0025 on a GPU]",
    ),
    click.option(
        "--max-rounds",
        type=click.IntRange(1),
        default=MAX_ROUNDS,
        show_default=True,
        help="At most so many rounds.",
    ),
    click.option(
        "--max-time",
        "max_time_s",
        type=click.FloatRange(0, min_open=True),
        default=MAX_TIME_S,
        show_default=True,
        help="At most so many seconds of rounds per submission.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(1),
        help="CPU threads of a network.  [default: all cores but one on a CPU, one on a GPU]",
    ),
    taken_as("effort", Effort),
)
