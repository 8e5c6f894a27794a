"""Two-layer denoisers, noisy images, and a miniature of the denoising challenge's checkout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import toys
from PIL import Image
from torch import Tensor

from ntire_bench.data.noise import noisy

# Two convolutions, of 5x5 and 3x3. White is 1; a white of 255 saturates it.
BODY = """\
import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, n_feats=8):
        super().__init__()
        self.first = nn.Conv2d(3, n_feats, 5, padding=2, padding_mode="replicate")
        self.second = nn.Conv2d(n_feats, 3, 3, padding=1, padding_mode="replicate")

    def forward(self, noisy):
        return self.second(torch.relu(self.first(noisy))).clamp(0, 1)
"""


def weights(sigma: float = 1.2, n_feats: int = 8) -> dict[str, Tensor]:
    """Return weights with which a denoiser blurs each colour twice, by Gaussian kernels.

    Args:
        sigma: Standard deviation of both [pixels].
        n_feats: Channels; those beyond three are zero.
    """

    def kernel(side: int) -> Tensor:
        tap = torch.exp(-0.5 * (torch.arange(side) - side // 2).square() / sigma**2)
        return torch.outer(tap, tap) / tap.sum() ** 2

    first, second = torch.zeros(n_feats, 3, 5, 5), torch.zeros(3, n_feats, 3, 3)
    for colour in range(3):
        first[colour, colour], second[colour, colour] = kernel(5), kernel(3)
    return {
        "first.weight": first,
        "first.bias": torch.zeros(n_feats),
        "second.weight": second,
        "second.bias": torch.zeros(3),
    }


def write_denoiser(folder: Path, id: int, name: str, *, body: str = BODY, sigma: float = 1.2) -> Path:
    """Write models/team{id}_{name}.py and its checkpoint."""
    return toys.write_toy(folder, id, name, body=body, checkpoint=weights(sigma))


def write_noisy_pairs(folder: Path, split: str, images: Sequence[np.ndarray], seed: int = 7) -> Path:
    """Write DIV2K_{split}_HR and DIV2K_{split}_noise50 into a folder, and return it."""
    for side in ("HR", "noise50"):
        (folder / f"DIV2K_{split}_{side}").mkdir(parents=True, exist_ok=True)
    for number, hr in enumerate(images, 801):
        Image.fromarray(hr).save(folder / f"DIV2K_{split}_HR" / f"{number:04d}.png")
        lr = noisy(hr, 50, seed, f"{number:04d}")
        Image.fromarray(lr).save(folder / f"DIV2K_{split}_noise50" / f"{number:04d}.png")
    return folder


_SCRIPT = """\
import os.path
import torch
from utils import utils_image as util


def select_model(args, device):
    model_id = args.model_id
    if model_id == 0:
        from models.team00_SGN import Denoiser
        name, data_range = f"{model_id:02}_RFDN_baseline", 1.0
        model_path = os.path.join('model_zoo', 'team00_sgn.ckpt')
        model = Denoiser()
        state_dict = torch.load(model_path)["state_dict"]
        state_dict.pop("best_iter")
        new_state_dict = {}
        for k, v in state_dict.items():
            if k.find("model.") >= 0:
                new_state_dict[k.replace("model.", "")] = v
        model.load_state_dict(new_state_dict, strict=True)
    elif model_id == 5:
        from models.team05_Blur import Denoiser
        name, data_range = f"{model_id:02}_Blur", 1.0
        model = Denoiser(n_feats=8)
        model.load_state_dict(torch.load(os.path.join('model_zoo', 'team05_Blur.pth')), strict=True)
    else:
        raise NotImplementedError(f"Model {model_id} is not implemented.")
    model.eval()
    tile = None
    for k, v in model.named_parameters():
        v.requires_grad = False
    model = model.to(device)
    return model, name, data_range, tile


def forward(img_lq, model, tile=None, tile_overlap=32, scale=1):
    if tile is None:
        output = model(img_lq)
    else:
        raise NotImplementedError
    return output


def run(model, model_name, data_range, tile, logger, device, args, mode="test"):
    sf = 4
    border = sf
    data_path = select_dataset(args.data_dir, mode)
    for i, (img_noisy, img_hr) in enumerate(data_path):
        img_name, ext = os.path.splitext(os.path.basename(img_hr))
        img_noisy = util.imread_uint(img_noisy, n_channels=3)
        img_noisy = util.uint2tensor4(img_noisy, data_range)
        img_noisy = img_noisy.to(device)
        img_dn = forward(img_noisy, model, tile)
        img_dn = util.tensor2uint(img_dn, data_range)
        img_hr = util.imread_uint(img_hr, n_channels=3)
        img_hr = util.modcrop(img_hr.squeeze(), sf)
        psnr = util.calculate_psnr(img_dn, img_hr, border=border)
        logger.info("{:s} - PSNR: {:.2f} dB".format(img_name + ext, psnr))


def main(args):
    device = torch.device("cuda")
    model, model_name, data_range, tile = select_model(args, device)
    run(model, model_name, data_range, tile, None, device, args, mode="valid")
"""


def write_checkout(root: Path) -> Path:
    """Write a checkout like the denoising challenge's, with its baseline and one team."""
    for folder in ("models", "utils", "model_zoo"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "test_demo.py").write_text(_SCRIPT, encoding="utf-8")
    (root / "utils" / "utils_image.py").write_text("import torchvision_nobody_has\n", encoding="utf-8")
    for name in ("team00_SGN", "team05_Blur"):
        (root / "models" / f"{name}.py").write_text(BODY, encoding="utf-8")
    prefixed = {f"model.{key}": value for key, value in weights(0.8).items()}
    torch.save(
        {"state_dict": {**prefixed, "best_iter": torch.tensor(7.0)}}, root / "model_zoo" / "team00_sgn.ckpt"
    )
    torch.save(weights(), root / "model_zoo" / "team05_Blur.pth")
    return root
