"""Which class or function of a model file builds the network, and with which arguments. Worker only.

In this order: what the submission declares, a function build_model(), a function such as make_model() that
takes no arguments, else the one class of the file that takes the checkpoint strictly, else such a function
with arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Finding, Inference
from ntire_bench.wire.declaration import Declaration
from ntire_bench.worker.fitting.fit import Fit, fit
from ntire_bench.worker.fitting.search import Attempt
from ntire_bench.worker.fitting.signature import Signature
from ntire_bench.worker.fitting.source_text import EMPTY
from ntire_bench.worker.loading import as_declared, builders
from ntire_bench.worker.loading.input_range import contradicted, infer_data_range
from ntire_bench.worker.loading.needs import without_need
from ntire_bench.worker.loading.notes import MERGED, findings_on, inferred_from
from ntire_bench.worker.loading.rivals import Variant, Workbench, choose
from ntire_bench.worker.loading.sr_output import settle_output
from ntire_bench.worker.loading.trial_image import TrialImage, trial_image
from ntire_bench.worker.loading.trial_run import RANGES, TrialRun
from ntire_bench.worker.loading.twin import run_twin
from ntire_bench.worker.network.state_dict import StateDict
from ntire_bench.worker.network.upscaler import Upscaler, ready

__all__ = ["Construction"]


@dataclass
class Construction:
    """A network to be built, and all that says how.

    Attributes:
        module: The model file, executed.
        file: Its path, for messages.
        name: NAME in its file name.
        checkpoint: The checkpoint, or None for a network without one.
        states: The state dicts in it, the most likely first.
        declaration: What the submission says of itself.
        scale: Enlargement factor.
        device: Where the network is to lie.
        probe: A real LR image, uint8 HWC, to try the network on; becomes a part of it for a slow network.
        twin: The method or function that is to run in place of forward; None for the network as it is.
        trial_image: That part, and how slow the network is; None until a network has been built.
        inferred: All that was found out rather than declared; grows in `build`.
        findings: What a reader of the result must know; grows in `build`.
    """

    module: ModuleType
    file: Path
    name: str
    checkpoint: Path | None
    states: list[StateDict]
    declaration: Declaration
    scale: int
    device: torch.device
    probe: npt.NDArray[np.uint8]
    twin: str | None = None
    inferred: list[Inference] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    trial_image: TrialImage | None = None

    def build(self) -> tuple[Upscaler, str]:
        """Return the network, ready to run, and the class or function that built it.

        Raises:
            SubmissionError: No class takes the checkpoint, or several do; or the constructor raises.
        """
        declared = self.declaration.model
        if declared is not None:
            made = getattr(self.module, declared, None)
            if not callable(made):
                raise SubmissionError(
                    f"{self.declaration.source} declares the model {declared!r}",
                    file=self.file,
                    expected="a class or function of the file",
                    found=", ".join(c.__name__ for c in builders.classes(self.module)) or "no class",
                    remedy="correct the name",
                )
            return self._build_with(made, declared), declared
        if callable(made := getattr(self.module, "build_model", None)):
            self.inferred.append(Inference(key="model", value="build_model", how="the file defines it"))
            return self._build_with(made, "build_model"), "build_model"
        return self._infer()

    def _build_with(self, build: Any, model: str) -> Upscaler:  # noqa: ANN401 - a stranger's class or function
        if self.checkpoint is None or not self.declaration.strict:
            network = as_declared.build(build, model, self.file, self.declaration.args)
            merged = as_declared.take_merged(build, self.declaration.args, self.states)
            if merged is not None:
                network = merged
                self.inferred.append(MERGED)
            elif self.checkpoint is not None:
                self.findings += as_declared.load_loosely(network, self.states, self.checkpoint)
            upscaler = self._upscaler(network)
            output = settle_output(upscaler, self.probe, self.declaration)
            return self._ranged(upscaler, output)
        found, attempts = fit(build, self.states, self.declaration.args, self.scale)
        if found is None:
            found, _ = fit(build, self.states, self.declaration.args, self.scale, merged=True)
        if found is None:
            for strictly, states in self._ways():
                if not strictly and (loose := self._loosely([build], states)):
                    self._note(loose[0].fit, loose[0].how, strictly=False)
                    return self._ranged(loose[0].upscaler, loose[0].output, loose[0].trial)
            raise builders.no_fit(self.module, self.file, self.checkpoint, self.states, attempts)
        # A declaration accepts the defaults; only arguments without one are open.
        found.choices = [choice for choice in found.choices if choice.name in found.derived]
        if found.choices:
            variant = self._workbench().settled(found)
            self._note(variant.fit, variant.how)
            return self._ranged(variant.upscaler, variant.output, variant.trial)
        self._note(found, {})
        upscaler = self._upscaler(found.network)
        return self._ranged(upscaler, settle_output(upscaler, self.probe, self.declaration))

    def _infer(self) -> tuple[Upscaler, str]:
        classes, factories = builders.classes(self.module), builders.factories(self.module)
        if not classes and not factories:
            raise builders.no_network(self.module, self.file)
        if self.checkpoint is None:
            raise SubmissionError(
                "does not say which class is the network, and has no checkpoint to tell",
                file=self.file,
                found=", ".join(cls.__name__ for cls in classes),
                remedy=builders.declare((classes or factories)[-1].__name__),
            )
        attempts: list[Attempt] = []
        variants: list[Variant] = []
        for strictly, states in self._ways():
            if strictly:
                variants = self._strictly(classes, factories, states, attempts)
                variants = variants or self._strictly(classes, factories, states, [], merged=True)
            else:
                variants = self._loosely(classes, states)
            if variants:
                break
        else:
            raise builders.no_fit(self.module, self.file, self.checkpoint, self.states, attempts)
        chosen, how = self._one_of(variants, strictly)
        self.inferred.append(Inference(key="model", value=chosen.name, how=how))
        self._note(chosen.fit, chosen.how, strictly=strictly)
        return self._ranged(chosen.upscaler, chosen.output, chosen.trial), chosen.name

    def _ways(self) -> list[tuple[bool, list[StateDict]]]:
        """Return the groups of state dicts in the order they are tried, and whether strictly.

        Parts of state dicts come last, as a mere block of the network may fit them. Averaged weights that lie
        beside raw ones come earlier: else the raw ones would be taken and the averaged ones left over.
        """
        whole = [state for state in self.states if not state.part]
        averaged = [state for state in self.states if state.averaged_beside_raw]
        parts = [state for state in self.states if state.part]
        ways = [(True, whole), (True, averaged), (False, whole), (True, parts), (False, parts)]
        return [(strictly, states) for strictly, states in ways if states]

    def _strictly(
        self,
        classes: Sequence[type[nn.Module]],
        factories: Sequence[Callable[..., Any]],
        states: Sequence[StateDict],
        attempts: list[Attempt],
        *,
        merged: bool = False,
    ) -> list[Variant]:
        """Return the networks that take one of the state dicts as it is, perhaps with branches merged."""
        settled = [made for made in factories if _takes_nothing(made)]
        for group in (settled, classes, factories):
            found = self._fits(group, states, attempts, merged)
            if group is settled:
                found = [one for one in found if not one.derived]
                for one in found:
                    one.choices = []  # these functions take no arguments: all are the author's own
            if variants := self._variants(found):
                return variants
        return []

    def _fits(
        self,
        candidates: Sequence[Callable[..., Any]],
        states: Sequence[StateDict],
        attempts: list[Attempt],
        merged: bool,
    ) -> list[Fit]:
        fits = []
        for build in candidates:
            found, failed = fit(build, states, self.declaration.args, self.scale, merged=merged)
            fits += [found] if found is not None else []
            attempts += failed
        # A state dict as it was saved goes before one with a prefix removed, which may fit a part of the
        # network.
        order = {id(state): number for number, state in enumerate(states)}
        first = min((order[id(found.state)] for found in fits), default=0)
        return [found for found in fits if order[id(found.state)] == first]

    def _variants(self, fits: Sequence[Fit]) -> list[Variant]:
        """Run each network. Where arguments of one stay open, that is an error if there are others."""
        variants, refusals = [], []
        for found in fits:
            try:
                variants.append(self._workbench().settled(found))
            except SubmissionError as refusal:
                refusals.append(refusal)
        if refusals and not any(variant.trial.works for variant in variants):
            raise refusals[0]
        if refusals and len(fits) > 1:
            names = [found.name for found in fits]
            raise builders.several(
                self.file, self.name, names, "; ".join(str(refusal.what) for refusal in refusals)
            )
        return variants

    def _loosely(
        self, candidates: Sequence[Callable[..., Any]], states: Sequence[StateDict]
    ) -> list[Variant]:
        """Return networks that work with a checkpoint that does not fit them exactly.

        It may hold more, such as remains of training branches, or lack what only training needs; authors load
        it with strict=False. The image shows that nothing needed is missing: it must reduce to the LR image,
        and must not change with what is in the tensors that the checkpoint lacks.
        """
        fits = [fit(build, states, self.declaration.args, self.scale, loose=True)[0] for build in candidates]
        variants = self._variants([found for found in fits if found is not None])
        working = [variant for variant in variants if variant.trial.works]
        complete = [one for one in map(self._with_all_it_needs, working) if one is not None]
        # A class that leaves more tensors over than another is a part of the network, or an older version.
        least = min(map(_not_common, complete), default=0)
        return [variant for variant in complete if _not_common(variant) == least]

    def _with_all_it_needs(self, variant: Variant) -> Variant | None:
        """Return a network that does not need what its checkpoint lacks; None for one that does."""
        if not variant.fit.state.missing:
            return variant
        upscaler = without_need(variant, self.probe, self._upscaler)
        return None if upscaler is None else dataclasses.replace(variant, upscaler=upscaler)

    def _one_of(self, variants: list[Variant], strictly: bool) -> tuple[Variant, str]:
        if len(variants) == 1:
            what = "class" if isinstance(getattr(self.module, variants[0].name, None), type) else "function"
            how = f"the only {what} of the file that takes the checkpoint{' strictly' * strictly}"
            return variants[0], how
        chosen = choose(variants, self.name)
        if chosen is None:
            told = "; ".join(f"{variant.name}: {variant.trial.told()}" for variant in variants)
            raise builders.several(self.file, self.name, [v.name for v in variants], told)
        return chosen

    def _note(self, found: Fit, how: dict[str, str], *, strictly: bool = True) -> None:
        self.inferred += inferred_from(found, how, self.declaration, strictly=strictly)
        self.findings += findings_on(found, self.states, strictly=strictly)

    def _workbench(self) -> Workbench:
        declared = self.declaration.data_range
        ranges = RANGES if declared is None else (float(declared),)
        return Workbench(self._upscaler, lambda: self.probe, self.declaration, ranges)

    def _upscaler(self, network: nn.Module) -> Upscaler:
        ready(network, self.file, self.device)
        if self.twin is not None:
            run_twin(network, self.twin, self.module, self.file)
        declaration = self.declaration
        upscaler = Upscaler(
            network,
            self.file,
            self.scale,
            self.device,
            data_range=float(declaration.data_range or 1),
            pad_to=declaration.pad_to,
            pad_declared=declaration.pad_to is not None,
            tile=declaration.tile,
        )
        if self.trial_image is None:
            self.trial_image = trial_image(upscaler, self.probe)
            self.probe = self.trial_image.image
        return upscaler

    def _ranged(
        self, upscaler: Upscaler, output: Inference | None, trial: TrialRun | None = None
    ) -> Upscaler:
        self.inferred += [output] if output is not None else []
        if self.declaration.data_range is None:
            self.inferred.append(infer_data_range(upscaler, self.probe, trial))
        elif contradiction := contradicted(upscaler, self.probe, self.declaration.source, trial):
            self.findings.append(contradiction)
        return upscaler


def _not_common(variant: Variant) -> int:
    """Return how many tensors only the checkpoint or only the network has."""
    return len(variant.fit.state.dropped) + len(variant.fit.state.missing)


def _takes_nothing(build: Callable[..., Any]) -> bool:
    try:
        return all(parameter.default is not EMPTY for parameter in Signature.of(build).parameters)
    except (TypeError, ValueError):
        return False
