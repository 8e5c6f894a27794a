"""Memory that changes where no operator is seen, and factors that are constant although the image went in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntire_bench.worker.costs.by_value import Factors
from ntire_bench.worker.costs.memory import WrittenMemory
from ntire_bench.worker.costs.origin import Use
from ntire_bench.worker.costs.provenance import Provenance

WHOLE = torch.arange(96.0).reshape(2, 3, 4, 4)


@pytest.mark.parametrize(
    "tensor",
    [
        WHOLE.clone(),
        WHOLE.clone()[:, 1:, ::2],
        WHOLE.clone().to(memory_format=torch.channels_last),
        WHOLE.clone()[:1].expand(5, -1, -1, -1),
        WHOLE.half(),
        WHOLE.to(torch.uint8)[..., :3],
        WHOLE.to(torch.complex128),
        WHOLE.to(torch.complex64).conj(),
        torch.full((3,), float("nan")),
    ],
    ids="plain part channels_last expanded half bytes complex conjugate nan".split(),
)
def test_memory_that_an_operator_wrote_is_told_from_what_was_put_there(tensor: Tensor) -> None:
    memory = WrittenMemory()
    memory.wrote("it", tensor, new=True)
    assert not memory.altered("it", tensor)
    tensor.view(-1)[0:1].copy_(torch.tensor([7])) if tensor.is_contiguous() else tensor[0].fill_(7)
    assert memory.altered("it", tensor)
    assert not memory.altered("it", tensor)  # known from then on


def test_only_what_was_written_is_taken_over() -> None:
    memory, tensor = WrittenMemory(), torch.zeros(4, 8)
    memory.wrote("it", tensor, new=True)
    tensor[0] = 1
    tensor[2] = 2
    memory.wrote("it", tensor[0])
    assert not memory.altered("it", tensor[:2])
    assert memory.altered("it", tensor[2:])


def test_a_zero_and_a_negative_zero_differ() -> None:
    memory, tensor = WrittenMemory(), torch.zeros(3)
    memory.wrote("it", tensor, new=True)
    tensor.neg_()
    assert memory.altered("it", tensor)


def test_a_parameter_changed_out_of_sight_is_seen_through_a_numpy_array() -> None:
    network = nn.Linear(4, 4, bias=False)
    provenance = Provenance(network, memory=True)
    array = network.weight.detach().numpy()
    array += np.float32(1)
    provenance.of(torch.from_numpy(array), Use.OTHER)
    assert sum(source.undeclared for source in provenance.sources) == 16


def test_elements_of_a_parameter_that_nobody_read_are_known() -> None:
    network = nn.Linear(4, 3)
    provenance = Provenance(network)
    provenance.of(network.weight[:, 1], Use.OTHER)
    provenance.of(network.bias, Use.OTHER)
    (name, left), *others = provenance.unread().items()
    assert (name, others) == ("weight", [])
    assert left.tolist() == [[True, False, True, True]] * 3


def test_a_factor_is_constant_that_another_image_had_too() -> None:
    factors, weight = Factors(), torch.rand(30, 30) - 0.5
    factors.next_image(torch.zeros(1, 3, 8, 8))
    assert not factors.is_constant(weight)
    assert not factors.is_constant(weight)  # used twice on one image
    factors.next_image(torch.zeros(1, 3, 8, 8))
    assert not factors.is_constant(weight)  # nor on the same image again
    factors.next_image(torch.ones(1, 3, 8, 8))
    assert factors.is_constant(weight + 1e-6)
    assert factors.is_constant(weight * -3)  # scaled as a whole
    assert not factors.is_constant(weight + 0.01 * torch.rand(30, 30))
    assert not factors.is_constant(torch.ones(30, 30))
    assert not factors.is_constant(weight[:3])
