"""ESPAN in its form for inference; see models/team36_ESPAN.py for the form to train."""

import torch
from torch import Tensor, nn

from .gate import Gate


class Conv(nn.Module):
    """A convolution with zero padding, by the name that it has in the checkpoint."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.eval_conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`."""
        return self.eval_conv(x)


class Block(nn.Module):
    """SPAN's block: convolutions with SiLU between, whose output gates itself and the block's input."""

    def __init__(self, channels: int, convolutions: int = 3) -> None:
        super().__init__()
        self.c1_r = Conv(channels, channels)
        self.c2_r = Conv(channels, channels)
        self.c3_r = Conv(channels, channels) if convolutions == 3 else None
        self.act1 = nn.SiLU(inplace=True)
        self.gate = Gate()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of `x`."""
        features = self.c2_r(self.act1(self.c1_r(x)))
        if self.c3_r is not None:
            features = self.c3_r(self.act1(features))
        return self.gate(features, x)


class ESPAN(nn.Module):
    """LR (N, 3, H, W) in [0, 1] to SR (N, 3, 4H, 4W)."""

    def __init__(self, channels: int = 32, upscale: int = 4) -> None:
        super().__init__()
        self.conv_1 = Conv(3, channels, kernel_size=9)
        self.block_1 = Block(channels)
        self.block_2 = Block(channels)
        self.block_3 = Block(channels)
        self.block_4 = Block(channels)
        self.block_5 = Block(channels)
        self.teacher_block_seq = Block(channels, convolutions=2)
        self.tea_conv_2 = Conv(channels, channels)
        self.tea_conv_cat = nn.Conv2d(4 * channels, channels, 1)
        self.tea_upsampler = nn.Sequential(Conv(channels, 3 * upscale**2), nn.PixelShuffle(upscale))

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`."""
        head = self.conv_1(lr)
        block_1 = self.block_1(head)
        block_5 = self.block_5(self.block_4(self.block_3(self.block_2(block_1))))
        block_6 = self.teacher_block_seq(block_5)
        joined = torch.cat((head, self.tea_conv_2(block_6), block_1, block_6), dim=1)
        return self.tea_upsampler(self.tea_conv_cat(joined))
