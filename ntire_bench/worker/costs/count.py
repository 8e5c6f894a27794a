"""Costs that do not depend on the machine: parameters, FLOPs, activations, convolutions. Worker only."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakSet

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from ntire_bench.errors import SubmissionError
from ntire_bench.records.record import Audit, Complexity
from ntire_bench.wire.messages import Counted
from ntire_bench.wire.observation import Observation
from ntire_bench.worker.costs.by_value import factors_of
from ntire_bench.worker.costs.influence import Output, hidden_work
from ntire_bench.worker.costs.observe import observe, uncompiled
from ntire_bench.worker.costs.reachable import undeclared_constants, wide_parameters
from ntire_bench.worker.network.upscaler import Upscaler, blame

__all__ = ["audit", "count_parameters", "measure"]

# Convolutions and matrix products, as fvcore names them.
_PRODUCTS = ("conv", "addmm", "bmm", "einsum", "matmul", "mm", "linear")


@dataclass(frozen=True, kw_only=True)
class _Flops:
    """One count of FLOPs.

    Attributes:
        counter: "fvcore" or "operators".
        total: All that it counts.
        products: Multiply-accumulates of convolutions and matrix products.
        uncounted: Operators that fvcore met and gives no cost, with how often.
        uncalled: Modules that fvcore's trace never entered.
        not_traced: Why fvcore did not count; None where it did.
    """

    counter: str
    total: int
    products: int
    uncounted: dict[str, int] = field(default_factory=dict)
    uncalled: set[str] = field(default_factory=set)
    not_traced: str | None = None


_gone_through: WeakSet[nn.Module] = WeakSet()  # networks whose memory was looked at: once is enough


class _NotTracedError(Exception):
    """fvcore cannot count a network; the text says why."""


def count_parameters(network: nn.Module) -> int:
    """Return the number of parameters: sum of numel over parameters(), shared ones once.

    >>> count_parameters(nn.Conv2d(3, 4, 3))
    112
    """
    return sum(parameter.numel() for parameter in network.parameters())


def measure(upscaler: Upscaler, input_shape: tuple[int, int, int, int]) -> Counted:
    """Count a network's costs on a random image.

    FLOPs are fvcore's total. It counts a multiply-accumulate once, and knows convolutions, matrix products,
    interpolations and some norms. Operators that it gives no cost, and modules that its trace never entered,
    are returned beside it. Where fvcore cannot trace a network, such as one with scripted or compiled
    modules, the operators that ran are counted by the same rules.

    Args:
        upscaler: The loaded network.
        input_shape: (N, C, H, W).

    Raises:
        SubmissionError: The network fails on this input.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(input_shape, generator=generator).mul_(upscaler.data_range).to(upscaler.device)
    try:
        # Never in tiles: their overlaps would count for activations and not for FLOPs.
        observed = _observed(upscaler, image, whole=True, finite=False)[1]
    except SubmissionError as error:
        if upscaler.own_forward is None:
            raise
        # The network alone does not take such an image: what a checkout's loop does with it is counted.
        observed = _observed(upscaler, image, whole=False, finite=False)[1]
        flops = _by_operators(observed, str(error.what))
    else:
        try:
            with torch.no_grad():
                # Padded like any image: the pass above has found out how far.
                flops = _by_fvcore(upscaler, upscaler.pad(image))
        except _NotTracedError as problem:
            flops = _by_operators(observed, str(problem))
    costs = Complexity(
        params=count_parameters(upscaler.network),
        flops=flops.total,
        activations=observed.activations,
        convs=observed.convs,
        input_shape=input_shape,
        uncounted_ops=dict(sorted(flops.uncounted.items())),
        uncalled_modules=tuple(sorted(flops.uncalled)),
        audit=Audit(counter=flops.counter, traced_products=flops.products, not_traced=flops.not_traced),
    )
    return Counted(costs=costs, observed=observed)


def audit(upscaler: Upscaler, image: Tensor) -> tuple[Tensor, Observation]:
    """Run an image under observation, as when it is timed, and look for work that was not seen.

    Args:
        upscaler: The loaded network; its padding stays what it is.
        image: Float 1CHW in [0, data_range].

    Returns:
        The SR image, float 1CHW, and what was seen.

    Raises:
        SubmissionError: The network fails on this image.
    """
    before = dict(upscaler.found_pads)
    factors_of(upscaler.network).next_image(image)
    try:
        output, observed, unread, statistics = _observed(upscaler, image, whole=False, finite=True)
        reference = Output(upscaler, image)
        if unread:
            hidden, work = hidden_work(reference, unread)
            used = sum(int(unread[name].sum()) for name in hidden)
            observed = dataclasses.replace(
                observed, hidden=hidden, hidden_work=work, unread_values=max(0, observed.unread_values - used)
            )
        if upscaler.network not in _gone_through:
            _gone_through.add(upscaler.network)
            reachable = undeclared_constants(reference, statistics, output)
            wide = wide_parameters(reference)
            observed = dataclasses.replace(observed, reachable=reachable, wide=wide)
        return output, observed
    finally:
        upscaler.found_pads = before


def _observed(
    upscaler: Upscaler, image: Tensor, *, whole: bool, finite: bool
) -> tuple[Tensor, Observation, dict[str, Tensor], set[int]]:
    """Observe the pass that succeeds: a network that needs padding fails before."""
    seen: list[tuple[Observation, dict[str, Tensor], set[int]]] = []

    def forward(lr: Tensor) -> Tensor:
        run = upscaler.whole if whole else upscaler.forward
        output, observation, unread, statistics = observe(upscaler, lr, run, twice=not whole)
        seen.append((observation, unread, statistics))
        return output

    # Noise of the cost input's size need not give finite values; an image must.
    return upscaler.checked(image, forward, bare=whole, finite=finite), *seen[-1]


def _by_operators(observed: Observation, not_traced: str) -> _Flops:
    """Return the count of the operators that ran, by fvcore's rules."""
    return _Flops(
        counter="operators", total=observed.counted, products=observed.products, not_traced=not_traced
    )


def _by_fvcore(upscaler: Upscaler, image: Tensor) -> _Flops:
    """Return fvcore's count.

    Raises:
        _NotTracedError: It cannot follow this network.
    """
    analysis = FlopCountAnalysis(upscaler.network, image)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    try:
        with uncompiled(), _hooks_kept(upscaler.network):
            operators = analysis.by_operator()
            return _Flops(
                counter="fvcore",
                total=round(analysis.total()),
                products=round(sum(operators[name] for name in _PRODUCTS)),
                uncounted=dict(analysis.unsupported_ops()),
                uncalled=set(analysis.uncalled_modules()),
            )
    except Exception as error:
        raise _NotTracedError(blame(error, upscaler.file)) from error


@contextlib.contextmanager
def _hooks_kept(network: nn.Module) -> Iterator[None]:
    """Take away the hooks that are added within the context: fvcore leaves its own behind when it fails."""
    lists = [
        hooks for module in network.modules() for hooks in (module._forward_hooks, module._forward_pre_hooks)
    ]
    before = [set(hooks) for hooks in lists]
    try:
        yield
    finally:
        for hooks, kept in zip(lists, before, strict=True):
            for key in set(hooks) - kept:
                del hooks[key]
