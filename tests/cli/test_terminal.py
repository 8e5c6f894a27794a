"""What reaches a terminal beside the output of a command."""

from __future__ import annotations

import io

import click
import pytest
from rich.console import Console

from ntire_bench.cli import terminal
from ntire_bench.ranking.board import board_from_reference
from ntire_bench.reporting import render


def test_a_new_bar_takes_the_place_of_the_one_before(monkeypatch):
    """Whatever their descriptions say: here they begin with the same words."""
    screen = Console(file=io.StringIO(), force_terminal=True, markup=False, width=100)
    monkeypatch.setattr(terminal, "err", lambda: screen)
    with terminal.progress_bars() as begin:
        first, second = begin(), begin()
        first("05_Net: warm-up", 1, 2)
        second("05_Net: run: valid", 3, 7)
        second("05_Net: run: test", 4, 7)
    shown = screen.file.getvalue()
    assert "05_Net: run: test" in shown and "4/7" in shown
    # Each drawing begins with a carriage return; a thread may have drawn the first bar by itself before.
    assert not any("1/2" in drawn and "/7" in drawn for drawn in shown.split("\r"))


def test_where_ci_runs_it_there_is_no_bar_though_colours_are_asked_for(monkeypatch, capsys):
    """A command such as ::error begins its line, or GitHub does not hear it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CI", "true")
    with terminal.progress_bar() as progress:
        progress("working", 1, 2)
    click.echo("::error::no", err=True)
    assert capsys.readouterr().err == "::error::no\n"


@pytest.mark.parametrize("plain", [True, False])
def test_no_color_takes_all_escapes_away(monkeypatch, capsys, plain):
    """Not only colours: bold too, and the bars, which are redrawn by escapes."""
    for name, value in {
        "CI": "",
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
        "NO_COLOR": "1" if plain else "",
    }.items():
        monkeypatch.setenv(name, value)
    terminal.show(render.TerminalBoard(board_from_reference("ntire2024")))
    terminal.tell("a fault", style="red")
    with terminal.progress_bar() as progress:
        progress("working", 1, 2)
    said = capsys.readouterr()
    assert "XiaomiMM" in said.out and "a fault" in said.err
    assert ("\x1b" in said.out + said.err) is not plain
    assert ("working" in said.err) is not plain


def test_lines_are_folded_between_words_on_a_terminal_alone(monkeypatch, capsys):
    long = "  inferred     data_range = 1: " + "a reason in many words " * 6
    monkeypatch.setenv("COLUMNS", "60")
    terminal.show(long.rstrip())
    assert capsys.readouterr().out.splitlines() == [long.rstrip()]
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal.show(long.rstrip())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 60
    assert " ".join(" ".join(lines).split()) == " ".join(long.split())
    assert all(line.startswith(" " * 15) for line in lines[1:])


def test_text_loses_what_would_move_a_terminals_cursor(capsys):
    terminal.show("a\x1b[2Jb\u202ec")
    terminal.tell("d\re")
    assert tuple(capsys.readouterr()) == ("a[2Jbc\n", "de\n")
