"""What reaches a terminal beside the output of a command."""

from __future__ import annotations

import io

from rich.console import Console

from ntire_bench.cli import terminal


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


def test_text_loses_what_would_move_a_terminals_cursor(capsys):
    terminal.show("a\x1b[2Jb\u202ec")
    terminal.tell("d\re")
    assert tuple(capsys.readouterr()) == ("a[2Jbc\n", "de\n")
