"""What each number of a select_model leads to, read from its syntax tree."""

from __future__ import annotations

import ast

import pytest

from ntire_bench.source.values import UNKNOWN
from ntire_bench.submissions.checkout import branches


def read(select, rest=""):
    """Return selector and readings of a select_model."""
    tree = ast.parse(f"import importlib, os\n{rest}\n{select}")
    function = next(node for node in tree.body if getattr(node, "name", "") == "select_model")
    found = branches.read(tree, function)
    return found.selector, found.readings, found.empty


def untold(select, rest=""):
    tree = ast.parse(f"{rest}\n{select}")
    return branches.read(tree, tree.body[-1])


@pytest.mark.parametrize(
    ("asked", "test", "selector"),
    [
        ("args, device", "args.model_id == 7", ("args", "model_id", False)),
        ("args, device", "int(args.model_id) == 7", ("args", "model_id", False)),
        ("args, device", "args.model_id in (7, 8)", ("args", "model_id", False)),
        ("args, device", "6 < args.model_id <= 7", ("args", "model_id", False)),
        ("args, device", "args.model_id in range(7, 8)", ("args", "model_id", False)),
        ("args, device", "not args.model_id != 7 and 7 == args.model_id", ("args", "model_id", False)),
        ("args, device", "args.model_id == '7'", ("args", "model_id", True)),
        ("opt, device", "opt.team == 7", ("opt", "team", False)),
        ("model_id, device", "model_id == 7", ("model_id", None, False)),
    ],
)
def test_ways_to_ask_for_the_number(asked, test, selector):
    found, readings, _ = read(
        f"def select_model({asked}):\n    if {test}:\n        model, name, data_range = Net(), 'A', 1.0\n"
        "    else:\n        raise NotImplementedError\n    return model, name, data_range, None\n"
    )
    assert (found.parameter, found.attribute, found.as_text) == selector
    assert readings[7].returned[1:] == ("A", 1.0, None)


def test_match_statements():
    _, readings, empty = read(
        "def select_model(args, device):\n    match args.model_id:\n"
        "        case 1 | 2:\n            name = f'{args.model_id:03d}_A'\n            model = a()\n"
        "        case 3:\n            pass\n"
        "        case _:\n            raise ValueError\n"
        "    return model, name, 1.0, None\n"
    )
    assert {id_: reading.returned[1] for id_, reading in readings.items()} == {1: "001_A", 2: "002_A"}
    assert empty == [3]


def test_tables_filled_line_by_line_and_lists_of_numbers_by_name():
    rest = (
        "def a(args):\n    import models.a\n    return a(), 'A', 1.0, None\n"
        "TABLE = {}\nTABLE[41] = a\nTEAMS = (7, 8)\n"
    )
    select = (
        "def select_model(args, device):\n    if args.model_id in TEAMS:\n"
        "        return b(), 'B', 255.0, None\n    return TABLE[args.model_id](args)\n"
    )
    _, readings, _ = read(select, rest)
    assert readings[41].returned[1:] == ("A", 1.0, None) and "models.a" in readings[41].modules
    assert readings[7].returned[1:] == readings[8].returned[1:] == ("B", 255.0, None)


def test_functions_that_a_decorator_registers():
    rest = (
        "TABLE = {}\n"
        "def register(number, title='x'):\n    def inner(function):\n        TABLE[number] = function\n"
        "        return function\n    return inner\n"
        "@register(41)\ndef a(args):\n    import models.a\n    return a(), 'A', 1.0, None\n"
        "@register(title='y', number=42)\ndef b(args):\n    return b(), 'B', 255.0, None\n"
    )
    _, readings, _ = read("def select_model(args, device):\n    return TABLE[args.model_id](args)\n", rest)
    assert readings[41].returned[1:] == ("A", 1.0, None) and "models.a" in readings[41].modules
    assert readings[42].returned[1:] == ("B", 255.0, None) and sorted(readings) == [41, 42]


def test_a_list_of_functions_has_the_numbers_of_its_places():
    rest = "def a(args):\n    return a(), 'A', 1.0, None\ndef b(args):\n    return b(), 'B', 255.0, None\n"
    for more in ("LOADERS = [a, b]\n", "LOADERS: list = [a, b]\n"):
        select = "def select_model(args, device):\n    return LOADERS[args.model_id](args)\n"
        _, readings, _ = read(select, rest + more)
        assert {id_: found.returned[1] for id_, found in readings.items()} == {0: "A", 1: "B"}


@pytest.mark.parametrize("last", ["return TABLE[args.model_id](args)", "return TABLE.get(args.model_id)()"])
def test_a_table_that_cannot_be_read_is_told(last):
    found = untold(
        "def select_model(args, device):\n    if args.model_id == 3:\n        return a(), 'A', 1.0, None\n"
        f"    {last}\n",
        "TABLE = {key: value for key, value in everything()}\n",
    )
    assert sorted(found.readings) == [3] and found.untold == ["TABLE"]


def test_a_table_beside_branches_that_all_are_known_is_not_told():
    found = untold(
        "def select_model(args, device):\n    if args.model_id == 3:\n        x = TABLE[args.model_id]\n"
        "    else:\n        raise ValueError\n    return a(), 'A', 1.0, None\n",
        "TABLE = everything()\n",
    )
    assert sorted(found.readings) == [3] and found.untold == []


@pytest.mark.parametrize(
    "more",
    [
        "TABLE.update(others())",
        "for key in (2, 3):\n    TABLE[key] = a",
        "TABLE |= others()",
        "TABLE[key()] = a",
    ],
)
def test_entries_that_cannot_be_told_make_a_table_that_cannot_be_read(more):
    rest = f"def a(args):\n    return a(), 'A', 1.0, None\nTABLE = {{1: a}}\n{more}\n"
    found = untold("def select_model(args, device):\n    return TABLE[args.model_id](args)\n", rest)
    assert found.readings == {} and found.untold == ([] if found.selector is None else ["TABLE"])
    branch = "    if args.model_id == 9:\n        return a(), 'B', 1.0, None\n"
    found = untold(f"def select_model(args, device):\n{branch}    return TABLE[args.model_id](args)\n", rest)
    assert sorted(found.readings) == [9] and found.untold == ["TABLE"]


def test_a_table_of_another_and_more():
    rest = "def a(args):\n    return a(), 'A', 1.0, None\nBASE = {1: a}\nTABLE = {**BASE, 2: a}\n"
    _, readings, _ = read("def select_model(args, device):\n    return TABLE[args.model_id](args)\n", rest)
    assert sorted(readings) == [1, 2]


def test_dictionaries_of_functions_and_of_settings():
    rest = "def a(args):\n    import models.a\n    return a(), 'A', 1.0, None\nTABLE = {4: a}\n"
    select = (
        "def select_model(args, device):\n    if args.model_id in TABLE:\n"
        "        return TABLE[args.model_id](args)\n"
        "    stem, data_range = {5: ('five', 255), 6: ('six', 1)}[args.model_id]\n"
        "    model = importlib.import_module('models.' + stem).Net()\n"
        "    return model, stem.upper(), data_range, None\n"
    )
    _, readings, _ = read(select, rest)
    assert readings[4].returned[1:] == ("A", 1.0, None) and "models.a" in readings[4].modules
    assert readings[5].returned[1:] == ("FIVE", 255, None) and "models.five" in readings[5].modules
    assert readings[6].returned[1:] == ("SIX", 1, None)


def test_what_cannot_be_told_is_not_guessed():
    _, readings, _ = read(
        "def select_model(args, device):\n"
        "    if args.model_id == 1:\n        model, data_range = Net(), 1.0\n"
        "        if os.path.exists('x'):\n            name, data_range = 'A', 255.0\n"
        "        else:\n            name = 'B'\n"
        "    return model, name, data_range, None\n"
    )
    assert readings[1].returned == (UNKNOWN, UNKNOWN, UNKNOWN, None)


def test_a_default_branch_is_no_submission():
    _, readings, _ = read(
        "def select_model(args, device):\n    if args.model_id == 1:\n        model, name = Net(), 'A'\n"
        "    else:\n        model, name = Net(52, 64), 'rest'\n    return model, name, 1.0, None\n"
    )
    assert sorted(readings) == [1]
