"""Fixtures of a challenge's checkout, for the tests that read it and those that run it."""

from __future__ import annotations

import shutil
from pathlib import Path

import challenge_checkout as checkout
import pytest
from pairs import smooth, write_pairs

from ntire_bench.submissions.checkout import find


@pytest.fixture(scope="session")
def challenge_root(tmp_path_factory):
    return checkout.write(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def catalogue(challenge_root):
    return find.find(challenge_root)


@pytest.fixture
def own_root(challenge_root, tmp_path):
    """A copy of the checkout, to be changed."""
    return Path(shutil.copytree(challenge_root, tmp_path / "own", symlinks=True))


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Two pairs whose LR images are of 21x39 and 40x48 pixels: one is a multiple of no window."""
    return write_pairs(tmp_path_factory.mktemp("images"), "valid", [smooth(1, 84, 156), smooth(2, 160, 192)])
