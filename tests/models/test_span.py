"""models/team38_SPAN.py against the published 28-channel checkpoint, and its two forms against each other."""

from __future__ import annotations

from pathlib import Path

import published
import pytest
import torch
from torch import nn

FILE = "team38_SPAN.py"
NAME = "span_ch28_x4"
# The NTIRE 2024 report's Table 1 and the NTIRE 2026 baseline: 0.151 M, 9.83 G.
PARAMETERS = 150_688
FLOPS = 9_833_807_872

span = published.load_model_file(FILE)


@pytest.fixture(scope="module")
def network(shared: Path) -> nn.Module:
    """The published network."""
    model = span.SPAN()
    model.load_state_dict(published.published_state(shared, NAME), strict=True)
    return model.eval()


def test_file_stands_alone_and_declares_itself():
    assert published.imported_packages(FILE) == {"torch"}
    assert published.declaration(FILE) == {"model": "SPAN", "data_range": 1}


def test_costs_are_the_published_ones():
    model = span.SPAN()
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
        k: v.shape for k, v in span.SPAN().state_dict().items()
    }


@pytest.mark.shared
def test_reproduces_the_released_network(shared: Path, network: nn.Module):
    reference = published.reference(shared, NAME)
    with torch.inference_mode():
        output = network(reference["input"])
    assert published.relative_error(output, reference["output"]) < 1e-5
    errors = published.module_errors(network, reference)
    assert {"conv_1", "block_1.c3_r", "conv_2", "conv_cat"} <= set(errors)
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.shared
def test_set5_psnr(shared: Path, network: nn.Module):
    # ../shared/MODELS.md, "Values to reproduce"; measured here with scikit-image.
    assert published.set5_psnr(shared, network, data_range=1) == pytest.approx((31.7390, 29.8483), abs=1e-3)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("variant", "psnr_y_db"), [("output of block 5", 25.74), ("activation after the head", 20.32)]
)
def test_the_report_is_not_what_was_released(
    shared: Path, network: nn.Module, variant: str, psnr_y_db: float
):
    """The docstring's account of equation 4: built as the report has it, the checkpoint does far worse."""

    class AsReported(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            head = network.conv_1((x - network.mean) * 255)
            if variant == "activation after the head":
                head = nn.functional.silu(head)
            outputs = [head]
            for number in range(1, 7):
                output, first = getattr(network, f"block_{number}")(outputs[-1])
                outputs.append(output)
            if variant == "output of block 5":
                first = outputs[5]
            joined = torch.cat((head, network.conv_2(outputs[6]), outputs[1], first), dim=1)
            return network.upsampler(network.conv_cat(joined))

    # Measured here, the figures of the docstring; the released form gives 31.74.
    assert published.set5_psnr(shared, AsReported(), data_range=1)[0] == pytest.approx(psnr_y_db, abs=0.01)


@pytest.mark.parametrize(("height", "width"), [(57, 86), (17, 23), (1, 1)])
def test_any_size(height: int, width: int):
    with torch.inference_mode():
        output = span.SPAN().eval()(torch.rand(2, 3, height, width))
    assert output.shape == (2, 3, 4 * height, 4 * width)
    assert output.dtype == torch.float32
    assert output.isfinite().all()


def test_scale_and_width_are_arguments():
    with torch.inference_mode():
        output = span.SPAN(channels=16, upscale=2, deploy=False).fuse()(torch.rand(1, 3, 9, 12))
    assert output.shape == (1, 3, 18, 24)


def expanded_conv(deploy: bool = False, seed: int = 0) -> nn.Module:
    """A block of 3 to 5 channels in float64 with random biases, in eval mode."""
    torch.manual_seed(seed)
    return published.randomize(span.ExpandedConv(3, 5, deploy), seed).double().eval()


def test_block_is_one_convolution_up_to_the_border():
    block = expanded_conv()
    image = torch.randn(1, 3, 6, 7, dtype=torch.float64)
    weight, bias = published.impulse_response(block, in_channels=3, size=3)
    with torch.no_grad():
        branches = block(image)
    expected = nn.functional.conv2d(image, weight, bias, padding=1)
    assert published.relative_error(branches, expected) < 1e-13


def test_block_fuses_to_what_its_outputs_show():
    block = expanded_conv()
    weight, bias = published.impulse_response(block, in_channels=3, size=3)
    block.fuse()
    assert published.relative_error(block.eval_conv.weight, weight) < 1e-13
    assert published.relative_error(block.eval_conv.bias, bias) < 1e-13


def test_block_zeros_go_around_the_image_not_around_the_expanded_maps():
    """The case that decides it: a black image, whose border must look like its inside."""
    block = expanded_conv()
    black = torch.zeros(1, 3, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        output = block(black)
        padded_later = block.skip(black) + block.squeeze(
            nn.functional.conv2d(block.expand(black), block.middle.weight, block.middle.bias, padding=1)
        )
    assert published.relative_error(output, output[..., 2:3, 2:3].expand_as(output)) < 1e-14
    assert published.relative_error(padded_later, output) > 0.01


def test_train_mode_computes_the_same_with_the_same_gradients():
    block = expanded_conv()
    image = torch.randn(2, 3, 6, 7, dtype=torch.float64)
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
    noise = torch.randn(4, 28, 32, 32)
    with torch.no_grad():
        gains = [span.ExpandedConv(28, 28, deploy, gain=2.0)(noise).std().item() for deploy in (False, True)]
    assert gains == pytest.approx([2.0, 2.0], rel=0.1)


@pytest.mark.parametrize(
    ("dtype", "tolerance", "seed"),
    # float64 shows that merging is exact; in float32 the network makes much of its own rounding.
    [(torch.float32, 1e-5, 0), (torch.float64, 1e-12, 0), (torch.float64, 1e-12, 1)],
)
def test_fusing_keeps_the_output_and_gives_the_deploy_form(dtype: torch.dtype, tolerance: float, seed: int):
    torch.manual_seed(seed)
    trained = published.randomize(span.SPAN(deploy=False), seed).to(dtype).eval()
    image = torch.rand(2, 3, 17, 23, dtype=dtype)
    with torch.inference_mode():
        before = trained(image)
    fused = trained.fuse()
    assert fused is trained
    with torch.inference_mode():
        after = fused(image)
    assert published.relative_error(after, before) < tolerance

    deploy = span.SPAN().to(dtype).eval()
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
    model = span.SPAN(deploy=False).bfloat16().train().fuse()
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model.training and not any(module.training for module in model.eval().modules())


def test_what_fusing_saves():
    model = span.SPAN(deploy=False)
    # Per convolution of c channels: 1x1 skip, 1x1 c to 2c, 3x3 2c to 2c, 1x1 2c to c, against one 3x3.
    assert published.fvcore_flops(model) > 4 * FLOPS
    assert sum(p.numel() for p in model.parameters()) > 4 * PARAMETERS
    model.fuse()
    assert published.fvcore_flops(model) == FLOPS
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS


def test_a_step_of_training_reaches_every_parameter():
    torch.manual_seed(0)
    model = span.SPAN(deploy=False).train()
    (model(torch.rand(1, 3, 16, 16)) - torch.rand(1, 3, 64, 64)).abs().mean().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []
