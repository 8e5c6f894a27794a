"""Other types, layouts and ways to write a product: half precision, quantized, einsum, sparse."""

from __future__ import annotations

import warnings

import torch
from honest import AROUND, SCALE, WIDTH, Residual, honest
from torch import Tensor, nn
from torch.nn import functional

FULL = 9 * WIDTH * WIDTH
POINT = WIDTH * WIDTH


def conv() -> nn.Conv2d:
    return nn.Conv2d(WIDTH, WIDTH, 3, padding=1)


@honest(FULL)
class Autocast(nn.Module):
    """Half precision where torch thinks it does no harm."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv()

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return torch.relu(self.mix(x)).float()


@honest(AROUND + FULL, whole=True)
class HalfInside(Residual):
    """Weights and features of 16 bits."""

    def __init__(self) -> None:
        super().__init__(conv())
        self.to(torch.bfloat16)

    def forward(self, lr: Tensor) -> Tensor:
        shallow = self.head(lr.bfloat16())
        detail = functional.pixel_shuffle(self.tail(shallow + self.body(shallow)), SCALE)
        return functional.interpolate(lr, scale_factor=SCALE, mode="bicubic") + 0.1 * detail.float()


@honest(AROUND + FULL, whole=True)
class DoubleInside(Residual):
    """Weights and features of 64 bits: more digits, and no more weights."""

    def __init__(self) -> None:
        super().__init__(conv())
        self.double()

    def forward(self, lr: Tensor) -> Tensor:
        return super().forward(lr.double()).float()


@honest(AROUND + 2 * FULL, whole=True)
class ChannelsLast(Residual):
    """Another layout of memory for weights and features."""

    def __init__(self) -> None:
        super().__init__(nn.Sequential(conv(), nn.SiLU(), conv()))
        self.to(memory_format=torch.channels_last)

    def forward(self, lr: Tensor) -> Tensor:
        return super().forward(lr.contiguous(memory_format=torch.channels_last)).contiguous()


@honest(2 * POINT + 2 * 64 * WIDTH)
class Einsum(nn.Module):
    """Products of all kinds, written as einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.randn(WIDTH, WIDTH) / 4)
        self.right = nn.Parameter(torch.randn(WIDTH, WIDTH) / 4)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        y = functional.pad(x, (0, -width % 8, 0, -height % 8))
        y = torch.einsum("oc,bchw->bohw", self.left, y)
        y = y.reshape(1, WIDTH, y.shape[-2] // 8, 8, -1, 8)
        scores = torch.einsum("bchiwj,bchkwl->bhwijkl", y, y)
        weights = (scores / 8).flatten(-2).softmax(-1).reshape(scores.shape)
        y = torch.einsum("bhwijkl,bchkwl->bchiwj", weights, y).flatten(4).flatten(2, 3)
        return torch.einsum("bchw,co->bohw", y, self.right)[..., :height, :width]


@honest(FULL)
class Unfolded(nn.Module):
    """A convolution as patches times a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, 9 * WIDTH) / 12)

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight @ functional.unfold(x, 3, padding=1)).reshape(x.shape)


@honest(FULL)
class FakeQuantized(nn.Module):
    """Weights and features rounded to whole multiples of a learned step."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = conv()
        self.steps = nn.Parameter(torch.tensor([0.01, 0.01]))

    @staticmethod
    def rounded(x: Tensor, step: Tensor) -> Tensor:
        return (x / step).round().clamp(-128, 127) * step

    def forward(self, x: Tensor) -> Tensor:
        weight = self.rounded(self.mix.weight, self.steps[0])
        return functional.conv2d(self.rounded(x, self.steps[1]), weight, self.mix.bias, padding=1)


@honest(FULL)
class Binary(nn.Module):
    """Signs of weights and of features, with a scale for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, WIDTH, 3, 3))
        self.shift = nn.Parameter(torch.randn(1, WIDTH, 1, 1) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        size = self.weight.abs().mean((1, 2, 3), keepdim=True)
        return functional.conv2d(torch.sign(x + self.shift), torch.sign(self.weight) * size, padding=1)


def packed_linear(weight: Tensor, bias: Tensor) -> object:
    scale = float(weight.abs().max() / 127)
    whole = torch.quantize_per_tensor(weight, scale, 0, torch.qint8)
    return torch.ops.quantized.linear_prepack(whole, bias)


# 1x1 of 16 to 128 and back; fvcore cannot follow objects that hold weights.
@honest(2 * 8 * POINT, warns="flops-not-traced")
class QuantizedLate(nn.Module):
    """1x1 convolutions in whole numbers by torch's own operator; weights are packed at the first image."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.close = nn.Linear(WIDTH, 8 * WIDTH), nn.Linear(8 * WIDTH, WIDTH)
        self.packed: list[object] = []

    def forward(self, x: Tensor) -> Tensor:
        if not self.packed:
            self.packed = [packed_linear(layer.weight, layer.bias) for layer in (self.open, self.close)]
        tokens = x.movedim(1, -1).contiguous()
        tokens = torch.relu(torch.ops.quantized.linear_dynamic(tokens, self.packed[0]))
        return torch.ops.quantized.linear_dynamic(tokens, self.packed[1]).movedim(-1, 1)


@honest(
    2 * 8 * POINT,
    undeclared=2 * 8 * POINT + 9 * WIDTH,
    warns="flops-not-traced params-undeclared",
)
class QuantizedLinear(nn.Module):
    """The same, with torch's own modules, whose weights are no parameters."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Sequential(nn.Linear(WIDTH, 8 * WIDTH), nn.ReLU(), nn.Linear(8 * WIDTH, WIDTH)).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.ao is to move to a package of its own
            self.layers = torch.ao.quantization.quantize_dynamic(layers, {nn.Linear})

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.movedim(1, -1).contiguous()).movedim(-1, 1)


@honest(FULL, undeclared=FULL + WIDTH, warns="flops-not-traced params-undeclared")
class QuantizedConvolution(nn.Module):
    """A convolution of whole numbers, whose weights are no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.ao.nn.quantized.Conv2d(WIDTH, WIDTH, 3, padding=1)
        weight = torch.quantize_per_tensor(torch.randn(WIDTH, WIDTH, 3, 3) / 12, 0.01, 0, torch.qint8)
        self.mix.set_weight_bias(weight, torch.zeros(WIDTH))
        self.mix.scale, self.mix.zero_point = 0.02, 128

    def forward(self, x: Tensor) -> Tensor:
        whole = torch.quantize_per_tensor(x, 0.02, 128, torch.quint8)
        return self.mix(whole).dequantize()


@honest(FULL, undeclared=FULL, warns="params-undeclared")
class WeightsOfEightBits(nn.Module):
    """Weights as bytes in a buffer, with a scale for each channel in a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randint(-127, 128, (WIDTH, WIDTH, 3, 3), dtype=torch.int8))
        self.scale = nn.Parameter(torch.full((WIDTH, 1, 1, 1), 1e-3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight.float() * self.scale, padding=1)


# A quarter of the weights are left.
@honest(2 * 8 * POINT / 4, undeclared=0, warns="flops-undercounted")
class Pruned(nn.Module):
    """1x1 convolutions with sparse matrices, made of dense parameters in every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.open = nn.Parameter(self.pruned(torch.randn(8 * WIDTH, WIDTH) / 4))
        self.close = nn.Parameter(self.pruned(torch.randn(WIDTH, 8 * WIDTH) / 8))

    @staticmethod
    def pruned(weight: Tensor) -> Tensor:
        order = weight.abs().flatten().argsort()
        kept = weight.flatten().clone()
        kept[order[: 3 * len(order) // 4]] = 0
        return kept.reshape(weight.shape)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(torch.sparse.mm(self.open.to_sparse(), x.flatten(2)[0]))
        return torch.sparse.mm(self.close.to_sparse(), y).reshape(x.shape)
