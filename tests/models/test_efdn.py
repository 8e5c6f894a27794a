"""The blocks of models/team40_EFDN.py, and its two forms against each other."""

from __future__ import annotations

from pathlib import Path

import published
import pytest
import torch
from released_networks import EFDN
from torch import nn

efdn = published.load_model_file(EFDN.file)


@pytest.fixture
def network(shared: Path) -> nn.Module:
    """The published network."""
    return EFDN.load(shared)


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
    stored = published.published_state(shared, EFDN.checkpoint)
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
    # On a quarter of the pixels, where the border adds 0.2 % at most.
    assert 4 * published.fvcore_flops(model, 128, 128) > 2.5 * EFDN.flops
    assert sum(p.numel() for p in model.parameters()) > 2.5 * EFDN.params
    model.fuse()
    assert published.fvcore_flops(model) == EFDN.flops
    assert sum(p.numel() for p in model.parameters()) == EFDN.params
