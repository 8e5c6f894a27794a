"""What stands in for helpers of packages that are not installed: same tensors, same arithmetic. Worker only.

Only helpers whose stand-in cannot change the result: functions that set initial weights, which the checkpoint
replaces; layers of the same tensors and arithmetic; layers that do nothing in eval mode. For anything else
the package has to be installed.
"""

from __future__ import annotations

import collections.abc
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["answer"]


class DropPath(nn.Module):
    """Drops the residual path of single images in training; in eval mode it does nothing.

    Args:
        drop_prob: Share of the images that lose it.
        scale_by_keep: Whether what is kept is scaled, so that the mean stays.
    """

    def __init__(self, drop_prob: float = 0.0, scale_by_keep: bool = True) -> None:
        super().__init__()
        self.drop_prob = drop_prob
        self.scale_by_keep = scale_by_keep

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, in training with some images of the batch set to zero."""
        if not self.training or not self.drop_prob:
            return x
        keep = 1.0 - self.drop_prob
        kept = torch.bernoulli(x.new_full((x.shape[0],) + (1,) * (x.dim() - 1), keep))
        return x * (kept / keep if self.scale_by_keep and keep > 0 else kept)


class ResidualBlockNoBN(nn.Module):
    """Two convolutions with a ReLU between them, added to their input.

    Args:
        num_feat: Channels.
        res_scale: Factor of what is added.
        pytorch_init: Whether weights keep torch's own initial values.
    """

    def __init__(self, num_feat: int = 64, res_scale: float = 1, pytorch_init: bool = False) -> None:
        super().__init__()
        self.res_scale = res_scale
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        if not pytorch_init:
            default_init_weights([self.conv1, self.conv2], 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` and the scaled residual."""
        residual: Tensor = self.conv2(self.relu(self.conv1(x)))
        return x + residual * self.res_scale


class Upsample(nn.Sequential):
    """Convolutions and pixel shuffles: by 2 as often as needed, or once by 3.

    Args:
        scale: A power of 2, or 3.
        num_feat: Channels.
    """

    def __init__(self, scale: int, num_feat: int) -> None:
        factors = [3] if scale == 3 else [2] * int(math.log2(scale))
        if math.prod(factors) != scale:
            raise ValueError(f"scale {scale} is not supported: it is no power of 2, and not 3")
        layers: list[nn.Module] = []
        for factor in factors:
            layers += [nn.Conv2d(num_feat, num_feat * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        super().__init__(*layers)


def default_init_weights(
    module_list: nn.Module | Iterable[nn.Module],
    scale: float = 1,
    bias_fill: float = 0,
    **kwargs: Any,  # noqa: ANN401 - kaiming_normal_'s own
) -> None:
    """Set initial weights: Kaiming's, scaled, and constant biases; the norms' weights are 1."""
    roots = [module_list] if isinstance(module_list, nn.Module) else module_list
    with torch.no_grad():
        for module in (inner for root in roots for inner in root.modules()):
            weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, **kwargs)
                module.weight.mul_(scale)
            elif isinstance(module, nn.modules.batchnorm._BatchNorm):
                if weight is not None:
                    weight.fill_(1)
            else:
                continue
            if bias is not None:
                bias.fill_(bias_fill)


def make_layer(
    basic_block: Callable[..., nn.Module],
    num_basic_block: int,
    **kwarg: Any,  # noqa: ANN401 - the block's own
) -> nn.Sequential:
    """Return a row of blocks built with the same arguments."""
    return nn.Sequential(*(basic_block(**kwarg) for _ in range(num_basic_block)))


def pixel_unshuffle(x: Tensor, scale: int) -> Tensor:
    """Return `x` with blocks of scale x scale pixels as channels; the inverse of a pixel shuffle."""
    return functional.pixel_unshuffle(x, scale)


def to_ntuple(n: int) -> Callable[[Any], Any]:
    """Return a function that repeats a value `n` times, and makes a tuple of several values."""

    def parse(x: Any) -> Any:  # noqa: ANN401 - a number mostly
        several = isinstance(x, collections.abc.Iterable) and not isinstance(x, str)
        return tuple(x) if several else (x,) * n

    return parse


_SAME = "a layer of the same tensors and arithmetic stands in"
_TORCHS_OWN = "torch's own function stands in"
_INITIAL = "the checkpoint replaces initial weights"
_REPEATED = "a value is repeated as often"
_TUPLES: dict[str, tuple[Any, str]] = {f"to_{n}tuple": (to_ntuple(n), _REPEATED) for n in (1, 2, 3, 4)}
_TUPLES["to_ntuple"] = (to_ntuple, _REPEATED)
_BY_PACKAGE: dict[str, dict[str, tuple[Any, str]]] = {
    "timm": {
        **_TUPLES,
        "DropPath": (DropPath, "it does nothing in eval mode"),
        "trunc_normal_": (nn.init.trunc_normal_, _TORCHS_OWN),
    },
    "basicsr": {
        **_TUPLES,
        "trunc_normal_": (nn.init.trunc_normal_, _TORCHS_OWN),
        "default_init_weights": (default_init_weights, _INITIAL),
        "make_layer": (make_layer, "a row of blocks stands in"),
        "pixel_unshuffle": (pixel_unshuffle, _TORCHS_OWN),
        "ResidualBlockNoBN": (ResidualBlockNoBN, _SAME),
        "Upsample": (Upsample, _SAME),
    },
}
# Other modules of basicsr have layers of these names and of other arguments.
_OF_ARCH_UTIL = ("ResidualBlockNoBN", "Upsample")


def answer(module: str, name: str) -> tuple[Any, str] | None:
    """Return what stands in for a name of a module that is not installed, and how; None for nothing.

    Args:
        module: Its full name, such as "timm.models.layers".
        name: What is wanted of it.
    """
    top, *inner = module.split(".")
    if name in _OF_ARCH_UTIL and inner[-1:] != ["arch_util"]:
        return None
    return _BY_PACKAGE.get(top, {}).get(name)
