"""How a campaign is spread: fleet.toml, and --engine-option KEY=VALUE."""

from __future__ import annotations

import difflib
import math
import shlex
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from ntire_bench.errors import UsageError
from ntire_bench.protocols.toml import convert, mistakes, parse

__all__ = ["ENGINES", "FleetSettings", "LocalSettings", "SlurmSettings", "read"]

EngineName = Literal["local", "slurm"]
ENGINES: tuple[EngineName, ...] = ("local", "slurm")


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """One machine.

    Attributes:
        cores_per_job: Cores of a set, at least, where the CPU computes.
    """

    cores_per_job: int = 4


@dataclass(frozen=True, kw_only=True)
class SlurmSettings:
    """Jobs of Slurm; see `man sbatch` for what has the same name there.

    Attributes:
        partition: Of the jobs.
        account: That pays.
        qos: Quality of service.
        gres: Generic resources of a job, with their type: "gpu:a100:1".
        constraint: Features that a node must have.
        nodelist: Nodes that may be used.
        exclude: Nodes that may not, separated by commas.
        cpus_per_task: Cores of a job.
        mem: Memory of a job, "16GB".
        time: Limit on the time of a job [minutes].
        exclusive: Whether a job has its node for itself.
        timeouts: How often a job that reaches its time limit is queued again.
        warn_s: How long before its time limit a job is warned, and ends itself [s].
        look_s: How often Slurm is asked how the jobs are [s].
        setup: Shell commands before the command, such as "module load cuda".
        sbatch: Further options of sbatch by their long names, as a table.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gres: str | None = None
    constraint: str | None = None
    nodelist: str | None = None
    exclude: str | None = None
    cpus_per_task: int = 2
    mem: str | None = None
    time: int = 120
    exclusive: bool = False
    timeouts: int = 2
    warn_s: int = 90
    look_s: float = 5.0
    setup: tuple[str, ...] = ()
    sbatch: dict[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """How a campaign is spread.

    Attributes:
        engine: Its name; None for none: one evaluation after the other.
        jobs: At most so many evaluations at the same time; None for as many as the engine has places.
        again: How often a job that was lost is asked for again.
        anchor: By how much the baseline's runtime on a node may differ from the median of its class, as a
            share of that.
        program: What stands for `ntire-bench` on a node, in a container for example.
        local: Of the engine local.
        slurm: Of the engine slurm.
    """

    engine: EngineName | None = None
    jobs: int | None = None
    again: int = 2
    anchor: float = 0.03
    program: tuple[str, ...] = ()
    local: LocalSettings = LocalSettings()
    slurm: SlurmSettings = field(default_factory=SlurmSettings)


# The least that a number may be.
_LEAST = {
    "jobs": 1,
    "again": 0,
    "cores_per_job": 1,
    "cpus_per_task": 1,
    "time": 1,
    "timeouts": 0,
    "warn_s": 0,
    "look_s": 0.1,
}


def read(file: Path | None, engine: str | None, options: Sequence[str], jobs: int | None) -> FleetSettings:
    """Return how a campaign is spread: what a file says, and what options say above it.

    Args:
        file: fleet.toml; None for none.
        engine: As --engine has it; None for the file's.
        options: Texts KEY=VALUE, of the engine or of the campaign.
        jobs: As --jobs has it; None for the file's.

    Raises:
        UsageError: A key is not there, or a value does not fit it; every mistake is named with its key.

    >>> found = read(None, "slurm", ["gres=gpu:a100:1", "time=60", "anchor=5%"], 8)
    >>> found.slurm.gres, found.slurm.time, found.anchor, found.jobs
    ('gpu:a100:1', 60, 0.05, 8)
    """
    raw = {} if file is None else _parsed(file)
    raw = {**raw, **{key: dict(raw[key]) for key in ENGINES if isinstance(raw.get(key), dict)}}
    if engine is not None:
        raw["engine"] = engine
    if jobs is not None:
        raw["jobs"] = jobs
    chosen = raw.get("engine")
    found = [*_add_options(raw, chosen, options)]
    _shares(raw)
    found += mistakes(FleetSettings, raw)
    if not found:
        found += _out_of_range(raw)
    if found:
        several = len(found) > 1
        raise UsageError(
            "the settings of the engine hold " + ("mistakes" if several else "a mistake"),
            file=file,
            found="; ".join(found),
            remedy="correct the keys that are named; docs/CLUSTER.md lists them",
        )
    return convert(FleetSettings, raw)


def _parsed(file: Path) -> dict[str, Any]:
    remedy = "name a TOML file with --fleet; docs/CLUSTER.md has one"
    try:
        raw, why = parse(file.read_bytes())
    except OSError as error:
        raise UsageError(
            "cannot be read", file=file, found=error.strerror or str(error), remedy=remedy
        ) from None
    if why:
        raise UsageError("is not TOML", file=file, found=why, remedy=remedy)
    return raw


def _add_options(raw: dict[str, Any], engine: object, options: Sequence[str]) -> Iterator[str]:
    """Put options into the table that they belong to, and yield what is wrong with them."""
    table = {"local": LocalSettings, "slurm": SlurmSettings}.get(str(engine))
    own: Mapping[str, Any] = {} if table is None else typing.get_type_hints(table)
    common = {
        key: hint
        for key, hint in typing.get_type_hints(FleetSettings).items()
        if key in ("again", "anchor", "program")
    }
    for text in options:
        key, equals, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            yield f"--engine-option {text}: expected KEY=VALUE"
        elif engine is None:
            yield f"--engine-option {key}: there is no engine (--engine local or slurm)"
        elif key in own:
            of_engine = raw.setdefault(str(engine), {})
            if isinstance(of_engine, dict):  # else that is the mistake which is told
                of_engine[key] = _value(value, own[key])
        elif key in common:
            raw[key] = value if key == "anchor" else _value(value, common[key])
        else:
            known = [*own, *common]
            alike = difflib.get_close_matches(key, known, 1)
            near = f" ({alike[0]}?)" if alike else f"; there are {', '.join(known)}"
            yield f"--engine-option {key}: {engine} has no such key{near}"


def _value(text: str, hint: Any) -> Any:  # noqa: ANN401 - of the type that is asked for
    """Return a text as a value of a type; a text that does not fit stays one, and is told as a mistake."""
    if typing.get_origin(hint) is tuple:
        try:
            return shlex.split(text)
        except ValueError:  # a quotation that does not end
            return text
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError:
        return text


def _shares(raw: dict[str, Any]) -> None:
    """Take 3% for 0.03."""
    value = raw.get("anchor")
    if isinstance(value, str):
        number = value.strip()
        try:
            raw["anchor"] = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
        except ValueError:
            return


def _out_of_range(raw: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for key, value in raw.items():
        if isinstance(value, dict) and key in ENGINES:
            yield from _out_of_range(value, f"{key}.")
        elif key in _LEAST and value is not None and not _LEAST[key] <= value < math.inf:
            yield f"{where}{key}: expected {_LEAST[key]} or more, got {value!r}"
        elif key == "anchor" and not 0 < value < math.inf:
            yield f"{where}anchor: expected a share above 0, such as 3%, got {value!r}"
