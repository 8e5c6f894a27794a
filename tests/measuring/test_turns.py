"""CPU time out of turn, judged by what was usual before."""

from __future__ import annotations

import pytest

from ntire_bench.measuring import turns as module
from ntire_bench.measuring.turns import Turns, usual_out_of_turn


class Machine:
    """Two workers of two sides: each uses CPU time in its turn, and some more after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after_s: float, turn_s: float = 0.01) -> None:
        self.now, self.used = 0.0, {1: 0.0, 2: 0.0}
        self.after_s, self.turn_s = after_s, turn_s
        monkeypatch.setattr(module.processes, "family", set)
        monkeypatch.setattr(module.processes, "cpu_seconds", lambda pids: sum(self.used[pid] for pid in pids))
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)

    def call(self, pid: int) -> None:
        """Make a call of one side; the other one spins meanwhile, as it has been called just before."""
        self.now += self.turn_s
        self.used[pid] += self.turn_s
        self.used[3 - pid] += self.after_s

    def rounds(self, calls: int, usual_s: float) -> Turns:
        side = Turns()
        side.usual_s = usual_s
        side.begin_round(1)
        begin = self.now
        for _ in range(calls):
            with side.turn():
                self.call(1)
            self.call(2)
        side.end_round(self.now - begin)
        return side


def test_threads_that_spin_after_every_call_are_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 ms after each turn of 10 ms: 40 % of a core, which no network is to blame for."""
    machine = Machine(monkeypatch, after_s=0.004)
    usual = usual_out_of_turn([1, 2], [lambda: machine.call(1), lambda: machine.call(2)])
    assert usual == pytest.approx([0.004, 0.004], rel=0.05)
    found = machine.rounds(200, usual[0])
    assert found.busy_share is None
    assert found.usual_share == pytest.approx(0.4, rel=0.05)
    # The same is seen of longer turns: it is a time for each turn, not a share.
    machine.turn_s = 0.1
    assert machine.rounds(50, usual[0]).usual_share == pytest.approx(0.04, rel=0.05)


def test_what_computes_out_of_turn_beyond_that_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, after_s=0.004)
    usual = usual_out_of_turn([1, 2], [lambda: machine.call(1), lambda: machine.call(2)])
    machine.after_s = 0.008
    assert machine.rounds(200, usual[0]).busy_share == pytest.approx(0.8, rel=0.05)


def test_little_time_out_of_turn_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Machine(monkeypatch, after_s=0.01).rounds(50, 0.0).busy_share is None  # half a second
