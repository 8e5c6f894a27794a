"""What is particular to models/team31_AGDN-S.py and models/team43_AGDN.py: windows, training, blocks."""

from __future__ import annotations

import copy
import math
from types import ModuleType

import numpy as np
import published
import pytest
import torch
from released_networks import AGDN, AGDN_S, Released
from torch import nn

CASES = [pytest.param(case, id=case.checkpoint) for case in (AGDN_S, AGDN)]
WINDOW = {AGDN_S: 96, AGDN: 48}


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return published.load_model_file(AGDN_S.file)


def test_files_of_the_family_repeat_the_same_blocks() -> None:
    small, large = (published.definitions(case.file) for case in (AGDN_S, AGDN))
    assert small.keys() == large.keys()
    for block in small.keys() - {"AGDN"}:
        assert small[block] == large[block], block


# As the paper's Table 5 prints them.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "params_k", "flops_g"),
    [pytest.param(AGDN_S, 69, 3.7, id="agdn_s_x4"), pytest.param(AGDN, 293, 16.1, id="agdn_x4")],
)
def test_convolutions_alone_cost_what_the_paper_prints(case: Released, params_k: int, flops_g: float) -> None:
    model = case.build()
    analysis = published.fvcore_analysis(model, 180, 320)  # the LR of 1280x720
    assert round(analysis.by_operator()["conv"] / 1e9, 1) == flops_g
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert round(sum(p.numel() for m in convolutions for p in m.parameters()) / 1e3) == params_k


@pytest.mark.parametrize("case", CASES)
def test_mean_moves_with_the_network_and_is_not_in_its_checkpoint(case: Released) -> None:
    model = case.build()
    assert "mean" not in model.state_dict()
    assert model.mean.flatten().tolist() == pytest.approx([0.4488, 0.4371, 0.4040])
    assert model.double().mean.dtype == torch.float64


# --- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_crops_have_finite_gradients(value: float, autocast: bool) -> None:
    # No contrast and no variance anywhere, as in a crop of night sky: roots of zero must not give infinity.
    model = AGDN_S.build().train()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        loss = model(torch.full((2, 3, 32, 32), value)).float().abs().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_contrast_of_a_dead_channel_has_a_finite_gradient(module: ModuleType) -> None:
    attention = module.ContrastAttention(24)
    x = torch.zeros(1, 24, 8, 8, requires_grad=True)
    attention(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


@pytest.mark.slow
def test_a_few_steps_on_crops_lower_the_loss() -> None:
    model = AGDN_S.build().train()
    generator = torch.Generator().manual_seed(0)
    hr = nn.functional.interpolate(
        torch.rand(4, 3, 16, 16, generator=generator), scale_factor=8, mode="bicubic"
    )
    lr = nn.functional.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, betas=(0.9, 0.99))
    losses = []
    for _ in range(12):
        loss = (model(lr) - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0], losses


# --- attention in windows (test-time local conversion) ------------------------------------------


def attention_by_definition(qkv: np.ndarray, temperature: np.ndarray, heads: int) -> np.ndarray:
    """Attention over all pixels, channel by channel: (3C, H, W) to (C, H, W), float64."""
    channels, height, width = qkv.shape[0] // 3, *qkv.shape[1:]
    q, k, v = qkv.reshape(3, channels, height * width)
    out, size = np.zeros_like(v), channels // heads
    for i in range(channels):
        head = i // size
        for j in range(head * size, (head + 1) * size):
            cosine = q[i] @ k[j] / (np.linalg.norm(q[i]) * np.linalg.norm(k[j]))
            out[i] += max(0.0, cosine * temperature[head]) * v[j]
    return out.reshape(channels, height, width)


def starts_by_definition(length: int, window: int) -> list[int]:
    """Offsets as MODELS.md words them: ceil(n / k) windows, a step, the last one shifted back to the end."""
    count = math.ceil(length / window)
    step = math.ceil((length - window) / (count - 1)) if count > 1 else window
    return [min(i * step, length - window) for i in range(count)]


@pytest.mark.parametrize("window", [16, 48, 96])
def test_windows_cover_every_side_evenly(module: ModuleType, window: int) -> None:
    for length in range(window, window * 12):
        starts = module.window_starts(length, window)
        assert starts == starts_by_definition(length, window)
        assert starts[0] == 0 and starts[-1] == length - window
        gaps = [b - a for a, b in zip(starts, starts[1:], strict=False)]
        assert all(0 < gap <= window for gap in gaps)


@pytest.mark.parametrize(
    ("height", "width", "windows"), [(5, 7, 1), (8, 8, 1), (9, 8, 2), (6, 20, 3), (17, 23, 9)]
)
def test_attention_is_the_mean_over_windows(
    module: ModuleType, height: int, width: int, windows: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    attention = module.SparseAttention(6, window=8).double().eval()
    with torch.no_grad():
        attention.temperature.copy_(torch.rand(3, 1, 1, generator=generator) + 0.5)
    qkv = torch.randn(1, 18, height, width, generator=generator, dtype=torch.float64)
    side = (min(height, 8), min(width, 8))
    total, count = np.zeros((6, height, width)), np.zeros((height, width))
    corners = [
        (y, x) for y in starts_by_definition(height, side[0]) for x in starts_by_definition(width, side[1])
    ]
    for y, x in corners:
        inside = (slice(y, y + side[0]), slice(x, x + side[1]))
        part = attention_by_definition(
            qkv[0].numpy()[(slice(None), *inside)], attention.temperature.flatten().tolist(), 3
        )
        total[(slice(None), *inside)] += part
        count[inside] += 1
    assert len(corners) == windows
    with torch.inference_mode():
        found = attention.attend_in_windows(qkv)
    np.testing.assert_allclose(found[0].numpy(), total / count, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_training_attends_over_the_whole_crop(case: Released) -> None:
    model = case.build()
    whole = copy.deepcopy(model)
    for part in whole.modules():
        if hasattr(part, "window"):
            part.window = 10_000
    window = WINDOW[case]
    image = torch.rand(1, 3, window + 4, window)
    with torch.inference_mode():
        assert torch.equal(model.train()(image), whole(image))
        assert published.relative_error(model.eval()(image), whole(image)) > 1e-6
        inside = image[..., :window, :window]
        assert torch.equal(model(inside), whole(inside))


@pytest.mark.parametrize("case", CASES)
def test_a_batch_of_large_images_is_refused_at_inference_only(case: Released) -> None:
    model = case.build()
    window = WINDOW[case]
    large = torch.rand(2, 3, 20, window + 1)
    with pytest.raises(
        ValueError, match=rf"{window}x{window}.*needs batch 1; found batch 2 of 20x{window + 1}"
    ):
        model(large)
    with torch.inference_mode():
        assert model.train()(large).shape == (2, 3, 80, 4 * window + 4)
        model.eval()
        small = large[..., :window]
        apart = torch.cat([model(image[None]) for image in small])
        assert published.relative_error(model(small), apart) < 1e-5


# --- parts against other implementations --------------------------------------------------------


@pytest.mark.parametrize("window", [5, 7])
def test_local_variance_is_numpys(module: ModuleType, window: int) -> None:
    x = torch.randn(2, 3, 11, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = module.local_variance(x, window).numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    for row in range(found.shape[2]):
        for column in range(found.shape[3]):
            patch = padded[:, :, 3 * row : 3 * row + window, 3 * column : 3 * column + window]
            np.testing.assert_allclose(found[:, :, row, column], patch.var(axis=(2, 3), ddof=1), rtol=1e-12)
    assert found.shape == nn.MaxPool2d(window, 3, padding=1)(x).shape


def test_channel_norm_is_layer_norm(module: ModuleType) -> None:
    generator = torch.Generator().manual_seed(0)
    norm = module.ChannelNorm(24)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(24, generator=generator))
        norm.bias.copy_(torch.randn(24, generator=generator))
    x = 3 * torch.randn(2, 24, 5, 6, generator=generator) + 1
    expected = nn.functional.layer_norm(x.movedim(1, -1), (24,), norm.weight, norm.bias, 1e-5).movedim(-1, 1)
    assert published.relative_error(norm(x), expected) < 1e-6
