"""The options of an evaluation: what was asked for, completed by the rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ntire_bench.errors import UsageError
from ntire_bench.estimating.defaults import MAX_ROUNDS, MAX_TIME_S
from ntire_bench.estimating.stopping import StopRule
from ntire_bench.measuring.options import Options
from ntire_bench.protocols.protocol import Channel, Protocol

__all__ = ["options_for", "refuse_contradiction"]


def refuse_contradiction(rounds: int | None, max_rounds: int) -> None:
    """Refuse a number of rounds that is above the most that are allowed.

    Raises:
        UsageError: It is, and `max_rounds` is not the default.
    """
    if rounds is not None and max_rounds < rounds and max_rounds != MAX_ROUNDS:
        raise UsageError(
            "the numbers of rounds contradict each other",
            found=f"exactly {rounds} by --rounds, at most {max_rounds} by --max-rounds",
            remedy="give one of them: --max-rounds is for measuring until --precision is reached",
        )


def options_for(
    protocol: Protocol,
    *,
    channel: Channel | None = None,
    rounds: int | None = None,
    precision: float | None = None,
    max_rounds: int = MAX_ROUNDS,
    max_time_s: float = MAX_TIME_S,
    threads: int | None = None,
    device: str = "auto",
    isolation: str = "auto",
    allow_pickle: bool = False,
    ssim: bool = False,
    save_dir: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Options:
    """Return the options of an evaluation; a None is filled in from the rules or the device.

    Args:
        protocol: The rules. They have a PSNR channel, and a least number of rounds.
        channel: Channel that thresholds are compared in.
        rounds: Exactly so many rounds; None measures until `precision` is reached.
        precision: Half of the runtime's 95 % interval, as a share of the runtime, at which rounds end.
        max_rounds: At most so many rounds.
        max_time_s: Rounds end after so many seconds.
        threads: CPU threads of a network.
        device: "auto", "cpu", "cuda" or "cuda:N".
        isolation: One of `isolation.ISOLATION_CHOICES`.
        allow_pickle: Whether checkpoints may run code as they are loaded.
        ssim: Whether SSIM is computed too.
        save_dir: Where SR images go; None keeps none.
        tell: Called with a sentence where an evaluation will take long.

    Raises:
        UsageError: `rounds` and `max_rounds` contradict each other.
    """
    refuse_contradiction(rounds, max_rounds)
    stop = StopRule(
        rounds=rounds,
        min_rounds=min(protocol.rounds, max_rounds),
        precision=precision,
        max_rounds=max_rounds,
        max_time_s=max_time_s,
    )
    return Options(
        psnr_channel=channel or protocol.psnr_channel,
        stop=stop,
        threads=threads,
        device=device,
        ssim=ssim,
        save_dir=save_dir,
        isolation=isolation,
        allow_pickle=allow_pickle,
        tell=tell,
    )
