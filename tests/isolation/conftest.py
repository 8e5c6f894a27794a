"""Fixtures of the tests of isolation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from stubs import Stub, skip_unless


@pytest.fixture(params=["L0", "L1", "L2", "L3"])
def level(request) -> str:
    skip_unless(request.param)
    return str(request.param)


@pytest.fixture
def stubs() -> Iterator[Stub]:
    with contextlib.ExitStack() as stack:
        yield Stub(stack)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A folder with a submission, a neighbour and ground truth."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("models/team05_Own.py", "models/team06_Other.py", "model_zoo/team05.pth", "HR/0801.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder
