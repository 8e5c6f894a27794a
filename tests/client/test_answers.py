"""What a worker may answer, of requests that nothing else tests."""

from __future__ import annotations

import pytest

from ntire_bench.client import answers


def test_a_checkpoint_has_a_size_that_the_buffer_can_hold():
    assert answers.saved({"size": 1000}, 1000) == 1000
    for size in (0, -1, 1001, 2**60, "many", None, 1.5):
        with pytest.raises(answers.ForgedAnswerError):
            answers.saved({"size": size}, 1000)


def _built(path: str, size: int = 3, **changes: object) -> dict[str, object]:
    reply = {"files": [{"path": path, "size": size}], "setups": {}, "extensions": {}, "failed": {}}
    return {**reply, **changes}


def test_built_files_have_names_that_stay_in_their_folder() -> None:
    assert answers.built(_built("extensions/gate/gate.so"), 10).files[0].size == 3


@pytest.mark.parametrize(
    "reply",
    [
        _built("../gate.so"),
        _built("/etc/passwd"),
        _built("a/../../b"),
        _built("a//b"),
        _built("a\\b"),
        _built("a\x1bb"),
        _built("."),
        _built("/".join("abcdefghi")),
        _built("gate.so", -1),
        _built("gate.so", 11),
        _built("gate.so", extensions={"gate": "other.so"}),
        _built("gate.so", setups={"/somewhere": "../out"}),
        _built("gate.so", files=[{"path": "a", "size": 1}, {"path": "a/b", "size": 1}]),
        _built("gate.so", files=[{"path": "a", "size": 1}, {"path": "a", "size": 1}]),
        {},
        None,
    ],
)
def test_built_files_that_cannot_be_are_refused(reply: object) -> None:
    with pytest.raises(answers.ForgedAnswerError):
        answers.built(reply, 10)
