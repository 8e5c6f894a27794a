"""PSNR and SSIM against scikit-image, against direct definitions and against published tables."""

from __future__ import annotations

import importlib.util
import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ntire_bench.data.images import modcrop, read_png
from ntire_bench.metrics.psnr import psnr
from ntire_bench.metrics.ssim import ssim_rgb, ssim_y

TIGHT = 1e-9


def luma(image: np.ndarray) -> np.ndarray:
    """Y of MATLAB's rgb2ycbcr for uint8, before it is rounded: written out pixel by pixel plane."""
    red, green, blue = (image[..., k].astype(np.float64) for k in range(3))
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def inside(image: np.ndarray, border: int) -> np.ndarray:
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def skimage_ssim(x: np.ndarray, y: np.ndarray) -> float:
    return structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )


def noisy(image: np.ndarray, amplitude: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-amplitude, amplitude + 1, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def blurred(image: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    small = picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.BOX)
    return np.asarray(small.resize(picture.size, Image.Resampling.BILINEAR))


def make_pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(7)
    pairs = {}
    for height, width in ((19, 19), (27, 64), (75, 43), (120, 121)):
        size = (height, width, 3)
        pairs[f"random {height}x{width}"] = tuple(rng.integers(0, 256, (2, *size), dtype=np.uint8))
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        photograph = getattr(data, name)()[40:280, 60:361]
        pairs[f"{name}, noise 1"] = (noisy(photograph, 1), photograph)
        pairs[f"{name}, noise 40"] = (noisy(photograph, 40), photograph)
        pairs[f"{name}, blurred"] = (blurred(photograph), photograph)
    photograph = data.chelsea()
    pairs["one pixel"] = (photograph.copy(), photograph)
    pairs["one pixel"][0][100, 100, 2] ^= 1
    pairs["black and white"] = (np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8))
    # A photograph on its side is a view with other strides, as a slice of a decoded image is.
    pairs["views"] = (noisy(photograph, 9).transpose(1, 0, 2)[3:], photograph.transpose(1, 0, 2)[3:])
    # More than one block of rows and columns, and blocks of a single window's width.
    wide = np.tile(data.coffee(), (1, 2, 1))[:276, :1046]
    pairs["several blocks"] = (noisy(wide, 5), wide)
    for name, level in (("black", 0), ("white", 255), ("nearly white", 250)):
        flat = np.full((60, 300, 3), level, np.uint8)
        pairs[f"{name}, noise 3"] = (noisy(flat, 3), flat)
    edge = np.zeros((60, 300, 3), np.uint8)
    edge[:, 150:] = 255
    pairs["edge, noise 1"] = (noisy(edge, 1), edge)
    return pairs


PAIRS = make_pairs()


@pytest.mark.parametrize("border", [0, 4])
@pytest.mark.parametrize("name", PAIRS)
def test_agrees_with_scikit_image(name: str, border: int) -> None:
    sr, hr = PAIRS[name]
    a, b = inside(sr, border), inside(hr, border)
    value = psnr(sr, hr, border)
    assert value.rgb_db == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), abs=TIGHT)
    assert value.y_db == pytest.approx(peak_signal_noise_ratio(luma(b), luma(a), data_range=255), abs=TIGHT)
    assert ssim_y(sr, hr, border) == pytest.approx(skimage_ssim(luma(a), luma(b)), abs=TIGHT)
    channels = [skimage_ssim(a[..., k].astype(np.float64), b[..., k].astype(np.float64)) for k in range(3)]
    assert ssim_rgb(sr, hr, border) == pytest.approx(np.mean(channels), abs=TIGHT)


def test_ssim_is_its_definition_on_one_window() -> None:
    # Inside the border 19x19 leaves exactly one window: the formula of Wang et al. 2004, written out.
    sr, hr = PAIRS["random 19x19"]
    x, y = luma(inside(sr, 4)), luma(inside(hr, 4))
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    mean_x, mean_y = (window * x).sum(), (window * y).sum()
    var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
    covariance = (window * (x - mean_x) * (y - mean_y)).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    expected /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    assert ssim_y(sr, hr) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("value", [0, 1, 137, 255])
def test_equal_images_are_infinite_and_one(value: int) -> None:
    image = np.full((37, 70, 3), value, np.uint8)
    assert psnr(image, image.copy()) == (math.inf, math.inf)
    assert ssim_y(image, image.copy()) == 1.0
    assert ssim_rgb(image, image.copy()) == 1.0


def test_large_sums_are_exact() -> None:
    # 2K, differences up to 255 of both signs: every sum is checked against Python's integers.
    rng = np.random.default_rng(3)
    sr, hr = rng.integers(0, 256, (2, 1356, 2040, 3), dtype=np.uint8)
    difference = inside(sr, 4).astype(np.int64) - inside(hr, 4)
    pixels = difference.shape[0] * difference.shape[1]
    rgb = Fraction(255**2 * 3 * pixels, int((difference**2).sum()))
    # |65481 r + 128553 g + 24966 b| <= 5.6e7, so its square needs splitting before it is summed in int64.
    weighted = np.abs(difference @ np.array([65_481, 128_553, 24_966]))
    high, low = weighted >> 16, weighted & 0xFFFF
    squares = (int((high * high).sum()) << 32) + (int((high * low).sum()) << 17) + int((low * low).sum())
    y = Fraction(255**2 * 255_000**2 * pixels, squares)
    assert psnr(sr, hr) == (10 * math.log10(y), 10 * math.log10(rgb))


@pytest.mark.parametrize("size", [(1, 1), (64, 3), (65, 1021), (200, 2040), (7, 40_000)])
@pytest.mark.parametrize("kind", ["random", "largest", "one"])
def test_sums_are_exact_at_any_size(size: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(11)
    sr, hr = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    if kind == "largest":
        sr, hr = np.full_like(hr, 255), np.zeros_like(hr)
        sr[..., 1], hr[..., 1] = 0, 255  # products of both signs
    elif kind == "one":
        sr = hr.copy()
        sr[-1, -1] ^= 1
    difference = sr.astype(np.int64) - hr
    gram = [[int((difference[..., i] * difference[..., j]).sum()) for j in range(3)] for i in range(3)]
    weights = (65_481, 128_553, 24_966)
    y_error = sum(weights[i] * weights[j] * gram[i][j] for i in range(3) for j in range(3))
    pixels = size[0] * size[1]
    y = 10 * math.log10(Fraction(255**2 * 255_000**2 * pixels, y_error))
    assert psnr(sr, hr, 0) == (
        y,
        10 * math.log10(Fraction(255**2 * 3 * pixels, sum(gram[i][i] for i in range(3)))),
    )


def test_many_threads_get_the_same_values() -> None:
    names = list(PAIRS)
    alone = [(psnr(*PAIRS[name]), ssim_y(*PAIRS[name])) for name in names]
    with ThreadPoolExecutor(4) as pool:
        values = pool.map(lambda name: (psnr(*PAIRS[name]), ssim_y(*PAIRS[name])), names * 3)
        assert list(values) == alone * 3


def test_luma_that_cancels_is_no_difference() -> None:
    # 65481 * 15 - 128553 * 9 + 24966 * 7 = 0: Y is equal though RGB is not. Sums in floating point would
    # leave a rest, and with it a finite PSNR of some 300 dB that could enter a mean unnoticed.
    hr = np.full((20, 20, 3), (100, 100, 100), np.uint8)
    sr = np.full((20, 20, 3), (115, 91, 107), np.uint8)
    value = psnr(sr, hr)
    assert value.y_db == math.inf
    assert value.rgb_db == pytest.approx(10 * math.log10(255**2 * 3 / (15**2 + 9**2 + 7**2)), abs=TIGHT)


images = arrays(np.uint8, st.tuples(st.integers(19, 40), st.integers(19, 40), st.just(3)))


@settings(max_examples=40, deadline=None)
@given(hr=images, seed=st.integers(0, 2**32 - 1), border=st.integers(0, 4))
def test_properties(hr: np.ndarray, seed: int, border: int) -> None:
    sr = np.random.default_rng(seed).integers(0, 256, hr.shape, dtype=np.uint8)
    value = psnr(sr, hr, border)
    assert psnr(hr, sr, border) == value
    assert -1 <= ssim_y(sr, hr, border) <= 1
    assert ssim_y(hr, sr, border) == pytest.approx(ssim_y(sr, hr, border), abs=1e-12)
    # What lies in the border does not count, and what lies inside does.
    changed = np.random.default_rng(seed + 1).integers(0, 256, hr.shape, dtype=np.uint8)
    changed[border : hr.shape[0] - border, border : hr.shape[1] - border] = inside(sr, border)
    assert psnr(changed, hr, border) == value
    assert ssim_y(changed, hr, border) == ssim_y(sr, hr, border)
    changed[border, border] ^= 128
    assert psnr(changed, hr, border) != value


@pytest.mark.parametrize("metric", [psnr, ssim_y, ssim_rgb])
@pytest.mark.parametrize(
    ("sr", "hr", "border", "message"),
    [
        (np.zeros((32, 32, 3)), np.zeros((32, 32, 3), np.uint8), 4, "sr: expected .* float64"),
        (np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), np.uint8), 4, "hr: expected"),
        (np.zeros((32, 32, 4), np.uint8), np.zeros((32, 32, 4), np.uint8), 4, "sr: expected"),
        (np.zeros((32, 32, 3), np.uint8), np.zeros((32, 36, 3), np.uint8), 4, "differ in shape"),
        (np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3), np.uint8), -1, "negative"),
        (np.zeros((8, 32, 3), np.uint8), np.zeros((8, 32, 3), np.uint8), 4, "too small"),
    ],
)
def test_wrong_calls(metric, sr: np.ndarray, hr: np.ndarray, border: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric(sr, hr, border)


def test_smallest_images() -> None:
    hr = np.random.default_rng(0).integers(0, 256, (19, 19, 3), dtype=np.uint8)
    sr = noisy(hr, 20)
    assert psnr(sr[:9, :9], hr[:9, :9]).rgb_db == peak_signal_noise_ratio(
        hr[4:5, 4:5], sr[4:5, 4:5], data_range=255
    )
    with pytest.raises(ValueError, match="at least 19 pixels a side"):
        ssim_y(sr[:18], hr[:18])


# --- published values -------------------------------------------------------------------------------------


def matlab_bicubic(image: np.ndarray, scale: int, *, enlarge: bool, axis: int) -> np.ndarray:
    """MATLAB's imresize 'bicubic' along one axis in float64: a = -0.5, antialiased, mirrored at the edges."""
    count = image.shape[axis]
    kernel_scale = 1 if enlarge else scale
    outputs = np.arange(count * scale if enlarge else count // scale)
    centre = (outputs + 0.5) / scale - 0.5 if enlarge else (outputs + 0.5) * scale - 0.5
    reach = 2 * kernel_scale + 1
    index = np.floor(centre)[:, None] + np.arange(-reach, reach + 1)
    x = np.abs(centre[:, None] - index) / kernel_scale
    weights = np.where(
        x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x <= 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0)
    )
    weights /= weights.sum(axis=1, keepdims=True)
    index = index.astype(int) % (2 * count)
    index = np.where(index >= count, 2 * count - 1 - index, index)
    rows = np.moveaxis(image, axis, 0).astype(np.float64)
    return np.moveaxis(np.einsum("ok,ok...->o...", weights, rows[index]), 0, axis)


def to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)


def set5(shared: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """(LR, HR) of the five images."""
    folder = shared / "data" / "Set5"
    hr_files = sorted((folder / "HR").glob("*.png"))
    assert len(hr_files) == 5
    return [(read_png(folder / "LR_x4" / f"{hr.stem}x4.png"), modcrop(read_png(hr), 4)) for hr in hr_files]


@pytest.mark.shared
def test_published_bicubic_on_set5(shared: Path) -> None:
    # 28.42 dB / 0.8104: bicubic on Set5 x4, LKDN (2023), Table 5. Both come out where Y is rounded to 8 bits
    # first, scaled down and up again without rounding in between, and rounded at the end. Such a plane as a
    # grey picture makes the metric on RGB the metric on that plane.
    values, similarities = [], []
    for _, hr in set5(shared):
        y = to_uint8(luma(hr))
        down = matlab_bicubic(matlab_bicubic(y, 4, enlarge=False, axis=0), 4, enlarge=False, axis=1)
        up = to_uint8(matlab_bicubic(matlab_bicubic(down, 4, enlarge=True, axis=0), 4, enlarge=True, axis=1))
        grey_sr, grey_hr = (np.stack([plane] * 3, axis=-1) for plane in (up, y))
        values.append(psnr(grey_sr, grey_hr).rgb_db)
        similarities.append(ssim_rgb(grey_sr, grey_hr))
    assert round(float(np.mean(values)), 2) == 28.42
    assert round(float(np.mean(similarities)), 4) == 0.8104


@pytest.mark.shared
def test_bicubic_on_set5_in_rgb_is_near_the_published(shared: Path) -> None:
    # The published 8-bit LR images enlarged in RGB, and Y kept in floating point as for networks: a hundredth
    # of a dB and a thousandth of SSIM above the row of the test before.
    values, similarities = [], []
    for lr, hr in set5(shared):
        down = to_uint8(matlab_bicubic(lr, 4, enlarge=True, axis=0))
        sr = to_uint8(matlab_bicubic(down, 4, enlarge=True, axis=1))
        values.append(psnr(sr, hr).y_db)
        similarities.append(ssim_y(sr, hr))
    assert float(np.mean(values)) == pytest.approx(28.42, abs=0.01)
    assert float(np.mean(similarities)) == pytest.approx(0.8104, abs=0.001)


@pytest.mark.shared
@pytest.mark.slow
def test_published_network_on_set5(shared: Path, root: Path) -> None:
    # RLFN (2022), table of x4 on Set5: 32.24 / 0.8952; the released checkpoint is known to give 32.2379 dB.
    torch = pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("team00_RLFN", root / "models" / "team00_RLFN.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.RLFN(blocks=6, channels=52, middle=52).eval()
    network.load_state_dict(torch.load(shared / "weights" / "rlfn_x4.pth", "cpu", weights_only=True))
    values, similarities = [], []
    for lr, hr in set5(shared):
        with torch.inference_mode():
            out = network(torch.from_numpy(lr.transpose(2, 0, 1)[None].astype(np.float32)))[0]
        sr = out.clamp(0, 255).round().to(torch.uint8).numpy().transpose(1, 2, 0)
        values.append(psnr(sr, hr).y_db)
        similarities.append(ssim_y(sr, hr))
    assert float(np.mean(values)) == pytest.approx(32.2379, abs=0.001)
    assert float(np.mean(similarities)) == pytest.approx(0.8952, abs=0.0001)
