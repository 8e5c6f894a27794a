"""The gate and the blocks of models/team36_ESPAN.py, and its two forms against each other."""

from __future__ import annotations

import published
import pytest
import torch
from released_networks import ESPAN
from torch import nn

espan = published.load_model_file(ESPAN.file)


def test_gate_adds_nothing_to_the_count():
    """The released gate is a CUDA kernel, unseen by fvcore; in plain torch it must not change the total."""
    analysis = published.fvcore_analysis(espan.ESPAN())
    assert set(analysis.by_operator()) == {"conv"}
    convolutions = [m for m in espan.ESPAN().modules() if isinstance(m, nn.Conv2d)]
    assert analysis.total() == sum(m.weight.numel() for m in convolutions) * 256 * 256 == ESPAN.flops


def test_gate_is_spans():
    features, x = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64)
    # sigmoid(t) - 1/2 = tanh(t / 2) / 2
    assert (
        published.relative_error(espan.gate(features, x), (features + x) * torch.tanh(features / 2) / 2)
        < 1e-14
    )


def test_scale_and_width_are_arguments():
    with torch.inference_mode():
        output = espan.ESPAN(channels=16, upscale=2, deploy=False).fuse()(torch.rand(1, 3, 9, 12))
    assert output.shape == (1, 3, 18, 24)


def rep_conv(kernel_size: int, seed: int = 0) -> nn.Module:
    """A block of 3 to 5 channels in float64 with random biases, in eval mode."""
    torch.manual_seed(seed)
    block = espan.GeneralRepConv(3, 5, kernel_size, deploy=False)
    return published.randomize(block, seed).double().eval()


def test_block_has_the_branches_of_the_factsheet():
    block = espan.GeneralRepConv(32, 48, deploy=False)
    sizes = sorted([m.kernel_size[0] for m in chain] for chain in block.chains)
    assert sizes == [[1, 3]] * 4  # "four 1x1-3x3 convolution branches"
    assert block.point.kernel_size == (1, 1)  # "one 1x1 convolution branch"
    assert block.full.kernel_size == (3, 3)  # "and one 3x3 convolution branch"
    assert len(list(block.parameters())) == 2 * (4 * 2 + 1 + 1)


@pytest.mark.parametrize("kernel_size", [3, 9])
def test_block_is_one_convolution_up_to_the_border(kernel_size: int):
    block = rep_conv(kernel_size)
    image = torch.randn(1, 3, 10, 11, dtype=torch.float64)
    weight, bias = published.impulse_response(block, in_channels=3, size=kernel_size)
    with torch.no_grad():
        branches = block(image)
    expected = nn.functional.conv2d(image, weight, bias, padding=kernel_size // 2)
    assert published.relative_error(branches, expected) < 1e-13


@pytest.mark.parametrize("kernel_size", [3, 9])
def test_block_fuses_to_what_its_outputs_show(kernel_size: int):
    block = rep_conv(kernel_size)
    weight, bias = published.impulse_response(block, in_channels=3, size=kernel_size)
    block.fuse()
    assert published.relative_error(block.eval_conv.weight, weight) < 1e-13
    assert published.relative_error(block.eval_conv.bias, bias) < 1e-13


@pytest.mark.parametrize("kernel_size", [3, 9])
def test_block_zeros_go_around_the_image_not_around_the_mixed_maps(kernel_size: int):
    """The case that decides it: a black image, whose border must look like its inside."""
    block = rep_conv(kernel_size)
    black = torch.zeros(1, 3, 11, 11, dtype=torch.float64)
    with torch.no_grad():
        output = block(black)
        padded_later = block.full(black) + block.point(black)
        for first, second in block.chains:
            padded_later = padded_later + nn.functional.conv2d(
                first(black), second.weight, second.bias, padding=kernel_size // 2
            )
    assert published.relative_error(output, output[..., 5:6, 5:6].expand_as(output)) < 1e-14
    assert published.relative_error(padded_later, output) > 0.01


@pytest.mark.parametrize("kernel_size", [3, 9])
def test_train_mode_computes_the_same_with_the_same_gradients(kernel_size: int):
    block = rep_conv(kernel_size)
    image = torch.randn(2, 3, 10, 11, dtype=torch.float64)
    results = []
    for training in (False, True):
        block.train(training).zero_grad()
        output = block(image)
        output.square().sum().backward()
        results.append([output.detach(), *(p.grad.clone() for p in block.parameters())])
    for branches, merged in zip(*results, strict=True):
        assert published.relative_error(merged, branches) < 1e-12


def test_fresh_convolution_has_its_gain_in_both_forms():
    torch.manual_seed(0)
    noise = torch.randn(4, 32, 32, 32)
    with torch.no_grad():
        gains = [
            espan.GeneralRepConv(32, 32, 3, form, gain=2.0)(noise).std().item() for form in (False, True)
        ]
    assert gains == pytest.approx([2.0, 2.0], rel=0.1)
