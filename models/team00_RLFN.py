"""RLFN, the baseline of the NTIRE 2024 efficient super-resolution challenge (x4).

Written from F. Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022):
equations 1 to 3 for the network, 6 and 7 for the block, section 4.4 for the challenge entry, whose sizes
are the defaults.

It is also the example of a submission: one file that imports nothing but torch, and a literal `SUBMISSION`
that says which class is the network and which value is white. Its checkpoint is model_zoo/team00_RLFN.pth.
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
    """Residual local feature network.

    A convolution, residual local feature blocks in a row, a convolution, a skip around all of these, and an
    upsampler of one convolution and a pixel shuffle.

    Where text and released networks differ, this class does as the released ones, whose weights it loads
    strictly:

    - The paper says ReLU; the released networks use LeakyReLU with slope 0.05. Text and networks agree
      that all three convolutions of a block are followed by it, the third one too (equation 6).
    - The paper gives the challenge entry 48 channels, then prunes the first convolution and whatever must
      match it to 46. So the features between blocks are 46 wide, and only the middle of each block is
      still 48.
    - The NTIRE 2024 report speaks of a 1x1 convolution that combines the features of all blocks. There is
      none.

    The paper's RLFN is `RLFN(blocks=6, channels=52, middle=52)`, its RLFN-S the same with 48 for 52;
    `upscale=2` gives the x2 form.

    Args:
        channels: C, width of the features between blocks.
        middle: Width inside the blocks.
        blocks: How many blocks.
        narrow: f, width inside the attention of each block.
        upscale: r, factor of enlargement.

    Shape:
        LR (N, 3, H, W) to SR (N, 3, rH, rW), RGB, with H and W at least 15 (see `ESA`). Floats whose white is
        255; SR is not clamped and may go a little beyond [0, 255].
    """

    def __init__(
        self, channels: int = 46, middle: int = 48, blocks: int = 4, narrow: int = 16, upscale: int = 4
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.conv_1 = nn.Conv2d(3, channels, 3, padding=1)
        for number in range(1, blocks + 1):  # named block_1, block_2, ... as in the released checkpoints
            self.add_module(f"block_{number}", RLFB(channels, middle, narrow))
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Return the enlargement of `lr`."""
        shallow = self.conv_1(lr)
        deep = shallow
        for number in range(1, self.blocks + 1):
            deep = getattr(self, f"block_{number}")(deep)
        return self.upsampler(self.conv_2(deep) + shallow)
