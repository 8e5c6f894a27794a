"""models/team40_EFDN.py against the published checkpoint, and its two forms against each other."""

from __future__ import annotations

from pathlib import Path

import published
import pytest
import torch
from torch import nn

FILE = "team40_EFDN.py"
NAME = "efdn_x4"
# The baseline of NTIRE 2025, published as 0.276 M and 16.70 G.
PARAMETERS = 276_192
FLOPS = 16_703_470_848

efdn = published.load_model_file(FILE)


@pytest.fixture(scope="module")
def network(shared: Path) -> nn.Module:
    """The published network."""
    model = efdn.EFDN()
    model.load_state_dict(published.published_state(shared, NAME), strict=True)
    return model.eval()


def test_file_stands_alone_and_declares_itself():
    assert published.imported_packages(FILE) == {"torch"}
    assert published.declaration(FILE) == {"model": "EFDN", "data_range": 1}


def test_costs_are_the_published_ones():
    model = efdn.EFDN()
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS
    assert published.fvcore_flops(model) == FLOPS


@pytest.mark.shared
def test_costs_are_those_of_the_reference_index(shared: Path):
    index = published.reference_index(shared, NAME)
    assert (index["params"], index["fvcore_flops_256"]) == (PARAMETERS, FLOPS)


@pytest.mark.shared
def test_checkpoint_holds_exactly_the_state_dict(shared: Path):
    stored = published.published_state(shared, NAME)
    assert {k: v.shape for k, v in stored.items()} == {
        k: v.shape for k, v in efdn.EFDN().state_dict().items()
    }


@pytest.mark.shared
def test_reproduces_the_released_network(shared: Path, network: nn.Module):
    reference = published.reference(shared, NAME)
    with torch.inference_mode():
        output = network(reference["input"])
    assert published.relative_error(output, reference["output"]) < 1e-5
    errors = published.module_errors(network, reference)
    assert {"head"} <= set(errors)
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.shared
def test_set5_psnr(shared: Path, network: nn.Module):
    # ../shared/MODELS.md, "Values to reproduce"; measured here with scikit-image.
    assert published.set5_psnr(shared, network, data_range=1) == pytest.approx((32.0758, 30.1754), abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(57, 86), (17, 23), (15, 15)])
def test_sizes_from_15_on(height: int, width: int):
    with torch.inference_mode():
        output = efdn.EFDN().eval()(torch.rand(2, 3, height, width))
    assert output.shape == (2, 3, 4 * height, 4 * width)
    assert output.dtype == torch.float32
    assert output.isfinite().all()


@pytest.mark.parametrize(("height", "width"), [(14, 40), (40, 14), (1, 1)])
def test_a_smaller_image_is_refused_with_its_size(height: int, width: int):
    with pytest.raises(ValueError, match=f"needs 15x15 pixels or more, found {height}x{width}"):
        efdn.EFDN()(torch.rand(1, 3, height, width))


def test_output_is_clamped_in_eval_mode_only():
    torch.manual_seed(0)
    model = efdn.EFDN()
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        free, clamped = model.train()(image), model.eval()(image)
    assert free.min() < 0
    assert torch.equal(free.clamp(0, 1), clamped)


def test_scale_and_width_are_arguments():
    with torch.inference_mode():
        output = efdn.EFDN(channels=16, upscale=2, deploy=False).fuse()(torch.rand(1, 3, 15, 18))
    assert output.shape == (1, 3, 30, 36)


def edbb(seed: int = 0) -> nn.Module:
    """A block of 4 channels in float64, in eval mode, with random biases and scales and no activation."""
    torch.manual_seed(seed)
    block = published.randomize(efdn.EDBB(4, deploy=False), seed)
    block.act = nn.Identity()
    return block.double().eval()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_edge_filters_are_sobel_and_laplace(number: int):
    from scipy import ndimage

    # scipy's Sobel is right minus left and lower minus upper; here it is the other way round.
    independent = (
        lambda image: -ndimage.sobel(image, axis=1),
        lambda image: -ndimage.sobel(image, axis=0),
        ndimage.laplace,
    )[number]
    branch = efdn.EDBB(1, deploy=False).edges[number].double()
    with torch.no_grad():
        for parameter in branch.parameters():
            parameter.fill_(1.0)
        branch.bias.fill_(0.25)
        image = torch.rand(1, 1, 8, 9, dtype=torch.float64)
        found = branch(image)[0, 0].numpy()
    assert found == pytest.approx(independent(image[0, 0].numpy())[1:-1, 1:-1] + 0.25, abs=1e-12)


def test_edge_filters_are_constants():
    model = efdn.EFDN(deploy=False)
    buffers = dict(model.named_buffers())
    assert len(buffers) == 8 * 3
    assert not set(buffers) & set(model.state_dict())


def test_block_has_seven_branches():
    """Each branch is found alone, all others being zero; with all at zero the identity is left."""
    image = torch.randn(1, 4, 6, 7, dtype=torch.float64)
    block = edbb()
    branches = [[block.conv3x3], [block.conv1x1], [block.expand, block.squeeze], *([e] for e in block.edges)]
    whole = {name: value.clone() for name, value in block.state_dict().items()}
    alone = []
    with torch.no_grad():
        together = block(image)
        for kept in branches:
            block.load_state_dict(whole)
            for branch in branches:
                for module in branch if branch is not kept else ():
                    for parameter in module.parameters():
                        parameter.zero_()
            alone.append(block(image) - image)
    assert len(alone) == 6 and all(part.abs().max() > 1e-3 for part in alone)
    assert published.relative_error(image + sum(alone), together) < 1e-13


def test_block_is_one_convolution_up_to_the_border():
    block = edbb()
    image = torch.randn(1, 4, 6, 7, dtype=torch.float64)
    weight, bias = published.impulse_response(block, in_channels=4, size=3)
    with torch.no_grad():
        branches = block(image)
    expected = nn.functional.conv2d(image, weight, bias, padding=1)
    assert published.relative_error(branches, expected) < 1e-13


def test_block_fuses_to_what_its_outputs_show():
    block = edbb()
    weight, bias = published.impulse_response(block, in_channels=4, size=3)
    block.fuse()
    assert published.relative_error(block.rep_conv.weight, weight) < 1e-13
    assert published.relative_error(block.rep_conv.bias, bias) < 1e-13


def test_block_zeros_go_around_the_image_not_around_the_mixed_maps():
    """The case that decides it: a black image, whose border must look like its inside."""
    block = edbb()
    black = torch.zeros(1, 4, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        output = block(black)
        chain = block.squeeze(block.expand(nn.functional.pad(black, (1, 1, 1, 1))))
        padded_later = nn.functional.conv2d(
            block.expand(black), block.squeeze.weight, block.squeeze.bias, padding=1
        )
    assert published.relative_error(output, output[..., 2:3, 2:3].expand_as(output)) < 1e-14
    assert published.relative_error(padded_later, chain) > 0.01


def test_train_mode_computes_the_same_with_the_same_gradients():
    block = edbb()
    image = torch.randn(2, 4, 6, 7, dtype=torch.float64)
    results = []
    for training in (False, True):
        block.train(training).zero_grad()
        output = block(image)
        output.square().sum().backward()
        results.append([output.detach(), *(p.grad.clone() for p in block.parameters())])
    for branches, merged in zip(*results, strict=True):
        assert published.relative_error(merged, branches) < 1e-12


@pytest.mark.parametrize(
    ("dtype", "tolerance", "seed"),
    # float64 shows that merging is exact; in float32 the network makes much of its own rounding.
    [(torch.float32, 1e-5, 0), (torch.float64, 1e-12, 0), (torch.float64, 1e-12, 1)],
)
def test_fusing_keeps_the_output_and_gives_the_deploy_form(dtype: torch.dtype, tolerance: float, seed: int):
    torch.manual_seed(seed)
    trained = published.randomize(efdn.EFDN(deploy=False), seed).to(dtype).eval()
    image = torch.rand(2, 3, 17, 23, dtype=dtype)
    with torch.inference_mode():
        before = trained(image)
    fused = trained.fuse()
    assert fused is trained
    with torch.inference_mode():
        after = fused(image)
    assert published.relative_error(after, before) < tolerance

    deploy = efdn.EFDN().to(dtype).eval()
    assert [(n, type(m)) for n, m in fused.named_modules()] == [
        (n, type(m)) for n, m in deploy.named_modules()
    ]
    assert all(parameter.requires_grad for parameter in fused.parameters())
    deploy.load_state_dict(fused.state_dict(), strict=True)
    with torch.inference_mode():
        assert torch.equal(deploy(image), after)


@pytest.mark.shared
def test_fusing_the_published_network_changes_nothing(shared: Path, network: nn.Module):
    stored = published.published_state(shared, NAME)
    network.fuse()
    state = network.state_dict()
    assert set(state) == set(stored)
    assert all(torch.equal(state[key], stored[key]) for key in stored)


def test_fusing_keeps_type_and_mode():
    model = efdn.EFDN(deploy=False).bfloat16().train().fuse()
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model.training and not any(module.training for module in model.eval().modules())


def test_what_fusing_saves():
    model = efdn.EFDN(deploy=False)
    # Only the eight 3x3 convolutions of the cells have branches.
    assert published.fvcore_flops(model) > 2.5 * FLOPS
    assert sum(p.numel() for p in model.parameters()) > 2.5 * PARAMETERS
    model.fuse()
    assert published.fvcore_flops(model) == FLOPS
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS


def test_a_step_of_training_reaches_every_parameter():
    torch.manual_seed(0)
    model = efdn.EFDN(deploy=False).train()
    (model(torch.rand(1, 3, 16, 16)) - torch.rand(1, 3, 64, 64)).abs().mean().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []
