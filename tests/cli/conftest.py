"""A working directory with submissions and images, and commands that run in it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from click.testing import CliRunner, Result
from commands import DECLARED, Done, only_message
from pairs import noise, smooth, write_pairs

from ntire_bench.cli import group


@pytest.fixture(scope="module")
def one_message(said_of_isolation) -> Callable[[Result | Done], str]:
    return functools.partial(only_message, said_of_isolation)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A working directory with three submissions, one of which fails, and images of the challenge."""
    place = tmp_path_factory.mktemp("place")
    # RLFN, the baseline, prints what would break a JSON document if it reached standard output.
    chatty = toys.toy("print('{\"not\": JSON', flush=True)", head=DECLARED)
    toys.write_toy(place, 0, "RLFN", body=chatty, checkpoint=toys.state_dict())
    toys.write_toy(place, 1, "Good", body=toys.toy(head=DECLARED), checkpoint=toys.state_dict())
    toys.write_toy(place, 2, "Bad", body=toys.toy("raise ValueError('\\x1b[31mred\\x1b[0m')", head=DECLARED))
    write_pairs(place / "images", "valid", [smooth(1), smooth(2)])
    write_pairs(place / "images", "test", [smooth(3)])
    write_pairs(place / "hopeless", "valid", [noise(1)])
    return place


@pytest.fixture
def here(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def call(here) -> Callable[..., Result]:
    """Run a command in this process; a fault of the program's own is raised."""

    def call(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(group.main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call
