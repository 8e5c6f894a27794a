"""What a worker may answer, of requests that nothing else tests."""

from __future__ import annotations

import pytest

from ntire_bench.client import answers


def test_a_checkpoint_has_a_size_that_the_buffer_can_hold():
    assert answers.saved({"size": 1000}, 1000) == 1000
    for size in (0, -1, 1001, 2**60, "many", None, 1.5):
        with pytest.raises(answers.ForgedAnswerError):
            answers.saved({"size": size}, 1000)
