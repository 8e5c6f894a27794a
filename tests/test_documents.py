"""README and model_zoo/README.md say what is so: no placeholder, real commands, right hashes and figures."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from ntire_bench.cli import main
from ntire_bench.protocols import protocol
from ntire_bench.submissions.models_folder import find


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def test_no_placeholder_is_left(readme: str) -> None:
    assert not re.findall(r"\b[A-Z]{2,}_(?:TABLE|FIGURE|TODO|X|Y)\b|TODO|FIXME", readme)


@pytest.fixture(scope="module")
def documents(root: Path, readme: str) -> str:
    """README and the pages of docs/."""
    pages = sorted((root / "docs").glob("*.md"))
    return "\n".join([readme, *(page.read_text(encoding="utf-8") for page in pages)])


def test_every_command_is_in_the_table_of_commands_and_no_other(root: Path, readme: str) -> None:
    table = (root / "docs" / "commands.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `ntire-bench ([a-z]+)", table, flags=re.MULTILINE))
    named = rows | set(re.findall(r"`(data|reference|zoo) [a-z]+", table))
    assert named == set(main.commands)
    assert set(re.findall(r"ntire-bench ([a-z]+)", readme)) <= named


def test_every_option_in_the_documents_exists(root: Path, readme: str) -> None:
    readme += (root / "docs" / "commands.md").read_text(encoding="utf-8")
    runner = CliRunner()
    known = {"--help"}
    for words in [[name] for name in main.commands] + [
        ["zoo", "pull"],
        ["zoo", "list"],
        ["data", "manifest"],
    ]:
        known |= set(re.findall(r"--[a-z-]+", runner.invoke(main, [*words, "--help"]).output))
    used = {option.replace("_", "-") for option in re.findall(r"`[^`]*?(--[a-z][a-z_-]+)", readme)}
    assert used <= known, used - known


def test_protocols_in_the_documents_exist(documents: str) -> None:
    assert set(re.findall(r"`(ntire20\d\d|sample|demo|dn50)`", documents)) == set(protocol.available())


def test_the_table_of_the_demo_has_the_costs_of_the_baseline(root: Path) -> None:
    # 317,218 parameters and 19,674,859,520 FLOPs are test_model_rlfn's, against the released network.
    shown = (root / "docs" / "index.md").read_text(encoding="utf-8")
    (row,) = [line for line in shown.splitlines() if line.startswith(" 00_RLFN (baseline)")]
    assert row.split()[7:10] == ["1.000", "0.317", "19.67"]  # after its ratio to itself
    assert row.count("7.39") == 4


def test_hashes_of_the_shipped_checkpoints(root: Path) -> None:
    text = (root / "model_zoo" / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"## (\S+\.pth)\n.*?SHA-256: `([0-9a-f]{64})`", text, flags=re.DOTALL))
    shipped = {item.checkpoint for item in find(root / "models", root / "model_zoo").submissions.values()}
    tracked = {path for path in shipped if path is not None and path.name in stated}
    assert {path.name for path in tracked} == set(stated)
    for path in tracked:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == stated[path.name]
