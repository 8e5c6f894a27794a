"""CPU time out of turn, judged by what was usual before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ntire_bench.measuring import turns as module
from ntire_bench.measuring.turns import Turns, usual_out_of_turn


class Machine:
    """Two workers of two sides: each uses CPU time in its turn, and some more after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after_s: float, turn_s: float = 0.01) -> None:
        self.now, self.used = 0.0, {1: 0.0, 2: 0.0}
        self.after_s, self.turn_s = after_s, turn_s
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)

    def of(self, pid: int) -> Callable[[], float]:
        return lambda: self.used[pid]

    def call(self, pid: int) -> None:
        """Make a call of one side; the other one spins meanwhile, as it has been called just before."""
        self.now += self.turn_s
        self.used[pid] += self.turn_s
        self.used[3 - pid] += self.after_s

    def rounds(self, calls: int, usual_s: float) -> Turns:
        side = Turns()
        side.usual_s = usual_s
        side.begin_round(self.of(1))
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
    usual = usual_out_of_turn(
        [machine.of(1), machine.of(2)], [lambda: machine.call(1), lambda: machine.call(2)]
    )
    assert usual == pytest.approx([0.004, 0.004], rel=0.05)
    found = machine.rounds(200, usual[0])
    assert found.busy_share is None
    assert found.usual_share == pytest.approx(0.4, rel=0.05)
    # The same is seen of longer turns: it is a time for each turn, not a share.
    machine.turn_s = 0.1
    assert machine.rounds(50, usual[0]).usual_share == pytest.approx(0.04, rel=0.05)


def test_what_computes_out_of_turn_beyond_that_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, after_s=0.004)
    usual = usual_out_of_turn(
        [machine.of(1), machine.of(2)], [lambda: machine.call(1), lambda: machine.call(2)]
    )
    machine.after_s = 0.008
    assert machine.rounds(200, usual[0]).busy_share == pytest.approx(0.8, rel=0.05)


def test_little_time_out_of_turn_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Machine(monkeypatch, after_s=0.01).rounds(50, 0.0).busy_share is None  # half a second


def in_turns(monkeypatch: pytest.MonkeyPatch, cores: float, turns: int = 20, step_s: float = 0.0) -> Turns:
    """Return a side that used so many cores in turns of 50 ms each."""
    now = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    side = Turns()
    side.begin_round(lambda: cores * now[0], step_s)
    for _ in range(turns):
        with side.turn():
            now[0] += 0.05
    side.end_round(now[0])
    return side


@pytest.mark.parametrize(
    ("threads", "cores", "found"),
    [
        (1, 1.0, None),
        (1, 1.15, None),
        (1, 1.4, "warning"),
        (1, 1.9, "reject"),  # another thread or process for the length of each call
        (2, 2.0, None),
        (2, 3.0, "warning"),  # its helpers spin, as those of another library compute
        (2, 3.9, "reject"),
        (8, 8.1, None),
        (8, 15.0, "warning"),
        (8, 15.9, "reject"),
    ],
)
def test_more_cores_than_its_threads_can_use_are_found(monkeypatch, threads, cores, found) -> None:
    assert in_turns(monkeypatch, cores).beyond_threads(threads) == found


def test_few_turns_tell_nothing_and_coarse_steps_less(monkeypatch) -> None:
    assert in_turns(monkeypatch, 1.4, turns=4).beyond_threads(1) is None
    assert in_turns(monkeypatch, 1.3).beyond_threads(1) == "warning"
    assert in_turns(monkeypatch, 1.3, step_s=0.05).beyond_threads(1) is None


def test_what_begins_in_the_middle_of_a_round_is_seen(monkeypatch) -> None:
    """A process that was not there when the round began, and that computes in the other side's turns."""
    machine = Machine(monkeypatch, after_s=0.0)
    side = Turns()
    side.begin_round(machine.of(1))
    for number in range(200):
        with side.turn():
            machine.call(1)
        machine.after_s = 0.008 if number > 50 else 0.0
        machine.call(2)
        machine.after_s = 0.0
    side.end_round(machine.now)
    assert side.busy_share == pytest.approx(0.8 * 149 / 200, rel=0.05)
