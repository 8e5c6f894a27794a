"""Which of several networks that all take the checkpoint is the one that was trained. Worker only.

An argument may change what a network computes without changing any tensor; so may the choice of the class.
Then the image decides: the SR image of a network that works reduces to the LR image, and that of a wrong one
mostly does not. Where two of them do, neither is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Inference
from ntire_bench.wire.declaration import Declaration, toml_value
from ntire_bench.worker.fitting.fit import Choice, Fit
from ntire_bench.worker.loading import trial_run
from ntire_bench.worker.loading.sr_output import settle_output
from ntire_bench.worker.loading.trial_run import CLEAR_LEAD_DB, TrialRun
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["Variant", "Workbench", "choose"]

_CLOSE_DB = 3.0  # from here on a worse value is out, and a better one than the author's raises a question
_GAIN_DB = 0.3  # of detail over bicubic, beyond which one network enlarges better than another


@dataclass
class Variant:
    """One network that takes the checkpoint, and what it makes of the probe.

    Attributes:
        name: Of the class or function.
        fit: How it was built.
        upscaler: The network, ready to run.
        trial: Its run on the probe.
        how: How arguments were found that the checkpoint does not show, by name.
        output: Which of several things that it returns is the SR image, if it returns several.
    """

    name: str
    fit: Fit
    upscaler: Upscaler
    trial: TrialRun
    how: dict[str, str] = field(default_factory=dict)
    output: Inference | None = None


@dataclass(frozen=True)
class Workbench:
    """What it takes to try a network.

    Attributes:
        upscaler: Makes a network ready to run.
        probe: Returns a real LR image, uint8 HWC; a smaller one once a network has proved to be slow.
        declaration: What the submission says of itself.
        ranges: The values of white to try.
    """

    upscaler: Callable[[nn.Module], Upscaler]
    probe: Callable[[], npt.NDArray[np.uint8]]
    declaration: Declaration
    ranges: tuple[float, ...] = trial_run.RANGES

    def variant(self, fit: Fit) -> Variant:
        """Run a network as it was built."""
        upscaler = self.upscaler(fit.network)
        output = settle_output(upscaler, self.probe(), self.declaration)
        trial = trial_run.run(upscaler, self.probe(), self.ranges)
        return Variant(fit.name, fit, upscaler, trial, output=output)

    def settled(self, fit: Fit) -> Variant:
        """Run a network, and settle the arguments that its checkpoint does not show.

        Raises:
            SubmissionError: Two values of an argument give different images, and both may be right.
        """
        variant = self.variant(fit)
        for choice in fit.choices:
            variant = self._settle(variant, choice)
        return variant

    def _settle(self, variant: Variant, choice: Choice) -> Variant:
        others: list[tuple[Any, Variant]] = []
        for value in choice.others:
            if choice.meant and not choice.closed and len(others) == 2:
                if not any(_differs(variant.trial, other.trial) for _, other in others):
                    break  # two other numbers change nothing, so more need not be tried
            try:
                other = self.variant(variant.fit.again({choice.name: value}))
            except Exception:  # a value that loads and does not run is no answer, and no fault
                continue
            others.append((value, other))
        rivals = [(v, o) for v, o in others if _differs(variant.trial, o.trial)]
        if not rivals:
            if not choice.meant:
                how = f"the checkpoint does not show it, and {_either(choice)} makes no difference"
                variant.how[choice.name] = how
            return variant
        ordered = sorted([(choice.value, variant), *rivals], key=lambda item: -item[1].trial.best_db)
        (best_value, best), (_, second) = ordered[:2]
        if not best.trial.works:
            return variant  # none works; the message about the range says so
        if choice.meant and variant.trial.works:
            rival_db = max(o.trial.best_db for _, o in rivals)
            # A flag may be left over from training; a number or a word is what the author wants.
            ahead = _CLOSE_DB if isinstance(choice.value, bool) else -_CLOSE_DB
            if variant.trial.best_db - rival_db >= ahead and not self._outdone(variant, rivals):
                return variant
        close = best.trial.best_db - second.trial.best_db < CLEAR_LEAD_DB and second.trial.works
        if close or not choice.closed:
            raise _two_answers(variant, choice, ordered)
        against = ", ".join(f"{o.trial.best_db:.1f} dB with {v!r}" for v, o in ordered[1:4])
        how = (
            "the checkpoint does not show it, but its SR image reduces to the LR image at "
            f"{best.trial.best_db:.1f} dB, against {against}"
        )
        best.how = {**variant.how, choice.name: how}
        best.fit.derived.setdefault(choice.name, best_value)
        return best

    def _outdone(self, variant: Variant, rivals: list[tuple[Any, Variant]]) -> bool:
        """Return whether another value than the author's does better, in likeness and in detail.

        Where the author's value gives a network that enlarges clearly worse than bicubic, more detail alone
        is enough.
        """
        own_db = self._gain_db(variant)
        better = [rival for _, rival in rivals if rival.trial.best_db > variant.trial.best_db]
        if any(self._gain_db(rival) >= own_db + _GAIN_DB for rival in better):
            return True
        working = [rival for _, rival in rivals if rival.trial.works]
        return own_db < -_GAIN_DB and any(self._gain_db(rival) > own_db for rival in working)

    def _gain_db(self, variant: Variant) -> float:
        return trial_run.detail_gain_db(variant.upscaler, self.probe(), variant.trial.best)


def choose(variants: Sequence[Variant], name: str) -> tuple[Variant, str] | None:
    """Return the one of several classes that is the network, and how that was found; None if nothing decides.

    Args:
        variants: Networks of different classes, all with the checkpoint loaded.
        name: NAME in the file's name; a class of that name is the network if it works.
    """
    named = [variant for variant in variants if variant.name.lower() == name.lower()]
    several = f"of {', '.join(v.name for v in variants)}, which all take the checkpoint strictly"
    working = [variant for variant in variants if variant.trial.works]
    if len(working) == 1:
        return working[0], f"{several}, the only one whose SR image reduces to the LR image"
    if not working:
        return (named[0], f"{several}, the one the file is named after") if len(named) == 1 else None
    ordered = sorted(working, key=lambda variant: -variant.trial.best_db)
    best = ordered[0]
    lead = best.trial.best_db - ordered[1].trial.best_db
    if len(named) == 1 and named[0] in working:
        if best is named[0] or best.trial.best_db - named[0].trial.best_db < CLEAR_LEAD_DB:
            return named[0], f"{several}, the one the file is named after"
        return None
    if lead >= CLEAR_LEAD_DB:
        return best, f"{several}, the one whose SR image reduces to the LR image best, by {lead:.1f} dB"
    first = min(working, key=lambda variant: len(variant.fit.derived))
    if all(not _differs(first.trial, other.trial) for other in working):
        return first, f"{several} and give the same image at the same cost, the one with fewest arguments"
    return None


def _differs(one: TrialRun, two: TrialRun) -> bool:
    """Whether two networks give different images, or the same at different costs."""
    if one.works != two.works:
        return True
    return one.works and not (one.same(two) and one.flops == two.flops)


def _either(choice: Choice) -> str:
    return " or ".join(repr(value) for value in (choice.value, *choice.others[:2]))


def _two_answers(variant: Variant, choice: Choice, ordered: Sequence[tuple[Any, Variant]]) -> SubmissionError:
    (one, first), (two, second) = ordered[:2]
    same = first.trial.same(second.trial)
    what = "cost different amounts and give the same image" if same else "give different images that both fit"
    if not second.trial.works:
        what = "it could be any other number as well"
    told = "; ".join(
        f"args.{choice.name} = {toml_value(value)}: {found.trial.told()}, "
        f"{(found.trial.flops or 0) / 2e9:.3f} G FLOPs on the LR image of this test"
        for value, found in ((one, first), (two, second))
    )
    lines = " or ".join(f"`args.{choice.name} = {toml_value(value)}`" for value in (one, two))
    toml = variant.upscaler.file.with_suffix(".toml").name
    return SubmissionError(
        f"two values of the argument {choice.name!r} of {variant.name} load strictly, and {what}",
        file=variant.upscaler.file,
        expected="one that the checkpoint or the image tells",
        found=told,
        remedy=f"declare it: put {lines} into {toml} beside the file (check --write with --set does so)",
    )
