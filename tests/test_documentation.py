"""Every `ntire-bench` line of the documentation is one that the program takes, and examples are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ntire_bench.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"(<!-- example -->\n)?```[a-z]*\n(.*?)```", re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[bool, list[str]]]:
    """Yield the `ntire-bench` lines of each code block, and whether it is an example."""
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        text = match[2].replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines()]
        commands = [line for line in lines if line.startswith("ntire-bench ")]
        if commands:
            yield match[1] is not None, commands


LINES = [
    pytest.param(line, id=f"{page.relative_to(ROOT)}: {line}")
    for page in PAGES
    for _, lines in blocks(page)
    for line in lines
]
EXAMPLES = [
    pytest.param(lines, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (is_example, lines) in enumerate(blocks(page))
    if is_example
]


def parsed(line: str) -> None:
    """Have click take a line apart as the program would; nothing is run.

    Raises:
        click.UsageError: There is no such command or option, or a value is of the wrong kind.
    """
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = main
    # With its settings: click keeps the help option that a command has first been asked for.
    context = click.Context(main, info_name="ntire-bench", obj=None, **main.context_settings)
    while isinstance(command, click.Group):
        if not words:
            raise click.UsageError("no command is named")
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"there is no command {name}")
        command = found
        context = click.Context(command, info_name=name, parent=context)
    command.make_context(command.name, words, parent=context.parent)


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_documentation_is_taken(line: str) -> None:
    parsed(line)


@pytest.mark.parametrize(
    "line", ["ntire-bench rnu", "ntire-bench run --nonsense", "ntire-bench run --rounds x"]
)
def test_what_the_program_does_not_take_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(line)


INLINE = [
    pytest.param(" ".join(line.split()), id=f"{page.relative_to(ROOT)}: {' '.join(line.split())}")
    for page in PAGES
    for line in re.findall(r"`(ntire-bench [^`]+)`", _BLOCK.sub("", page.read_text(encoding="utf-8")))
    if not re.search(r"\b[A-Z]{2,}\b", line)  # a word that stands for another
]


@pytest.mark.parametrize("line", INLINE)
def test_a_command_within_a_sentence_is_taken(line: str) -> None:
    parsed(line)


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in addresses, on GitHub and in the site alike."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings]
    return {re.sub(r"\s", "-", text.strip()) for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_something(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_there_are_lines_on_the_pages_for_each_reader() -> None:
    for name in ("participant", "organizer", "engineer"):
        assert list(blocks(ROOT / "docs" / f"{name}.md"))


@pytest.mark.slow
@pytest.mark.parametrize("lines", EXAMPLES)
def test_an_example_runs(lines: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "120"}
    for line in lines:
        words = [sys.executable, "-m", "ntire_bench", *shlex.split(line, comments=True)[1:]]
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
