"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "JSON_WANTED",
    "PATH",
    "channel_option",
    "data_options",
    "json_flag",
    "machine",
    "places",
    "protocol_option",
    "results_folder",
    "rounds_option",
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


def _note_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    ctx.meta[JSON_WANTED] = value
    return value


PATH = click.Path(path_type=Path)
JSON_WANTED = "ntire_bench.json"  # in a context's meta, so that an error can be told in JSON too
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
json_flag = click.option(
    "--json", "as_json", is_flag=True, callback=_note_json, help="One JSON document on standard output."
)
protocol_option = click.option(
    "--protocol", "protocol_name", help="Rules: ntire2024 (default), ntire2025, ntire2026, sample."
)
channel_option = click.option(
    "--psnr-channel",
    "channel",
    type=click.Choice(["y", "rgb"]),
    help="Channel to judge in; default: the protocol's.",
)
machine = options(
    click.option(
        "--device", default="auto", show_default=True, callback=_device, help="auto, cpu, cuda, cuda:N."
    ),
    click.option(
        "--isolation",
        type=click.Choice(["auto", "none", "required"]),
        default="auto",
        show_default=True,
        help="How far the submission is kept from everything else.",
    ),
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
rounds_option = click.option(
    "--rounds", type=click.IntRange(1), help="Timed passes over all images; default: the protocol's."
)
