"""Every file of models/ computes what the network does that its authors released.

What is particular to a network is in a file of its own; the figures lie in helpers/released_networks.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import published
import pytest
import torch
from released_networks import (
    AGDN,
    AGDN_S,
    EVERY,
    LKDN,
    LKDN_S,
    LKDN_S_TRAINING,
    RLFN_52,
    RLFN_S,
    Released,
)

FILES = {network.file: network for network in EVERY}


def each(networks: Iterable[Released] = EVERY, slow: Iterable[Released] = ()) -> pytest.MarkDecorator:
    """Run a test for each of `networks`; those of `slow` are left to `make test-all`."""
    left = set(slow)
    cases = [
        pytest.param(network, id=network.checkpoint, marks=[pytest.mark.slow] if network in left else [])
        for network in networks
    ]
    return pytest.mark.parametrize("network", cases)


def test_each_model_file_is_among_those_below(root: Path) -> None:
    assert {path.name for path in (root / "models").glob("team*.py")} == set(FILES)


@pytest.mark.shared
def test_each_published_checkpoint_is_among_those_below(shared: Path) -> None:
    assert {network.checkpoint for network in EVERY} == set(published.reference_indices(shared))


@pytest.mark.parametrize("network", FILES.values(), ids=FILES)
def test_file_stands_alone_and_declares_itself(network: Released) -> None:
    assert published.imported_packages(network.file) == {"torch"}
    assert published.declaration(network.file) == {"model": network.model, "data_range": network.data_range}


@each()
def test_parameters_are_the_published_ones(network: Released) -> None:
    assert sum(p.numel() for p in network.build().parameters()) == network.params


# AGDN has dozens of windows to trace.
@each(slow=[AGDN])
def test_flops_are_the_published_ones(network: Released) -> None:
    assert published.fvcore_flops(network.build()) == network.flops


@pytest.mark.shared
@each()
def test_figures_are_those_of_the_reference_index(network: Released, shared: Path) -> None:
    index = published.reference_indices(shared)[network.checkpoint]
    assert (index["params"], index["fvcore_flops_256"]) == (network.params, network.flops)
    assert index["data_range"] == published.declaration(network.file)["data_range"]


@pytest.mark.shared
@each()
def test_checkpoint_holds_exactly_the_state_dict(network: Released, shared: Path) -> None:
    stored = published.published_state(shared, network.checkpoint)
    assert {k: v.shape for k, v in stored.items()} == {
        k: v.shape for k, v in network.build().state_dict().items()
    }


@pytest.mark.shared
@each()
def test_output_is_the_released_networks(network: Released, shared: Path) -> None:
    model, stored = network.load(shared), published.reference(shared, network.checkpoint)
    with torch.inference_mode():
        assert published.relative_error(model(stored["input"]), stored["output"]) < 1e-5


@pytest.mark.shared
@each()
def test_features_are_the_released_networks(network: Released, shared: Path) -> None:
    model, stored = network.load(shared), published.reference(shared, network.checkpoint)
    if network.features_in_float64:
        model, stored["input"] = model.double(), stored["input"].double()
    errors = published.module_errors(model, stored)
    assert len(errors) == network.features
    assert network.some_features <= set(errors)
    assert max(errors.values()) < network.features_tolerance, errors


@pytest.mark.shared
@each(
    [network for network in EVERY if network.set5_db],
    slow=[RLFN_52, RLFN_S, LKDN, LKDN_S, LKDN_S_TRAINING, AGDN_S, AGDN],
)
def test_set5_is_the_published(network: Released, shared: Path) -> None:
    # Set5's LR images are up to 128x128, several windows of AGDN: this tests its TLC, too.
    pairs = published.set5(shared, network.load(shared), network.data_range)
    assert published.psnr_db(pairs) == pytest.approx(network.set5_db, abs=1e-3)
    if network.set5_ssim is not None:
        value, tolerance = network.set5_ssim
        assert published.ssim(pairs) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize(
    ("network", "height", "width"),
    [
        pytest.param(network, height, width, id=f"{network.checkpoint}-{height}x{width}")
        for network in EVERY
        for height, width in [
            (57, 86),
            (17, 23),
            *({1: [(1, 1), (1, 9)], 15: [(15, 15), (15, 40), (15, 131)]}[network.smallest]),
        ]
    ],
)
def test_any_size_is_enlarged(network: Released, height: int, width: int) -> None:
    with torch.inference_mode():
        output = network.build()(torch.rand(network.batch, 3, height, width) * network.data_range)
    assert output.shape == (network.batch, 3, network.scale * height, network.scale * width)
    assert output.dtype == torch.float32
    assert output.isfinite().all()


@each([network for network in EVERY if network.too_small])
@pytest.mark.parametrize(("height", "width"), [(14, 40), (40, 14), (1, 1)])
@pytest.mark.parametrize("training", [False, True])
def test_too_small_is_told_plainly(network: Released, height: int, width: int, training: bool) -> None:
    assert network.too_small is not None
    with pytest.raises(ValueError, match=network.too_small.format(height=height, width=width)):
        network.build().train(training)(torch.rand(1, 3, height, width))


@each()
def test_every_parameter_learns(network: Released) -> None:
    model = network.build(**network.training_form).train()
    model(torch.rand(2, 3, 32, 32) * network.data_range).abs().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
