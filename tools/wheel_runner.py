"""What check_wheel.py says of its checks, and how it runs commands."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

_TIMEOUT_S = 900.0


class Stopped(Exception):
    """Nothing after this step can be checked."""


@dataclass
class Report:
    """What was checked, and what was not as it should be."""

    failures: list[str] = field(default_factory=list)

    def expect(self, what: str, found: object, expected: object) -> None:
        """Compare, and say the outcome in a line."""
        if found == expected:
            click.echo(f"ok      {what}: {_short(found)}")
        else:
            self.fail(f"{what}: expected {_short(expected)}, found {_short(found)}")

    def fail(self, text: str) -> None:
        """Note a difference, and say it in a line."""
        self.failures.append(text)
        click.echo(f"FAILED  {text}")

    def summary(self) -> str:
        """Return the outcome in a line."""
        if not self.failures:
            return "The wheel holds what it must, and works."
        return f"{len(self.failures)} difference{'s' if len(self.failures) > 1 else ''}, see above."

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say how long a step took."""
        begun = time.monotonic()
        yield
        click.echo(f"        {what}: {time.monotonic() - begun:.0f} s")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def environment(place: Path) -> dict[str, str]:
    """Return this process's environment without what would lead back to the checkout or to an older cache."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if key not in ours and "NTIRE_BENCH" not in key}
    return {**kept, "NTIRE_BENCH_CACHE": str(place / "cache"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@dataclass(frozen=True)
class Runner:
    """Runs commands in an environment of their own."""

    place: Path

    def __call__(
        self, *command: str | Path, cwd: Path | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, with `more` in its environment; what it prints is kept."""
        try:
            return subprocess.run(
                [str(word) for word in command],
                cwd=cwd or self.place,
                env={**environment(self.place), **(more or {})},
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Stopped(str(error)) from None

    def must(
        self, *command: str | Path, cwd: Path | None = None, more: Mapping[str, str] | None = None
    ) -> None:
        """Run a command that all else depends on."""
        done = self(*command, cwd=cwd, more=more)
        if done.returncode != 0:
            words = " ".join(map(str, command))
            raise Stopped(
                f"exit status {done.returncode} of: {words}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
            )
