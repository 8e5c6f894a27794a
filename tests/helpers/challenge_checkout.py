"""A miniature of a challenge's own checkout, with teams that are awkward in the ways that real ones are.

`write` makes test_demo.py, models/, utils/ and model_zoo/ in a folder. The networks are toys of two
convolutions; what differs is how they are named, imported, built, stored and run. Packages that the main
program imports at its top (a logger of the checkout, torchvision, a package nobody has) are partly absent.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import torch
from torch import nn
from torch.nn import functional

_NETWORK = """\
import torch
from torch import nn
from torch.nn import functional


class {name}(nn.Module):
    def __init__(self, width=8{parameters}):
        super().__init__()
        {before}
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 48, 3, padding=1)
        {after}

    def forward(self, x):
        {forward}
        detail = functional.pixel_shuffle(self.tail(torch.relu(self.head(x))), 4)
        return functional.interpolate(x, scale_factor=4, mode="bicubic") + detail
"""


def network(
    name: str = "Net",
    *,
    head: str = "",
    parameters: str = "",
    before: str = "pass",
    after: str = "pass",
    forward: str = "pass",
) -> str:
    """Return the text of a model file; the last four are lines put into the constructor and forward."""
    body = _NETWORK.format(name=name, parameters=parameters, before=before, after=after, forward=forward)
    return f"{head}\n{body}"


class Reference(nn.Module):
    """The same network, written once more, to compare with."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 48, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        detail = functional.pixel_shuffle(self.tail(torch.relu(self.head(x))), 4)
        return functional.interpolate(x, scale_factor=4, mode="bicubic") + detail


def weights(width: int = 8) -> dict[str, torch.Tensor]:
    """Return small weights, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(width)
        return {key: value * 0.01 for key, value in Reference(width).state_dict().items()}


# One entry per branch: its body in select_model, its files, and its checkpoint.
_PLAIN = """
        from models.team{id:02d}_{stem} import Net
        name, data_range = f"{{model_id:02}}_{stem}", 1.0
        model_path = os.path.join('model_zoo', 'team{id:02d}_{stem}.pth')
        model = Net()
        model.load_state_dict(torch.load(model_path), strict=True)
"""
PLAIN, SPACES, CUDA, PARAMS, EMA, DYNAMIC, PACKAGE, ARGUMENT = range(8)
TOP, TOP_MISSING = 24, 25
NO_PACKAGE, POINTER, WRONG_SIZE, RAISES, KERNEL, PADDED, TILED, RANGE_255 = range(8, 16)
OWN_UTILS, RELATIVE, WRITES, NO_CHECKPOINT, PICKLE, SPEC, FACTORY, EMPTY = range(16, 24)
PAIR, HALF, NO_FILE = (30, 31), 32, 33
HELPERS, DEFORM, EINOPS, OWN_ABSENT = range(34, 38)

_BRANCHES: dict[int, str] = {
    PLAIN: """
        from models.team00_RLFN import Net
        name, data_range = f"{model_id:02}_RLFN_baseline", 1.0
        model_path = os.path.join('model_zoo', 'team00_RLFN.pth')
        model = Net()
        model.load_state_dict(torch.load(model_path), strict=True)
""",
    SPACES: """
        from models.team01_two_words import Net
        name, data_range = f"{model_id:02}_Team / Two Words", 1.0
        model = Net()
        model.load_state_dict(torch.load(os.path.join('model_zoo', 'team01 two words.pth')), strict=True)
""",
    CUDA: """
        from models.team02_cuda import Net
        name, data_range = "{:02d}_{}".format(model_id, "Cuda"), 1.0
        model_path = "model_zoo/team02_cuda.pth"
        model = Net().cuda()
        model.load_state_dict(torch.load(model_path), strict=True)
""",
    PARAMS: """
        from models.team03_params import Net
        name, data_range = "%02d_Params" % model_id, 1.0
        model_path = f"model_zoo/team{model_id:02d}_params.pth"
        model = Net(12)
        model.load_state_dict(torch.load(model_path)["params"], strict=True)
""",
    EMA: """
        from models import team04_ema
        name = str(model_id).zfill(2) + "_Ema"
        data_range = 1
        model_path = Path("model_zoo") / "team04_ema.pth"
        model = team04_ema.Net(width=16)
        model.load_state_dict(torch.load(model_path, map_location="cuda:0")["params_ema"], strict=True)
""",
    DYNAMIC: """
        module = importlib.import_module(f"models.team{model_id:02}_dynamic")
        name, data_range = f"{model_id:02}_Dynamic", 1.0
        model_path = os.path.join('model_zoo', 'team05_dynamic.pth')
        model = getattr(module, "make_" + "net")()
        model.load_state_dict(torch.load(model_path), strict=True)
""",
    PACKAGE: """
        from models.team06_sub.arch.network import Net
        name, data_range = f"{model_id:02}_Package", 1.0
        model_path = os.path.join('model_zoo', 'team06', 'net.pth')
        model = Net()
        model.load_state_dict(torch.load(model_path), strict=True)
""",
    ARGUMENT: """
        from models.team07_argument import Net
        name, data_range = f"{model_id:02}_Argument", 1.0
        model_path = os.path.join('model_zoo', 'team07_argument.pth')
        model = Net(args.width, deploy=args.deploy)
        model.load_state_dict(torch.load(model_path), strict=True)
""",
    NO_PACKAGE: _PLAIN.format(id=8, stem="NoPackage"),
    POINTER: _PLAIN.format(id=9, stem="Pointer"),
    WRONG_SIZE: _PLAIN.format(id=10, stem="WrongSize"),
    RAISES: _PLAIN.format(id=11, stem="Raises"),
    KERNEL: _PLAIN.format(id=12, stem="Kernel"),
    PADDED: _PLAIN.format(id=13, stem="Padded"),
    TILED: _PLAIN.format(id=14, stem="Tiled") + "        tile = 32\n",
    RANGE_255: _PLAIN.format(id=15, stem="Range").replace("1.0", "255.0"),
    OWN_UTILS: _PLAIN.format(id=16, stem="OwnUtils"),
    RELATIVE: _PLAIN.format(id=17, stem="Relative"),
    WRITES: _PLAIN.format(id=18, stem="Writes"),
    NO_CHECKPOINT: _PLAIN.format(id=19, stem="NoCheckpoint"),
    PICKLE: _PLAIN.format(id=20, stem="Pickle"),
    SPEC: """
        where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models", "team21 spec.py")
        spec = importlib.util.spec_from_file_location("team21", where)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        name, data_range = f"{model_id:02}_Spec", 1.0
        model = module.Net()
        model.load_state_dict(torch.load("model_zoo/team21_spec.pth"), strict=True)
""",
    FACTORY: """
        return load_factory(model_id, device)
""",
    EMPTY: """
        pass  # ---- Put your model here as below ---
""",
    TOP: """
        name, data_range = f"{model_id:02}_Top", 1.0
        model = top.Net()
        model.load_state_dict(torch.load("model_zoo/team24_Top.pth"), strict=True)
""",
    TOP_MISSING: """
        name, data_range = f"{model_id:02}_TopMissing", 1.0
        model = TopMissing()
        model.load_state_dict(torch.load("model_zoo/team25_TopMissing.pth"), strict=True)
""",
    HALF: _PLAIN.format(id=32, stem="Half"),
    NO_FILE: _PLAIN.format(id=33, stem="NoFile"),
    HELPERS: """
        from models.team34_helpers.net import Net
        name, data_range = f"{model_id:02}_Helpers", 1.0
        model = Net()
        model.load_state_dict(torch.load("model_zoo/team34_Helpers.pth"), strict=True)
""",
    DEFORM: _PLAIN.format(id=35, stem="Deform"),
    EINOPS: _PLAIN.format(id=36, stem="Einops"),
    OWN_ABSENT: _PLAIN.format(id=37, stem="OwnAbsent"),
}
_PAIR = """
        from models.team30_pair import Net
        name, data_range = f"{model_id:02}_Pair", 1.0
        model_path = f"model_zoo/team{model_id}_pair.pth"
        model = Net()
        model.load_state_dict(torch.load(model_path), strict=True)
"""

# What many files of the field import at their top; the network needs some of it, and only for little.
_HELPERS = """\
import torch
import lmdb_nobody_has
from torch import nn
from torch.nn import functional
from torchvision_nobody_has import transforms
from torchvision_nobody_has.utils import save_image
from thop_nobody_has import profile

from basicsr.archs.arch_util import Upsample, default_init_weights, pixel_unshuffle
from basicsr.utils.registry import ARCH_REGISTRY
from .parts import Body


def show(x, to_image: transforms.ToPILImage, where=transforms.InterpolationMode.BICUBIC):
    save_image(x, profile(x))


@ARCH_REGISTRY.register()
class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.head = nn.Conv2d(12, width, 3, padding=1)
        self.body = Body(width)
        self.up = Upsample(8, width)
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        default_init_weights([self.head, self.tail], 0.1, bias_fill=1)

    def forward(self, x):
        height, width = x.shape[-2:]
        even = functional.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        detail = self.tail(self.up(self.body(self.head(pixel_unshuffle(even, scale=2)))))
        return functional.interpolate(x, scale_factor=4) + detail[..., : 4 * height, : 4 * width]
"""
_PARTS = """\
import torch
from torch import nn

import timm
from timm.models.layers import DropPath, to_2tuple, trunc_normal_
from timm.models.registry import register_model
import basicsr.archs.arch_util as arch_util

try:
    import selective_scan_nobody_has as scan
except ImportError:
    scan = None


class Body(nn.Module):
    def __init__(self, width):
        super().__init__()
        assert to_2tuple(3) == (3, 3) and to_2tuple((1, 2)) == (1, 2)
        self.blocks = arch_util.make_layer(arch_util.ResidualBlockNoBN, 2, num_feat=width, res_scale=0.5)
        self.shift = nn.Parameter(trunc_normal_(torch.zeros(1, width, 1, 1), std=0.02))
        self.drop = DropPath(0.5)

    def forward(self, x):
        return x + self.drop(self.blocks(x) + self.shift) if scan is None else scan(x)


@register_model
def body_small():
    return timm.create_model("body", width=8)
"""


def helpers_weights() -> dict[str, torch.Tensor]:
    """Return weights of the network of HELPERS, by the names and shapes that the packages' layers have."""
    shapes = {"body.shift": (1, 8, 1, 1)}
    for name, made, taken in [
        ("head", 8, 12),
        ("tail", 3, 8),
        *((f"body.blocks.{block}.conv{number}", 8, 8) for block in (0, 1) for number in (1, 2)),
        *((f"up.{place}", 32, 8) for place in (0, 2, 4)),  # between them, pixels are shuffled
    ]:
        shapes |= {f"{name}.weight": (made, taken, 3, 3), f"{name}.bias": (made,)}
    generator = torch.Generator().manual_seed(34)
    return {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes.items()}


def without(package: str, imported: str) -> str:
    """Return lines that import something of a package which is not there, whether or not it is installed."""
    return f"import sys\nsys.modules[{package!r}] = None\n{imported}"


_FILES: dict[str, str] = {
    "models/team00_RLFN.py": network(),
    "models/team01_two_words.py": network(),
    "models/team02_cuda.py": network(
        after="self.mean = torch.zeros(1, 3, 1, 1).cuda().type(torch.cuda.FloatTensor); self.to('cuda'); "
        "self.mean += torch.cuda.FloatTensor(1).fill_(0); torch.cuda.Event(enable_timing=True).record(); "
        "self.register_buffer('none', torch.empty(0, device='cuda'), persistent=False)",
        forward="x = x - self.mean.to(torch.device('cuda:0'))",
    ),
    "models/team03_params.py": network(),
    "models/team04_ema.py": network(),
    "models/team05_dynamic.py": network() + "\n\ndef make_net():\n    return Net()\n",
    "models/team06_sub/__init__.py": "",
    "models/team06_sub/arch/__init__.py": "",
    "models/team06_sub/arch/network.py": "from .blocks import Net\n",
    "models/team06_sub/arch/blocks.py": network(),
    "models/team07_argument.py": network(parameters=", deploy=False", before="assert deploy"),
    "models/team08_NoPackage.py": network(
        head="from package_nobody_has import layers", after="self.norm = layers.Norm(width)"
    ),
    "models/team09_Pointer.py": network(),
    "models/team10_WrongSize.py": network(),
    "models/team11_Raises.py": network(before="raise ValueError('width must be even')"),
    "models/team12_Kernel.py": network(
        forward="x = torch.cuda.jiterator._create_jit_fn('template <typename T> T f(T x) { return x; }')(x)"
    ),
    "models/team13_Padded.py": network(
        forward="assert x.shape[-1] % 8 == 0 and x.shape[-2] % 8 == 0, 'windows of 8'"
    ),
    "models/team14_Tiled.py": network(forward="assert max(x.shape[-2:]) <= 32 or x.shape[-1] == 256"),
    "models/team15_Range.py": network(),
    "models/team16_OwnUtils.py": network(
        head="from utils.own_layers import activation", forward="activation(x)"
    ),
    "models/team17_Relative.py": network(before="self.note = open('models/team17_note.txt').read()"),
    "models/team17_note.txt": "a note",
    "models/team18_Writes.py": network(before="open('log.txt', 'w').write('built')"),
    "models/team19_NoCheckpoint.py": network(),
    "models/team20_Pickle.py": network(),
    "models/team21 spec.py": network(head="from thop_nobody_has import profile"),
    "models/team22_factory.py": network(),
    "models/team24_Top.py": network(),
    "models/team30_pair.py": network(),
    "models/team34_helpers/net.py": _HELPERS,
    "models/team34_helpers/parts.py": _PARTS,
    "models/team35_Deform.py": network(
        head=without("torchvision", "from torchvision.ops import DeformConv2d"),
        after="self.deform = DeformConv2d(width, width, 3)",
    ),
    "models/team36_Einops.py": network(
        head=without("einops", "from einops import rearrange"),
        forward="x = rearrange(x, 'b c h w -> b c h w')",
    ),
    "models/team37_OwnAbsent.py": network(
        head="import thop_nobody_has\nfrom models.team37_parts import Part"
    ),
    "models/team32_Half.py": network()
    .replace("+ detail", "+ detail.half().float()")
    .replace("return functional", "return (functional")
    .rstrip()
    + ").half()\n",
    "utils/__init__.py": "",
    "utils/own_layers.py": "def activation(x):\n    return x\n",
    "utils/utils_logger.py": "raise RuntimeError('the logger is for the main program')\n",
    "utils/utils_image.py": "import torchvision_nobody_has\n",
}

_HEAD = """\
import os.path
import logging
import argparse
import importlib
import importlib.util
import json
from pathlib import Path

import torch
import torchvision_nobody_has
import package_nobody_has.models as zoo
from utils import utils_logger
from utils import utils_image as util

import models.team24_Top as top
from models.team25_TopMissing import Net as TopMissing

SCALE = 4
TRAP = zoo.anything


def load_factory(number, device):
    from models.team22_factory import Net
    model = Net()
    model.load_state_dict(torch.load("model_zoo/team22_factory.pth"))
    model.eval()
    return model.to(device), f"{number}_Factory", 1.0, None


def select_model(args, device):
    # Model ID is assigned according to the order of the submissions.
    model_id = args.model_id
    tile = None
"""

_TAIL = """
    else:
        raise NotImplementedError(f"Model {model_id} is not implemented.")

    model.eval()
    for k, v in model.named_parameters():
        v.requires_grad = False
    model = model.to(device)
    return model, name, data_range, tile


def select_dataset(data_dir, mode):
    return [(os.path.join(data_dir, p),) * 2 for p in sorted(os.listdir(data_dir))]


def forward(img_lq, model, tile=None, tile_overlap=8, scale=4):
    if tile is None:
        output = model(img_lq)
    else:
        b, c, h, w = img_lq.size()
        tile = min(tile, h, w)
        stride = tile - tile_overlap
        starts = [list(range(0, side - tile, stride)) + [side - tile] for side in (h, w)]
        E = torch.zeros(b, c, h * scale, w * scale).type_as(img_lq)
        W = torch.zeros_like(E)
        for top in starts[0]:
            for left in starts[1]:
                out_patch = model(img_lq[..., top:top + tile, left:left + tile])
                where = [slice(start * scale, (start + tile) * scale) for start in (top, left)]
                where = (..., *where)
                E[where].add_(out_patch)
                W[where].add_(torch.ones_like(out_patch))
        output = E.div_(W)
    return output


def forward_team13(model, img_lq):
    assert args.model_id == 13  # as the main program left it at the top level
    _, _, h, w = img_lq.shape
    padded = torch.nn.functional.pad(img_lq, (0, -w % 8, 0, -h % 8), mode="replicate")
    return model(padded)[..., :h * SCALE, :w * SCALE]


def run(model, model_name, data_range, tile, logger, device, args, mode="test"):
    sf = 4
    border = sf
    results = dict()
    results[f"{mode}_runtime"] = []
    data_path = select_dataset(args.data_dir, mode)
    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    for i, (img_lr, img_hr) in enumerate(data_path):
        img_lr = util.imread_uint(img_lr, n_channels=3)
        img_lr = util.uint2tensor4(img_lr, data_range)
        img_lr = img_lr.to(device)
        start.record()
        if args.model_id == 13:
            img_sr = forward_team13(model, img_lr)
            logger.info("padded")
        else:
            for _ in range(args.repeats):
                start.record()
                img_sr = forward(img_lr, model, tile)
                end.record()
        torch.cuda.synchronize()
        results[f"{mode}_runtime"].append(start.elapsed_time(end))
        img_sr = util.tensor2uint(img_sr, data_range)
        img_hr = util.modcrop(util.imread_uint(img_hr, n_channels=3), sf)
        results["psnr"] = util.calculate_psnr(img_sr, img_hr, border=border)
    return results


def main(args):
    utils_logger.logger_info("NTIRE-EfficientSR", log_path="NTIRE-EfficientSR.log")
    logger = logging.getLogger("NTIRE-EfficientSR")
    torch.cuda.current_device()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, model_name, data_range, tile = select_model(args, device)
    results = run(model, model_name, data_range, tile, logger, device, args, mode="valid")
    with open("results.json", "w") as f:
        json.dump(results, f)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("NTIRE-EfficientSR")
    parser.add_argument("--data_dir", default="../", type=str)
    parser.add_argument("--model_id", default=0, type=int)
    parser.add_argument("--width", default="8", type=int)
    parser.add_argument("--repeats", default=2, type=int)
    parser.add_argument("--deploy", action="store_false")
    args = parser.parse_args()
    main(args)
"""


def script() -> str:
    """Return the text of test_demo.py."""
    parts = [f"    elif model_id == {id_}:{body}" for id_, body in _BRANCHES.items()]
    parts.append(f"    elif model_id in {PAIR}:{_PAIR}")
    return _HEAD + "".join(parts).replace("    elif", "    if", 1) + _TAIL


def add_branch(root: Path, id_: int, body: str) -> None:
    """Add a branch to the test_demo.py of a checkout that `write` wrote, before all others.

    Args:
        root: The checkout.
        id_: Its number.
        body: What it does, indented as in a function; it returns by itself.
    """
    file = root / "test_demo.py"
    head, first, tail = file.read_text(encoding="utf-8").partition("    if model_id == 0:")
    assert first
    file.write_text(f"{head}    if model_id == {id_}:\n{body}{first}{tail}", encoding="utf-8")


def write_small(root: Path, titles: dict[int, str], texts: dict[int, str] | None = None) -> Path:
    """Write a checkout of a few branches that have these titles, and return it.

    Args:
        root: Folder, made if need be.
        titles: By number; without the number itself.
        texts: Model files by number, where they are not the plain network.
    """
    chain = "".join(
        f"""    {"elif" if number else "if"} model_id == {id_}:
        from models.team{id_:02d} import Net
        name, data_range = f"{{model_id:02}}_{title}", 1.0
        model = Net()
        model.load_state_dict(torch.load(os.path.join("model_zoo", "team{id_:02d}.pth")), strict=True)
"""
        for number, (id_, title) in enumerate(titles.items())
    )
    head = "import os\n\nimport torch\n\n\ndef select_model(args, device):\n    model_id = args.model_id\n"
    for folder in ("models", "model_zoo"):
        (root / folder).mkdir(parents=True)
    (root / "test_demo.py").write_text(f"{head}{chain}    return model, name, data_range, None\n")
    for id_ in titles:
        text = (texts or {}).get(id_, network())
        (root / "models" / f"team{id_:02d}.py").write_text(text, encoding="utf-8")
        torch.save(weights(), root / "model_zoo" / f"team{id_:02d}.pth")
    return root


def write(root: Path) -> Path:
    """Write the checkout into a folder, made if need be, and return it."""
    for name, text in {"test_demo.py": script(), **_FILES}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    zoo = root / "model_zoo"
    (zoo / "team06").mkdir(parents=True)
    plain = {
        **dict.fromkeys(
            "team00_RLFN team02_cuda team05_dynamic team06/net team07_argument team08_NoPackage "
            "team11_Raises team12_Kernel team13_Padded team14_Tiled team15_Range team16_OwnUtils "
            "team17_Relative team18_Writes team21_spec team22_factory team24_Top team25_TopMissing "
            "team30_pair team31_pair team32_Half team33_NoFile team35_Deform team36_Einops "
            "team37_OwnAbsent".split(),
            weights(),
        ),
        "team01 two words": weights(),
        "team03_params": {"params": weights(12), "epoch": 3},
        "team04_ema": {"params": weights(12), "params_ema": weights(16)},
        "team10_WrongSize": weights(10),
        "team34_Helpers": helpers_weights(),
    }
    for name, content in plain.items():
        torch.save(content, zoo / f"{name}.pth")
    with mock.patch.object(torch.serialization, "location_tag", lambda _: "cuda:0"):  # as if saved on a GPU
        torch.save(weights(), zoo / "team02_cuda.pth")
    torch.save({**weights(), "note": Path("a path is more than plain data")}, zoo / "team20_Pickle.pth")
    (zoo / "team09_Pointer.pth").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1\n"
        "size 12345\n"
    )
    return root
