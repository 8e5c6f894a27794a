"""The one message that a user reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ntire_bench import errors
from ntire_bench.errors import NtireBenchError, SubmissionError
from ntire_bench.text import relative


def test_message_has_file_problem_expectation_finding_and_remedy_in_this_order():
    error = SubmissionError(
        "is empty", file="a.pth", expected="a state dict", found="0 bytes", remedy="copy it"
    )
    assert str(error) == "a.pth: is empty; expected a state dict; found 0 bytes. Remedy: copy it."


def test_parts_that_nobody_gave_leave_no_trace():
    assert str(NtireBenchError("it rains")) == "it rains."


def test_full_stops_are_not_doubled():
    assert str(NtireBenchError("it rains", found="water.", remedy="wait.")) == (
        "it rains; found water. Remedy: wait."
    )


def test_parts_stay_readable_for_the_other_process():
    error = SubmissionError("x", file=Path("m.py"), expected="e", found="f", remedy="r")
    assert (error.what, error.file, error.expected, error.found, error.remedy) == ("x", Path("m.py"), *"efr")


def test_every_error_can_be_caught_as_one():
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert len(kinds) == 6
    assert all(issubclass(kind, NtireBenchError) for kind in kinds)
    assert not issubclass(NtireBenchError, (ValueError, OSError, RuntimeError))  # never caught by accident


@pytest.mark.parametrize(
    ("path", "shown"),
    [("models/a.py", "models/a.py"), ("../a.py", "../a.py"), ("../../a.py", None)],
)
def test_paths_are_shown_relative_unless_that_is_longer(tmp_path, monkeypatch, path, shown):
    folder = tmp_path / "one" / "two"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    absolute = (folder / path).resolve()
    assert relative(absolute) == (shown or str(absolute))
