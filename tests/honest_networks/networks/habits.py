"""Ways of writing networks: weights that are tied, masked, copied or merged, and torch's own helpers."""

from __future__ import annotations

import torch
from honest import AROUND, SCALE, WIDTH, Residual, honest, joined, padded, windows
from torch import Tensor, nn
from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver
from torch.func import functional_call, vmap
from torch.nn import functional
from torch.nn.utils import parametrize, prune

FULL = 9 * WIDTH * WIDTH
POINT = WIDTH * WIDTH
SIDE = 16


def conv(inside: int = WIDTH, outside: int = WIDTH, kernel: int = 3, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, kernel, padding=kernel // 2, **options)


@honest(FULL, undeclared=FULL, warns="params-undeclared")
class MergedIntoBuffer(nn.Module):
    """RepVGG as it is deployed, whose merged kernel was registered as a buffer by mistake."""

    def __init__(self) -> None:
        super().__init__()
        wide, point = conv(), conv(kernel=1)
        kernel = wide.weight.detach() + functional.pad(point.weight.detach(), (1, 1, 1, 1))
        self.register_buffer("kernel", kernel)
        self.bias = nn.Parameter(wide.bias.detach() + point.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(functional.conv2d(x, self.kernel, self.bias, padding=1))


@honest(2 * FULL + 2 * POINT)
class MergedAtFirst(nn.Module):
    """Branches that are merged when the first image comes, and kept beside their parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.ModuleList(conv(bias=False) for _ in range(2))
        self.point = nn.ModuleList(conv(kernel=1, bias=False) for _ in range(2))
        self.kept: list[Tensor] = []
        self.mix = nn.ModuleList(conv(kernel=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        if not self.kept:
            pairs = zip(self.wide, self.point, strict=True)
            self.kept = [wide.weight + functional.pad(point.weight, (1, 1, 1, 1)) for wide, point in pairs]
        for kernel, mix in zip(self.kept, self.mix, strict=True):
            x = mix(torch.relu(functional.conv2d(x, kernel, padding=1)))
        return x


@honest(2 * FULL)
class Tied(nn.Module):
    """A kernel and its transpose: the way back has the weights of the way there."""

    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = conv(), nn.ConvTranspose2d(WIDTH, WIDTH, 3, padding=1)
        self.back.weight = self.there.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.back(functional.gelu(self.there(x)))


class Symmetric(nn.Module):
    """A kernel and its mirrors."""

    def forward(self, weight: Tensor) -> Tensor:
        return (weight + weight.flip(-1) + weight.flip(-2) + weight.flip(-1, -2)) / 4


@honest(FULL)
class Parametrized(nn.Module):
    """Kernels that torch's parametrization makes the same in a mirror."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv()
        parametrize.register_parametrization(self.mix, "weight", Symmetric())

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.mix(x))


@honest(2 * FULL)
class PrunedByMask(nn.Module):
    """A third of the weights is zero by torch's own masks: buffers, each as large as its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Sequential(conv(), nn.ReLU(), conv())
        for one in (self.mix[0], self.mix[2]):
            prune.random_unstructured(one, "weight", 0.33)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x)


@honest(33 * 9 * WIDTH)
class ManyNorms(nn.Module):
    """33 depth-wise convolutions with a norm each, whose statistics are 1,056 values in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList(conv(groups=WIDTH, bias=False) for _ in range(33))
        self.norms = nn.ModuleList(nn.BatchNorm2d(WIDTH) for _ in range(33))
        for norm in self.norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        for step, norm in zip(self.steps, self.norms, strict=True):
            x = x + torch.relu(norm(step(x)))
        return x


@honest(FULL)
class Shadow(nn.Module):
    """Averaged copies of the weights and the last features are kept, and take no part in the image."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv()
        self.averaged = {name: value.detach().clone() * 0.9 for name, value in self.mix.named_parameters()}
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.last = torch.relu(self.mix(x))
        return self.last


def smooth_step(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.7 * x)


class Step(torch.autograd.Function):
    """Rounds, with a gradient of its own."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.round(x * 16) / 16

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


@honest(FULL)
class OwnFunction(nn.Module):
    """Features are rounded by an autograd.Function of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv()

    def forward(self, x: Tensor) -> Tensor:
        return smooth_step(self.mix(Step.apply(x)))


@honest(4 * FULL)
class Ensemble(nn.Module):
    """Four kernels at once by torch.func.vmap, whose results are averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = nn.Parameter(torch.randn(4, WIDTH, WIDTH, 3, 3) / 12)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(vmap(lambda kernel: functional.conv2d(x, kernel, padding=1))(self.kernels)).mean(0)


@honest(2 * FULL, warns="flops-not-traced")
class Functional(nn.Module):
    """One module, run with two sets of parameters by torch.func.functional_call."""

    def __init__(self) -> None:
        super().__init__()
        self.template = [conv()]  # in a list: its own parameters are not the network's
        self.first, self.second = conv(), conv()

    def forward(self, x: Tensor) -> Tensor:
        for one in (self.first, self.second):
            x = functional.silu(functional_call(self.template[0], dict(one.named_parameters()), (x,)))
        return x


@honest(FULL)
class Observed(nn.Module):
    """Weights and features are rounded by torch's observers of eight bits, whose ranges are fixed."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv()
        self.features, self.weights = (
            FakeQuantize(MovingAverageMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8)
            for _ in range(2)
        )
        self.features(torch.linspace(-4, 4, 64))
        self.weights(self.mix.weight.detach())
        for one in (self.features, self.weights):
            one.disable_observer()

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weights(self.mix.weight)
        return torch.relu(functional.conv2d(self.features(x), kernel, self.mix.bias, padding=1))


# Of windows of 16x16, each channel's spectrum has 16x9 complex numbers. There and back it takes twice
# 2.5 x 256 x 8, and each number is multiplied by a complex weight: 4 multiplications.
SPECTRUM = SIDE * (SIDE // 2 + 1)
SPECTRAL = WIDTH * (2 * 2.5 * 8 + 4 * SPECTRUM / SIDE**2)


@honest(
    SPECTRAL + FULL,
    by_hand=SPECTRAL,
    undeclared=WIDTH * SPECTRUM,
    warns="flops-by-hand params-wide",
)
class ComplexFilter(nn.Module):
    """Spectra of windows times learned complex weights, as in GFNet: each of them is two values."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.randn(WIDTH, SIDE, SIDE // 2 + 1, dtype=torch.complex64) / 16)
        self.mix = conv()

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(x, SIDE)
        parts = windows(y, SIDE, SIDE).transpose(1, 2).reshape(-1, WIDTH, SIDE, SIDE)
        parts = torch.fft.irfft2(torch.fft.rfft2(parts) * self.gain, s=(SIDE, SIDE))
        y = joined(parts.flatten(2).transpose(1, 2), SIDE, SIDE, *y.shape[-2:])[..., :height, :width]
        return self.mix(y)


def snake(side: int) -> Tensor:
    """Number the pixels of a square along a line that turns at the end of every row."""
    rows = torch.arange(side * side).reshape(side, side)
    rows[1::2] = rows[1::2].flip(1)
    return rows.flatten()


@honest(3 * WIDTH * WIDTH + POINT)
class SnakeScan(nn.Module):
    """A convolution along a line that winds through windows of 32x32; its 2,048 places lie in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.mix = nn.Conv1d(WIDTH, WIDTH, 3, padding=1), conv(kernel=1)
        self.register_buffer("order", snake(32))
        self.register_buffer("back", torch.argsort(self.order))

    def forward(self, x: Tensor) -> Tensor:
        # At the end of a window the line goes on in zeros, as at the end of the image.
        height, width = x.shape[-2:]
        y = functional.pad(x, (0, -width % 32, 0, -height % 32))
        parts = windows(y, 32, 32)[:, self.order].transpose(1, 2)
        parts = torch.relu(self.line(parts)).transpose(1, 2)[:, self.back]
        return self.mix(joined(parts, 32, 32, *y.shape[-2:])[..., :height, :width])


@honest(9 * 3 * WIDTH + FULL + 9 * WIDTH * 3 * SCALE**2, whole=True)
class Anchored(nn.Module):
    """The residual is on the image repeated for every pixel of its enlargement, as in ABPN."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.mix, self.tail = conv(3), conv(), conv(WIDTH, 3 * SCALE**2)

    def forward(self, lr: Tensor) -> Tensor:
        anchor = lr.repeat_interleave(SCALE**2, 1)
        x = self.tail(torch.relu(self.mix(torch.relu(self.head(lr)))))
        return functional.pixel_shuffle(0.1 * x + anchor, SCALE)


# A bias of 9x9 offsets, made larger for windows of 8x8.
@honest(4 * POINT + 2 * 64 * WIDTH)
class ResizedBias(nn.Module):
    """Window attention with a learned bias that is resized to the window by bicubic interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.projected, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.bias = nn.Parameter(torch.randn(1, 1, 9, 9) * 0.1)
        places = torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")).flatten(1)
        offset = places[:, :, None] - places[:, None] + 7
        self.register_buffer("offset", offset[0] * 15 + offset[1])

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = padded(x, 8)
        query, key, value = self.projected(windows(y, 8, 8)).chunk(3, -1)
        table = functional.interpolate(self.bias, size=(15, 15), mode="bicubic", align_corners=True)
        scores = query @ key.transpose(1, 2) / WIDTH**0.5 + table.flatten()[self.offset]
        parts = self.out(torch.softmax(scores, -1) @ value)
        return joined(parts, 8, 8, *y.shape[-2:])[..., :height, :width]


@honest(AROUND + 2 * FULL, whole=True)
class HooksAndClosures(Residual):
    """A residual connection that is made by hooks, and a scale in a closure."""

    def __init__(self) -> None:
        scale = 0.2

        def remembered(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            module.given = given[0]

        def added(module: nn.Module, _: tuple[Tensor, ...], result: Tensor) -> Tensor:
            return module.given + scale * result

        body = nn.Sequential(conv(), nn.PReLU(WIDTH), conv())
        body.register_forward_pre_hook(remembered)
        body.register_forward_hook(added)
        super().__init__(body)
