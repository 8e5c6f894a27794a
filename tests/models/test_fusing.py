"""Networks that are trained with branches and released without: what fusing keeps, gives and saves."""

from __future__ import annotations

from pathlib import Path

import published
import pytest
import torch
from released_networks import EFDN, ESPAN, SPAN, Released

# By how much the form to train exceeds the fused one, in FLOPs and in parameters.
LARGER = {
    EFDN: 2.5,  # only the eight 3x3 convolutions of the cells have branches
    ESPAN: 5.0,  # per k x k: five of them, four 1x1 before and one beside, against one
    # Per convolution of c channels: 1x1 skip, 1x1 c to 2c, 3x3 2c to 2c, 1x1 2c to c, against one 3x3.
    SPAN: 4.0,
}
each = pytest.mark.parametrize("network", LARGER, ids=lambda network: network.checkpoint)


@each
@pytest.mark.parametrize(
    ("dtype", "tolerance", "seed"),
    # float64 shows that merging is exact; in float32 a network makes much of its own rounding.
    [(torch.float32, 1e-5, 0), (torch.float64, 1e-12, 0), (torch.float64, 1e-12, 1)],
)
def test_fusing_keeps_the_output_and_gives_the_deploy_form(
    network: Released, dtype: torch.dtype, tolerance: float, seed: int
):
    trained = published.randomize(network.build(**network.training_form), seed).to(dtype).eval()
    torch.manual_seed(seed)
    image = torch.rand(2, 3, 17, 23, dtype=dtype)
    with torch.inference_mode():
        before = trained(image)
    fused = trained.fuse()
    assert fused is trained
    with torch.inference_mode():
        after = fused(image)
    assert published.relative_error(after, before) < tolerance

    deploy = network.build().to(dtype)
    assert [(n, type(m)) for n, m in fused.named_modules()] == [
        (n, type(m)) for n, m in deploy.named_modules()
    ]
    assert all(parameter.requires_grad for parameter in fused.parameters())
    deploy.load_state_dict(fused.state_dict(), strict=True)
    with torch.inference_mode():
        assert torch.equal(deploy(image), after)


@pytest.mark.shared
@each
def test_fusing_the_published_network_changes_nothing(network: Released, shared: Path):
    stored = published.published_state(shared, network.checkpoint)
    state = network.load(shared).fuse().state_dict()
    assert set(state) == set(stored)
    assert all(torch.equal(state[key], stored[key]) for key in stored)


@each
def test_fusing_keeps_type_and_mode(network: Released):
    model = network.build(**network.training_form).bfloat16().train().fuse()
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model.training and not any(module.training for module in model.eval().modules())


@each
def test_what_fusing_saves(network: Released):
    model = network.build(**network.training_form)
    # On a quarter of the pixels, where the border adds 0.2 % at most.
    assert 4 * published.fvcore_flops(model, 128, 128) > LARGER[network] * network.flops
    assert sum(p.numel() for p in model.parameters()) > LARGER[network] * network.params
    model.fuse()
    assert published.fvcore_flops(model) == network.flops
    assert sum(p.numel() for p in model.parameters()) == network.params
