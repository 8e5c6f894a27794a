"""ESPAN, Expanded SPAN: team MBGA's network of NTIRE 2025.

Written from the team's factsheet and fitted to the released checkpoint, which it loads with strict=True.

Input   (N, 3, H, W), RGB in [0, 1], any H and W from 1 on; no mean is subtracted.
Output  (N, 3, 4H, 4W), about [0, 1], not clamped.
Cost    192,272 parameters; 12.556 G multiply-accumulates for one 256x256 input (the factsheet's 0.1923 M and
        12.5556 G).

Against SPAN it is wider (32 channels instead of 28), its first convolution is 9x9 (faster than a 3x3 on the
authors' GPU), its sixth block has two convolutions instead of three, and that block's output itself is joined
where SPAN joins the output of its first convolution. The names with `tea` come from self-distillation: the
authors train a teacher, which is the student with further blocks, and reduce it to the network released.

The released code computes the gate of each block in a CUDA kernel compiled at run time, which no CPU can run
and no FLOP counter sees. Here it is plain torch. fvcore counts nothing for element-wise sums, products and
sigmoids either, so the total is the factsheet's, all of it convolutions.

Re-parameterization
-------------------
`ESPAN(deploy=False)` is the training form: each `eval_conv` is the factsheet's general block of six branches.
`fuse()` merges them in place; the result is `ESPAN()` with the same output. See `GeneralRepConv`.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

SUBMISSION = {"model": "ESPAN", "data_range": 1}

CHAINS = 4  # the factsheet's "x4"


def start(conv: nn.Conv2d, gain: float = 1.0) -> None:
    """Set the weights that training starts from: they scale white noise by `gain`. Biases start at zero."""
    nn.init.normal_(conv.weight, std=gain / conv.weight[0].numel() ** 0.5)
    nn.init.zeros_(conv.bias)


class GeneralRepConv(nn.Module):
    """A k x k convolution that is trained as six linear branches, and merged to `eval_conv` afterwards.

    Training form, with `pad` k // 2 pixels of zeros on each side:

        y = sum of chains[0..3](pad(x)) + full(x) + point(x)

        chains[j]  1x1 in -> in, then k x k in -> out, unpadded: it takes back the pixels that `pad` added
        full       k x k in -> out
        point      1x1 in -> out

    There is no identity branch: the authors found that training with one was unstable. The factsheet has the
    block for k = 3 and names no inner width. This file's reading of the rest: a chain keeps the input's
    width, and the first convolution, 9x9 and named `eval_conv` in the checkpoint like the others, is the same
    block with k = 9.

    The zeros are put around x *before* a chain's 1x1, so its k x k meets the 1x1's bias there, not zeros.
    That is what makes merging exact at the borders too: a border pixel gets the same constant as every other,
    and the merged convolution holds it in its bias.

    In train mode the branches are merged first and one convolution runs: the same function with the same
    gradients, for a fifth of the multiplications. In eval mode they run one by one, as written above.

    Args:
        in_channels: Width of x.
        out_channels: Width of y.
        kernel_size: k, odd.
        deploy: True for `eval_conv` alone, False for the branches.
        gain: How much a fresh convolution scales the standard deviation of white noise, in either form.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        deploy: bool = True,
        gain: float = 1.8,
    ) -> None:
        super().__init__()
        self.deploy = deploy
        self.padding = kernel_size // 2
        if deploy:
            self.eval_conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=self.padding)
            start(self.eval_conv, gain)
        else:
            self.chains = nn.ModuleList(
                nn.Sequential(
                    nn.Conv2d(in_channels, in_channels, 1), nn.Conv2d(in_channels, out_channels, kernel_size)
                )
                for _ in range(CHAINS)
            )
            self.full = nn.Conv2d(in_channels, out_channels, kernel_size, padding=self.padding)
            self.point = nn.Conv2d(in_channels, out_channels, 1)
            ends = [self.full, self.point, *(chain[1] for chain in self.chains)]
            for conv in ends:  # the variances of the branches add up
                start(conv, gain / len(ends) ** 0.5)
            for chain in self.chains:
                start(chain[0])

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`."""
        if self.deploy:
            return self.eval_conv(x)
        if self.training:
            # A product of two weights needs their precision.
            with torch.autocast(x.device.type, enabled=False):
                weight, bias = self.merged()
            return functional.conv2d(x, weight, bias, padding=self.padding)
        padded = functional.pad(x, (self.padding,) * 4)
        return sum((chain(padded) for chain in self.chains), start=self.full(x) + self.point(x))

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return the weight (out, in, k, k) and bias (out,) of the convolution that equals the branches."""
        centre = functional.pad(self.point.weight, (self.padding,) * 4)  # a 1x1 is a k x k with only a centre
        weight = self.full.weight + centre
        bias = self.full.bias + self.point.bias
        for first, second in self.chains:
            weight = weight + torch.einsum("omhw,mi->oihw", second.weight, first.weight[:, :, 0, 0])
            bias = bias + second.bias + second.weight.sum((2, 3)) @ first.bias
        return weight, bias

    @torch.no_grad()
    def fuse(self) -> None:
        """Replace the branches by `eval_conv`, summed in float64 on the CPU; no effect when that is done."""
        if self.deploy:
            return
        weight, bias = copy.deepcopy(self).cpu().double().merged()
        out_channels, in_channels, kernel_size, _ = weight.shape
        self.eval_conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=self.padding)
        self.eval_conv.to(self.full.weight)  # its device and type
        self.eval_conv.weight.copy_(weight)
        self.eval_conv.bias.copy_(bias)
        del self.chains, self.full, self.point
        self.deploy = True


def gate(features: Tensor, x: Tensor) -> Tensor:
    """Return (features + x) * (sigmoid(features) - 0.5), SPAN's parameter-free attention, in plain torch."""
    return (features + x) * (torch.sigmoid(features) - 0.5)


class SPAB(nn.Module):
    """SPAN's block: 3x3 convolutions with SiLU between, whose output gates itself and the block's input.

    Args:
        channels: C, width of input and output.
        convolutions: 3, or 2 for the shortened last block.
        deploy: False for the training form.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int, convolutions: int = 3, deploy: bool = True) -> None:
        super().__init__()
        self.c1_r = GeneralRepConv(channels, channels, deploy=deploy)
        self.c2_r = GeneralRepConv(channels, channels, deploy=deploy)
        self.c3_r = GeneralRepConv(channels, channels, deploy=deploy) if convolutions == 3 else None
        self.act1 = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of `x`."""
        features = self.c2_r(self.act1(self.c1_r(x)))
        if self.c3_r is not None:
            features = self.c3_r(self.act1(features))
        return gate(features, x)


class ESPAN(nn.Module):
    """The whole network; the defaults are the published one.

    Args:
        channels: C, width of every feature map.
        upscale: r, factor of enlargement.
        deploy: True for the form of the published checkpoint, False for the form to train (then `fuse`).

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW); values as in the head of this file.
    """

    def __init__(self, channels: int = 32, upscale: int = 4, deploy: bool = True) -> None:
        super().__init__()
        self.conv_1 = GeneralRepConv(3, channels, kernel_size=9, deploy=deploy, gain=2.0)
        self.block_1 = SPAB(channels, deploy=deploy)
        self.block_2 = SPAB(channels, deploy=deploy)
        self.block_3 = SPAB(channels, deploy=deploy)
        self.block_4 = SPAB(channels, deploy=deploy)
        self.block_5 = SPAB(channels, deploy=deploy)
        self.teacher_block_seq = SPAB(channels, convolutions=2, deploy=deploy)
        self.tea_conv_2 = GeneralRepConv(channels, channels, deploy=deploy)
        self.tea_conv_cat = nn.Conv2d(4 * channels, channels, 1)
        self.tea_upsampler = nn.Sequential(
            GeneralRepConv(channels, 3 * upscale**2, deploy=deploy, gain=0.1), nn.PixelShuffle(upscale)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`."""
        head = self.conv_1(lr)
        block_1 = self.block_1(head)
        block_5 = self.block_5(self.block_4(self.block_3(self.block_2(block_1))))
        block_6 = self.teacher_block_seq(block_5)
        joined = torch.cat((head, self.tea_conv_2(block_6), block_1, block_6), dim=1)
        return self.tea_upsampler(self.tea_conv_cat(joined))

    def fuse(self) -> ESPAN:
        """Merge all training branches in place and return this network, now as `ESPAN()` builds it.

        The merged parameters are new ones: an optimizer made before no longer trains this network.
        """
        for module in list(self.modules()):
            if isinstance(module, GeneralRepConv):
                module.fuse()
        return self
