"""LKDN, the large kernel distillation network (x4): the full-size model of its paper.

Written from C. Xie et al., "Large Kernel Distillation Network for Efficient Single Image Super-Resolution"
(2023), sections 3 and 4.2. It has no training branches: the paper trains this size as it is, and only its
small sibling (team39_LKDN-S.py) in an expanded form.

Cost at 256x256: 321,992 parameters, 20.882 G multiply-accumulates; at the paper's 320x180 that is 18.35 G, of
which it prints 18.3. Published on Set5: 32.39 dB / 0.8979, PSNR and SSIM of Y.
"""

import torch
from torch import Tensor, nn

SUBMISSION = {"model": "LKDN", "data_range": 1}


class BSConv(nn.Module):
    """Blueprint separable convolution: a 1x1 convolution, then a depth-wise 3x3 one.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.dw = nn.Conv2d(out_channels, out_channels, 3, padding=1, groups=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`."""
        return self.dw(self.pw(x))


class LKA(nn.Module):
    """Large kernel attention: multiplies its input by what a 17x17 depth-wise view makes of it.

    The 17x17 kernel is taken apart into a 1x1 convolution, a depth-wise 5x5, and a depth-wise 5x5 of dilation
    3: together they see 2 + 6 pixels to every side. There is no sigmoid, so the gate may take any value.

    Args:
        channels: C, width of input and output.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.depthwise_dilated = nn.Conv2d(channels, channels, 5, padding=6, dilation=3, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times its attention (equations 5 and 6)."""
        return x * self.depthwise_dilated(self.depthwise(self.pointwise(x)))


class LKDB(nn.Module):
    """Large kernel distillation block.

    Three times, half of the channels are distilled from the features and the features are refined; the four
    distilled parts are fused, gated by large kernel attention, transformed, normalized over the channels of
    each pixel, and added to the block's input.

    Args:
        channels: C, width of input and output; even.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        distilled = channels // 2
        self.c1_d = nn.Conv2d(channels, distilled, 1)
        self.c1_r = BSConv(channels, channels)
        self.c2_d = nn.Conv2d(channels, distilled, 1)
        self.c2_r = BSConv(channels, channels)
        self.c3_d = nn.Conv2d(channels, distilled, 1)
        self.c3_r = BSConv(channels, channels)
        self.c4 = BSConv(channels, distilled)
        self.act = nn.GELU()
        self.c5 = nn.Conv2d(4 * distilled, channels, 1)
        self.atten = LKA(channels)
        self.c6 = nn.Conv2d(channels, channels, 1)
        self.pixel_norm = nn.LayerNorm(channels)
        nn.init.constant_(self.pixel_norm.weight, 0.1)  # before training, a block adds a little to its input

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of `x` (equations 10 to 14)."""
        d1, r1 = self.act(self.c1_d(x)), self.act(self.c1_r(x))
        d2, r2 = self.act(self.c2_d(r1)), self.act(self.c2_r(r1))
        d3, r3 = self.act(self.c3_d(r2)), self.act(self.c3_r(r2))
        d4 = self.act(self.c4(r3))
        fused = self.c6(self.atten(self.c5(torch.cat([d1, d2, d3, d4], dim=1))))
        # LayerNorm takes the last axis: the channels go there and back.
        return x + self.pixel_norm(fused.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LKDN(nn.Module):
    """Large kernel distillation network.

    The image, repeated on the channels, through a blueprint separable convolution; distillation blocks in a
    row; the features of all blocks fused; a skip around all of these; an upsampler of one convolution and a
    pixel shuffle.

    Where the paper leaves off, or text and released network differ, this class does as the released one,
    whose weights it loads strictly:

    - The paper repeats the image "n times" without saying how often (equation 1): four times.
    - Equations 10 and 11 show no activation: every distillation and every refinement ends in a GELU. The
      first three distillations are 1x1 convolutions, the fourth a blueprint separable one.
    - The pixel normalization of equation 13 is a LayerNorm over channels (eps 1e-5), scale and shift learned.

    Args:
        channels: C, width of the features; even.
        blocks: How many blocks.
        upscale: r, factor of enlargement.

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW), RGB, of any H and W from 1 on: all padding is with zeros, and
        nothing is pooled. Both are floats whose white is 1, without a mean shift; SR is not clamped and goes
        a little beyond [0, 1].
    """

    COPIES = 4

    def __init__(self, channels: int = 56, blocks: int = 8, upscale: int = 4) -> None:
        super().__init__()
        self.blocks = blocks
        self.fea_conv = BSConv(3 * self.COPIES, channels)
        for number in range(1, blocks + 1):  # named B1, B2, ... as in the released checkpoints
            self.add_module(f"B{number}", LKDB(channels))
        self.c1 = nn.Conv2d(blocks * channels, channels, 1)
        self.GELU = nn.GELU()
        self.c2 = BSConv(channels, channels)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`."""
        shallow = self.fea_conv(torch.cat([lr] * self.COPIES, dim=1))
        deep, features = shallow, []
        for number in range(1, self.blocks + 1):
            deep = getattr(self, f"B{number}")(deep)
            features.append(deep)
        fused = self.c2(self.GELU(self.c1(torch.cat(features, dim=1))))
        return self.upsampler(fused + shallow)
