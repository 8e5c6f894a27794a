"""EFDN, Edge-enhanced Feature Distillation Network: the baseline of NTIRE 2025.

After Yan Wang, "Edge-enhanced Feature Distillation Network for Efficient Super-Resolution" (CVPR workshops,
2022), fitted to the checkpoint that the 2025 edition released, which it loads with strict=True.

Input   (N, 3, H, W), RGB in [0, 1], H and W from 15 on: the attention shrinks a side of 14 pixels to nothing.
        A smaller image is a ValueError that says so.
Output  (N, 3, 4H, 4W), clamped to [0, 1] in eval mode. In train mode it is not clamped, since a clamped pixel
        has no gradient.
Cost    276,192 parameters; 16.703 G multiply-accumulates for one 256x256 input.

Re-parameterization
-------------------
`EFDN(deploy=False)` is the training form: each `rep_conv` is an edge-enhanced diverse branch block of seven
branches. `fuse()` merges them in place; the result is `EFDN()` with the same output. See `EDBB`. The released
checkpoint is the merged form, so the names within the training form are this file's own.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

SUBMISSION = {"model": "EFDN", "data_range": 1}

SMALLEST_SIDE = 15  # ESA: (15 - 3) // 2 + 1 = 7, the window of its pooling

SOBEL_X = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))
SOBEL_Y = ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0))
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


class EdgeBranch(nn.Module):
    """A 1x1 convolution, then one fixed 3x3 edge filter on each channel, with a learned scale and bias.

    Args:
        channels: C, width of input and output.
        edge_filter: The fixed 3x3 filter, row by row. It is a constant, so it is in no state dict.

    Shape:
        (N, C, H + 2, W + 2), already padded, to (N, C, H, W).
    """

    def __init__(self, channels: int, edge_filter: tuple[tuple[float, ...], ...]) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.scale = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("edge_filter", torch.tensor(edge_filter), persistent=False)
        nn.init.normal_(self.scale, std=1e-3)

    def forward(self, padded: Tensor) -> Tensor:
        """Return the scaled edges of `padded`."""
        weight = self.scale[:, None, None, None] * self.edge_filter
        return functional.conv2d(self.conv1x1(padded), weight, self.bias, groups=len(self.scale))


class EDBB(nn.Module):
    """Edge-enhanced diverse branch block: a 3x3 convolution that is trained as seven linear branches.

    Training form, with `pad` one pixel of zeros on each side:

        y = act(conv3x3(x) + conv1x1(x) + squeeze(expand(pad(x))) + edges[0..2](pad(x)) + x)

        conv3x3, conv1x1  C -> C
        expand, squeeze   1x1 C -> 2C, then 3x3 2C -> C, unpadded: it takes back the pixels that `pad` added
        edges             1x1 C -> C, then Sobel along x, along y, or Laplacian on each channel: EdgeBranch
        x                 the identity

    The zeros are put around x *before* `expand`, so `squeeze` meets expand's bias there, not zeros. That is
    what makes merging exact at the borders too: a border pixel gets the same constant as every other, and the
    merged convolution (`rep_conv`) holds it in its bias. The 1x1 of an edge branch has no bias: an edge
    filter turns a constant into zero.

    In train mode the branches are merged first and one convolution runs: the same function with the same
    gradients, for a quarter of the multiplications. In eval mode they run one by one, as written above.

    Args:
        channels: C, width of x and y.
        deploy: True for `rep_conv` alone, False for the branches.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int, deploy: bool = True) -> None:
        super().__init__()
        self.deploy = deploy
        self.act = nn.PReLU(channels)
        if deploy:
            self.rep_conv = nn.Conv2d(channels, channels, 3, padding=1)
        else:
            self.conv3x3 = nn.Conv2d(channels, channels, 3, padding=1)
            self.conv1x1 = nn.Conv2d(channels, channels, 1)
            self.expand = nn.Conv2d(channels, 2 * channels, 1)
            self.squeeze = nn.Conv2d(2 * channels, channels, 3)
            self.edges = nn.ModuleList(EdgeBranch(channels, f) for f in (SOBEL_X, SOBEL_Y, LAPLACIAN))

    def forward(self, x: Tensor) -> Tensor:
        """Return the activated convolution of `x`."""
        return self.act(self.convolve(x))

    def convolve(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`, not yet activated."""
        if self.deploy:
            return self.rep_conv(x)
        if self.training:
            # A product of weights needs their precision.
            with torch.autocast(x.device.type, enabled=False):
                weight, bias = self.merged()
            return functional.conv2d(x, weight, bias, padding=1)
        padded = functional.pad(x, (1, 1, 1, 1))
        y = x + self.conv3x3(x) + self.conv1x1(x) + self.squeeze(self.expand(padded))
        return sum((edge(padded) for edge in self.edges), start=y)

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return the weight (C, C, 3, 3) and the bias (C,) of the one 3x3 that equals the branches."""
        identity = torch.eye(len(self.conv1x1.weight)).to(self.conv1x1.weight)[:, :, None, None]
        # A 1x1, and so the identity, is a 3x3 with only a centre.
        centre = functional.pad(self.conv1x1.weight + identity, (1, 1, 1, 1))
        weight = self.conv3x3.weight + centre
        bias = self.conv3x3.bias + self.conv1x1.bias

        inner, outer = self.expand, self.squeeze
        weight = weight + torch.einsum("omhw,mi->oihw", outer.weight, inner.weight[:, :, 0, 0])
        bias = bias + outer.bias + outer.weight.sum((2, 3)) @ inner.bias

        for edge in self.edges:
            weight = weight + edge.scale[:, None, None, None] * edge.conv1x1.weight * edge.edge_filter
            bias = bias + edge.bias
        return weight, bias

    @torch.no_grad()
    def fuse(self) -> None:
        """Replace the branches by `rep_conv`, summed in float64 on the CPU; no effect when that is done."""
        if self.deploy:
            return
        weight, bias = copy.deepcopy(self).cpu().double().merged()
        self.rep_conv = nn.Conv2d(len(bias), len(bias), 3, padding=1).to(self.conv3x3.weight)
        self.rep_conv.weight.copy_(weight)
        self.rep_conv.bias.copy_(bias)
        del self.conv3x3, self.conv1x1, self.expand, self.squeeze, self.edges
        self.deploy = True


class PointConv(nn.Module):
    """A 1x1 convolution and PReLU, (N, C, H, W) to (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(channels, channels, 1)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the activated convolution of `x`."""
        return self.act(self.conv1x1(x))


class ESA(nn.Module):
    """Enhanced spatial attention: scales every value of its input by a gate in (0, 1).

    As in RLFN, the gate is computed from two views of the same narrow channels, one at full size and one
    shrunk about sixfold; here the shrunk one passes three convolutions.

    Args:
        channels: C, width of input and output; the gate is computed on C // 4 channels.

    Shape:
        (N, C, H, W) to (N, C, H, W), with H and W at least 15: fewer leave nothing for the 7x7 pool.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // 4
        self.conv1 = nn.Conv2d(channels, width, 1)
        self.conv_f = nn.Conv2d(width, width, 1)
        self.conv_max = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, stride=2)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3_ = nn.Conv2d(width, width, 3, padding=1)
        self.conv4 = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times its gate."""
        near = self.conv1(x)
        far = functional.max_pool2d(self.conv2(near), kernel_size=7, stride=3)
        far = functional.relu(self.conv_max(far))
        far = self.conv3_(functional.relu(self.conv3(far)))
        far = functional.interpolate(far, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.conv4(far + self.conv_f(near)))


class Cell(nn.Module):
    """Edge-enhanced feature distillation block: three convolutions in a row, a part of each kept, ESA, + x.

    Args:
        channels: C, width of input and output; C / 2 channels are kept of x and of each step.
        deploy: False for the training form.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int, deploy: bool = True) -> None:
        super().__init__()
        self.conv1 = PointConv(channels)
        self.conv2 = EDBB(channels, deploy)
        self.conv3 = EDBB(channels, deploy)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)
        self.att = ESA(channels)
        self.branch = nn.ModuleList(nn.Conv2d(channels, channels // 2, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of `x`."""
        first = self.conv1(x)
        second = self.conv2(first)
        third = self.conv3(second)
        kept = [branch(y) for branch, y in zip(self.branch, (x, first, second, third), strict=True)]
        return self.att(self.fuse(torch.cat(kept, dim=1))) + x


class EFDN(nn.Module):
    """The whole network; the defaults are the published one.

    Args:
        channels: C, width of every feature map; a multiple of 4.
        upscale: r, factor of enlargement.
        deploy: True for the form of the published checkpoint, False for the form to train (then `fuse`).

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW); values and smallest size as in the head of this file.
    """

    def __init__(self, channels: int = 48, upscale: int = 4, deploy: bool = True) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.cells = nn.ModuleList(Cell(channels, deploy) for _ in range(4))
        self.local_fuse = nn.ModuleList(nn.Conv2d(2 * channels, channels, 1) for _ in range(3))
        self.tail = nn.Sequential(nn.Conv2d(channels, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale))

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`, or raise a ValueError for one with a side under 15 pixels."""
        height, width = lr.shape[-2:]
        if min(height, width) < SMALLEST_SIDE:
            raise ValueError(
                f"EFDN needs {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels or more, found {height}x{width}"
            )
        head = self.head(lr)
        cell_1 = self.cells[0](head)
        cell_2 = self.cells[1](cell_1)
        fused = self.local_fuse[0](torch.cat((cell_1, cell_2), dim=1))
        cell_3 = self.cells[2](fused)
        fused = self.local_fuse[1](torch.cat((cell_2, cell_3), dim=1))
        cell_4 = self.cells[3](fused)
        fused = self.local_fuse[2](torch.cat((cell_2, cell_4), dim=1))
        output = self.tail(fused + head)
        return output if self.training else output.clamp(0.0, 1.0)

    def fuse(self) -> EFDN:
        """Merge all training branches in place and return this network, now as `EFDN()` builds it.

        The merged parameters are new ones: an optimizer made before no longer trains this network.
        """
        for module in list(self.modules()):
            if isinstance(module, EDBB):
                module.fuse()
        return self
