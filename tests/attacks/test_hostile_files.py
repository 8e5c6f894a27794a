"""Files, names and answers that a stranger made to hang, exhaust, crash or deceive the parent."""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import sys
from pathlib import Path

import pytest
from record_factory import make_record
from rich.console import Console
from toys import toy, write_toy

from ntire_bench.cli import terminal, wording
from ntire_bench.client import answers
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.protocols import protocol
from ntire_bench.ranking import board as leaderboard
from ntire_bench.records.store import Stored
from ntire_bench.reporting import render
from ntire_bench.reporting.spreadsheet import no_formula
from ntire_bench.source import files, values
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.checkout import find as challenge_root
from ntire_bench.submissions.models_folder import find
from ntire_bench.text import one_line

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's files")
HEX = "0x" + "f" * 6000  # Python reads it, and refuses to write it in decimal


def catalogue(folder: Path, text: str = "", toml: str | None = None, name: str = "team05_Net") -> Catalogue:
    for part in ("models", "model_zoo"):
        (folder / part).mkdir(exist_ok=True)
    (folder / "models" / f"{name}.py").write_text(text, encoding="utf-8")
    if toml is not None:
        (folder / "models" / f"{name}.toml").write_text(toml, encoding="utf-8")
    return find(folder / "models", folder / "model_zoo")


@pytest.mark.parametrize(
    ("text", "toml"),
    [
        (f"SUBMISSION = {{'checkpoint': None, 'args': {{'a': {HEX}}}}}", None),
        (f"SUBMISSION = {{'checkpoint': None, 'args': {{'a': {'[' * 90 + ']' * 90}}}}}", None),
        (r"SUBMISSION = {'checkpoint': '\ud800.pth'}", None),
        (r"SUBMISSION = {'checkpoint': 'a\0.pth'}", None),
        (f"SUBMISSION = {{'checkpoint': '{'a' * 5000}.pth'}}", None),
        ("x = 1\n" * 100_000, None),
        ("x = " + "-" * 50_000 + "1", None),
        ("", f"tile = {HEX}"),
        ("", "a = " + "[" * 5000 + "]" * 5000),
        ("", "args." + "a." * 3000 + "b = 1"),
        ("", "args." + "a." * 20_000 + "b = 1"),
    ],
    ids="hex deep half nul long large minus tile brackets dots many-dots".split(),
)
def test_a_declaration_that_crashes_a_reader_is_one_plain_message(tmp_path, text, toml):
    found = catalogue(tmp_path, text, toml)
    with pytest.raises(SubmissionError, match="Remedy") as caught:
        found.get(5)
    assert len(str(caught.value)) < 6000
    assert list(wording.catalogue_lines(found))


@linux
@pytest.mark.parametrize("suffix", [".py", ".toml"])
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "/proc/kmsg", "/proc/kcore"])
def test_a_file_that_never_ends_is_not_read(tmp_path, kind, suffix):
    catalogue(tmp_path)
    path = tmp_path / "models" / f"team05_Net{suffix}"
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(kind)
    assert 5 in find(tmp_path / "models", tmp_path / "model_zoo").problems


@linux
def test_a_huge_checkpoint_is_not_read_into_memory(tmp_path):
    path = tmp_path / "a.pth"
    with path.open("wb") as file:
        file.truncate(files.MOST_CHECKPOINT_BYTES + 1)
    with pytest.raises(SubmissionError, match="expected an ordinary file of at most"):
        files.sha256(path)
    path.write_bytes(b"abc")
    assert files.sha256(path).startswith("ba7816bf") and files.read(path) == b"abc"


@linux
def test_a_link_leads_to_no_file_of_another_kind(tmp_path):
    write_toy(tmp_path, body=toy(), checkpoint={})
    checkpoint = next((tmp_path / "model_zoo").iterdir())
    stored = checkpoint.rename(tmp_path / "stored.pth")
    secret = tmp_path / "id_rsa"
    secret.write_text("secret")
    for target, problems in ((stored, set()), (secret, {5}), (Path("/proc/self/environ"), {5})):
        checkpoint.symlink_to(target)
        assert set(find(tmp_path / "models", tmp_path / "model_zoo").problems) == problems
        checkpoint.unlink()


@linux
def test_a_name_that_is_not_unicode_is_told_and_left_out(tmp_path):
    catalogue(tmp_path)
    for name in (b"models/team06_\xff.py", b"model_zoo/team05_\xff.pth"):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"")
    found = find(tmp_path / "models", tmp_path / "model_zoo")
    assert list(found.problems) == [5] and "'team06_\\udcff.py'" in found.ignored[0]
    str(found.problems[5].error).encode()


def test_names_and_words_of_a_stranger_stay_on_their_line(tmp_path):
    found = catalogue(tmp_path, 'SUBMISSION = {"model": "x\\n00_RLFN  PASS"}', name="team05_\x1b[2J\u202eX")
    assert len(list(wording.catalogue_lines(found))) == 1
    forged = SubmissionError("x\n00_RLFN (baseline)  PASS\x1b[2J", file="a\nb.py", found="\u202eabc")
    assert str(forged).isprintable()


def test_markup_in_a_progress_bar_is_text(monkeypatch):
    screen = Console(file=io.StringIO(), force_terminal=True, markup=False, width=100)
    monkeypatch.setattr(terminal, "err", lambda: screen)
    with terminal.progress_bar() as update:
        update("05_[blink][/x]\x1b[2J: run", 1, 2)
    shown = screen.file.getvalue()
    assert "05_[blink][/x] [2J: run" in shown and "\x1b[2J:" not in shown


def test_a_name_is_no_formula_in_a_spreadsheet(tmp_path):
    record = make_record(5, '=HYPERLINK("http://x")')
    board = leaderboard.build([Stored(path=tmp_path / "r.json", record=record)], protocol.load())
    text = render.render(board, "csv")
    assert "'=HYPERLINK" in text and ",=" not in text and ',"=' not in text


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "\uff1d1+1",  # fullwidth, which spreadsheets of East Asia take for the plain sign
        "\uff0b1",
        "\uff0d1",
        "\uff20SUM(A1)",
        "\ufe66" + "1",  # a small equals sign
        "\u22121",  # a minus sign
        "\u207c1",  # a superscript equals sign
        "\u200b=1",  # behind a space without width
        "\ufeff =1",
        "\xa0=1",
        "\u0301=1",
        "\ua78a1",  # a short equals sign among letters
        "\U0001f7f01",  # heavy signs, as pictures
        "\u2795" + "1",
        "\u30a0" + "1",  # a double hyphen
    ],
)
def test_what_looks_like_a_sign_begins_no_formula(cell):
    assert no_formula(cell) == f"'{cell}"
    # A spreadsheet that parts cells at semicolons, or tabs, begins another one there.
    assert no_formula(f"a;{cell}") == f"a;'{cell}"
    assert no_formula(f"a\t{cell}") == f"a\t'{cell}"


def test_an_organizers_own_words_and_names_are_no_formula_either(tmp_path):
    """All columns of text: rules may be called so too."""
    record = make_record(5, "Net")
    board = leaderboard.build([Stored(path=tmp_path / "r.json", record=record)], protocol.load())
    named = dataclasses.replace(board, protocol=dataclasses.replace(board.protocol, name="=own"))
    assert ",'=own," in render.render(named, "csv")


@pytest.mark.parametrize("cell", ["05_Net", "reject (b): x = 1; a - b", "Ünet", "超分", "(a)", "", "1.5"])
def test_common_text_stays_as_it_is_in_a_spreadsheet(cell):
    assert no_formula(cell) == cell


@pytest.mark.parametrize(
    "body",
    [
        "x = 3\n" + "x = x * x\n" * 60 + 'name = f"{x}"',
        'x = ["a"]\n' + "x = [x, x]\n" * 60 + 'name = f"{x}"',
        'x = ("a",)\n' + "x = (x, x)\n" * 60 + "if unknown():\n    x = tuple(x)",
    ],
    ids=["numbers", "lists", "tuples"],
)
def test_values_that_grow_without_end_are_unknown(tmp_path, body):
    assert challenge_root.find(select_model(tmp_path, body)).get(1).name == "unnamed"


def test_calls_that_multiply_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(values, "Budget", functools.partial(values.Budget, 20_000))
    functions = "".join(f"def f{i}():\n" + f"    f{i + 1}()\n" * 60 for i in range(6))
    with pytest.raises(UsageError, match="no branch that can be read"):
        challenge_root.find(select_model(tmp_path, "f0()", functions))


def select_model(folder: Path, body: str, before: str = "") -> Path:
    inner = "".join(f"        {line}\n" for line in body.splitlines())
    text = f"{before}\ndef select_model(args, device):\n    name = args.unknown\n    if args.model_id == 1:\n"
    text += f"{inner}        model = Net()\n    return model, unknown(), 1.0, None\n"
    (folder / "test_demo.py").write_text(text)
    return folder


@pytest.mark.parametrize(
    "value", [2**60, [0] * 20_000, {"a": {"b": -(10**30)}}], ids=["number", "list", "inside"]
)
def test_answers_that_count_nothing_are_refused(value):
    with pytest.raises(answers.ForgedAnswerError):
        answers._tame(value)


def test_answers_are_cut_and_put_on_one_line():
    tamed = answers._tame({"a\n": ["x\x1b[2J\n" * 5000, 1.5, None, True]})
    assert list(tamed) == ["a"] and tamed["a"][1:] == [1.5, None, True]
    assert tamed["a"][0].isprintable() and len(tamed["a"][0]) < 2100
    assert one_line("a\u202eb\ud800") == "a b"
