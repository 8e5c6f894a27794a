"""What the authors of each network released: its checkpoint, and the figures that ours must reproduce.

Where the figures come from:

- parameters and FLOPs: the authors' own code, its parameters summed and its FLOPs counted by fvcore at
  1x3x256x256; ../shared/reference/index.json holds the same;
- the number of features: the arrays "module:PATH" of ../shared/reference/NAME.npz, recorded while the
  authors' own code ran;
- PSNR on Set5: the released checkpoint run by the released code, x4, border 4, float32 on the CPU
  (../shared/MODELS.md, "Values to reproduce"); 0.001 dB is the same computation;
- SSIM on Set5: the paper, as noted at each network.

Every network has a note on what its paper or report prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import published
import torch
from torch import nn


@dataclass(frozen=True, eq=False)
class Released:
    """One released network.

    Args:
        file: Its file in models/.
        model: The class that the file declares.
        data_range: What the file declares, 1 or 255.
        checkpoint: Its name in ../shared/weights and ../shared/reference.
        params: Number of parameters.
        flops: fvcore's total at 1x3x256x256.
        features: Number of module outputs that the reference holds.
        set5_db: PSNR of Y and of RGB on Set5 [dB]; None where Set5 has no LR images (x2).
        set5_ssim: SSIM of Y on Set5 as the paper prints it, and by how much ours may differ from it.
        some_features: Modules that must be among those of the reference.
        features_in_float64: Whether features are compared in float64, so that all that differs is how the
            released network rounded, not how this machine does.
        features_tolerance: Largest relative error of a feature.
        arguments: Constructor arguments with which the checkpoint loads.
        training_form: Further arguments that give the form to train, where it is not the released one.
        scale: Enlargement.
        smallest: Shortest side of an image that the network takes [LR pixels].
        too_small: Pattern of the message for a smaller image; None where it is torch's own.
        batch: Images that it takes at once at inference, whatever their size.
    """

    file: str
    model: str
    data_range: int
    checkpoint: str
    params: int
    flops: int
    features: int
    set5_db: tuple[float, float] | None
    set5_ssim: tuple[float, float] | None = None
    some_features: frozenset[str] = frozenset()
    features_in_float64: bool = False
    features_tolerance: float = 1e-5
    arguments: Mapping[str, Any] = field(default_factory=dict)
    training_form: Mapping[str, Any] = field(default_factory=dict)
    scale: int = 4
    smallest: int = 1
    too_small: str | None = None
    batch: int = 2

    def build(self, **arguments: Any) -> nn.Module:
        """Return the network with fresh weights, always the same, in eval mode."""
        torch.manual_seed(0)
        network = getattr(published.load_model_file(self.file), self.model)
        built: nn.Module = network(**{**self.arguments, **arguments})
        return built.eval()

    def load(self, shared: Path) -> nn.Module:
        """Return the network with the released weights, in eval mode."""
        model = self.build()
        model.load_state_dict(published.published_state(shared, self.checkpoint), strict=True)
        return model


AT_LEAST_15 = "at least 15x15 pixels, found {height}x{width}"

# NTIRE 2024 report, Table 1, RLFN: 0.317 M and 19.67 G.
RLFN_NTIRE = Released(
    file="team00_RLFN.py",
    model="RLFN",
    data_range=255,
    checkpoint="rlfn_ntire_x4",
    params=317_218,
    flops=19_674_859_520,
    features=18,
    set5_db=(32.0973, 30.2058),
    smallest=15,
)

# The paper's Table 1: 543 K; 32.24 dB (Y) and 0.8952. The checkpoint gives 0.89527.
RLFN_52 = Released(
    file="team41_RLFN-52.py",
    model="RLFN",
    data_range=255,
    checkpoint="rlfn_x4",
    params=543_740,
    flops=33_956_613_120,
    features=20,
    set5_db=(32.2379, 30.3199),
    set5_ssim=(0.8952, 1e-4),
    features_in_float64=True,
    smallest=15,
    too_small=AT_LEAST_15,
)

# The paper's Table 1: 470 K; 32.23 dB (Y) and 0.8961, which does not fit: the released checkpoint, whose PSNR
# fits to 0.01 dB, gives 0.8954.
RLFN_S = Released(
    file="team44_RLFN-S.py",
    model="RLFN",
    data_range=255,
    checkpoint="rlfn_s_x4",
    params=470_208,
    flops=29_146_008_576,
    features=20,
    set5_db=(32.2395, 30.3251),
    features_in_float64=True,
    smallest=15,
    too_small=AT_LEAST_15,
)

# The paper's Table 1: 527 K (x2, 52 channels).
RLFN_X2 = Released(
    file="team41_RLFN-52.py",
    model="RLFN",
    data_range=255,
    checkpoint="rlfn_x2",
    params=526_856,
    flops=32_852_462_592,
    features=21,
    set5_db=None,
    features_in_float64=True,
    arguments={"upscale": 2},
    scale=2,
    smallest=15,
    too_small=AT_LEAST_15,
)

# The paper's Table 5: 322 K; 32.39 dB (Y) and 0.8979.
LKDN = Released(
    file="team42_LKDN.py",
    model="LKDN",
    data_range=1,
    checkpoint="lkdn_x4",
    params=321_992,
    flops=20_882_391_040,
    features=35,
    set5_db=(32.3903, 30.4720),
    set5_ssim=(0.8979, 5e-5),
    features_in_float64=True,
)

# The paper's Table 5: 129 K. Its Table 2: 32.11 dB (Y) and 0.8936, neither of which is quite what the
# released checkpoint gives, 32.10 dB and 0.8938.
LKDN_S = Released(
    file="team39_LKDN-S.py",
    model="LKDN",
    data_range=1,
    checkpoint="lkdn_s_deploy_x4",
    params=129_177,
    flops=8_358_002_688,
    features=32,
    set5_db=(32.1016, 30.1924),
    features_in_float64=True,
)

# The same network before its branches were merged, hence the same PSNR. The most that a feature differs by is
# 1.2e-5, in c2, where large values cancel.
LKDN_S_TRAINING = Released(
    file="team39_LKDN-S.py",
    model="LKDN",
    data_range=1,
    checkpoint="lkdn_s_x4",
    params=172_449,
    flops=11_140_792_320,
    features=35,
    set5_db=(32.1016, 30.1924),
    features_in_float64=True,
    features_tolerance=2e-5,
    arguments={"deploy": False},
)

# The paper's Table 5: SSIM 0.8920. The NTIRE 2024 report's Table 1: 0.069 M and 4.39 G.
AGDN_S = Released(
    file="team31_AGDN-S.py",
    model="AGDN",
    data_range=1,
    checkpoint="agdn_s_x4",
    params=69_272,
    flops=4_387_685_760,
    features=37,
    set5_db=(32.0263, 30.1017),
    set5_ssim=(0.8920, 5e-5),
    features_in_float64=True,
    smallest=15,
    too_small=AT_LEAST_15,
    batch=1,
)

# The paper's Table 5: SSIM 0.8980.
AGDN = Released(
    file="team43_AGDN.py",
    model="AGDN",
    data_range=1,
    checkpoint="agdn_x4",
    params=294_174,
    flops=19_069_786_960,
    features=40,
    set5_db=(32.4259, 30.5014),
    set5_ssim=(0.8980, 5e-5),
    features_in_float64=True,
    smallest=15,
    too_small=AT_LEAST_15,
    batch=1,
)

# The factsheet has 0.1923 M and 12.5556 G; these are the same, to the last unit.
ESPAN = Released(
    file="team36_ESPAN.py",
    model="ESPAN",
    data_range=1,
    checkpoint="espan_x4",
    params=192_272,
    flops=12_555_649_024,
    features=16,
    set5_db=(31.9408, 30.0422),
    some_features=frozenset(
        {"conv_1", "block_1.c3_r", "block_5", "teacher_block_seq", "tea_conv_2", "tea_conv_cat"}
    ),
    training_form={"deploy": False},
)

# The NTIRE 2024 report's Table 1 and the NTIRE 2026 baseline: 0.151 M, 9.83 G.
SPAN = Released(
    file="team38_SPAN.py",
    model="SPAN",
    data_range=1,
    checkpoint="span_ch28_x4",
    params=150_688,
    flops=9_833_807_872,
    features=10,
    set5_db=(31.7390, 29.8483),
    some_features=frozenset({"conv_1", "block_1.c3_r", "conv_2", "conv_cat"}),
    training_form={"deploy": False},
)

# The baseline of NTIRE 2025, published as 0.276 M and 16.70 G.
EFDN = Released(
    file="team40_EFDN.py",
    model="EFDN",
    data_range=1,
    checkpoint="efdn_x4",
    params=276_192,
    flops=16_703_470_848,
    features=1,
    set5_db=(32.0758, 30.1754),
    some_features=frozenset({"head"}),
    training_form={"deploy": False},
    smallest=15,
    too_small="needs 15x15 pixels or more, found {height}x{width}",
)

EVERY = (
    RLFN_NTIRE,
    RLFN_52,
    RLFN_S,
    RLFN_X2,
    LKDN,
    LKDN_S,
    LKDN_S_TRAINING,
    AGDN_S,
    AGDN,
    ESPAN,
    SPAN,
    EFDN,
)
