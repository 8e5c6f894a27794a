"""The blocks of models/team40_EFDN.py, and its two forms against each other."""

from __future__ import annotations

import published
import pytest
import torch
from released_networks import EFDN
from torch import nn

efdn = published.load_model_file(EFDN.file)


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
