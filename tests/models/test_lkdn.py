"""The blocks of models/team42_LKDN.py and models/team39_LKDN-S.py, and merging the latter's branches."""

from __future__ import annotations

import copy
from pathlib import Path

import published
import pytest
import torch
from released_networks import LKDN, LKDN_S, LKDN_S_TRAINING
from torch import nn


def test_files_of_the_family_repeat_the_same_blocks() -> None:
    small, large = (published.definitions(network.file) for network in (LKDN_S, LKDN))
    repeated = small.keys() & large.keys() - {"LKDN"}
    assert repeated == {"BSConv", "LKA", "LKDB"}
    for block in repeated:
        assert small[block] == large[block], block


# --- merging ------------------------------------------------------------------------------------


def randomized(dtype: torch.dtype = torch.float64) -> nn.Module:
    """Return the training form with weights far from any that a wrong merge could get away with.

    What a merge forgets, a bias for one, is of the size of what it keeps.
    """
    model = LKDN_S_TRAINING.build()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = max(1, parameter[0].numel())
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
    return model.to(dtype)


def merged(model: nn.Module) -> nn.Module:
    """Return a merged copy."""
    model = copy.deepcopy(model)
    model.fuse()
    return model


@pytest.mark.shared
def test_merging_gives_the_released_merged_network(shared: Path) -> None:
    model = merged(LKDN_S_TRAINING.load(shared))
    stored, released = published.reference(shared, LKDN_S.checkpoint), LKDN_S.load(shared).state_dict()
    found = model.state_dict()
    assert list(found) == list(released)
    for key, value in released.items():
        assert published.relative_error(found[key], value) < 1e-6, key  # measured: 2.3e-7 at most
    with torch.inference_mode():
        output = model(stored["input"])
    # 1e-4 is what is asked of a merge; weights that agree to rounding leave less.
    assert published.relative_error(output, stored["output"]) < 1e-5


@pytest.mark.shared
@pytest.mark.slow
def test_merging_changes_no_quality(shared: Path) -> None:
    pairs = published.set5(shared, merged(LKDN_S_TRAINING.load(shared)), 1)
    assert published.psnr_db(pairs) == pytest.approx(LKDN_S.set5_db, abs=1e-3)


def test_merged_is_the_inference_form() -> None:
    model, plain = merged(randomized(torch.float32)), LKDN_S.build()
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in plain.state_dict().items()
    }
    assert list(model.state_dict()) == list(plain.state_dict())
    assert [(n, type(m).__name__) for n, m in model.named_modules()] == [
        (n, type(m).__name__) for n, m in plain.named_modules()
    ]
    plain.load_state_dict(model.state_dict(), strict=True)
    image = torch.rand(1, 3, 17, 23)
    with torch.inference_mode():
        assert torch.equal(plain(image), model(image))
    assert published.fvcore_flops(model) == LKDN_S.flops


@pytest.mark.parametrize(("height", "width"), [(24, 31), (3, 5), (1, 1)])
def test_merged_computes_the_same_from_any_weights(height: int, width: int) -> None:
    # The smaller the image, the more of it is border, where padding could go wrong.
    model = randomized()
    image = torch.rand(2, 3, height, width, dtype=torch.float64)
    with torch.inference_mode():
        before, after = model(image), merged(model)(image)
    assert published.relative_error(after, before) < 1e-11


def test_each_merged_part_computes_the_same_up_to_the_border() -> None:
    model = randomized()
    image = torch.randn(2, 42, 6, 7, dtype=torch.float64)
    for name in ("B1.c1_r", "B5.c3_r", "upsampler"):
        part = model.get_submodule(name)
        with torch.inference_mode():
            before, after = part(image), part.merged()(image)
        assert published.relative_error(after, before) < 1e-13, name


def test_merging_rounds_once() -> None:
    single = randomized(torch.float32)
    exact = merged(copy.deepcopy(single).double()).state_dict()
    for key, value in merged(single).state_dict().items():
        assert torch.equal(value, exact[key].float()), key


def test_merging_keeps_type_and_mode() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        for training in (True, False):
            model = merged(randomized(dtype).train(training))
            assert {p.dtype for p in model.parameters()} == {dtype}
            assert {m.training for m in model.modules()} == {training}
    assert all(p.requires_grad and p.is_leaf for p in model.parameters())


def test_merging_what_is_merged_changes_nothing() -> None:
    for model in (LKDN_S.build(), merged(randomized())):
        again = merged(model)
        assert list(again.state_dict()) == list(model.state_dict())
        for key, value in model.state_dict().items():
            assert torch.equal(again.state_dict()[key], value), key
