"""From LR to SR through any network: padding, tiles, and what is no SR image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.declaration import TILE_OVERLAP
from ntire_bench.worker.network.pixels import to_tensor, to_uint8, write_planes
from ntire_bench.worker.network.upscaler import Upscaler, blame

FILE = Path("models/team05_Toy.py")


class Enlarge(nn.Module):
    """Nearest-neighbour enlargement of inputs whose sides are multiples of `window`."""

    def __init__(self, window=1, scale=4):
        super().__init__()
        self.window, self.scale = window, scale
        self.seen = []

    def forward(self, lr: Tensor) -> Tensor:
        self.seen.append(tuple(lr.shape[-2:]))
        if any(side % self.window for side in lr.shape[-2:]):
            raise RuntimeError(f"shape is invalid for windows of {self.window}")
        return functional.interpolate(lr, scale_factor=float(self.scale), mode="nearest")


class Floors(nn.Module):
    """A network that halves and doubles: sides that are no multiple come out smaller, without an error."""

    def forward(self, lr: Tensor) -> Tensor:
        half = functional.avg_pool2d(lr, 2)
        return functional.interpolate(half, scale_factor=8.0, mode="nearest")


class Gives(nn.Module):
    """Gives whatever a function makes of the right SR image."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, lr: Tensor):
        return self.change(functional.interpolate(lr, scale_factor=4.0, mode="nearest"))


FORMS = {
    "sparse": (lambda sr: sr.to_sparse(), "a dense tensor; found one of layout torch.sparse_coo"),
    "rows": (lambda sr: torch.sparse_csr_tensor([0, 1], [0], [1.0]), "a dense tensor; found one of layout"),
    "nested": (lambda sr: torch.nested.nested_tensor(list(sr)), "a dense tensor; found a nested one"),
    "mkldnn": (lambda sr: sr.to_mkldnn(), "a dense tensor; found one of layout torch._mkldnn"),
    "meta": (lambda sr: sr.to("meta"), "a tensor on cpu; found one on meta"),
    "a class": (lambda sr: sr.as_subclass(Own), "a torch.Tensor; found a Own"),
    "a parameter": (lambda sr: nn.Parameter(sr), "a torch.Tensor; found a Parameter"),
    "complex": (lambda sr: sr.to(torch.complex64), "floating point values; found torch.complex64"),
}


class Own(Tensor):
    """A class of tensors, whose operators may be anything."""


def upscaler(network, **options):
    return Upscaler(network, FILE, 4, torch.device("cpu"), **options)


def image(height, width):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def enlarged(lr):
    return functional.interpolate(lr, scale_factor=4.0, mode="nearest")


def refusal(network, lr=None, **options):
    with pytest.raises(SubmissionError) as caught:
        upscaler(network, **options).checked(image(32, 32) if lr is None else lr)
    message = str(caught.value)
    assert message.startswith("models/team05_Toy.py: ")
    assert "Remedy: " in message
    return message


SIZES = [(64, 64), (63, 65), (40, 57), (17, 120), (9, 5)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("window", [1, 2, 4, 8, 16])
def test_padding_is_found_and_the_output_cropped_back(window, size):
    lr = image(*size)
    up = upscaler(Enlarge(window))
    assert torch.equal(up.checked(lr), enlarged(lr))  # padding is cut off again, to the pixel
    assert up.pad(lr).shape[-2:] == tuple(-(-side // window) * window for side in size)


@pytest.mark.parametrize("window", [4, 8, 16])
def test_each_size_is_padded_as_it_needs(window):
    up = upscaler(Enlarge(window))
    for size in SIZES + SIZES[::-1]:
        lr = image(*size)
        assert torch.equal(up.checked(lr), enlarged(lr))
    for size in SIZES:  # and stays so, whatever came later
        assert up.pad(image(*size)).shape[-2:] == tuple(-(-side // window) * window for side in size)


def test_a_small_image_that_must_be_padded_leaves_the_others_as_they_are():
    class Small(nn.Module):
        def forward(self, lr):
            if min(lr.shape[-2:]) < 16:
                raise ValueError("too small for this network's pooling")
            return enlarged(lr)

    up = upscaler(Small())
    tiny, odd = image(12, 12), image(57, 86)
    assert torch.equal(up.checked(tiny), enlarged(tiny))
    assert torch.equal(up.checked(odd), enlarged(odd))
    assert up.pad(tiny).shape[-2:] == (16, 16)
    assert up.pad(odd) is odd


def test_an_output_of_the_wrong_size_leads_to_padding_too():
    up = upscaler(Floors())
    assert up.checked(image(33, 34)).shape == (1, 3, 132, 136)
    assert up.multiple(image(33, 34)) == 2


def test_padding_reflects_and_repeats_the_edge_where_the_image_is_too_small():
    lr = image(6, 20)
    up = upscaler(nn.Identity(), pad_to=8, pad_declared=True)
    assert torch.equal(up.pad(lr), functional.pad(lr, (0, 4, 0, 2), mode="reflect"))
    tiny = image(3, 20)
    assert torch.equal(up.pad(tiny), functional.pad(tiny, (0, 4, 0, 5), mode="replicate"))


def test_images_that_fit_are_not_copied():
    lr = image(16, 24)
    assert upscaler(nn.Identity(), pad_to=8).pad(lr) is lr


def test_declared_padding_is_final():
    message = refusal(Enlarge(16), image(24, 24), pad_to=8, pad_declared=True)
    assert "forward failed on an LR image of 24x24" in message
    assert "windows of 16" in message
    up = upscaler(Enlarge(12), pad_to=12, pad_declared=True)  # no power of two: must be declared
    assert torch.equal(up.checked(image(30, 31)), enlarged(image(30, 31)))


def test_a_window_that_is_no_power_of_two_must_be_declared_and_the_message_says_so():
    assert "declare pad_to" in refusal(Enlarge(12), image(30, 31))


def test_a_failed_search_changes_nothing():
    up = upscaler(Enlarge(12))
    with pytest.raises(SubmissionError):
        up.checked(image(30, 31))
    assert up.multiple(image(30, 31)) == 1


@pytest.mark.parametrize("pad_to", [None, 24])
def test_an_output_of_another_scale_is_told_by_its_size(pad_to):
    for scale in (2, 8):  # padded by 24, the crop of an output enlarged 8 times would look right
        message = refusal(Enlarge(scale=scale), image(20, 30), pad_to=pad_to, pad_declared=pad_to is not None)
        height, width = (20, 30) if pad_to is None else (24, 48)
        assert f"expected an SR image of 1x3x{4 * height}x{4 * width}" in message
        assert f"found 1x3x{scale * height}x{scale * width}" in message


@pytest.mark.parametrize(
    ("change", "expected", "found"),
    [
        (lambda sr: sr.half(), "float32", "torch.float16"),
        (lambda sr: sr.double(), "float32", "torch.float64"),
        (lambda sr: sr.mul(255).to(torch.uint8), "floating point values", "torch.uint8"),
        (lambda sr: sr.long(), "floating point values", "torch.int64"),
        (lambda sr: (sr, sr), "a torch.Tensor", "a tuple"),
        (lambda sr: [sr], "a torch.Tensor", "a list"),
        (lambda sr: {"sr": sr}, "a torch.Tensor", "a dict"),
        (lambda sr: None, "a torch.Tensor", "a NoneType"),
        (lambda sr: nn.Parameter(sr), "a torch.Tensor", "a Parameter"),
        (lambda sr: sr[0], "1x3x128x128", "3x128x128"),
        (lambda sr: sr[:, :1], "1x3x128x128", "1x1x128x128"),
        (lambda sr: sr.repeat(2, 1, 1, 1), "1x3x128x128", "2x3x128x128"),
        (lambda sr: sr[..., :-1], "1x3x128x128", "1x3x128x127"),
        (lambda sr: sr.masked_fill(sr > 0.5, float("nan")), "finite values", "of 49152 that are NaN"),
        (lambda sr: sr.masked_fill(sr == sr.max(), float("inf")), "finite values", "16 of 49152"),
        (lambda sr: sr.masked_fill(sr == sr.max(), -float("inf")), "finite values", "16 of 49152"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"pad_to": 24, "pad_declared": True}])
def test_what_is_no_sr_image_is_told_from_what_is(change, expected, found, options):
    message = refusal(Gives(change), **options)
    assert "forward gives no SR image" in message
    if not options:  # a padded image is checked at its padded size
        assert f"expected {expected}" in message.replace("an SR image of ", "")
        assert found in message


def test_large_finite_values_whose_sum_overflows_are_finite():
    up = upscaler(Gives(lambda sr: torch.full_like(sr, 3e38)))
    assert float(up.checked(image(8, 8)).max()) == pytest.approx(3e38)


def test_an_exception_is_told_with_file_and_line(tmp_path):
    file = tmp_path / "team05_Boom.py"
    file.write_text("def forward(x):\n    y = x * 2\n    return y[5][0]\n", encoding="utf-8")
    scope: dict = {}
    exec(compile(file.read_text(encoding="utf-8"), file, "exec"), scope)
    network = Gives(scope["forward"])
    with pytest.raises(SubmissionError) as caught:
        Upscaler(network, file, 4, torch.device("cpu")).checked(image(32, 32))
    message = str(caught.value)
    assert "forward failed on an LR image of 32x32" in message
    assert "IndexError" in message
    assert "(team05_Boom.py, line 3)" in message
    assert isinstance(caught.value.__cause__, IndexError)


def test_only_the_first_line_of_a_long_exception_is_told():
    assert blame(RuntimeError("first\nsecond")) == "RuntimeError: first"
    assert blame(KeyError()) == "KeyError"


def test_a_replaced_forward_is_what_runs():
    lr = image(8, 8)
    assert torch.equal(upscaler(Enlarge(16)).checked(lr, lambda x: enlarged(x) + 1), enlarged(lr) + 1)


# Tiles


@pytest.mark.parametrize("size", [(64, 64), (65, 64), (100, 190), (40, 130), (30, 30)])
def test_tiles_of_a_local_network_give_the_whole_image(size):
    lr = image(*size)
    network = Enlarge()
    assert torch.allclose(upscaler(network, tile=64).checked(lr), enlarged(lr), atol=1e-6)
    assert all(height <= 64 and width <= 64 for height, width in network.seen)


def test_tiles_overlap_and_end_at_the_edge():
    network = Enlarge()
    upscaler(network, tile=64).checked(image(64, 100))
    assert network.seen == [(64, 64)] * 3  # from columns 0, 32 and 36


def test_overlaps_are_averaged():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, lr):
            self.calls += 1
            return torch.full_like(enlarged(lr), float(self.calls))

    sr = upscaler(Counts(), tile=64).forward(image(64, 96))  # tiles from columns 0 and 32
    assert sr[0, 0, 0, ::128].tolist() == [1.0, 1.5, 2.0]
    assert torch.equal(sr[..., 128:256], torch.full((1, 3, 256, 128), 1.5))


def test_tiles_are_padded_like_images():
    lr = image(70, 70)
    up = upscaler(Enlarge(16), tile=40)
    assert torch.allclose(up.checked(lr), enlarged(lr), atol=1e-6)
    assert up.multiple(lr) in (8, 16)  # 40 to 48 by either


@pytest.mark.parametrize("change", [lambda sr: sr.half(), lambda sr: sr[..., ::2, ::2], lambda sr: (sr, sr)])
def test_tiles_hide_no_wrong_output(change):
    assert "forward gives no SR image" in refusal(Gives(change), image(100, 100), tile=64)


def test_tile_overlap_is_the_challenges():
    assert TILE_OVERLAP == 32


# 8-bit images


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_every_8_bit_value_survives_the_way_through(data_range):
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    tensor = to_tensor(values, data_range)
    assert tensor.shape == (1, 3, 16, 16)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert float(tensor.max()) == data_range
    assert np.array_equal(to_uint8(tensor, data_range).numpy(), values)


def test_output_is_clamped_and_rounded_once():
    values = torch.tensor([-3.0, 0.49, 0.51, 1.5, 2.5, 254.4, 300.0]).reshape(1, 1, 1, 7).repeat(1, 3, 1, 1)
    assert to_uint8(values, 255.0)[0, :, 0].tolist() == [0, 0, 1, 2, 2, 254, 255]


@pytest.mark.parametrize("data_range", [1.0, 255.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 3), (64, 80), (300, 700), (2, 140_000)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_planes_hold_what_the_image_holds(data_range, height, width, layout):
    """Against NumPy: halves, values out of range, and sizes of less than a block, of one, of several."""
    random = np.random.default_rng(height)
    values = random.integers(-40, 600, (1, 3, height, width)).astype(np.float32) / 2 * (data_range / 255)
    output = torch.from_numpy(values).contiguous(memory_format=layout)
    buffer = torch.full((3 * height * width + 5,), 7, dtype=torch.uint8)
    write_planes(output, data_range, buffer)
    expected = (values[0].clip(0, data_range) * np.float32(255 / data_range)).round().astype(np.uint8)
    assert np.array_equal(buffer[:-5].reshape(3, height, width).numpy(), expected)
    assert buffer[-5:].tolist() == [7] * 5
    assert np.array_equal(to_uint8(output, data_range).permute(2, 0, 1).numpy(), expected)
    assert np.array_equal(output.numpy(), values)  # it stays as it is


def test_the_tensor_given_is_not_changed():
    output = torch.full((1, 3, 2, 2), 2.0)
    to_uint8(output, 1.0)
    to_uint8(output, 255.0)
    assert float(output.min()) == 2.0


@pytest.mark.filterwarnings("ignore:.*(nested|[Ss]parse).*:UserWarning")
@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_tensors_are_no_sr_image(form):
    change, message = FORMS[form]
    with torch.no_grad(), pytest.raises(SubmissionError) as caught:
        upscaler(Gives(change)).checked(image(8, 12))
    assert f"expected {message}" in str(caught.value)
