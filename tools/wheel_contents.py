"""Builds the sdist and the wheel, and compares what they hold with the files of the checkout."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import click
from wheel_runner import Report, Runner, Stopped

# Where a wheel has what lies beside the package in a checkout.
MOVED = {
    "models/": "ntire_bench/examples/models/",
    "model_zoo/": "ntire_bench/examples/model_zoo/",
    "leaderboard/reference/": "ntire_bench/reference/",
}


def version(root: Path) -> str:
    """Return the version that the package states."""
    text = (root / "ntire_bench/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise Stopped("ntire_bench/__init__.py states no version")
    return found[1]


def tracked(root: Path) -> set[str]:
    """Return the files that git tracks in a checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True, timeout=60)
    return {name for name in done.stdout.decode().split("\0") if name}


def in_wheel(files: Iterable[str]) -> set[str]:
    """Return which of a checkout's files a wheel must hold, by their names there.

    >>> sorted(in_wheel(["ntire_bench/cli.py", "models/team00_A.py", "tests/test_cli.py"]))
    ['ntire_bench/cli.py', 'ntire_bench/examples/models/team00_A.py']
    """
    moves = {"ntire_bench/": "ntire_bench/", **MOVED}
    return {
        inside + name.removeprefix(beside)
        for name in files
        for beside, inside in moves.items()
        if name.startswith(beside)
    }


def compare_names(report: Report, what: str, found: set[str], expected: set[str]) -> None:
    """Compare the names of a package's files with those that it must have."""
    if not found ^ expected:
        click.echo(f"ok      {what}: {len(found)} files")
    for name in sorted(expected - found):
        report.fail(f"{what} lacks {name}")
    for name in sorted(found - expected):
        report.fail(f"{what} holds {name}, which git does not track")


def compare_weights(report: Report, wheel: zipfile.ZipFile, stated: str) -> None:
    """Compare the weights in a wheel with the hashes that model_zoo/README.md states."""
    hashes = dict(re.findall(r"## (\S+\.pth)\n.*?SHA-256: `([0-9a-f]{64})`", stated, flags=re.DOTALL))
    place = MOVED["model_zoo/"]
    found = {
        name.removeprefix(place): hashlib.sha256(wheel.read(name)).hexdigest()
        for name in wheel.namelist()
        if name.startswith(place) and name.endswith(".pth")
    }
    report.expect("weights", sorted(found), sorted(hashes))
    for name in sorted(found.keys() & hashes.keys()):
        if found[name] != hashes[name]:
            report.fail(f"{name} is not the file of model_zoo/README.md: SHA-256 {found[name]}")


def build(report: Report, run: Runner, root: Path) -> Path:
    """Build both packages, check what they hold, and return the wheel."""
    tools, packages = run.place / "hatchling", run.place / "packages"
    pins = {"PIP_CONSTRAINT": str(root / "constraints.txt")}
    run.must(sys.executable, "-m", "pip", "install", "--quiet", "--target", tools, "hatchling", more=pins)
    hatchling = (sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", packages)
    run.must(*hatchling, cwd=root, more={"PYTHONPATH": str(tools)})
    (sdist,) = packages.glob("*.tar.gz")
    run.must(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", packages, sdist, more=pins)
    (wheel,) = packages.glob("*.whl")
    report.expect("wheel", wheel.name, f"ntire_bench-{version(root)}-py3-none-any.whl")
    files = tracked(root)
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    compare_names(report, "sdist", names - {"PKG-INFO"}, files)
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
        about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
        compare_names(report, "wheel", names - about, in_wheel(files))
        licences = [content.read(name) for name in about if name.endswith("licenses/LICENSE")]
        report.expect("licence in the wheel", licences == [(root / "LICENSE").read_bytes()], True)
        compare_weights(report, content, (root / "model_zoo/README.md").read_text(encoding="utf-8"))
    return wheel
