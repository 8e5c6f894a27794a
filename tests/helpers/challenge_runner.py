"""Runs branches of a checkout in processes of their own: with this program, and as the checkout does it.

`python challenge_runner.py ours|theirs ROOT IMAGES OUT ID...` imports torch once and forks per branch, so
that thirty branches take seconds. Each leaves OUT/ID.npz with the SR images and OUT/ID.json with all else.

"theirs" executes test_demo.py as it is and calls its own run(). Only what the machine lacks is put in its
place: packages and utilities of the main program, CUDA's events, and the CPU where a GPU is asked for.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.nn import FlopCountAnalysis
from PIL import Image


def lr_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("DIV2K_LSDIR_valid_LR/*.png"))


def ours(root: Path, images: Path, id_: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    from ntire_bench.errors import NtireBenchError
    from ntire_bench.submissions.checkout import find
    from ntire_bench.worker.checkout.load import load
    from ntire_bench.worker.costs import count as complexity
    from ntire_bench.worker.network.pixels import to_tensor, to_uint8

    submission = find.find(root).get(id_)
    asked = submission.branch.request(id_, submission.file)
    try:
        loaded = load(asked, scale=4, device=torch.device("cpu"))
        upscaler = loaded.upscaler
        told: dict[str, Any] = {
            "inferred": [dataclasses.asdict(item) for item in loaded.inferred],
            "tile": upscaler.tile,
            "data_range": upscaler.data_range,
            "model": loaded.model,
            "bytecode": sys.dont_write_bytecode,
            "ready": not upscaler.network.training
            and not any(p.requires_grad for p in upscaler.network.parameters()),
        }
        counted = complexity.measure(upscaler, (1, 3, 256, 256)).costs
        told |= {"params": counted.params, "flops": counted.flops}
        sr = []
        for file in lr_files(images):
            lr = to_tensor(np.array(Image.open(file)), upscaler.data_range)
            with torch.inference_mode():
                sr.append(to_uint8(upscaler.checked(lr), upscaler.data_range).numpy())
    except NtireBenchError as error:
        return {"error": str(error), "type": type(error).__name__}, []
    return told, sr


def helpers() -> dict[str, types.ModuleType]:
    """Return packages of the field as the branches need them, where the real ones are not installed."""

    def block(num_feat: int, res_scale: float) -> torch.nn.Module:
        class Block(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv1 = torch.nn.Conv2d(num_feat, num_feat, 3, 1, 1)
                self.conv2 = torch.nn.Conv2d(num_feat, num_feat, 3, 1, 1)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x + res_scale * self.conv2(self.conv1(x).relu())

        return Block()

    def upsample(scale: int, width: int) -> torch.nn.Module:
        rows = [[torch.nn.Conv2d(width, 4 * width, 3, 1, 1), torch.nn.PixelShuffle(2)] for _ in range(3)]
        assert scale == 8
        return torch.nn.Sequential(*sum(rows, []))

    def unshuffle(x: torch.Tensor, scale: int) -> torch.Tensor:
        return torch.cat(
            [
                x[:, c : c + 1, i::scale, j::scale]
                for c in range(3)
                for i in range(scale)
                for j in range(scale)
            ],
            1,
        )

    layers = {
        "DropPath": lambda _: torch.nn.Identity(),
        "to_2tuple": lambda x: x if isinstance(x, tuple) else (x, x),
        "trunc_normal_": torch.nn.init.trunc_normal_,
    }
    arch_util = {
        "Upsample": upsample,
        "ResidualBlockNoBN": block,
        "make_layer": lambda made, count, **given: torch.nn.Sequential(
            *[made(**given) for _ in range(count)]
        ),
        "pixel_unshuffle": unshuffle,
        "default_init_weights": lambda *_, **__: None,
    }
    same = types.SimpleNamespace(register=lambda: lambda cls: cls)
    transforms = types.SimpleNamespace(ToPILImage=None, InterpolationMode=types.SimpleNamespace(BICUBIC=3))
    contents: dict[str, dict[str, Any]] = {
        "timm.models.layers": layers,
        "timm.models.registry": {"register_model": lambda made: made},
        "basicsr.archs.arch_util": arch_util,
        "basicsr.utils.registry": {"ARCH_REGISTRY": same},
        "torchvision_nobody_has": {"transforms": transforms},
        "torchvision_nobody_has.utils": {"save_image": None},
        "thop_nobody_has": {"profile": None},
        "lmdb_nobody_has": {},
    }
    made: dict[str, types.ModuleType] = {}
    for name, content in contents.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            full = ".".join(parts[:end])
            module = made.setdefault(full, types.ModuleType(full))
            if end > 1:
                setattr(made[".".join(parts[: end - 1])], parts[end - 1], module)
        vars(made[name]).update(content)
    absent = {top for top in ("timm", "basicsr") if importlib.util.find_spec(top) is None}
    return {
        name: module for name, module in made.items() if "nobody_has" in name or name.split(".")[0] in absent
    }


def theirs(root: Path, images: Path, id_: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    caught: list[np.ndarray] = []
    util = types.ModuleType("utils.utils_image")

    def tensor2uint(img: torch.Tensor, data_range: float) -> np.ndarray:
        array = img.data.squeeze().float().clamp_(0, 1 * data_range).cpu().numpy().transpose(1, 2, 0)
        caught.append(np.uint8((array * 255.0 / data_range).round()))
        return caught[-1]

    def uint2tensor4(img: np.ndarray, data_range: float) -> torch.Tensor:
        array = np.ascontiguousarray(img)
        return torch.from_numpy(array).permute(2, 0, 1).float().div(255.0 / data_range).unsqueeze(0)

    util.imread_uint = lambda path, n_channels: np.array(Image.open(path))
    util.tensor2uint, util.uint2tensor4 = tensor2uint, uint2tensor4
    util.modcrop = lambda img, scale: img
    util.calculate_psnr = lambda *_, **__: 0.0
    event = types.SimpleNamespace(record=lambda: None, elapsed_time=lambda _: 1.0)
    load = torch.load
    torch.load = lambda f, *_, **__: load(f, map_location="cpu", weights_only=True)
    torch.cuda.Event = lambda **_: event
    torch.cuda.FloatTensor = torch.FloatTensor
    torch.cuda.synchronize = lambda: None
    torch.nn.Module.cuda = lambda self, *_: self
    torch.Tensor.cuda = lambda self, *_: self
    cast = torch.Tensor.type
    torch.Tensor.type = lambda self, *a: cast(self, "torch.FloatTensor" if "cuda" in str(a) else a[0])
    move, empty, move_all = torch.Tensor.to, torch.empty, torch.nn.Module.to
    torch.Tensor.to = lambda self, *a, **k: self if "cuda" in str(a) else move(self, *a, **k)
    torch.nn.Module.to = lambda self, *a, **k: self if "cuda" in str(a) else move_all(self, *a, **k)
    torch.empty = lambda *a, **k: empty(*a, **{**k, "device": "cpu"} if "cuda" in str(k) else k)
    sys.path.insert(0, str(root))
    os.chdir(root)
    sys.dont_write_bytecode = True
    package = types.ModuleType("package_nobody_has")
    package.models = types.SimpleNamespace(anything=0)
    sys.modules |= {
        "package_nobody_has": package,
        "package_nobody_has.models": package.models,
        "utils.utils_image": util,
        "utils.utils_logger": types.ModuleType("utils.utils_logger"),
        "models.team25_TopMissing": types.SimpleNamespace(Net=None),
    }
    sys.modules |= helpers()
    import utils

    utils.utils_image, utils.utils_logger = util, sys.modules["utils.utils_logger"]
    module = types.ModuleType("challenge")
    module.__file__ = str(root / "test_demo.py")
    exec(compile((root / "test_demo.py").read_text(), "test_demo.py", "exec"), vars(module))
    args = types.SimpleNamespace(
        data_dir=str(images / "DIV2K_LSDIR_valid_LR"), model_id=id_, width=8, deploy=True, repeats=2
    )
    module.args = args
    logger = types.SimpleNamespace(info=lambda *_: None)
    model, name, data_range, tile = module.select_model(args, torch.device("cpu"))
    module.run(model, name, data_range, tile, logger, torch.device("cpu"), args, mode="valid")
    flops = FlopCountAnalysis(model, torch.rand(1, 3, 256, 256))
    flops.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    told = {
        "name": name,
        "data_range": float(data_range),
        "tile": tile,
        "params": sum(p.numel() for p in model.parameters()),
        "flops": round(flops.total()),
    }
    return told, caught


def main(arguments: list[str]) -> None:
    how, root, images, out = arguments[0], *map(Path, arguments[1:4])
    torch.set_num_threads(1)
    for id_ in map(int, arguments[4:]):
        child = os.fork()
        if child == 0:
            try:
                told, sr = {"ours": ours, "theirs": theirs}[how](root, images, id_)
                np.savez(out / f"{id_}.npz", *sr)
                (out / f"{id_}.json").write_text(json.dumps(told))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
