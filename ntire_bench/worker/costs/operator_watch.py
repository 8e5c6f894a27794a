"""Sees every operator that torch runs: counts it, and follows where its tensors come from. Worker only.

Operators are seen below autograd, so a custom autograd.Function, a scripted module or a hook hides nothing.
Of operators that a submission defines itself, those inside are seen. What another thread, NumPy or native
code computes is not seen, but its result enters as a tensor that no operator made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from ntire_bench.worker.costs import operator_costs as costs
from ntire_bench.worker.costs.by_value import factors_of
from ntire_bench.worker.costs.operator_schema import Facts, facts_of, has_kernel, tensors_in
from ntire_bench.worker.costs.origin import Kind, Origin, Use
from ntire_bench.worker.costs.packed_weights import objects_in
from ntire_bench.worker.costs.products import CONVOLUTIONS, product
from ntire_bench.worker.costs.provenance import Provenance
from ntire_bench.worker.costs.stated_costs import is_stated
from ntire_bench.worker.costs.tally import Tally
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["OperatorWatch"]

_BETWEEN = ("aten::grid_sampler", "aten::cudnn_grid_sampler")  # read a table between its entries
_STATISTICS = {"aten::native_batch_norm": (3, 4), "aten::cudnn_batch_norm": (3, 4)} | {
    "aten::_native_batch_norm_legit_no_training": (3, 4),
    "aten::_native_batch_norm_legit": (3, 4),
    "aten::batch_norm": (3, 4),
}


class OperatorWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator while it is active.

    Its `tally` has what they cost, its `provenance` where their tensors come from.

    Args:
        upscaler: Whose parameters are the declared weights.
        image: The network's input.
        memory: Whether what operators wrote is compared with what is read; takes a copy of all of it.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler, which takes 0.8 s, only to keep it out of this class.
        return False

    def __init__(self, upscaler: Upscaler, image: Tensor, *, memory: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.provenance = Provenance(upscaler.network, memory=memory)
        self.provenance.produced(image, Origin(Kind.IMAGE))
        self.tally = Tally(self.provenance, factors_of(upscaler.network))
        self.unknown: list[str] = []
        self._facts: dict[OpOverload[..., Any], Facts] = {}
        self._device = image.device

    # torch calls this with an operator, the types involved and the operator's own arguments: anything at all.
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        """Run an operator, and note what it read, what it gave and what it cost."""
        kwargs = kwargs or {}
        if any(kind.__torch_dispatch__ is not Tensor.__torch_dispatch__ for kind in types):
            return NotImplemented  # a subclass computes in its own way, with operators that come here then
        facts = self._facts.get(func)
        if facts is None:
            facts = self._facts[func] = facts_of(func)
        if facts.composite:  # only inference mode passes it here; its parts are what is counted
            with self:  # torch's own parts: `decompose` would take its compiler's, which multiply more
                return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        is_one = facts.native or is_stated(facts.name)
        if not is_one or costs.is_several(facts.name):
            return self._inside(func, facts, args, kwargs)
        origin = self._before(facts, args, kwargs)
        result = func(*args, **kwargs)
        self._after(facts, args, kwargs, result, origin)
        return result

    def _inside(
        self, func: OpOverload[..., Any], facts: Facts, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:  # noqa: ANN401
        """Run an operator that is not torch's own so that the operators within it are seen."""
        cost = None
        if facts.name in CONVOLUTIONS:  # as torchvision's
            result = func(*args, **kwargs)
            cost = product(facts.name, args, next(tensors_in(result)))
            self.tally.products += cost or 0
        else:
            composite = "CompositeExplicitAutograd"
            own = [composite] if facts.native else [self._device.type.upper(), composite]
            keys = [key for key in own if has_kernel(func, key)]
            if keys:
                with self:
                    result = func._op_dk(getattr(torch._C.DispatchKey, keys[0]), *args, **kwargs)
            else:
                result = func(*args, **kwargs)
        strange = [tensor for tensor in tensors_in(result) if not self.provenance.known(tensor)]
        if strange and cost is None:
            self.unknown.append(facts.name)
        # This does not count as reading a weight: what such an operator does with it is not known.
        origin = self.provenance.merged(tensors_in((args, kwargs)), Use.NOTHING) if strange else Origin()
        for tensor in strange:
            self.provenance.produced(tensor, origin)
        return result

    def _before(self, facts: Facts, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Origin:
        """Return the origin of what an operator is about to compute, and note what it reads."""
        if facts.reads_nothing:
            return Origin(Kind.RANDOM if facts.random else Kind.NOTHING)
        if facts.view:
            return Origin()
        reads = [
            value
            for place, value in (*enumerate(args), *kwargs.items())
            if not (facts.overwrites and place in facts.writes)
        ]
        if facts.name in costs.LOOKUPS or facts.name.startswith(_BETWEEN):
            origin = self._looked_up(args, kwargs)
        elif facts.name in _STATISTICS:
            origin = self._normed(_STATISTICS[facts.name], args, kwargs)
        else:
            origin = self.provenance.merged(tensors_in(reads), Use.OTHER)
        for packed in objects_in((args, kwargs)) if facts.packs else ():
            held = self.provenance.of_packed(packed)
            origin = Origin(origin.kind | held.kind, origin.sources | held.sources)
        kind = origin.kind
        kind |= Kind.RANDOM if facts.random else Kind.NOTHING
        kind |= Kind.RANGE if facts.range else Kind.NOTHING
        if facts.bits and Kind.IMAGE not in kind:
            kind |= Kind.BITS
        return Origin(kind, origin.sources)

    def _normed(self, places: Sequence[int], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Origin:
        """Note a norm: its running mean and variance are statistics where it norms what the image gives."""
        others = self.provenance.merged(tensors_in([*args[: places[0]], kwargs]), Use.OTHER)
        by_image = Kind.IMAGE in self.provenance.merged(tensors_in(args[:1]), Use.NOTHING).kind
        statistics = self.provenance.merged(
            tensors_in([args[place] for place in places]), Use.STATISTIC if by_image else Use.OTHER
        )
        return Origin(others.kind | statistics.kind, others.sources | statistics.sources)

    def _looked_up(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Origin:
        """Note a lookup: where the image decides the place, the table is a weight."""
        tables = [args[0]] if args else []
        places = self.provenance.merged(tensors_in([*args[1:], *kwargs.values()]), Use.PLACE)
        by_image = Kind.IMAGE in places.kind
        table = self.provenance.merged(tensors_in(tables), Use.WEIGHT if by_image else Use.OTHER)
        if by_image and Kind.IMAGE not in table.kind:
            for number in table.sources:
                self.provenance.sources[number].use |= Use.WEIGHT
            self.tally.lookups += max((tensor.numel() for tensor in tensors_in(args[1:])), default=0)
        # The sources go on where the image is in it, too: a table of levels may be mixed with zero times the
        # image, and what is read from it at fixed places are weights by their values.
        return Origin(table.kind | places.kind, table.sources | places.sources)

    def _after(
        self, facts: Facts, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any, origin: Origin  # noqa: ANN401
    ) -> None:  # fmt: skip
        """Note what an operator gave and what it cost."""
        written = [
            tensor
            for place, value in (*enumerate(args), *kwargs.items())
            if place in facts.writes
            for tensor in tensors_in(value)
        ]
        results = list(tensors_in(result))
        for packed in objects_in(result) if facts.packs else ():
            self.provenance.packed(packed, origin)
        if facts.view and facts.bits:
            for tensor in results:
                self.provenance.recast(tensor)
        if not facts.view:
            numbers = self.tally.note_numbers(facts, args, kwargs) if facts.numbers else []
            origin = self.tally.add(facts, args, results or written, origin, numbers)
        for tensor in written:
            self.provenance.written(tensor, origin)
        for tensor in results:
            # Views, and results that are an argument: their storage is known, or is read later as a source.
            if not facts.view and not any(tensor is one for one in written):
                self.provenance.produced(tensor, origin, unwritten=facts.room)

    def check_output(self, output: Tensor) -> None:
        """Compare the output with what operators wrote into it."""
        if self.provenance.known(output):
            self.provenance.of(output, Use.OTHER)
