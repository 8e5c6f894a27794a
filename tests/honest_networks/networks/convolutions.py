"""Convolutions in all forms: branches, large and dynamic kernels, gates, splits, experts."""

from __future__ import annotations

import torch
from honest import SCALE, WIDTH, enlarged, honest
from torch import Tensor, nn
from torch.nn import functional

FULL = 9 * WIDTH * WIDTH
POINT = WIDTH * WIDTH


def conv(inside: int, outside: int, kernel: int = 3, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, kernel, padding=kernel // 2, **options)


@honest(FULL + POINT)
class Branches(nn.Module):
    """RepVGG as it is trained: 3x3, 1x1 and identity, each with a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.point = conv(WIDTH, WIDTH, bias=False), conv(WIDTH, WIDTH, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(WIDTH) for _ in range(3))
        for norm in self.norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = self.norms
        return torch.relu(a(self.wide(x)) + b(self.point(x)) + c(x))


@honest(FULL)
class MergedInForward(nn.Module):
    """The same branches, merged into one kernel in every pass, norms and all."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.point = conv(WIDTH, WIDTH, bias=False), conv(WIDTH, WIDTH, 1, bias=False)
        self.norm = nn.BatchNorm2d(WIDTH)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.wide.weight + functional.pad(self.point.weight, (1, 1, 1, 1))
        gain = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        bias = self.norm.bias - self.norm.running_mean * gain
        return torch.relu(functional.conv2d(x, kernel * gain[:, None, None, None], bias, padding=1))


@honest(FULL + 4 * (POINT + 9 * WIDTH))
class EdgeOriented(nn.Module):
    """1x1, then fixed Sobel and Laplace filters with learned gains, as in ECBSR."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = conv(WIDTH, WIDTH)
        self.points = nn.ModuleList(conv(WIDTH, WIDTH, 1) for _ in range(4))
        sobel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
        laplace = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
        for number, edge in enumerate((sobel, sobel.T, laplace, laplace)):
            self.register_buffer(f"edge{number}", edge.expand(WIDTH, 1, 3, 3).clone())
        self.gain = nn.Parameter(torch.randn(4, WIDTH, 1, 1, 1) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.wide(x)
        for number, point in enumerate(self.points):
            kernel = getattr(self, f"edge{number}") * self.gain[number]
            out = out + functional.conv2d(point(x), kernel, padding=1, groups=WIDTH)
        return functional.silu(out)


@honest(2 * 3 * POINT + FULL)
class Asymmetric(nn.Module):
    """Lying, standing and square kernels side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.lying = nn.Conv2d(WIDTH, WIDTH, (1, 3), padding=(0, 1))
        self.standing = nn.Conv2d(WIDTH, WIDTH, (3, 1), padding=(1, 0))
        self.square = conv(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.lying(x) + self.standing(x) + self.square(x), 0.05)


class ChannelNorm(nn.Module):
    """A layer norm over channels, written out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, WIDTH, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, WIDTH, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        spread = (x - mean).pow(2).mean(1, keepdim=True)
        return self.weight * (x - mean) / (spread + 1e-6).sqrt() + self.bias


# Twice 1x1 to twice the width, gated back to the width; the channel attention is once for the image.
@honest(2 * 2 * POINT + 9 * 2 * WIDTH + 2 * POINT, once=POINT)
class NafBlock(nn.Module):
    """Gates without activations, and channel attention, as in NAFNet."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ChannelNorm() for _ in range(2))
        self.open1, self.local = conv(WIDTH, 2 * WIDTH, 1), conv(2 * WIDTH, 2 * WIDTH, groups=2 * WIDTH)
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv(WIDTH, WIDTH, 1))
        self.close1, self.open2, self.close2 = (
            conv(WIDTH, WIDTH, 1),
            conv(WIDTH, 2 * WIDTH, 1),
            conv(WIDTH, WIDTH, 1),
        )
        self.beta = nn.Parameter(torch.full((1, WIDTH, 1, 1), 0.1))

    @staticmethod
    def gate(x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        return a * b

    def forward(self, x: Tensor) -> Tensor:
        y = self.gate(self.local(self.open1(self.norms[0](x))))
        x = x + self.close1(y * self.attention(y)) * self.beta
        return x + self.close2(self.gate(self.open2(self.norms[1](x)))) * self.beta


@honest((21**2 + 5**2) * WIDTH + 2 * POINT)
class LargeKernel(nn.Module):
    """A depth-wise kernel of 21x21 beside one of 5x5, as in RepLKNet."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small = (conv(WIDTH, WIDTH, size, groups=WIDTH) for size in (21, 5))
        self.before, self.after = conv(WIDTH, WIDTH, 1), conv(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.before(x))
        return self.after(functional.relu(self.large(y) + self.small(y)))


@honest((25 + 49) * WIDTH + 3 * POINT)
class LargeAttention(nn.Module):
    """A large kernel in two steps, dilated, that gates the features, as in VAN."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.point, self.after = (conv(WIDTH, WIDTH, 1) for _ in range(3))
        self.near = conv(WIDTH, WIDTH, 5, groups=WIDTH)
        self.far = nn.Conv2d(WIDTH, WIDTH, 7, padding=9, dilation=3, groups=WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.gelu(self.before(x))
        return self.after(y * self.point(self.far(self.near(y))))


@honest(17**2 * 4 * 4 + FULL)
class PartialLargeKernel(nn.Module):
    """A kernel of 17x17 on four of the channels, written in place, as in PLKSR."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.mix = conv(4, 4, 17), conv(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(x)
        x[:, :4] = self.large(x[:, :4])
        return x


@honest(2 * (POINT + 9 * WIDTH))
class Blueprint(nn.Module):
    """1x1, then depth-wise, as in BSRN."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.ModuleList(conv(WIDTH, WIDTH, 1, bias=False) for _ in range(2))
        self.depths = nn.ModuleList(
            conv(WIDTH, WIDTH, groups=WIDTH, padding_mode="reflect") for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        for point, depth in zip(self.points, self.depths, strict=True):
            x = functional.gelu(depth(point(x)))
        return x


@honest(FULL // 4 + POINT // 4)
class Shuffled(nn.Module):
    """Groups of channels that are shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.local, self.point = conv(WIDTH, WIDTH, groups=4), conv(WIDTH, WIDTH, 1, groups=4)
        self.shuffle = nn.ChannelShuffle(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.point(self.shuffle(torch.relu(self.local(x))))


# Distilled: 16 to 16, of which 4 are kept each time; the rest goes on.
@honest(9 * (WIDTH * WIDTH + 12 * WIDTH + 12 * 4) + 12 * WIDTH, once=2 * WIDTH * 4)
class Distilled(nn.Module):
    """A part is kept at every step; attention by the contrast of channels, as in IMDN."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = conv(WIDTH, WIDTH), conv(12, WIDTH), conv(12, 4)
        self.fuse = conv(12, WIDTH, 1)
        self.contrast = nn.Sequential(conv(WIDTH, 4, 1), nn.ReLU(), conv(4, WIDTH, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        kept1, rest = functional.leaky_relu(self.first(x), 0.05).split((4, 12), 1)
        kept2, rest = functional.leaky_relu(self.second(rest), 0.05).split((4, 12), 1)
        out = self.fuse(torch.cat((kept1, kept2, self.third(rest)), 1))
        spread = out.std((2, 3), keepdim=True) + out.mean((2, 3), keepdim=True)
        return out * self.contrast(spread)


@honest(4 * FULL)
class ParameterFree(nn.Module):
    """Features gate themselves, without parameters, as in SPAN."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.close = conv(WIDTH, 2 * WIDTH), conv(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out = self.close(functional.silu(self.open(x)))
        return (out + x) * (torch.sigmoid(out) - 0.5)


# Attention at the size of the HR image, 16 pixels for each of LR.
@honest(
    9 * 3 * WIDTH + 9 * WIDTH * WIDTH * SCALE**2 + WIDTH * WIDTH * SCALE**2 + 9 * WIDTH * 3 * SCALE**2,
    whole=True,
)
class PixelAttention(nn.Module):
    """Enlarged by nearest neighbours, and pixel attention there, as in PAN."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.large, self.point, self.tail = (
            conv(3, WIDTH),
            conv(WIDTH, WIDTH),
            conv(WIDTH, WIDTH, 1),
            conv(WIDTH, 3),
        )

    def forward(self, lr: Tensor) -> Tensor:
        x = self.large(functional.interpolate(self.head(lr), scale_factor=SCALE, mode="nearest"))
        return enlarged(lr) + 0.1 * self.tail(x * torch.sigmoid(self.point(x)))


# Four groups of four channels, at 1, 1/4, 1/16 and 1/64 of the pixels.
@honest(9 * 4 * (1 + 1 / 4 + 1 / 16 + 1 / 64) + POINT + FULL)
class Modulated(nn.Module):
    """Groups of channels are looked at from further and further away, as in SAFMN."""

    def __init__(self) -> None:
        super().__init__()
        self.local = nn.ModuleList(conv(4, 4, groups=4) for _ in range(4))
        self.point, self.mix = conv(WIDTH, WIDTH, 1), conv(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        parts = []
        for level, (part, local) in enumerate(zip(x.chunk(4, 1), self.local, strict=True)):
            if level:
                far = functional.adaptive_max_pool2d(part, [side // 2**level for side in size])
                parts.append(functional.interpolate(local(far), size=size, mode="nearest"))
            else:
                parts.append(local(part))
        return self.mix(functional.gelu(self.point(torch.cat(parts, 1))) * x)


@honest(9 * WIDTH * 2 + FULL)
class Deformed(nn.Module):
    """Features are sampled where a convolution says."""

    def __init__(self) -> None:
        super().__init__()
        self.offset, self.mix = conv(WIDTH, 2), conv(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        steps = [torch.linspace(-1, 1, side) for side in x.shape[-2:]]
        places = torch.stack(torch.meshgrid(*steps, indexing="ij")[::-1], -1)[None]
        places = places + 0.02 * torch.tanh(self.offset(x)).movedim(1, -1)
        return self.mix(functional.grid_sample(x, places, align_corners=True))


@honest(FULL, once=WIDTH * 4)
class DynamicKernel(nn.Module):
    """The image mixes four kernels into one."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = nn.Parameter(torch.randn(4, WIDTH, WIDTH, 3, 3) / 12)
        self.choice = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        shares = torch.softmax(self.choice(x.mean((2, 3))), -1)
        kernel = (shares[0, :, None, None, None, None] * self.kernels).sum(0)
        return functional.conv2d(x, kernel, padding=1)


# A kernel of 9 values for each of 4 groups, at each pixel, is applied by hand: 9 products for each value.
@honest(POINT + WIDTH * 4 * 9 + 9 * WIDTH, by_hand=9 * WIDTH)
class Involution(nn.Module):
    """Every pixel makes its own kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.kernel = conv(WIDTH, WIDTH, 1), conv(WIDTH, 4 * 9, 1)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel(torch.relu(self.narrow(x))).reshape(1, 4, 1, 9, *x.shape[-2:])
        patches = functional.unfold(x, 3, padding=1).reshape(1, 4, WIDTH // 4, 9, *x.shape[-2:])
        return (kernel * patches).sum(3).reshape(x.shape)


@honest(WIDTH * 4 + POINT)
class Experts(nn.Module):
    """Each pixel goes through the one of four matrices that a router chooses for it."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, 4)
        self.experts = nn.Parameter(torch.randn(4, WIDTH, WIDTH) / 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2)[0].T
        gate, chosen = torch.softmax(self.router(tokens), -1).max(-1)
        out = torch.zeros_like(tokens)
        for number in range(4):
            places = torch.nonzero(chosen == number)[:, 0]
            out = out.index_copy(0, places, tokens[places] @ self.experts[number])
        return (out * gate[:, None]).T.reshape(x.shape)


@honest(FULL)
class WeightNorm(nn.Module):
    """Kernels of unit length times a learned length, standardized in every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.utils.parametrizations.weight_norm(conv(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.mix(x))


@honest(FULL, once=WIDTH * 9 * WIDTH + WIDTH)
class SpectralNorm(nn.Module):
    """A kernel divided by its largest singular value, whose vectors lie in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.utils.parametrizations.spectral_norm(conv(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.mix(x))


@honest(4 * FULL)
class Recurrent(nn.Module):
    """The same convolution four times, as in DRRN."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for _ in range(4):
            y = x + self.mix(torch.relu(y))
        return y


# Down by a strided convolution (a quarter of the pixels), one there, and up by a transposed one.
@honest(4 * WIDTH * 32 / 4 + 9 * 32 * 32 / 4 + 4 * 32 * WIDTH / 4 + FULL)
class Hourglass(nn.Module):
    """Half the size and twice the width inside."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.inside = nn.Conv2d(WIDTH, 32, 2, stride=2), conv(32, 32)
        self.up, self.mix = nn.ConvTranspose2d(32, WIDTH, 2, stride=2), conv(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = functional.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        y = self.up(torch.relu(self.inside(self.down(y))))[..., :height, :width]
        return self.mix(x + y)


@honest(FULL, once=WIDTH * 2 * 9 * WIDTH)
class LowRankAdded(nn.Module):
    """A learned change of low rank is added to a kernel in every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv(WIDTH, WIDTH)
        self.left, self.right = nn.Parameter(torch.randn(WIDTH, 2)), nn.Parameter(torch.randn(2, 9 * WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        change = (self.left @ self.right).reshape(self.mix.weight.shape)
        return functional.conv2d(x, self.mix.weight + 0.01 * change, self.mix.bias, padding=1)
