"""What a submission says of itself: read from syntax alone, and refused in one plain message."""

from __future__ import annotations

import pytest

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files
from ntire_bench.submissions import declaration
from ntire_bench.wire.declaration import Declaration


def read(tmp_path, text="", toml=None):
    file = tmp_path / "team05_Toy.py"
    file.write_text(text, encoding="utf-8")
    if toml is not None:
        file.with_suffix(".toml").write_text(toml, encoding="utf-8")
    return declaration.read(file, files.parse(file))


def refusal(tmp_path, text="", toml=None):
    with pytest.raises(SubmissionError) as caught:
        read(tmp_path, text, toml)
    message = str(caught.value)
    assert "team05_Toy" in message
    assert "Remedy: " in message
    return message


def test_silence_declares_nothing(tmp_path):
    assert read(tmp_path, "x = 1") == Declaration()


@pytest.mark.parametrize("annotation", ["", ": dict", ": dict[str, object]"])
def test_every_key_is_read_from_the_file(tmp_path, annotation):
    text = f"""SUBMISSION{annotation} = {{
        "model": "Net", "args": {{"n": 3, "deep": {{"a": (1, 2)}}, "t": None, "x": -0.5}}, "data_range": 255,
        "checkpoint": "05_b.pth", "state_key": "params_ema", "strict": False, "tile": 256, "pad_to": 8,
    }}"""
    assert read(tmp_path, text) == Declaration(
        model="Net",
        args={"n": 3, "deep": {"a": (1, 2)}, "t": None, "x": -0.5},
        data_range=255,
        checkpoint="05_b.pth",
        state_key="params_ema",
        strict=False,
        tile=256,
        pad_to=8,
        source="SUBMISSION",
    )


def test_every_key_is_read_from_toml(tmp_path):
    toml = """
        model = "Net"
        data_range = 1
        checkpoint = "05_b.pth"
        state_key = "params"
        strict = true
        tile = 128
        pad_to = 16
        [args]
        n = 3
    """
    found = read(tmp_path, toml=toml)
    assert (found.model, found.args, found.data_range, found.pad_to) == ("Net", {"n": 3}, 1, 16)
    assert found.source == "team05_Toy.toml"


@pytest.mark.parametrize("nothing", ["None", "False", '""'])
def test_a_network_without_checkpoint_can_say_so(tmp_path, nothing):
    assert read(tmp_path, f'SUBMISSION = {{"model": "Net", "checkpoint": {nothing}}}').checkpoint == ""


def test_the_last_assignment_counts_as_in_python(tmp_path):
    text = 'SUBMISSION = {"model": "A"}\nSUBMISSION = {"model": "B"}'
    assert read(tmp_path, text).model == "B"


def test_a_submission_inside_a_function_is_no_declaration(tmp_path):
    assert read(tmp_path, 'def f():\n    SUBMISSION = {"model": "A"}') == Declaration()


@pytest.mark.parametrize(
    "value", ["dict(model='Net')", "{'model': name}", "[1]", "{**other}", "make()", "'Net'", "{'a': 2 ** 99}"]
)
def test_what_is_no_literal_is_refused_with_its_line(tmp_path, value):
    message = refusal(tmp_path, f"\n\nSUBMISSION = {value}")
    assert "SUBMISSION is not a literal" in message
    assert "line 3" in message


def test_nothing_in_it_is_executed(tmp_path):
    target = tmp_path / "executed"
    text = f"SUBMISSION = {{'model': open({str(target)!r}, 'w').name}}"
    refusal(tmp_path, text)
    assert not target.exists()


def test_unknown_keys_are_named_with_those_that_are_known(tmp_path):
    message = refusal(tmp_path, 'SUBMISSION = {"modell": "Net", 3: 4}')
    assert "'modell', 3" in message
    assert "model, args, data_range, checkpoint, state_key, prefix, strict, tile, pad_to, output" in message


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("data_range", 2, "1 or 255"),
        ("data_range", 0, "1 or 255"),
        ("data_range", True, "data_range"),
        ("data_range", "'255'", "data_range"),
        ("tile", 0, "above 32"),
        ("tile", 32, "above 32"),
        ("tile", "'64'", "tile"),
        ("pad_to", 0, "a positive number"),
        ("pad_to", -8, "a positive number"),
        ("strict", "'no'", "strict"),
        ("args", "[1]", "args"),
        ("model", 5, "model"),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path, key, value, told):
    message = refusal(tmp_path, f'SUBMISSION = {{"{key}": {value}}}')
    assert told in message
    assert key in message


def test_both_places_at_once_are_refused(tmp_path):
    message = refusal(tmp_path, 'SUBMISSION = {"model": "A"}', 'model = "B"')
    assert "team05_Toy.toml" in message
    assert "keep one of the two" in message


def test_toml_that_is_none_is_refused_with_its_own_name(tmp_path):
    message = refusal(tmp_path, toml="model = ?\ntile = 64")
    assert "team05_Toy.toml: is not TOML" in message
    assert "line 1" in message
