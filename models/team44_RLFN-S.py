"""RLFN-S, the residual local feature network (x4): the smaller model of its paper.

Written from F. Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022):
equations 1 to 3 for the network, 6 and 7 for the block, section 4.1 for its size: 6 blocks, 48 channels.
The larger one has 52 (team41_RLFN-52.py); the challenge's baseline is team00_RLFN.py.

Cost at 256x256: 470,208 parameters, 29.146 G multiply-accumulates.
Published on Set5: 32.23 dB / 0.8961, PSNR and SSIM of Y.
"""

from torch import Tensor, nn
from torch.nn import functional

SUBMISSION = {"model": "RLFN", "data_range": 255}


class ESA(nn.Module):
    """Enhanced spatial attention: scales every value of its input by a gate in (0, 1).

    The gate is computed from two views of the same f narrow channels: one at full size, and one shrunk about
    sixfold (stride 2, then a pool of stride 3), whose convolution therefore sees far around each pixel.

    Args:
        channels: C, width of input and output.
        narrow: f, width in which the gate is computed.

    Shape:
        (N, C, H, W) to (N, C, H, W), with H and W at least 15: fewer leave nothing for the 7x7 pool.
    """

    def __init__(self, channels: int, narrow: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, narrow, 1)
        self.conv_f = nn.Conv2d(narrow, narrow, 1)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride=2)  # no padding
        self.pool = nn.MaxPool2d(kernel_size=7, stride=3)
        self.conv3 = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.conv4 = nn.Conv2d(narrow, channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times its gate."""
        near = self.conv1(x)
        far = self.conv3(self.pool(self.conv2(near)))
        far = functional.interpolate(far, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return x * self.sigmoid(self.conv4(far + self.conv_f(near)))


class RLFB(nn.Module):
    """Residual local feature block: three convolutions with a skip around them, a 1x1 convolution, ESA.

    Args:
        channels: C, width of input and output.
        middle: Width between the three convolutions.
        narrow: f, width inside the attention.

    Shape:
        (N, C, H, W) to (N, C, H, W).
    """

    def __init__(self, channels: int, middle: int, narrow: int) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(channels, middle, 3, padding=1)
        self.c2_r = nn.Conv2d(middle, middle, 3, padding=1)
        self.c3_r = nn.Conv2d(middle, channels, 3, padding=1)
        self.c5 = nn.Conv2d(channels, channels, 1)
        self.esa = ESA(channels, narrow)
        # In place, because the convolution's own output is not needed again: saves one map of memory each.
        self.act = nn.LeakyReLU(negative_slope=0.05, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the refined features of `x`."""
        refined = self.act(self.c1_r(x))
        refined = self.act(self.c2_r(refined))
        refined = self.act(self.c3_r(refined))  # activated before the skip is added, not after
        return self.esa(self.c5(refined + x))


class RLFN(nn.Module):
    """Residual local feature network, as the paper compares it: as wide inside the blocks as between them.

    A convolution, residual local feature blocks in a row, a convolution, a skip around all of these, and an
    upsampler of one convolution and a pixel shuffle.

    Where text and released networks differ, this class does as the released ones, whose weights it loads
    strictly:

    - The paper says ReLU; the released networks use LeakyReLU with slope 0.05. Text and networks agree that
      all three convolutions of a block are followed by it, the third one too (equation 6), before the skip
      is added (equation 7).
    - Figure 5 prunes the attention down to one convolution after the pool. So it is here, without an
      activation.

    The paper's x2 network is `RLFN(upscale=2)`: the same but for the width of the last convolution.

    Args:
        channels: C, width of all features.
        blocks: How many blocks.
        narrow: f, width inside the attention of each block.
        upscale: r, factor of enlargement.

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW), RGB, H and W at least 15: the attention leaves (H - 1) // 2
        rows, of which its pool takes 7. Both are floats whose white is 255, without a mean shift; SR is not
        clamped and goes a little beyond [0, 255].
    """

    SMALLEST = 15

    def __init__(self, channels: int = 48, blocks: int = 6, narrow: int = 16, upscale: int = 4) -> None:
        super().__init__()
        self.blocks = blocks
        self.conv_1 = nn.Conv2d(3, channels, 3, padding=1)
        for number in range(1, blocks + 1):  # named block_1, block_2, ... as in the released checkpoints
            self.add_module(f"block_{number}", RLFB(channels, channels, narrow))
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`.

        Raises:
            ValueError: `lr` is too small to be pooled.
        """
        height, width = lr.shape[-2:]
        if min(height, width) < self.SMALLEST:
            raise ValueError(
                f"RLFN needs an LR image of at least {self.SMALLEST}x{self.SMALLEST} pixels, "
                f"found {height}x{width}: its attention halves the image, then pools 7x7"
            )
        shallow = self.conv_1(lr)
        deep = shallow
        for number in range(1, self.blocks + 1):
            deep = getattr(self, f"block_{number}")(deep)
        return self.upsampler(self.conv_2(deep) + shallow)
