"""Adds up what a pass costs, operator by operator, by where the tensors come from. Worker only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ntire_bench.worker.costs import operator_costs as costs
from ntire_bench.worker.costs.by_value import Factors
from ntire_bench.worker.costs.derived import DerivedWeights
from ntire_bench.worker.costs.operator_schema import Facts, tensors_in
from ntire_bench.worker.costs.origin import Kind, Origin, distinct, without_positions
from ntire_bench.worker.costs.products import CONVOLUTIONS, product
from ntire_bench.worker.costs.provenance import Provenance
from ntire_bench.worker.costs.structure import FEWEST, free_values

__all__ = ["Tally"]

_FEWEST_PRODUCTS = 2  # a sum of products adds at least so many elements for each of its result
_ADDED_TO = frozenset({"aten::addmm", "aten::_sparse_addmm", "aten::baddbmm", "aten::addbmm", "aten::addmv"})
_SUMS = frozenset(
    f"aten::{name}" for name in "sum mean logsumexp norm linalg_vector_norm var std var_mean std_mean".split()
)
_COPIES = frozenset({"aten::clone", "aten::_to_copy", "aten::contiguous"})
_MANY_NUMBERS = 1000  # epsilons, slopes and scales of a deep network are fewer
_MOST_NUMBERS = 1_000_000


class Tally:
    """What the operators of one pass cost.

    Args:
        provenance: Knows where tensors come from.
        factors: What was multiplied on other images.

    Attributes:
        products: Multiply-accumulates of convolutions, matrix products and attention.
        besides: What fvcore counts in addition.
        by_hand: Work of the same kind as `products` in other operators.
        by_numbers: Multiplications of what comes from the image by plain numbers.
        numbers: All plain numbers that operators were given, in order.
        multiplied: Those of them that what comes from the image was multiplied by.
    """

    def __init__(self, provenance: Provenance, factors: Factors) -> None:
        self.products = self.besides = self.by_hand = self.by_numbers = 0
        self.convs = self.activations = self.lookups = 0
        self.uncounted: Counter[str] = Counter()
        self.uncountable: Counter[str] = Counter()
        self.derived = DerivedWeights(provenance)
        self.numbers: list[float] = []
        self.multiplied: list[float] = []
        self._provenance = provenance
        self._factors = factors

    def note_numbers(self, facts: Facts, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[float]:
        """Note the plain numbers that an operator is given, and return them."""
        given: list[float] = []
        for place, name in facts.numbers:
            value = args[place] if place < len(args) else kwargs.get(name)
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(one, complex):
                    given += one.real, one.imag
                elif isinstance(one, (int, float)) and not isinstance(one, bool):
                    given.append(float(one))
        if given and len(self.numbers) < _MOST_NUMBERS:
            self.numbers += given
        return given

    def constants_in_numbers(self, known: int) -> int:
        """Return how many constants the plain numbers are, if they are many: none where they repeat.

        Args:
            known: Weights that forward makes of such numbers, and that count already.
        """
        free = _free(self.numbers) - known if len(self.numbers) > _MANY_NUMBERS else 0
        return free if free > FEWEST else 0

    def all_by_hand(self) -> int:
        """Return the work by hand; multiplications by numbers count where the numbers are many."""
        return self.by_hand + (self.by_numbers if _free(self.multiplied) > FEWEST else 0)

    def add(
        self,
        facts: Facts,
        args: Sequence[Any],
        results: Sequence[Tensor],
        origin: Origin,
        numbers: Sequence[float],
    ) -> Origin:
        """Count what an operator cost, and return the origin of what it gave.

        Args:
            facts: Of the operator.
            args: What it was given.
            results: What it gave.
            origin: Of all that it read.
            numbers: The plain numbers among its arguments.
        """
        if not results:
            return origin
        result = results[0]
        cost = product(facts.name, args, result)
        if cost is not None:
            self.products += cost
            if facts.name in CONVOLUTIONS:
                self.convs += 1
                self.activations += result.numel()
            if Kind.IMAGE not in origin.kind:  # nothing that the image is multiplied by, yet
                return without_positions(origin)
            factors = args[:1] if "embedding_bag" in facts.name else args  # not the places
            if facts.name in _ADDED_TO and self._provenance.of(args[0]) == Origin():
                factors = args[1:]  # zeros that a product is added to are no factor
            for factor in tensors_in(factors):
                self._note_factor(factor)
            return Origin(Kind.IMAGE)  # whatever else went into it is mixed in for good
        besides = costs.besides(facts.name, args, result)
        if besides:
            self.besides += besides
            return origin
        if Kind.IMAGE not in origin.kind:  # what does not depend on the image can be done beforehand
            return origin
        self._add_other(facts, args, results, numbers)
        return self._mixed(facts, args, result, origin)

    def _add_other(
        self, facts: Facts, args: Sequence[Any], results: Sequence[Tensor], numbers: Sequence[float]
    ) -> None:
        """Count an operator that is no product."""
        result = results[0]
        estimate = costs.estimate(facts.name, args, result)
        if estimate is None and not facts.pointwise:
            size = max(tensor.numel() for tensor in (*tensors_in(args), *results))
            self.uncountable[facts.name] += size
        estimate = result.numel() if estimate is None else estimate
        by_hand = costs.fourier(facts.name, args, result)
        if costs.is_multiplication(facts.name):
            if self._weighted(args):
                by_hand = result.numel() * (4 if result.is_complex() else 1)
            elif numbers:
                self.by_numbers += result.numel()
                self.multiplied += numbers
        elif facts.name in _SUMS and args and isinstance(args[0], Tensor):
            kind = self._provenance.of(args[0]).kind
            plain = facts.name in ("aten::sum", "aten::mean") and Kind.PRODUCT in kind
            if (plain or Kind.OUTER in kind) and args[0].numel() >= _FEWEST_PRODUCTS * result.numel():
                by_hand = args[0].numel()
        self.by_hand += by_hand
        if estimate or by_hand:
            self.uncounted[facts.name] += max(estimate, by_hand)

    def _mixed(self, facts: Facts, args: Sequence[Any], result: Tensor, origin: Origin) -> Origin:
        """Return the origin of a result, with what a sum of it would be.

        Two maps that are multiplied give products. Features that meet weights in a larger map than their own,
        one value for each pair, are half of a matrix product under any name: a sum over them is the rest.
        """
        kind = origin.kind & ~(Kind.PRODUCT | Kind.OUTER)
        if facts.name in _COPIES and self._is_repeated(args) or facts.name == "aten::repeat":
            return Origin(kind | Kind.REPEATED, origin.sources)
        if not facts.pointwise:
            return Origin(kind & ~Kind.REPEATED, origin.sources)
        if costs.is_multiplication(facts.name) and not self._weighted(args):
            kind |= Kind.PRODUCT
        if Kind.OUTER in origin.kind or self._is_outer(args, result):
            kind |= Kind.OUTER
        return Origin(kind, origin.sources)

    def _is_outer(self, args: Sequence[Any], result: Tensor) -> bool:
        """Return whether an operator pairs features with weights, by broadcasting or out of a repetition."""
        tensors = list(tensors_in(args))
        if len(tensors) < 2 or not self._weighted(args):
            return False
        of_image = [one for one in tensors if Kind.IMAGE in self._provenance.of(one).kind]
        if any(Kind.REPEATED in self._provenance.of(one).kind for one in of_image):
            return True
        return max(map(distinct, of_image), default=0) * _FEWEST_PRODUCTS <= result.numel()

    @staticmethod
    def _is_repeated(args: Sequence[Any]) -> bool:
        tensor = args[0] if args else None
        return isinstance(tensor, Tensor) and distinct(tensor) * _FEWEST_PRODUCTS <= tensor.numel()

    def _note_factor(self, factor: Tensor) -> None:
        """Note a factor of a product if it is a weight: by its origin, or by its value in spite of it."""
        own = self._provenance.of(factor)
        if Kind.IMAGE not in own.kind:
            self.derived.note(factor, own)
            return
        made = Kind.BITS | Kind.RANDOM | Kind.RANGE
        if (own.sources or own.kind & made) and self._factors.is_constant(factor):
            self.derived.note(factor, own)

    def _weighted(self, args: Sequence[Any]) -> bool:
        """Return whether a factor of a multiplication is a weight, and not a plain number."""
        kinds = [self._provenance.of(tensor).kind for tensor in tensors_in(args)]
        made = Kind.WEIGHT | Kind.RANDOM | Kind.RANGE
        return any(Kind.IMAGE not in kind and kind & made for kind in kinds)


def _free(numbers: Sequence[float]) -> int:
    """Return how many of some numbers follow from nothing."""
    return free_values([torch.tensor(numbers, dtype=torch.float32)]) if len(numbers) > FEWEST else 0
