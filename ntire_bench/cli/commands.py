"""Which commands there are, what `--help` says of each in a line, and where each is."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

import click

__all__ = ["SECTIONS", "Commands"]


@dataclass(frozen=True)
class Place:
    """Where a command is, and what it does in a line.

    Attributes:
        module: In this folder.
        about: A clause that fits beside the names on 80 columns.
        name: Of the command in its module, where that is another one.
    """

    module: str
    about: str
    name: str = ""


SECTIONS: dict[str, dict[str, Place]] = {
    "A network of your own": {
        "new": Place("new", "begin a submission: a model file and a first checkpoint"),
        "check": Place("check", "load one: how it was resolved, costs, findings"),
        "run": Place("run", "evaluate submissions, and rank them"),
        "show": Place("compare", "the images of an evaluation one by one"),
        "compare": Place("compare", "two evaluations: costs, PSNR, which is faster"),
        "fuse": Place("weights", "merge training branches into an inference checkpoint"),
        "factsheet": Place("pack", "the table of numbers for a paper or factsheet"),
        "pack": Place("pack", "check a submission, and write what is sent"),
    },
    "A challenge": {
        "leaderboard": Place("leaderboard", "rank the records, in any format; published tables"),
        "status": Place("status", "how far a campaign on many machines is"),
        "jobs": Place("jobs", "the command of each evaluation, for any scheduler"),
        "intake": Place("intake", "take in what teams sent, with a sheet for each"),
        "audit": Place("audit", "the whole report of one team, to send"),
        "accept": Place("accept", "an organizer's word on a finding"),
        "stability": Place("stability", "how steady a runtime is"),
        "import": Place("import_", "a challenge's results file into records", "import_"),
        "reference": Place("reference", "keep results files by a name"),
        "keygen": Place("keygen", "a key to sign records with"),
    },
    "Continuous integration": {
        "gate": Place("gate", "PSNR thresholds, and what a change costs"),
    },
    "The machine, and files": {
        "doctor": Place("doctor", "what it gives, and what `run --all` would take"),
        "list": Place("listing", "the submissions found, without running any", "list_"),
        "data": Place("data", "a manifest of a data set; a copy compared with one"),
        "prepare": Place("listing", "LR images of HR images, as MATLAB makes them"),
        "zoo": Place("weights", "published checkpoints: list and fetch them"),
    },
}


class Commands(MutableMapping[str, click.Command]):
    """The commands by name. Each is imported when it is looked up: all of them take longer than `list`."""

    def __init__(self) -> None:
        self._places = {name: place for section in SECTIONS.values() for name, place in section.items()}
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        """Return a command, imported if need be."""
        if name not in self._loaded:
            place = self._places[name]
            module = importlib.import_module(f"ntire_bench.cli.{place.module}")
            self._loaded[name] = getattr(module, place.name or name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        """Add a command, as click does."""
        self._places.setdefault(name, Place("", command.get_short_help_str()))
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        """Take a command out."""
        del self._places[name]
        self._loaded.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        """Return all names; nothing is imported for that."""
        return iter(self._places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)
