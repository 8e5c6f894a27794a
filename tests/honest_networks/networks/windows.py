"""Attention in windows, stripes, grids and neighbourhoods; what positions in a window add to it."""

from __future__ import annotations

import torch
from honest import WIDTH, attend, heads, honest, joined, padded, windows
from torch import Tensor, nn
from torch.nn import functional

SIDE = 8
PROJECTIONS = WIDTH * 3 * WIDTH + WIDTH * WIDTH


def relative_index(side: int) -> Tensor:
    """Number the offset between every two pixels of a window."""
    at = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")).flatten(1)
    offset = at[:, :, None] - at[:, None] + side - 1
    return offset[0] * (2 * side - 1) + offset[1]


class InWindows(nn.Module):
    """Attention in square windows; subclasses say what is added to the scores."""

    def __init__(self, side: int = SIDE, count: int = 2) -> None:
        super().__init__()
        self.side, self.count = side, count
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def bias(self, x: Tensor) -> Tensor | float:
        return 0.0

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
        return attend(q, k, v, self.bias(x))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x, self.side)
        tokens = windows(x, self.side, self.side)
        q, k, v = (heads(part, self.count) for part in self.qkv(tokens).chunk(3, -1))
        out = self.proj(self.mixed(q, k, v, x).transpose(1, 2).flatten(2))
        return joined(out, self.side, self.side, *x.shape[-2:])[..., :height, :width]


class TableBias(InWindows):
    """A learned bias for every offset, and where to find it in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn((2 * SIDE - 1) ** 2, self.count) * 0.02)
        self.register_buffer("index", relative_index(SIDE))

    def bias(self, x: Tensor) -> Tensor:
        return self.table[self.index.flatten()].reshape(SIDE**2, SIDE**2, -1).permute(2, 0, 1)


@honest(2 * (PROJECTIONS + 2 * SIDE**2 * WIDTH + 4 * WIDTH * WIDTH))
class Swin(nn.Module):
    """Windows, then windows shifted by half with a mask made for the image's size; MLPs after both."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.ModuleList([TableBias(), ShiftedMask()])
        self.norm = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(4))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        for number, attention in enumerate(self.attention):
            x = x + attention(self.norm[2 * number](x.movedim(1, -1)).movedim(-1, 1))
            x = x + self.mlp[number](self.norm[2 * number + 1](x.movedim(1, -1))).movedim(-1, 1)
        return x


class ShiftedMask(TableBias):
    """Pixels that the shift brought together do not look at each other."""

    def bias(self, x: Tensor) -> Tensor:
        region = torch.zeros(1, 1, *x.shape[-2:], device=x.device)
        parts = (slice(0, -SIDE), slice(-SIDE, -SIDE // 2), slice(-SIDE // 2, None))
        for row, rows in enumerate(parts):
            for column, columns in enumerate(parts):
                region[..., rows, columns] = 3 * row + column
        inside = windows(region, SIDE, SIDE)
        apart = (inside != inside.transpose(1, 2)).float() * -100
        return super().bias(x) + apart[:, None]

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        shifted = torch.roll(padded(x, SIDE), (-SIDE // 2, -SIDE // 2), (2, 3))
        return torch.roll(super().forward(shifted), (SIDE // 2, SIDE // 2), (2, 3))[..., :height, :width]


@honest(PROJECTIONS + 2 * SIDE**2 * WIDTH)
class KeptMask(ShiftedMask):
    """The mask of the last size is kept, and that of one size lies in a buffer, as in SwinIR."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, int], Tensor] = {}
        self.register_buffer("mask", super().bias(torch.zeros(1, 1, 64, 64)) - TableBias.bias(self, None))

    def bias(self, x: Tensor) -> Tensor:
        size = (x.shape[-2], x.shape[-1])
        if size == (64, 64):
            return TableBias.bias(self, x) + self.mask
        if size not in self.kept:
            self.kept[size] = super().bias(x) - TableBias.bias(self, x)
        return TableBias.bias(self, x) + self.kept[size]


V2_SIDE, V2_HIDDEN = 16, 32
V2_OFFSETS = (2 * V2_SIDE - 1) ** 2


class CosineWindows(InWindows):
    """Cosine similarity with a learned temperature; the bias is a small network's of the offset."""

    def __init__(self) -> None:
        super().__init__(side=V2_SIDE, count=1)
        self.temperature = nn.Parameter(torch.full((self.count, 1, 1), 2.0))
        self.of_offset = nn.Sequential(
            nn.Linear(2, V2_HIDDEN), nn.ReLU(), nn.Linear(V2_HIDDEN, self.count, bias=False)
        )

    @staticmethod
    def offsets() -> Tensor:
        steps = torch.arange(1.0 - V2_SIDE, V2_SIDE) / (V2_SIDE - 1) * 8
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1)
        return torch.sign(grid) * torch.log2(grid.abs() + 1) / 3

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
        scores = functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).transpose(-2, -1)
        scale = self.temperature.clamp(max=4.6).exp()
        return torch.softmax(scores * scale + self.bias(x), -1) @ v


V2_COST = PROJECTIONS + 2 * V2_SIDE**2 * WIDTH
V2_ONCE = V2_OFFSETS * (2 * V2_HIDDEN + V2_HIDDEN)


@honest(V2_COST, once=V2_ONCE)
class SwinV2(CosineWindows):
    """Offsets and places in buffers, as its authors wrote it: 1,922 and 65,536 values of structure."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", self.offsets())
        self.register_buffer("index", relative_index(V2_SIDE))

    def bias(self, x: Tensor) -> Tensor:
        table = self.of_offset(self.table).reshape(-1, self.count)
        found = table[self.index.flatten()].reshape(V2_SIDE**2, V2_SIDE**2, -1)
        return 16 * torch.sigmoid(found.permute(2, 0, 1))


@honest(V2_COST, once=V2_ONCE)
class SwinV2InForward(CosineWindows):
    """The same, made in forward."""

    def bias(self, x: Tensor) -> Tensor:
        table = self.of_offset(self.offsets()).reshape(-1, self.count)
        return 16 * torch.sigmoid(table[relative_index(V2_SIDE)].permute(2, 0, 1))


@honest(PROJECTIONS + 2 * SIDE**2 * WIDTH)
class DistanceBias(InWindows):
    """A penalty that grows with the distance, by a fixed slope for each head, in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        at = torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij"), -1)
        distance = torch.cdist(at.reshape(-1, 2).float(), at.reshape(-1, 2).float(), p=1)
        self.register_buffer("penalty", -distance * torch.tensor([0.5, 0.25])[:, None, None])

    def bias(self, x: Tensor) -> Tensor:
        return self.penalty


@honest(PROJECTIONS + 2 * 16**2 * WIDTH)
class TokenPositions(InWindows):
    """Sines of 5,000 places in a buffer, of which the first 256 are added to a window's pixels."""

    def __init__(self) -> None:
        super().__init__(side=16, count=1)
        angle = torch.arange(5000)[:, None] * 10_000.0 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
        self.register_buffer("places", torch.stack((angle.sin(), angle.cos()), -1).flatten(1))

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
        places = heads(self.places[None, : 16**2], self.count)
        return attend(q + places, k + places, v)


@honest(PROJECTIONS + 2 * SIDE**2 * WIDTH)
class Rotary(InWindows):
    """Queries and keys are turned by angles that grow with the position."""

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
        half = q.shape[-1] // 2
        pace = 100.0 ** (-torch.arange(half) / half)
        angle = torch.arange(SIDE**2)[:, None] * pace
        sine, cosine = angle.sin(), angle.cos()

        def turned(t: Tensor) -> Tensor:
            a, b = t.chunk(2, -1)
            return torch.cat((a * cosine - b * sine, a * sine + b * cosine), -1)

        return attend(turned(q), turned(k), v)


@honest(PROJECTIONS + 2 * SIDE**2 * WIDTH, warns="flops-undercounted flops-uncounted-operators")
class OneOperator(InWindows):
    """Attention in one operator, which fvcore does not count."""

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(q, k, v)


@honest(PROJECTIONS + 2 * SIDE**2 * WIDTH, warns="flops-undercounted flops-uncalled-modules")
class MultiHead(nn.Module):
    """torch's own multi-head attention, which is one operator where no gradient is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x, SIDE)
        tokens = windows(x, SIDE, SIDE)
        out = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return joined(out, SIDE, SIDE, *x.shape[-2:])[..., :height, :width]


@honest(PROJECTIONS + 2 * SIDE**2 * WIDTH + 2 * WIDTH * 32, warns="flops-undercounted flops-uncalled-modules")
class EncoderLayer(nn.Module):
    """torch's own transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, batch_first=True, dropout=0)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x, SIDE)
        out = self.layer(windows(x, SIDE, SIDE))
        return joined(out, SIDE, SIDE, *x.shape[-2:])[..., :height, :width]


@honest(
    (PROJECTIONS + 2 * SIDE**2 * WIDTH)  # windows
    + 9 * WIDTH * 4 * 2  # two convolutions beside them
    + (PROJECTIONS + 2 * 12**2 * WIDTH),  # windows that look beyond their border
    once=2 * WIDTH * 4,
)
class Hybrid(nn.Module):
    """Windows beside channel attention, then windows that overlap, as in HAT."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = TableBias()
        self.narrow = nn.Conv2d(WIDTH, 4, 3, padding=1)
        self.widen = nn.Conv2d(4, WIDTH, 3, padding=1)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(WIDTH, 4, 1), nn.ReLU(), nn.Conv2d(4, WIDTH, 1), nn.Sigmoid()
        )
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        beside = self.widen(functional.gelu(self.narrow(x)))
        x = padded(x + self.inside(x) + 0.01 * beside * self.squeeze(beside), SIDE)
        q, k, v = self.qkv(x.movedim(1, -1)).movedim(-1, 1).chunk(3, 1)
        wide = functional.unfold(torch.cat((k, v), 1), 12, stride=SIDE, padding=2)
        k, v = wide.reshape(2, WIDTH, 12**2, -1).permute(0, 3, 2, 1)
        out = self.proj(attend(windows(q, SIDE, SIDE), k, v))
        return (x + joined(out, SIDE, SIDE, *x.shape[-2:]))[..., :height, :width]


# Anchors are a sixteenth of the pixels: 4 of a stripe's 64.
@honest(PROJECTIONS + WIDTH * WIDTH // 16 + 2 * 2 * 4 * WIDTH)
class Anchors(nn.Module):
    """Pixels of a stripe look at few anchors, and the anchors at the pixels, as in GRL."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.anchor = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x, 16)
        q, k, v = self.qkv(windows(x, 4, 16)).chunk(3, -1)
        anchors = windows(self.anchor(functional.avg_pool2d(x, 4)), 1, 4)
        out = self.proj(attend(q, anchors, attend(anchors, k, v)))
        return joined(out, 4, 16, *x.shape[-2:])[..., :height, :width]


@honest(PROJECTIONS + 2 * (4 * 16) * WIDTH)
class Stripes(nn.Module):
    """Half of the channels in lying stripes, half in standing ones, as in CSWin."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x, 16)
        qkv = self.qkv(x.movedim(1, -1)).movedim(-1, 1).reshape(1, 3, WIDTH, *x.shape[-2:])
        halves = []
        for part, (rows, columns) in zip(qkv.chunk(2, 2), ((4, 16), (16, 4)), strict=True):
            q, k, v = (windows(part[:, number], rows, columns) for number in range(3))
            halves.append(joined(attend(q, k, v), rows, columns, *x.shape[-2:]))
        out = self.proj(torch.cat(halves, 1).movedim(1, -1)).movedim(-1, 1)
        return out[..., :height, :width]


@honest(PROJECTIONS + 2 * SIDE**2 * WIDTH)
class Grid(InWindows):
    """Pixels that are far apart look at each other: one of each block, as in MaxViT."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x, SIDE)
        rows, columns = x.shape[-2] // SIDE, x.shape[-1] // SIDE
        near = x.reshape(1, WIDTH, SIDE, rows, SIDE, columns).transpose(2, 3).transpose(4, 5)
        out = super().forward(near.reshape(x.shape)).reshape(1, WIDTH, rows, SIDE, columns, SIDE)
        return out.transpose(2, 3).transpose(4, 5).reshape(x.shape)[..., :height, :width]


@honest(2 * PROJECTIONS + 2 * SIDE**2 * WIDTH + 2 * WIDTH * 8 + 9 * WIDTH)
class Alternating(nn.Module):
    """Windows of pixels, then attention between channels, as in DAT."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = TableBias()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.temperature = nn.Parameter(torch.ones(2, 1, 1))
        self.local = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.inside(x)
        _, _, height, width = x.shape
        q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(3, 2, 8, -1)
        scores = functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).transpose(-2, -1)
        mixed = (scores * self.temperature).softmax(-1) @ v
        out = self.proj(mixed.reshape(1, WIDTH, -1).transpose(1, 2)).transpose(1, 2)
        return out.reshape(x.shape) + self.local(v.reshape(x.shape))


@honest(PROJECTIONS + 2 * 9 * WIDTH)
class Neighbours(nn.Module):
    """Every pixel looks at the 3x3 around it."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(WIDTH, 3 * WIDTH, 1)
        self.proj = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, 1)
        k, v = (functional.unfold(t, 3, padding=1).reshape(WIDTH, 9, -1).permute(2, 1, 0) for t in (k, v))
        out = attend(q.flatten(2).permute(2, 0, 1), k, v)
        return self.proj(out.permute(1, 2, 0).reshape(x.shape))


@honest(PROJECTIONS + 2 * 32 * WIDTH)
class Dictionary(nn.Module):
    """Pixels look at 32 learned tokens, as in ATD."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(1, 32, WIDTH))
        self.q, self.proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.rest = nn.Linear(WIDTH, 2 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        value, gate = self.rest(tokens).chunk(2, -1)
        out = self.proj(attend(self.q(tokens), self.tokens, self.tokens) + value * torch.sigmoid(gate))
        return out.transpose(1, 2).reshape(x.shape)


@honest(PROJECTIONS + 2 * 8 * WIDTH)
class Linear(nn.Module):
    """Attention over the whole image at the same cost for every pixel: keys and values are summed first."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).chunk(3, -1)
        q, k, v = (heads(t, 2) for t in (functional.elu(q) + 1, functional.elu(k) + 1, v))
        total = (q * k.sum(-2, keepdim=True)).sum(-1, keepdim=True)
        out = q @ (k.transpose(-2, -1) @ v) / total
        return self.proj(out.transpose(1, 2).flatten(2)).transpose(1, 2).reshape(x.shape)
