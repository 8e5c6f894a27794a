"""LKDN-S, the small large kernel distillation network (x4): trained in one form, run in a cheaper one.

Written from C. Xie et al., "Large Kernel Distillation Network for Efficient Single Image Super-Resolution"
(2023), sections 3 and 4.2: the entry to the NTIRE 2023 challenge, of 5 blocks and 42 channels.

It is also the example of re-parameterization. `LKDN(deploy=False)` is what is trained: convolutions with
other linear branches beside them. `fuse()` adds each such group up to the one convolution it amounts to,
which leaves `LKDN()`, the inference form that is measured: the same output for three quarters of the cost.
The checkpoint belongs to the inference form; one of the training form would need `"args": {"deploy": False}`
in `SUBMISSION`.

Cost at 256x256: 129,177 parameters, 8.358 G multiply-accumulates (training form: 172,449 and 11.141 G); at
the paper's 320x180 that is 7.35 G, of which it prints 7.3. Published on Set5: 32.11 dB / 0.8936, PSNR and
SSIM of Y (the released checkpoint gives 32.10 dB, in either form).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

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


class RBSB(nn.Module):
    """Re-parameterized blueprint shallow block: the training form of a `BSConv` of equal widths.

    Each of its two convolutions has a skip beside it, and the depth-wise one a depth-wise 1x1 too.

    Args:
        channels: C, width of input and output.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pw = nn.Conv2d(channels, channels, 1, bias=False)
        self.dw = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.rep1x1 = nn.Conv2d(channels, channels, 1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of `x` (equations 7 and 8)."""
        x = self.pw(x) + x
        return self.dw(x) + self.rep1x1(x) + x

    @torch.no_grad()
    def merged(self) -> BSConv:
        """Return the `BSConv` that computes the same: skips are ones on the kernels' centres."""
        channels = self.dw.out_channels
        pw, dw = self.pw.weight.double(), self.dw.weight.double().clone()
        dw[:, :, 1, 1] += self.rep1x1.weight[:, :, 0, 0].double() + 1
        conv = BSConv(channels, channels).to(self.pw.weight).train(self.training)
        conv.pw.weight.copy_(pw + torch.eye(channels).to(pw)[:, :, None, None])
        conv.dw.weight.copy_(dw)
        conv.dw.bias.copy_(self.dw.bias.double() + self.rep1x1.bias.double())
        return conv


class RepUpsampler(nn.Module):
    """The training form of the upsampler: three branches in the place of its 3x3 convolution.

    A 1x1 convolution, a 3x3 one, and a chain of a 1x1 to twice the width and a 3x3 back. The chain's 3x3
    finds the bias of its 1x1 beyond the border, which is what that would compute from zeros. So the chain is
    one 3x3 convolution of the zero-padded input, on the border too, and can be merged without an error there.

    Args:
        channels: C, width of the input.
        upscale: r, factor of enlargement.

    Shape:
        (N, C, H, W) to (N, 3, rH, rW).
    """

    def __init__(self, channels: int, upscale: int) -> None:
        super().__init__()
        colours = 3 * upscale**2
        self.conv1 = nn.Conv2d(channels, colours, 1)
        self.conv3 = nn.Conv2d(channels, colours, 3, padding=1)
        self.conv1x1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv3x3 = nn.Conv2d(2 * channels, colours, 3)
        self.shuffle = nn.PixelShuffle(upscale)

    def forward(self, x: Tensor) -> Tensor:
        """Return the image that the features `x` stand for."""
        beyond = self.conv1x1.bias[:, None, None]
        wide = functional.pad(self.conv1x1(x) - beyond, (1, 1, 1, 1)) + beyond
        return self.shuffle(self.conv1(x) + self.conv3(x) + self.conv3x3(wide))

    @torch.no_grad()
    def merged(self) -> nn.Sequential:
        """Return the convolution and pixel shuffle that compute the same."""
        inner, outer = self.conv1x1, self.conv3x3
        chain = outer.weight.double()
        weight = self.conv3.weight.double() + torch.einsum(
            "omhw,mi->oihw", chain, inner.weight[:, :, 0, 0].double()
        )
        weight[:, :, 1, 1] += self.conv1.weight[:, :, 0, 0].double()
        bias = self.conv3.bias.double() + self.conv1.bias.double() + outer.bias.double()
        conv = nn.Conv2d(self.conv3.in_channels, self.conv3.out_channels, 3, padding=1).to(self.conv3.weight)
        conv.weight.copy_(weight)
        conv.bias.copy_(bias + chain.sum(dim=(2, 3)) @ inner.bias.double())
        return nn.Sequential(conv, self.shuffle).train(self.training)


class LKDN(nn.Module):
    """Large kernel distillation network, small.

    The image, repeated on the channels, through a blueprint separable convolution; distillation blocks in a
    row; the features of all blocks fused; a skip around all of these; an upsampler of one convolution and a
    pixel shuffle.

    The training form has an `RBSB` for each refinement and a `RepUpsampler`; `fuse` merges them.

    Where the paper leaves off, or text and released network differ, this class does as the released one,
    whose weights it loads strictly:

    - Equation 9 applies the merged depth-wise convolution to F_0; it is applied to F_1, as equation 8 says.
    - The paper repeats the image "n times" without saying how often (equation 1): four times.
    - Equations 10 and 11 show no activation: every distillation and every refinement ends in a GELU. The
      first three distillations are 1x1 convolutions, the fourth a blueprint separable one.
    - The pixel normalization of equation 13 is a LayerNorm over channels (eps 1e-5), scale and shift learned.

    Args:
        channels: C, width of the features; even.
        blocks: How many blocks.
        upscale: r, factor of enlargement.
        deploy: Build the inference form; False builds the training form.

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW), RGB, of any H and W from 1 on: all padding is with zeros, and
        nothing is pooled. Both are floats whose white is 1, without a mean shift; SR is not clamped and goes
        a little beyond [0, 1].
    """

    COPIES = 4
    REFINEMENTS = ("c1_r", "c2_r", "c3_r")

    def __init__(self, channels: int = 42, blocks: int = 5, upscale: int = 4, deploy: bool = True) -> None:
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
        if not deploy:
            for block in self.distillation_blocks():
                for name in self.REFINEMENTS:
                    setattr(block, name, RBSB(channels))
            self.upsampler = RepUpsampler(channels, upscale)

    def distillation_blocks(self) -> list[LKDB]:
        """Return the blocks in the order in which they are applied."""
        return [getattr(self, f"B{number}") for number in range(1, self.blocks + 1)]

    def fuse(self) -> None:
        """Merge the training branches in place; afterwards this is the inference form.

        Sums and products of kernels are computed in float64 and rounded once to the parameters' own type. New
        parameters replace the old ones, so an optimizer made before no longer trains this network. Nothing
        happens to a network that is in its inference form already.
        """
        for block in self.distillation_blocks():
            for name in self.REFINEMENTS:
                refinement = getattr(block, name)
                if isinstance(refinement, RBSB):
                    setattr(block, name, refinement.merged())
        if isinstance(self.upsampler, RepUpsampler):
            self.upsampler = self.upsampler.merged()

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`."""
        shallow = self.fea_conv(torch.cat([lr] * self.COPIES, dim=1))
        deep, features = shallow, []
        for number in range(1, self.blocks + 1):
            deep = getattr(self, f"B{number}")(deep)
            features.append(deep)
        fused = self.c2(self.GELU(self.c1(torch.cat(features, dim=1))))
        return self.upsampler(fused + shallow)
