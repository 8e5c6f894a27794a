"""What must be the same for runtimes to be ranked together: the device, and what computes on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ntire_bench.errors import RecordError
from ntire_bench.records.record import Environment, Record
from ntire_bench.text import one_line

__all__ = ["DeviceClass", "argument_for", "class_of", "class_of_record", "difference", "meant"]


@dataclass(frozen=True, kw_only=True)
class DeviceClass:
    """A class of records whose runtimes may be ranked together.

    The driver and the libraries decide how fast a network runs, and so does the CPU, also where a GPU
    computes: it is the CPU that starts the work. The class of imported results is unknown, so the rows of one
    file are ranked with each other and with nothing else.

    Attributes:
        name: Model of the GPU, or of the CPU.
        kind: "cuda" or "cpu"; "imported" where it is unknown, and `name` then says which file the rows are
            of.
        threads: CPU threads of the worker; None where it is unknown.
        cpu: Model of the CPU beside a GPU; None where `name` is the CPU.
        driver: Of the GPU; None where there is none, or it is unknown.
        torch: Version.
        cuda: Version that torch was built for.
        cudnn: Version.
    """

    name: str
    kind: Literal["cuda", "cpu", "imported"]
    threads: int | None = None
    cpu: str | None = None
    driver: str | None = None
    torch: str | None = None
    cuda: str | None = None
    cudnn: str | None = None

    @property
    def imported(self) -> bool:
        """Whether the rows are of a results file."""
        return self.kind == "imported"

    @property
    def label(self) -> str:
        """The name as a table's title has it: a CPU with its threads."""
        return self.name if self.kind != "cpu" else f"{self.name}, {_threads(self.threads)}"

    @property
    def conditions(self) -> Mapping[str, str]:
        """What else must be the same, by what it is, in words."""
        if self.imported:
            return {}
        told = {
            "driver": self.driver and f"driver {self.driver}",
            "torch": self.torch and f"torch {self.torch}",
            "CUDA": self.cuda and f"CUDA {self.cuda}",
            "cuDNN": self.cudnn and f"cuDNN {self.cudnn}",
            "CPU": self.cpu,
            "threads": None if self.kind == "cpu" else _threads(self.threads),
        }
        return {what: text for what, text in told.items() if text}

    def __str__(self) -> str:
        """Return all of it."""
        return ", ".join([self.label, *self.conditions.values()])

    def is_called(self, name: str) -> bool:
        """Say whether this is its whole name, with or without threads or all the rest, in any case."""
        return name.casefold() in (self.name.casefold(), self.label.casefold(), str(self).casefold())


def class_of(environment: Environment) -> DeviceClass:
    """Return the class of runtimes that were measured in an environment."""
    on_gpu = environment.device == "cuda"
    return DeviceClass(
        name=one_line(environment.device_name),
        kind="cuda" if on_gpu else "cpu",
        threads=environment.threads,
        cpu=one_line(environment.cpu) if environment.cpu != environment.device_name else None,
        driver=environment.driver if on_gpu else None,
        torch=environment.torch,
        cuda=environment.cuda if on_gpu else None,
        cudnn=environment.cudnn if on_gpu else None,
    )


def class_of_record(record: Record) -> DeviceClass:
    """Return the class of a record.

    Raises:
        RecordError: It names no device.
    """
    if record.imported is not None:
        return DeviceClass(name=record.imported.device_name, kind="imported")
    if record.environment is None:
        raise RecordError(f"the record of {one_line(record.submission.label)} names no device")
    return class_of(record.environment)


def meant(classes: Iterable[DeviceClass], wanted: str) -> set[DeviceClass]:
    """Return the classes that somebody means: the first of these that fits any.

    - those with this whole name; it may be a part of another one's name,
    - all on a GPU, or all on a CPU, for "cuda" or "cpu",
    - those with a part of this name,
    - those with a part of this description.

    Args:
        classes: To choose among.
        wanted: What the user typed.
    """
    classes, text = list(classes), wanted.casefold()
    for fits in (
        lambda one: one.is_called(wanted),
        lambda one: one.kind == text,
        lambda one: text in one.label.casefold(),
        lambda one: text in str(one).casefold(),
    ):
        if found := {one for one in classes if fits(one)}:
            return found
    return set()


def argument_for(one: DeviceClass, ranked: DeviceClass, classes: Iterable[DeviceClass]) -> str:
    """Return a short text that means one class alone: what tells it from the ranked one, if that will do.

    Args:
        one: The class.
        ranked: The one that is ranked now.
        classes: All that there are.
    """
    classes = list(classes)
    other = ranked.conditions
    parts = [text for what, text in one.conditions.items() if other.get(what) != text]
    names = [one.name, one.label] if one.label != ranked.label else []
    fitting = (text for text in (*names, *parts) if meant(classes, text) == {one})
    return next(fitting, str(one))


def difference(own: DeviceClass, ranked: DeviceClass) -> str:
    """Return in words how a class differs from the one that is ranked."""
    if own.label != ranked.label:
        return f"measured on {own.label}"
    mine, theirs = own.conditions, ranked.conditions
    different = [what for what in {**mine, **theirs} if mine.get(what) != theirs.get(what)]
    here, there = (
        ", ".join(one.get(what, f"an unknown {what}") for what in different) for one in (mine, theirs)
    )
    return f"measured with {here}, and the others with {there}"


def _threads(count: int | None) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"
