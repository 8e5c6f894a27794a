"""Observes a forward pass operator by operator: the audit's count, without tracing. Worker only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from ntire_bench.wire.observation import Observation
from ntire_bench.worker.costs.conduct import repeated, watched
from ntire_bench.worker.costs.operator_watch import OperatorWatch
from ntire_bench.worker.costs.origin import Kind, Source, Use, has_storage
from ntire_bench.worker.costs.structure import FEWEST
from ntire_bench.worker.network.upscaler import Upscaler

__all__ = ["observe", "uncompiled"]

_MOST_NAMES = 12
_FOREIGN_FROM = 1000  # elements; fewer from elsewhere hide no work that matters
_MEMORY_PIXELS = 256 * 384  # of the largest image on which a copy of all memory is kept: the audit's own


def _tensors(output: object) -> Iterator[Tensor]:
    """Yield the tensors that a network returns: one, or several of which a checkout's loop takes one."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (list, tuple)):
        yield from (part for part in output if isinstance(part, Tensor))
    elif isinstance(output, dict):
        yield from (part for part in output.values() if isinstance(part, Tensor))


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Run compiled modules uncompiled: the image is the same, and their operators can be counted."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _constants(sources: Iterable[Source]) -> tuple[int, dict[str, tuple[int, int]]]:
    """Return how many constants there are: the small ones in all, and of each larger one what `tables` has.

    A larger one is named by its contents, so that it is known again on an image of another size.
    """
    small, tables = 0, dict[str, tuple[int, int]]()
    for source in sources:
        values, name = source.constants(), source.name()
        if source.undeclared > FEWEST and name and name not in tables and len(tables) < _MOST_NAMES:
            tables[name] = (source.undeclared, values)
        else:
            small += values
    return small, tables


def observe(
    upscaler: Upscaler, image: Tensor, forward: Callable[[Tensor], Tensor], *, twice: bool = False
) -> tuple[Tensor, Observation, dict[str, Tensor], set[int]]:
    """Run a forward pass under observation, in inference mode as when it is timed.

    Args:
        upscaler: The loaded network.
        image: Float 1CHW in [0, data_range].
        forward: What is run on it, such as `upscaler.forward`.
        twice: Whether a second image may be run. It shows which undeclared tensors are constants, and which
            change with the image and so were computed elsewhere. On a small image, what operators write
            is compared with what is read, too.

    Returns:
        What `forward` returned; what was seen; the elements of parameters that may be used out of sight:
        those that no operator read, and where something came from elsewhere, all that enter no product; and
        where the storages begin that are statistics of norms and nothing else.
    """
    memory = twice and image.shape[-2] * image.shape[-1] <= _MEMORY_PIXELS

    def passed(lr: Tensor) -> tuple[Tensor, OperatorWatch]:
        with OperatorWatch(upscaler, lr, memory=memory) as watch:
            output = forward(lr)
        for tensor in _tensors(output):
            watch.check_output(tensor)
        watch.tally.derived.settle()
        return output, watch

    with uncompiled(), torch.inference_mode():
        with watched() as conduct:
            output, seen = passed(image)
        threads = repeated(conduct, lambda: forward(image))
    sources = seen.provenance.sources
    undeclared = [source for source in sources if source.undeclared]
    foreign = 0
    if twice and sum(source.undeclared for source in undeclared) > _FOREIGN_FROM:
        with uncompiled(), torch.inference_mode():
            _, again = passed(image.flip(-1, -2) * 0.9)
        constant = {source.print for source in again.provenance.sources}
        changing = [source for source in undeclared if source.print not in constant]
        foreign = sum(source.undeclared for source in changing)
        undeclared = [source for source in undeclared if source.print in constant]
    from_image = any(Kind.IMAGE in seen.provenance.of(tensor).kind for tensor in _tensors(output))
    if foreign or not from_image:  # else what was computed elsewhere would count as weights
        undeclared = []
    packed = sum(source.undeclared for source in undeclared if source.recast and source.names)
    undeclared = [source for source in undeclared if not (source.recast and source.names)]
    weights = sum(source.weights() for source in undeclared if Use.WEIGHT in source.use)
    added = [source for source in undeclared if Use.WEIGHT not in source.use and Use.OTHER in source.use]
    constants, tables = _constants(added)
    known = from_image and not foreign
    generated, unpacked, expanded = (
        seen.tally.derived.excess(how) if known else 0 for how in ("generated", "packed", "expanded")
    )
    padded = upscaler.pad(image)
    unread = seen.provenance.unread()
    unread_values = sum(int(left.sum()) for left in unread.values())
    if foreign > _FOREIGN_FROM or not from_image:
        unread = {**seen.provenance.unmultiplied(), **unread}
    observation = Observation(
        pixels=padded.shape[-2] * padded.shape[-1],
        products=seen.tally.products,
        counted=seen.tally.products + seen.tally.besides,
        convs=seen.tally.convs,
        activations=seen.tally.activations,
        by_hand=seen.tally.all_by_hand(),
        lookups=seen.tally.lookups,
        uncounted=dict(seen.tally.uncounted.most_common(_MOST_NAMES)),
        unknown=tuple(sorted(set(seen.unknown)))[:_MOST_NAMES],
        uncountable=dict(seen.tally.uncountable.most_common(_MOST_NAMES)),
        weights=weights,
        constants=constants + (seen.tally.constants_in_numbers(generated) if known else 0),
        tables=tables,
        generated=generated,
        packed=unpacked + packed if known else 0,
        expanded=expanded,
        foreign=foreign,
        unwritten=seen.provenance.unwritten,
        from_image=from_image,
        unread=tuple(unread),
        unread_values=unread_values,
        threads=threads,
        files=tuple(conduct.files[:_MOST_NAMES]),
    )
    statistics = {
        tensor.untyped_storage().data_ptr()
        for source in sources
        if source.use == Use.STATISTIC
        for tensor in source.shown
        if has_storage(tensor)
    }
    return output, observation, unread, statistics
