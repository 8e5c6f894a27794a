"""What all commands have: help, JSON, options with dashes and underscores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ntire_bench.cli import group
from ntire_bench.cli.commands import SECTIONS


@pytest.mark.parametrize("command", [[], *([name] for name in sorted(group.main.commands))], ids=" ".join)
def test_help(call, command):
    result = call(*command, "--help")
    assert result.exit_code == 0 and result.stdout.startswith("Usage: ")
    assert call(*command, "-h").stdout == result.stdout


def test_a_group_alone_shows_its_help(call):
    result = call("zoo")
    assert result.exit_code == 2
    assert (result.stdout + result.stderr).startswith("Usage: ")
    assert "Error" not in result.stdout + result.stderr


def test_every_command_has_json(call):
    names = (
        "accept audit check compare data doctor factsheet fuse gate import intake jobs keygen leaderboard "
        "list new pack prepare reference run show stability status zoo".split()
    )
    assert sorted(group.main.commands) == names
    names = [name for name in names if name not in ("data", "reference", "zoo")]  # groups
    groups = ["data manifest", "data verify", "reference add", "reference list", "zoo list", "zoo pull"]
    for name in [*names, *groups]:
        assert "--json" in call(*name.split(), "--help").stdout, name


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "run",
            ["--model_id", "--model_zoo", "--data_dir", "--save_dir", "--include_test", "--psnr_channel"],
        ),
        ("gate", ["--model_zoo", "--data_dir", "--include_test", "--psnr_channel"]),
        ("check", ["--model_zoo"]),
        ("list", ["--model_zoo"]),
        ("leaderboard", ["--psnr_channel"]),
    ],
)
def test_options_are_known_with_underscores_and_dashes(command, options):
    found = group.main.commands[command]
    known = {text for parameter in found.params for text in (*parameter.opts, *parameter.secondary_opts)}
    context = group.main.make_context("ntire-bench", [command])
    normalize = found.make_context(command, [], parent=context, resilient_parsing=True).token_normalize_func
    for option in options:
        assert f"--{normalize(option[2:])}" in known, option


def test_help_has_every_command_in_a_line_of_its_own(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = call("--help").stdout.splitlines()
    for places in SECTIONS.values():
        for name, place in places.items():
            (line,) = [line for line in lines if line.split()[:1] == [name]]
            assert line.split(None, 1)[1] == place.about and len(line) < 80
            assert group.main.commands[name].name == name
    assert {name for places in SECTIONS.values() for name in places} == set(group.main.commands)


def test_list_imports_no_more_than_it_needs(place):
    """What takes long to import is what other commands need: modules, not seconds, are looked at here."""
    command = (
        "import atexit, sys; from ntire_bench.cli import main\n"
        "slow = {'rich', 'http.client', 'numpy', 'ntire_bench.cli.run'}\n"
        "atexit.register(lambda: print(sorted(slow & sys.modules.keys())))\n"
        "main(['list'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=place, capture_output=True, text=True, check=True
    )
    assert "01_Good" in done.stdout and done.stdout.endswith("[]\n")


def test_a_reader_who_goes_away_is_no_traceback(place):
    """As in `ntire-bench leaderboard --reference ntire2024 | head -1`."""
    read, write = os.pipe()
    command = "from ntire_bench.cli import main; main()"
    reader = subprocess.Popen(
        [sys.executable, "-c", command, "leaderboard", "--reference", "ntire2024", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=place,
        text=True,
    )
    os.close(read)
    os.close(write)
    assert "Traceback" not in reader.communicate(timeout=60)[1]
