"""AGDN, the attention guidance distillation network (x4): the full-size model of its paper.

Written from H. Wang et al., "Attention Guidance Distillation Network for Efficient Image Super-Resolution"
(2024), section 3 for the blocks, section 4.3 for their number, 7. Their width, 42 channels, is the released
network's: the paper prints none. The small one, an entry to the NTIRE 2024 challenge, is team31_AGDN-S.py.

At inference the self-attention looks at windows of 48x48 pixels (see `SparseAttention`), cut from one image
at a time: an input larger than a window needs batch 1. In training mode it looks at the whole crop, at any
batch.

Cost at 256x256: 294,174 parameters, 19.070 G multiply-accumulates. The paper prints 293 K and, at 320x180,
16.1 G: that is its convolutions alone (292,683 and 16.11 G); all that fvcore counts there is 16.69 G.
Published on Set5: 32.43 dB / 0.8980, PSNR and SSIM of Y.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

SUBMISSION = {"model": "AGDN", "data_range": 1}


class BSConv(nn.Module):
    """Blueprint separable convolution: a 1x1 convolution, then a depth-wise 3x3 one.

    The depth-wise convolution continues its input beyond the border by reflection, which takes at least 2x2
    pixels.

    Args:
        channels: C, width of input and output.
        stride: Of the depth-wise convolution.

    Shape:
        (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.pw = nn.Conv2d(channels, channels, 1, bias=False)
        self.dw = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`."""
        return self.dw(self.pw(x))


def local_variance(x: Tensor, window: int) -> Tensor:
    """Return the unbiased variance of each window of `x`, per channel.

    Padding and stride are those of the max-pooling whose output it is added to.

    Args:
        x: (N, C, H, W).
        window: k, side of the windows, which lie 3 apart on `x` reflected by 1 pixel.

    Returns:
        (N, C, (H + 2 - k) // 3 + 1, (W + 2 - k) // 3 + 1).
    """
    reflected = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    return reflected.unfold(2, window, 3).unfold(3, window, 3).var(dim=(-2, -1), correction=1)


class VarianceGate(nn.Module):
    """Scales every value of its input by a gate in (0, 1), computed where the image has structure.

    Two branches, D5 and D7, each shrink f narrow channels about sixfold in two ways, by the maxima and by the
    variances of 5x5 (7x7) windows of the halved image, and convolve the sum of both. The gate comes from both
    branches, brought back to full size, and from the narrow channels themselves.

    Args:
        channels: C, width of input and output.

    Shape:
        (N, C, H, W) to (N, C, H, W), with H and W at least 15: D7 then is 2x2, the least that can be
        reflected.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = channels // 4
        self.conv1 = nn.Conv2d(channels, narrow, 1)
        self.conv_f = nn.Conv2d(narrow, narrow, 1)
        self.conv2_1 = BSConv(narrow, stride=2)
        self.conv2_2 = BSConv(narrow, stride=2)
        self.conv2_3 = BSConv(narrow, stride=2)
        self.conv2_4 = BSConv(narrow, stride=2)
        self.pool_5 = nn.MaxPool2d(5, stride=3, padding=1)
        self.pool_7 = nn.MaxPool2d(7, stride=3, padding=1)
        self.conv_max_1 = BSConv(narrow)
        self.conv_max_2 = BSConv(narrow)
        self.conv3_1 = BSConv(narrow)
        self.conv3_2 = BSConv(narrow)
        self.conv4 = nn.Conv2d(narrow, channels, 1)
        self.gelu = nn.GELU()
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times its gate."""
        near = self.conv1(x)
        d5 = self.pool_5(self.conv2_1(near)) + local_variance(self.conv2_4(near), 5)
        d7 = self.pool_7(self.conv2_2(near)) + local_variance(self.conv2_3(near), 7)
        d5 = self.conv3_1(self.gelu(self.conv_max_1(d5)))
        d7 = self.conv3_2(self.gelu(self.conv_max_2(d7)))
        far = [
            functional.interpolate(branch, size=x.shape[-2:], mode="bilinear", align_corners=False)
            for branch in (d5, d7)
        ]
        return x * self.sigmoid(self.conv4(far[0] + far[1] + self.conv_f(near)))


class MVSA(nn.Module):
    """Multi-level variance-aware spatial attention: a `VarianceGate` with a skip.

    Args:
        channels: C, width of input and output.

    Shape:
        (N, C, H, W) to (N, C, H, W), with H and W at least 15.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(VarianceGate(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the attended features of `x`."""
        return self.body(x) + x


class ContrastAttention(nn.Module):
    """Contrast-aware channel attention: scales each channel by a gate in (0, 1).

    Args:
        channels: C, width of input and output.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = channels // (channels // 4)  # about 4, whatever C is
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, reduced, 1), nn.ReLU(), nn.Conv2d(reduced, channels, 1), nn.Sigmoid()
        )
        # Contrasts are alike before training: with torch's biases, half of these few units never come alive.
        nn.init.constant_(self.conv_du[0].bias, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times its gate, which is computed from each channel's contrast."""
        contrast = x.std(dim=(2, 3), correction=0, keepdim=True) + functional.adaptive_avg_pool2d(x, 1)
        return x * self.conv_du(contrast)


class ChannelScale(nn.Module):
    """One learned factor per channel, which starts near zero: the network begins without what it scales.

    Args:
        channels: C.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1, 1), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` scaled."""
        return x * self.scale


class RCCA(nn.Module):
    """Reallocated contrast-aware channel attention.

    After a depth-wise convolution, one branch re-weights the channels by their contrast; the other, the
    complementary one, takes from every channel what all of them have in common.

    Args:
        channels: C, width of input and output.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.act = nn.GELU()
        self.decompose = nn.Conv2d(channels, 1, 1)
        self.decompose_act = nn.GELU()
        self.sigma = ChannelScale(channels)
        self.cca = ContrastAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the attended features of `x`."""
        own = self.act(self.dwconv(x))
        common = self.decompose_act(self.decompose(own))
        return x + self.sigma(own - common) + self.cca(own)


class ChannelNorm(nn.Module):
    """Layer normalization over the channels of each pixel, with learned scale and shift.

    Written out like the released one: `nn.LayerNorm` on channels moved to the end computes the same, but FLOP
    counters count it, and would find more than was published.

    Args:
        channels: C.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    EPS = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalized."""
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        scale, shift = self.weight[:, None, None], self.bias[:, None, None]
        return (x - mean) / torch.sqrt(variance + self.EPS) * scale + shift


def window_starts(length: int, window: int) -> list[int]:
    """Return where the windows along one side begin: evenly spread, overlapping, the last one at the end.

    Args:
        length: n, pixels of the side.
        window: k, pixels of a window, at most n.

    Returns:
        ceil(n / k) offsets, from 0 to n - k.

    >>> window_starts(128, 48)
    [0, 40, 80]
    >>> window_starts(48, 48)
    [0]
    """
    count = -(-length // window)
    if count == 1:
        return [0]
    step = -(-(length - window) // (count - 1))
    return [min(start, length - window) for start in range(0, length - window + step, step)]


class SparseAttention(nn.Module):
    """Self-attention among channels: each channel becomes a sum of those it resembles.

    How alike two channels of a head are is the cosine of their pixels; a ReLU in the place of the usual
    softmax drops the unlike ones. So the cost grows with the number of pixels, not with its square.

    Which channels are alike depends on how much of the image is compared, and a network trained on small
    crops expects as much as a crop holds. So at inference the comparison is made within overlapping windows
    of a crop's size, and where windows overlap their results are averaged (test-time local conversion, TLC).

    Args:
        channels: C, width of input and output; a multiple of `heads`.
        window: K, side of the windows at inference [LR pixels]; smaller images are one window.
        heads: Groups of channels that are compared among themselves.

    Shape:
        (N, C, H, W) to (N, C, H, W); N is 1 at inference where H or W exceeds K.
    """

    def __init__(self, channels: int, window: int, heads: int = 3) -> None:
        super().__init__()
        self.window = window
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_dwconv = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the attended features of `x`.

        Raises:
            ValueError: At inference, more than one image and more than one window.
        """
        qkv = self.qkv_dwconv(self.qkv(x))
        attended = self.attend(qkv) if self.training else self.attend_in_windows(qkv)
        return self.project_out(attended)

    def attend(self, qkv: Tensor) -> Tensor:
        """Return (N, C, H, W), the attention over all pixels, from queries, keys and values (N, 3C, H, W)."""
        q, k, v = (part.unflatten(1, (self.heads, -1)).flatten(3) for part in qkv.chunk(3, dim=1))
        alike = functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).transpose(-2, -1)
        attended = functional.relu(alike * self.temperature) @ v
        return attended.flatten(1, 2).unflatten(2, qkv.shape[-2:])

    def attend_in_windows(self, qkv: Tensor) -> Tensor:
        """Return (N, C, H, W), the mean of the attention within each window, from (N, 3C, H, W)."""
        images, channels, height, width = qkv.shape
        rows, columns = min(height, self.window), min(width, self.window)
        corners = [
            (top, left) for top in window_starts(height, rows) for left in window_starts(width, columns)
        ]
        if len(corners) == 1:
            return self.attend(qkv)
        if images != 1:
            raise ValueError(
                f"AGDN at inference attends within windows of {self.window}x{self.window} pixels, and an "
                f"image larger than that needs batch 1; found batch {images} of {height}x{width}: "
                "run the images one by one"
            )
        # The windows take the place of the images in a batch.
        windows = torch.cat([qkv[..., top : top + rows, left : left + columns] for top, left in corners])
        total = qkv.new_zeros(1, channels // 3, height, width)
        count = qkv.new_zeros(1, 1, height, width)
        for (top, left), attended in zip(corners, self.attend(windows), strict=True):
            total[..., top : top + rows, left : left + columns] += attended
            count[..., top : top + rows, left : left + columns] += 1
        return total / count


class FeedForward(nn.Module):
    """Gated feed-forward: one half of the widened features gates the other.

    Args:
        channels: C, width of input and output; 2C within.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project_in = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.dwconv = nn.Conv2d(4 * channels, 4 * channels, 3, padding=1, groups=4 * channels, bias=False)
        self.project_out = nn.Conv2d(2 * channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the transformed features of `x`."""
        gate, features = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(functional.gelu(gate) * features)


class SGSA(nn.Module):
    """Sparse global self-attention, then a feed-forward, each after a normalization and with a skip.

    Args:
        channels: C, width of input and output.
        window: K, side of the attention's windows at inference.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        self.norm3 = nn.Sequential(OrderedDict(body=ChannelNorm(channels)))
        self.restormer_attn = SparseAttention(channels, window)
        self.norm4 = nn.Sequential(OrderedDict(body=ChannelNorm(channels)))
        self.restormer_ffn = FeedForward(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the attended features of `x`."""
        x = x + self.restormer_attn(self.norm3(x))
        return x + self.restormer_ffn(self.norm4(x))


class AGDB(nn.Module):
    """Attention guidance distillation block.

    Three times, half of the channels are distilled from the features and the features are refined; the four
    distilled parts are fused, pass spatial, channel and self-attention, and are added to the block's input.

    Args:
        channels: C, width of input and output; even, and a multiple of the attention's 3 heads.
        window: K, side of the self-attention's windows at inference.

    Shape:
        (N, C, H, W) to (N, C, H, W), with H and W at least 15.
    """

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        distilled = channels // 2
        self.c1_d = nn.Conv2d(channels, distilled, 1)
        self.c1_r = BSConv(channels)
        self.c2_d = nn.Conv2d(channels, distilled, 1)
        self.c2_r = BSConv(channels)
        self.c3_d = nn.Conv2d(channels, distilled, 1)
        self.c3_r = BSConv(channels)
        self.c4 = nn.Conv2d(channels, distilled, 3, padding=1, groups=distilled)
        self.act = nn.GELU()
        self.c5 = nn.Conv2d(4 * distilled, channels, 1)
        self.esa = MVSA(channels)
        self.cca = RCCA(channels)
        self.ea = SGSA(channels, window)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of `x` (equations 6 to 9)."""
        d1, r1 = self.act(self.c1_d(x)), self.act(self.c1_r(x) + x)
        d2, r2 = self.act(self.c2_d(r1)), self.act(self.c2_r(r1) + r1)
        d3, r3 = self.act(self.c3_d(r2)), self.act(self.c3_r(r2) + r2)
        d4 = self.act(self.c4(r3))
        fused = self.c5(torch.cat([d1, d2, d3, d4], dim=1))
        return x + self.ea(self.cca(self.esa(fused)))


class AGDN(nn.Module):
    """Attention guidance distillation network.

    A convolution, distillation blocks in a row, the features of all blocks fused, a skip around all of these,
    and an upsampler of one convolution and a pixel shuffle.

    Where the paper leaves off, or text and released network differ, this class does as the released one,
    whose weights it loads strictly:

    - The text speaks of no mean; the training set's mean colour is subtracted first and added back last.
    - Equation 6 shows neither activation nor skip: every distillation and refinement ends in a GELU, before
      which a refinement adds its input. The fourth distillation is a 3x3 convolution in groups of two.
    - "Local variance" is unbiased, and taken of other narrow features than the maxima it is added to. The
      gate itself, which replaces ESA, has a skip around it.
    - RCCA's complementary branch is scaled by a learned factor per channel, and RCCA adds its own input.
    - All blueprint convolutions pad by reflection; all others by zeros.
    - The side of the attention's windows is not printed: 48, the LR patch it was trained on.

    Args:
        channels: C, width of the features; a multiple of 6.
        blocks: How many blocks.
        upscale: r, factor of enlargement.
        window: K, side of the self-attention's windows at inference [LR pixels].

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW), RGB, H and W at least 15 (see `VarianceGate`); N is 1 at
        inference where H or W exceeds K. Both are floats whose white is 1; SR is not clamped and goes a
        little beyond [0, 1].
    """

    SMALLEST = 15

    def __init__(self, channels: int = 42, blocks: int = 7, upscale: int = 4, window: int = 48) -> None:
        super().__init__()
        self.blocks = blocks
        mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)  # not in the checkpoint
        self.fea_conv = nn.Conv2d(3, channels, 3, padding=1)
        for number in range(1, blocks + 1):  # named B1, B2, ... as in the released checkpoints
            self.add_module(f"B{number}", AGDB(channels, window))
        self.c1 = nn.Conv2d(blocks * channels, channels, 1)
        self.GELU = nn.GELU()
        self.c2 = BSConv(channels)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`.

        Raises:
            ValueError: `lr` is too small to be pooled, or at inference a batch larger than a window.
        """
        height, width = lr.shape[-2:]
        if min(height, width) < self.SMALLEST:
            raise ValueError(
                f"AGDN needs an LR image of at least {self.SMALLEST}x{self.SMALLEST} pixels, "
                f"found {height}x{width}: its attention halves it, pools 7x7, and reflects what is left"
            )
        shallow = self.fea_conv(lr - self.mean)
        deep, features = shallow, []
        for number in range(1, self.blocks + 1):
            deep = getattr(self, f"B{number}")(deep)
            features.append(deep)
        fused = self.c2(self.GELU(self.c1(torch.cat(features, dim=1))))
        return self.upsampler(fused + shallow) + self.mean
