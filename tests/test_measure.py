"""What the measuring loop holds and when it calls: few images at a time, every size warm, fair turns."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ntire_bench import measure
from ntire_bench.client import Worker
from ntire_bench.dataset import Pair, Split
from ntire_bench.declaration import Declaration
from ntire_bench.measure import Contender, Timeline, measure_split, warm_up
from ntire_bench.records import SubmissionInfo
from ntire_bench.submission import Submission

HEIGHT, WIDTH = 80, 96


class FakeWorker:
    """Gives a nearest enlargement at once, and notes what it was asked."""

    def __init__(self, name: str, log: list[tuple[str, str, tuple[int, ...]]]) -> None:
        self.name, self.log = name, log

    def warm_up(self, lr: np.ndarray[Any, Any], calls: int) -> int | None:
        self.log.append(("warm-up", self.name, lr.shape[:2]))
        return None

    def run(self, lr: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float]:
        self.log.append(("run", self.name, lr.shape[:2]))
        return lr.repeat(4, 0).repeat(4, 1), float(len(self.log))

    def reset_memory(self) -> None:
        self.log.append(("reset", self.name, ()))

    def peak_memory_mib(self) -> float | None:
        return 1.0


def contender(name: str, log: list[tuple[str, str, tuple[int, ...]]]) -> Contender:
    file = Path(f"models/team05_{name}.py")
    submission = Submission(
        id=5, name=name, file=file, checkpoint=None, declaration=Declaration(), has_build_model=False
    )
    info = SubmissionInfo(id=5, name=name, file=str(file), file_sha256="0" * 64)
    worker = cast(Worker, FakeWorker(name, log))
    return Contender(submission, worker, name == "base", info)


def split(count: int) -> Split:
    nowhere = Path("nowhere.png")
    pairs = [Pair(f"{i:04d}", nowhere, nowhere, HEIGHT + 4 * (i % 3), WIDTH) for i in range(count)]
    return Split("valid", "valid", tuple(pairs), "0" * 64, False)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Replace decoding by random pixels, and count how many images are alive at a time."""
    counts = {"alive": 0, "most": 0, "hr": 0}
    generator = np.random.default_rng(0)

    def gone() -> None:
        counts["alive"] -= 1

    def image(height: int, width: int) -> np.ndarray[Any, Any]:
        pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
        counts["alive"] += 1
        counts["most"] = max(counts["most"], counts["alive"])
        weakref.finalize(pixels, gone)
        return pixels

    def read_hr(pair: Pair, scale: int) -> np.ndarray[Any, Any]:
        counts["hr"] += 1
        return image(pair.height, pair.width)

    monkeypatch.setattr(measure, "read_lr", lambda pair: image(pair.height // 4, pair.width // 4))
    monkeypatch.setattr(measure, "read_hr", read_hr)
    return counts


def run(contenders: list[Contender], images: Split, rounds: int) -> None:
    measure_split(
        contenders,
        images,
        rounds=rounds,
        scale=4,
        border=4,
        ssim=False,
        save_dir=None,
        timeline=Timeline(1, None, "x"),
    )


def test_a_long_split_holds_few_decoded_images_at_a_time(decoded: dict[str, int]) -> None:
    log: list[tuple[str, str, tuple[int, ...]]] = []
    run([contender("base", log), contender("team", log)], split(200), 2)
    assert decoded["most"] <= 4
    assert decoded["hr"] == 200  # each HR image once, not once per round or contender


def test_contenders_alternate_on_each_image_and_take_turns_at_going_first(decoded: dict[str, int]) -> None:
    log: list[tuple[str, str, tuple[int, ...]]] = []
    run([contender("base", log), contender("team", log)], split(3), 2)
    who = [name for what, name, _ in log if what == "run"]
    assert who == ["base", "team", "team", "base"] * 3
    assert [what for what, _, _ in log[:2]] == ["reset", "reset"]


def test_runtimes_are_medians_over_rounds_and_means_over_images(decoded: dict[str, int]) -> None:
    log: list[tuple[str, str, tuple[int, ...]]] = []
    team = contender("team", log)
    run([team], split(2), 3)
    # One contender alone: call k of the log takes k ms; image 0 has calls 2, 4, 6 and image 1 has 3, 5, 7.
    result = team.splits["valid"]
    assert [image.runtime_samples_ms for image in result.per_image] == [(2.0, 4.0, 6.0), (3.0, 5.0, 7.0)]
    assert [image.runtime_ms for image in result.per_image] == [4.0, 5.0]
    assert result.runtime_ms == 4.5
    assert result.memory_mib == 1.0


def test_every_image_size_is_warmed(decoded: dict[str, int]) -> None:
    log: list[tuple[str, str, tuple[int, ...]]] = []
    pairs = {pair.height: pair for pair in split(6).pairs}
    warm_up(contender("team", log), list(pairs.values()), "cpu", Timeline(1, None, "x"))
    assert {size for _, _, size in log} == {((HEIGHT + 4 * i) // 4, WIDTH // 4) for i in range(3)}
