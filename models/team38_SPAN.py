"""SPAN, Swift Parameter-free Attention Network: the 28-channel network that won NTIRE 2024 (team XiaomiMM).

Written from section 4.1 of the NTIRE 2024 efficient super-resolution report and fitted to the released
checkpoint, which it loads with strict=True.

Input   (N, 3, H, W), RGB in [0, 1], any H and W from 1 on. The network itself subtracts the training set's
        mean colour and multiplies by 255. Nothing is added back at the end: the last convolution's bias has
        learned the mean.
Output  (N, 3, 4H, 4W), about [0, 1], not clamped.
Cost    150,688 parameters; 9.834 G multiply-accumulates for one 256x256 input.

Where the report and the released network differ
------------------------------------------------
This file computes what the released network does. In brackets, the released checkpoint's Set5 (x4, PSNR of Y)
where the network is built as the report says; as released it is 31.74 dB.

* Equation 4 joins O_0, O_1, O_5 and conv(O_6). In the place of O_5, the output of the fifth block, the
  released network joins SiLU(first convolution of the *sixth* block). The block returns that convolution's
  output beside its own, and by then the SiLU, which works in place, has overwritten it. (25.74 dB)
* The text under equation 3 has O_0 = sigma(W_0 * image), sigma being the activation after a convolution; the
  released O_0 has none. (20.32 dB)
* Equation 4 goes from the joined maps to the image with one convolution W_f2; the released network has two,
  a 1x1 (`conv_cat`) back to 28 channels and the 3x3 of `upsampler`.

Re-parameterization
-------------------
`SPAN(deploy=False)` is the training form: each `eval_conv` is a 1x1 convolution plus a chain of three.
`fuse()` merges them in place; the result is `SPAN()` with the same output. See `ExpandedConv`.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

SUBMISSION = {"model": "SPAN", "data_range": 1}

MEAN = (0.4488, 0.4371, 0.4040)  # mean colour (R, G, B) of DIV2K, in [0, 1]


def start(conv: nn.Conv2d, gain: float = 1.0) -> None:
    """Set the weights that training starts from: they scale white noise by `gain`. Biases start at zero."""
    nn.init.normal_(conv.weight, std=gain / conv.weight[0].numel() ** 0.5)
    nn.init.zeros_(conv.bias)


class ExpandedConv(nn.Module):
    """A 3x3 convolution that is trained as two branches, both linear, and merged to `eval_conv` afterwards.

    Training form, with `pad` one pixel of zeros on each side:

        y = skip(x) + squeeze(middle(expand(pad(x))))

        skip    1x1  in -> out
        expand  1x1  in -> 2 in
        middle  3x3  2 in -> 2 out, unpadded: it takes back the pixels that `pad` added
        squeeze 1x1  2 out -> out

    The zeros are put around x *before* `expand`, so `middle` meets expand's bias there, not zeros. That is
    what makes merging exact at the borders too: a border pixel gets the same constant as every other, and the
    merged convolution holds it in its bias. Zeros put before `middle` would lose it along the border.

    In train mode the branches are merged first and one convolution runs: the same function with the same
    gradients, for a quarter of the multiplications. In eval mode they run one by one, as written above.

    Args:
        in_channels: Width of x.
        out_channels: Width of y.
        deploy: True for `eval_conv` alone, False for the branches.
        gain: How much a fresh convolution scales the standard deviation of white noise, in either form.
        unit: The training form's branches take x / unit, so that their weights are not much smaller than
            those of other convolutions where x is not about 1: Adam moves all weights by steps of one size.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(
        self, in_channels: int, out_channels: int, deploy: bool = True, gain: float = 1.8, unit: float = 1.0
    ) -> None:
        super().__init__()
        self.deploy = deploy
        self.unit = unit
        if deploy:
            self.eval_conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
            start(self.eval_conv, gain / unit)
        else:
            self.skip = nn.Conv2d(in_channels, out_channels, 1)
            self.expand = nn.Conv2d(in_channels, 2 * in_channels, 1)
            self.middle = nn.Conv2d(2 * in_channels, 2 * out_channels, 3)
            self.squeeze = nn.Conv2d(2 * out_channels, out_channels, 1)
            for conv in (self.expand, self.middle):
                start(conv)
            for conv in (self.skip, self.squeeze):  # both end a branch; variances of the two branches add up
                start(conv, gain / 2**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`."""
        if self.deploy:
            return self.eval_conv(x)
        if self.training:
            # A product of three weights needs their precision.
            with torch.autocast(x.device.type, enabled=False):
                weight, bias = self.merged()
            return functional.conv2d(x, weight, bias, padding=1)
        x = x / self.unit
        return self.skip(x) + self.squeeze(self.middle(self.expand(functional.pad(x, (1, 1, 1, 1)))))

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return the weight (out, in, 3, 3) and the bias (out,) of the one 3x3 that equals the branches."""
        inner, outer = self.expand.weight[:, :, 0, 0], self.squeeze.weight[:, :, 0, 0]
        weight = torch.einsum("om,mnhw,ni->oihw", outer, self.middle.weight, inner)
        weight = weight + functional.pad(self.skip.weight, (1, 1, 1, 1))  # a 1x1 is a 3x3 with only a centre
        middle_bias = self.middle.bias + self.middle.weight.sum((2, 3)) @ self.expand.bias
        return weight / self.unit, self.skip.bias + self.squeeze.bias + outer @ middle_bias

    @torch.no_grad()
    def fuse(self) -> None:
        """Replace the branches by `eval_conv`, summed in float64 on the CPU; no effect when that is done."""
        if self.deploy:
            return
        weight, bias = copy.deepcopy(self).cpu().double().merged()
        self.eval_conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1).to(self.skip.weight)
        self.eval_conv.weight.copy_(weight)
        self.eval_conv.bias.copy_(bias)
        del self.skip, self.expand, self.middle, self.squeeze
        self.deploy = True


class SPAB(nn.Module):
    """Swift parameter-free attention block, equation 3: three 3x3 convolutions that gate themselves.

        H = c3(SiLU(c2(SiLU(c1(x)))))
        O = (H + x) * (sigmoid(H) - 0.5)

    The attention map is computed from H itself: it has no parameter, and is symmetric about the origin.

    Args:
        channels: C, width of input and output.
        deploy: False for the training form.

    Shape:
        (N, C, H, W) to two of (N, C, H, W).
    """

    def __init__(self, channels: int, deploy: bool = True) -> None:
        super().__init__()
        self.c1_r = ExpandedConv(channels, channels, deploy)
        self.c2_r = ExpandedConv(channels, channels, deploy)
        self.c3_r = ExpandedConv(channels, channels, deploy)
        self.act1 = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return O and SiLU(c1(x)); the network joins the latter from its last block."""
        first = self.act1(self.c1_r(x))
        third = self.c3_r(self.act1(self.c2_r(first)))
        return (third + x) * (torch.sigmoid(third) - 0.5), first


class SPAN(nn.Module):
    """The whole network; the defaults are the published one.

    Args:
        channels: C, width of every feature map.
        upscale: r, factor of enlargement.
        deploy: True for the form of the published checkpoint, False for the form to train (then `fuse`).

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW); values as in the head of this file.
    """

    def __init__(self, channels: int = 28, upscale: int = 4, deploy: bool = True) -> None:
        super().__init__()
        # Not persistent: the published checkpoint does not hold it.
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        # Training starts with features of about 1 from colours of 0 to 255, and with SR near the mean colour.
        self.conv_1 = ExpandedConv(3, channels, deploy, gain=4.0, unit=255.0)
        self.block_1 = SPAB(channels, deploy)
        self.block_2 = SPAB(channels, deploy)
        self.block_3 = SPAB(channels, deploy)
        self.block_4 = SPAB(channels, deploy)
        self.block_5 = SPAB(channels, deploy)
        self.block_6 = SPAB(channels, deploy)
        self.conv_cat = nn.Conv2d(4 * channels, channels, 1)
        self.conv_2 = ExpandedConv(channels, channels, deploy)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)
        )
        start(self.upsampler[0], gain=0.1)
        with torch.no_grad():
            self.upsampler[0].bias.copy_(torch.tensor(MEAN).repeat_interleave(upscale**2))

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`."""
        head = self.conv_1((lr - self.mean) * 255.0)
        block_1, _ = self.block_1(head)
        block_2, _ = self.block_2(block_1)
        block_3, _ = self.block_3(block_2)
        block_4, _ = self.block_4(block_3)
        block_5, _ = self.block_5(block_4)
        block_6, first_of_block_6 = self.block_6(block_5)
        joined = torch.cat((head, self.conv_2(block_6), block_1, first_of_block_6), dim=1)
        return self.upsampler(self.conv_cat(joined))

    def fuse(self) -> SPAN:
        """Merge all training branches in place and return this network, now as `SPAN()` builds it.

        The merged parameters are new ones: an optimizer made before no longer trains this network.
        """
        for module in list(self.modules()):
            if isinstance(module, ExpandedConv):
                module.fuse()
        return self
