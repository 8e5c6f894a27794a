"""A command in a process of its own, and how it ended."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import Result

DECLARED = 'SUBMISSION = {"model": "Toy", "data_range": 1}'


COLOUR = re.compile(r"\x1b")


@dataclass
class Done:
    """How a command of its own process ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


def process(*arguments: str | Path, cwd: Path, program: tuple[str, ...] = ()) -> Done:
    program = program or (sys.executable, "-c", "from ntire_bench.cli import main; main()")
    done = subprocess.run(
        [*program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    return Done(done.returncode, done.stdout, done.stderr)


def only_message(said_of_isolation: str, result: Result | Done) -> str:
    """Return the one line on standard error, after checking that it is one.

    A command that fails after it has found the isolation may have said before what that lacks.
    """
    code, out, err = (
        (result.code, result.stdout, result.stderr)
        if isinstance(result, Done)
        else (result.exit_code, result.stdout, result.stderr)
    )
    assert code == 2, (code, out, err)
    assert out == "" and "Traceback" not in err
    err = err.removeprefix(said_of_isolation)
    assert err.startswith("Error: ") and err.count("\n") == 1, err
    return err
