# ruff: noqa: E501 - lines of model files, as people write them
"""Team files as they are handed in: each shows one difficulty of finding out how its network is built.

Each is the text of a model file, how its author builds the trained network, and what must come of it.
Weights are made small, so that every network here gives nearly the bicubic enlargement, as a trained one does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD = """\
import torch
import torch.nn as nn
import torch.nn.functional as F


def up(x, scale=4):
    return F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)


class Block(nn.Module):
    def __init__(self, channels, hidden=None, bias=True):
        super(Block, self).__init__()
        self.c1 = nn.Conv2d(channels, hidden or channels, 3, 1, 1, bias=bias)
        self.c2 = nn.Conv2d(hidden or channels, channels, 3, 1, 1, bias=bias)

    def forward(self, x):
        return x + self.c2(F.silu(self.c1(x)))


class Tail(nn.Sequential):
    def __init__(self, channels, out, scale):
        super().__init__(nn.Conv2d(channels, out * scale**2, 3, 1, 1), nn.PixelShuffle(scale))
"""


@dataclass(frozen=True)
class Awkward:
    """One file.

    Attributes:
        body: Its text, after HEAD.
        truth: How its author builds the network, in Python.
        told: What must be said of how it was resolved: keys and values of `inferred`.
        refused: What the refusal must say, where refusing is right; nothing else matters then.
        wrap: The checkpoint, in Python, from the state dict `s`.
        data_range: The right one.
        name: NAME in the file's name.
    """

    body: str
    truth: str = "Net()"
    told: dict[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    wrap: str = "s"
    data_range: float = 1.0
    name: str = "Toy"


PLAIN = """
class Net(nn.Module):
    def __init__({signature}):
        super(Net, self).__init__()
        {before}
        self.head = nn.Conv2d({colours}, {width}, 3, 1, 1)
        self.body = nn.Sequential(*[Block({width}) for _ in range({blocks})])
        self.tail = Tail({width}, 3, {scale})

    def forward(self, x{extra}):
        y = (up(x) + self.tail(self.body(self.head(x)))).clamp(0, 1)
        return {returns}
"""


def plain(
    signature="self", colours="3", width="8", blocks="2", scale="4", extra="", returns="y", before="pass"
):
    """Return the text of a network of the usual kind."""
    return PLAIN.format(**locals())


FILES: dict[str, Awkward] = {
    "positional arguments": Awkward(
        plain("self, num_in_ch, num_out_ch, feature_channels, num_blocks, upscale",
              "num_in_ch", "feature_channels", "num_blocks", "upscale"),
        "Net(3, 3, 12, 3, 4)",
        {"args.feature_channels": "12", "args.num_blocks": "3", "args.upscale": "4"},
    ),
    "a scale whose default is another": Awkward(
        plain("self, dim=8, upscaling_factor=2", width="dim", scale="upscaling_factor"),
        "Net(upscaling_factor=4)",
        {"args.upscaling_factor": "4"},
    ),
    "a ratio of widths": Awkward(
        """
class Net(nn.Module):
    def __init__(self, dim=16, n_blocks=2, ffn_scale=2.0, upscaling_factor=4):
        super().__init__()
        self.head = nn.Conv2d(3, dim, 3, 1, 1)
        self.feats = nn.Sequential(*[Block(dim, int(dim * ffn_scale)) for _ in range(n_blocks)])
        self.tail = Tail(dim, 3, upscaling_factor)

    def forward(self, x):
        return (up(x) + self.tail(self.feats(self.head(x)))).clamp(0, 1)
""",
        "Net(dim=20, n_blocks=5, ffn_scale=1.25)",
        {"args.dim": "20", "args.n_blocks": "5", "args.ffn_scale": "1.25"},
    ),
    "lists of depths": Awkward(
        """
class Stage(nn.Module):
    def __init__(self, dim, depth):
        super().__init__()
        self.blocks = nn.ModuleList([Block(dim) for _ in range(depth)])

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Net(nn.Module):
    def __init__(self, img_size=64, in_chans=3, embed_dim=24, depths=[6, 6, 6, 6], upscale=2, img_range=1.):
        super().__init__()
        self.img_range = img_range
        self.conv_first = nn.Conv2d(in_chans, embed_dim, 3, 1, 1)
        self.layers = nn.ModuleList([Stage(embed_dim, depth) for depth in depths])
        self.upsample = Tail(embed_dim, 3, upscale)

    def forward(self, x):
        y = self.conv_first(x * self.img_range)
        for layer in self.layers:
            y = layer(y)
        return (up(x) + self.upsample(y) / self.img_range).clamp(0, 1)
""",
        "Net(embed_dim=12, depths=[2, 3, 1], upscale=4)",
        {"args.embed_dim": "12", "args.depths": "[2, 3, 1]", "args.upscale": "4"},
    ),
    "a word that the code compares": Awkward(
        """
def conv(kind, n):
    if kind == 'BSConvU':
        return nn.Sequential(nn.Conv2d(n, n, 1, bias=False), nn.Conv2d(n, n, 3, 1, 1, groups=n))
    elif kind == 'DW':
        return nn.Conv2d(n, n, 3, 1, 1, groups=n)
    return nn.Conv2d(n, n, 3, 1, 1)


class Net(nn.Module):
    def __init__(self, num_feat=16, num_block=2, upscale=4, conv_type='plain'):
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, 1, 1)
        self.body = nn.Sequential(*[conv(conv_type, num_feat) for _ in range(num_block)])
        self.tail = Tail(num_feat, 3, upscale)

    def forward(self, x):
        return (up(x) + self.tail(self.body(self.head(x)))).clamp(0, 1)
""",
        "Net(num_feat=10, conv_type='BSConvU')",
        {"args.num_feat": "10", "args.conv_type": "'BSConvU'"},
    ),
    "an object of options": Awkward(
        plain("self, args, conv=nn.Conv2d", "args.n_colors", "args.n_feats", "args.n_resblocks", "args.scale[0]")
        + "\n\ndef make_model(args, parent=False):\n    return Net(args)\n",
        "Net(__import__('types').SimpleNamespace(n_colors=3, n_feats=12, n_resblocks=4, scale=[4]))",
        {"model": "Net", "args.args.n_feats": "12", "args.args.n_resblocks": "4", "args.args.scale": "[4]"},
    ),
    "a dictionary of options": Awkward(
        plain("self, opt", "opt['in_nc']", "opt['network_g']['nf']", "opt.get('nb', 2)", "opt['scale']"),
        "Net({'in_nc': 3, 'network_g': {'nf': 14}, 'nb': 5, 'scale': 4})",
        {"args.opt.network_g.nf": "14", "args.opt.nb": "5"},
    ),
    "keyword arguments by key": Awkward(
        plain("self, num_feat=16, **kwargs", width="num_feat", blocks="kwargs['res_num']",
              scale="kwargs['upsampling']", before="self.bias = kwargs.get('bias', True)"),
        "Net(num_feat=9, res_num=3, upsampling=4)",
        {"args.num_feat": "9", "args.res_num": "3", "args.upsampling": "4"},
    ),
    "arguments handed up": Awkward(
        plain("self, nf, nb, upscale=4", width="nf", blocks="nb", scale="upscale")
        + "\n\nclass Student(Net):\n    def __init__(self, *args, **kwargs):\n"
        "        super(Student, self).__init__(*args, **kwargs)\n        self.out = nn.Conv2d(3, 3, 1)\n\n"
        "    def forward(self, x):\n        y = super().forward(x)\n        return y + 0 * self.out(y)\n",
        "Student(11, 3)",
        {"model": "Student", "args.nf": "11", "args.nb": "3"},
    ),
    "deploy by default, checkpoint in training form": Awkward(
        """
class Rep(nn.Module):
    def __init__(self, n, deploy):
        super().__init__()
        self.deploy = deploy
        if deploy:
            self.conv = nn.Conv2d(n, n, 3, 1, 1)
        else:
            self.a, self.b = nn.Conv2d(n, n, 3, 1, 1), nn.Conv2d(n, n, 1)

    def forward(self, x):
        return self.conv(x) if self.deploy else self.a(x) + self.b(x)


class Net(nn.Module):
    def __init__(self, channels=16, deploy=True):
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, 1, 1)
        self.rep = Rep(channels, deploy)
        self.tail = Tail(channels, 3, 4)

    def forward(self, x):
        return (up(x) + self.tail(self.rep(self.head(x)))).clamp(0, 1)
""",
        "Net(10, deploy=False)",
        {"args.channels": "10", "args.deploy": "False"},
    ),
    "deploy that no tensor shows, same image, other cost": Awkward(
        plain("self, deploy=False", before="self.deploy = deploy",
              returns="y if self.deploy else y + 0 * self.tail(self.body(self.head(x)))"),
        "Net()",
        refused=("two values of the argument 'deploy' of Net load strictly", "args.deploy = true",
                 "args.deploy = false", "cost different amounts"),
    ),
    "a flag that changes the image a little": Awkward(
        plain("self, shift=True", before="self.shift = shift", returns="y + 0.006 if self.shift else y"),
        "Net()",
        refused=("two values of the argument 'shift'", "`args.shift = true`", "`args.shift = false`",
                 "different images"),
    ),
    "a flag without which it is no image": Awkward(
        plain("self, residual=False", before="self.residual = residual",
              returns="y if self.residual else y - up(x)"),
        "Net(residual=True)",
        {"args.residual": "True"},
    ),
    "a flag that changes nothing": Awkward(
        plain("self, use_checkpoint=False, clamp=True", before="self.clamp = clamp",
              returns="y.clamp(0, 1) if self.clamp else y"),
    ),
    "an image range that the network multiplies with": Awkward(
        plain("self, img_range", before="self.img_range = img_range",
              returns="(up(x) + self.tail(self.body(self.head(x * self.img_range))) / self.img_range)"
              ".clamp(0, 1) * (1.0 if self.img_range == 255 else 0.5)"),
        "Net(255)",
        {"args.img_range": "255"},
    ),
    "an argument that nothing tells": Awkward(
        plain("self, res_weight", before="self.res_weight = res_weight",
              returns="y + 0.004 * (self.res_weight == 8)"),
        "Net(8)",
        refused=("two values of the argument 'res_weight'", "args.res_weight = "),
    ),
    "an argument that the file itself tells": Awkward(
        plain("self, res_weight", before="self.res_weight = res_weight", returns="y + 0.004 * self.res_weight")
        + "\n\nif __name__ == '__main__':\n    model = Net(res_weight=0.5).cuda()\n",
        "Net(0.5)",
        {"args.res_weight": "0.5"},
    ),
    "teacher and student": Awkward(
        plain("self, dim=16", width="dim")
        + plain("self, dim=8", width="dim").replace("Net", "Teacher").replace("self.body", "self.deep"),
        "Net(16)",
        {"model": "Net"},
    ),
    "two classes of which one gives no image": Awkward(
        plain() + "\n\nclass Feature(Net):\n    def forward(self, x):\n        return self.body(self.head(x))\n",
        "Net()",
        {"model": "Net"},
    ),
    "two classes that both give an image": Awkward(
        plain() + "\n\nclass NetV2(Net):\n    def forward(self, x):\n        return super().forward(x) + 0.005\n",
        "Net()",
        refused=("several classes take the checkpoint strictly", '`model = "Net"` or `model = "NetV2"`'),
    ),
    "two classes, one of the file's name": Awkward(
        plain() + "\n\nclass NetV2(Net):\n    def forward(self, x):\n        return super().forward(x) + 0.005\n",
        "NetV2()",
        {"model": "NetV2"},
        name="netv2",
    ),
    "a function that says the arguments": Awkward(
        plain("self, shift=1.0, gate=True", before="self.shift, self.gate = shift, gate",
              returns="y + 0.006 * self.shift * self.gate")
        + "\n\ndef get_model():\n    return Net(shift=0.5, gate=True)\n",
        "get_model()",
        {"model": "get_model"},
    ),
    "a function around what no class shows": Awkward(
        "\n\ndef create_model(nf=8):\n    class Inner(nn.Module):\n        def __init__(self):\n"
        "            super().__init__()\n            self.a, self.tail = nn.Conv2d(3, nf, 3, 1, 1), Tail(nf, 3, 4)\n\n"
        "        def forward(self, x):\n            return (up(x) + self.tail(self.a(x))).clamp(0, 1)\n\n"
        "    return Inner()\n",
        "create_model(10)",
        {"model": "create_model", "args.nf": "10"},
    ),
    "a registry that is not installed": Awkward(
        "\nfrom basicsr.utils.registry import ARCH_REGISTRY\nfrom basicsr.archs.arch_util import make_layer\n"
        "from thop import profile\n\n\n@ARCH_REGISTRY.register()" + plain("self, nf=8", width="nf"),
        "Net(12)",
        {"args.nf": "12", "stand_in": "basicsr.utils.registry.ARCH_REGISTRY.register"},
    ),
    "a helper that is not installed": Awkward(
        "\nfrom timm.models.layers import trunc_normal_, DropPath, to_2tuple\n"
        + plain(before="trunc_normal_(nn.Parameter(torch.zeros(3)), std=.02); self.drop = DropPath(0.1)",
                returns="self.drop(y)"),
        told={"stand_in": "timm.models.layers.to_2tuple"},
    ),
    "a package that the network needs": Awkward(
        "\nfrom no_such_einops import rearrange\n" + plain(before="rearrange(torch.zeros(3), 'a -> a 1')"),
        "__import__('copy')",
        refused=("needs a package that is not installed", "No module named 'no_such_einops'", "rearrange is used"),
    ),
    "a package that an unused base class needs": Awkward(
        "\nimport no_such_lightning as pl\n\n\nclass Lit(pl.LightningModule):\n    pass\n" + plain(),
    ),
    "a sibling": Awkward(
        "\nfrom .team01_blocks import Special\n" + plain(before="self.special = Special(3)"),
        "__import__('copy')",
        refused=("needs another file", "Special is used"),
    ),
    "a constructor that wants a GPU": Awkward(
        plain("self, nf=8", width="nf",
              before="self.mean = torch.zeros(1, 3, 1, 1, device='cuda').cuda()", returns="y - self.mean.to(x)")
        .replace("        self.tail = Tail(nf, 3, 4)\n", "        self.tail = Tail(nf, 3, 4)\n"
                 "        self.cuda()(torch.randn(1, 3, 16, 16).cuda())\n        torch.cuda.synchronize()\n"),
        "Net(9)",
        {"args.nf": "9", "cuda": "cpu"},
    ),
    "an output among others": Awkward(
        plain(returns="(y, self.head(x))"), told={"output": "0"},
    ),
    "an output in a dictionary": Awkward(
        plain(returns="{'lr': x, 'sr': y}"), told={"output": "'sr'"},
    ),
    "two images as output": Awkward(
        plain(returns="[y - 0.1, y]"),
        refused=("returns a list with 2 images", "output = 0 or output = 1"),
    ),
    "a forward with more arguments": Awkward(plain(extra=", target=None, *, scale=4")),
    "a prefix of data parallel training under a key": Awkward(
        plain("self, nf=8", width="nf"), "Net(12)",
        {"state_key": "params_ema", "prefix": "module.", "args.nf": "12"},
        wrap="{'params_ema': {'module.' + k: v for k, v in s.items()}, 'iter': 5}",
    ),
    "a trainer's class around the network": Awkward(
        plain("self, nf=8", width="nf"), "Net(6)", {"state_key": "state_dict", "prefix": "net_g."},
        wrap="{'state_dict': {**{'net_g.' + k: v for k, v in s.items()}, 'loss.weight': torch.ones(3)}}",
    ),
    "an optimizer beside it": Awkward(
        plain(), told={"state_key": "model"},
        wrap="{'optimizer': {'state': {0: {'exp_avg': torch.ones(3)}}}, 'model': s, 'epoch': 3}",
    ),
    "counts of a FLOP counter": Awkward(
        plain("self, nf=8", width="nf"), "Net(12)", {"args.nf": "12"},
        wrap="{**s, 'total_ops': torch.zeros(1), 'head.total_params': torch.zeros(1)}",
    ),
    "a checkpoint older than a step counter": Awkward(
        plain(before="self.bn = nn.BatchNorm2d(3)", returns="y + 0 * self.bn(y)"),
        wrap="{k: v for k, v in s.items() if not k.endswith('num_batches_tracked')}",
    ),
    "numbers of a log beside it": Awkward(
        plain(), told={"state_key": "params"}, wrap="{'params': s, 'psnr': __import__('numpy').float64(27.1)}",
    ),
    "a whole pickled network": Awkward(
        plain(), "__import__('copy')", wrap="torch.nn.Conv2d(3, 4, 3)",
        refused=("the Python object", "torch.save(network.state_dict(), path)"),
    ),
    "a window": Awkward(
        plain(before="pass", returns="y").replace(
            "        y = (up", "        assert x.shape[2] % 8 == 0 and x.shape[3] % 8 == 0\n        y = (up"),
    ),
    "white is 255": Awkward(
        plain("self, rgb_range=255", before="self.register_buffer('mean', torch.full((1, 3, 1, 1), 100.), False)")
        .replace("y = (up(x) + self.tail(self.body(self.head(x)))).clamp(0, 1)",
                 "y = up(x - self.mean) * (1 + x.detach().std() / 999) + self.mean + 4"
                 " + self.tail(self.body(self.head(x)))"),
        data_range=255.0,
    ),
    "scripted parts and real numbers": Awkward(
        "\n\n@torch.jit.script\ndef halve(x):\n    return x * 0.5\n"
        + plain("self, nf=8", width="nf",
                before="self.rates = [r.item() for r in torch.linspace(0, 1, 3)]", returns="2 * halve(y)"),
        "Net(12)", {"args.nf": "12"},
    ),
    "options of training that nothing tells": Awkward(
        plain("self, opt", width="opt.nf", before="self.opt = opt")
        + "\n    def training_step(self, x):\n        return self.opt.lr * self.opt.loss_weight\n",
        "Net(__import__('types').SimpleNamespace(nf=12))", {"args.opt.nf": "12"},
    ),
    "remains of training branches in the checkpoint": Awkward(
        """
class Rep(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.eval_conv = nn.Conv2d(n, n, 3, 1, 1)

    def forward(self, x):
        return self.eval_conv(x)


class Net(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, 1, 1)
        self.body = nn.Sequential(Rep(channels), Rep(channels))
        self.tail = Tail(channels, 3, 4)

    def forward(self, x):
        return (up(x) + self.tail(self.body(self.head(x)))).clamp(0, 1)
""",
        "Net(10)",
        {"args.channels": "10", "strict": "False"},
        wrap="{**s, 'body.0.sk.weight': torch.ones(3), 'body.1.conv.0.weight': torch.ones(3)}",
    ),
    "more blocks in the checkpoint than the network has": Awkward(
        plain(),
        "Net()",
        refused=("no network of this file takes", "unknown to the network"),
        wrap="{**s, **{k.replace('body.1', 'body.2'): v for k, v in s.items() if k.startswith('body.1')}}",
    ),
    "a configuration that need not be given": Awkward(
        plain("self, nf=8, cfg=None", width="nf",
              before="self.eps = cfg.eps if cfg is not None else 0.0", returns="y + self.eps"),
        "Net(12)", {"model": "Net", "args.nf": "12"},
    ),
    "a configuration that must be given after all": Awkward(
        plain("self, cfg=None", width="self.cfg['nf']", before="self.cfg = cfg"),
        "Net({'nf': 12})", {"args.cfg.nf": "12"},
    ),
    "classes that differ in their defaults alone": Awkward(
        plain("self, nf=20", width="nf").replace("Net", "NetS") + plain("self, nf=12", width="nf"),
        "Net()", {"model": "Net"},
    ),
    "everything positional, nothing by name": Awkward(
        plain("self, nf, nb", width="nf", blocks="nb")
        + "\n\nclass Best(Net):\n    def __init__(self, *args):\n        super().__init__(*args)\n",
        "Best(12, 3)", {"args.nf": "12", "args.nb": "3"},
    ),
    "an import for trying it out alone": Awkward(
        plain() + "\n\nif __name__ == '__main__':\n    from no_such_counter import count\n    count(Net())\n",
    ),
    "an import that is tried": Awkward(
        "\ntry:\n    from no_such_kernel import fast\nexcept ImportError:\n    fast = None\n"
        + plain(returns="y if fast is None else fast(y)"),
    ),
    "a device as an argument": Awkward(
        plain("self, device, nf=16", width="nf", before="self.mean = torch.zeros(1, 3, 1, 1).to(device)",
              returns="y - self.mean.to(x.device)"),
        "Net('cpu', 12)", {"args.device": "'cpu'", "args.nf": "12"},
    ),
    "types, events and a default device of a GPU": Awkward(
        "\ntorch.set_default_tensor_type(torch.cuda.FloatTensor)\ntorch.set_default_device('cuda')\n"
        "START = torch.cuda.Event(enable_timing=True)\nSTART.record()\n"
        + plain("self, nf=8", width="nf", before="self.one = torch.cuda.FloatTensor(1).fill_(1)",
                returns="y * self.one"),
        "Net(12)", {"args.nf": "12"},
    ),
    "a square of the scale, and calls with lists": Awkward(
        plain("self, c, widths, s", width="c", blocks="0", scale="s",
              before="self.mix = nn.ModuleList([Block(c, w) for w in widths])", returns="y if len(self.mix) else x")
        + "\n\ndef net_s(s=4):\n    return Net(12, [8, 5], s)\n",
        "net_s()", {"args.c": "12", "args.widths": "[8, 5]", "args.s": "4"},
    ),
    "a number that no tensor shows, the author's": Awkward(
        plain("self, heads=4", before="self.heads = heads", returns="y.roll(self.heads - 4, 2)"),
    ),
    "a number that no tensor shows, not the author's": Awkward(
        plain("self, heads=4", before="self.heads = heads", returns="y.roll(self.heads - 8, 2)"),
        "Net(8)",
        refused=("two values of the argument 'heads'", "`args.heads = 8`"),
    ),
    "a state dict in a list": Awkward(plain(), told={"state_key": "0"}, wrap="[s, 300]"),
    "averaged weights under a name of their own": Awkward(
        plain(), told={"state_key": "state_dict_ema"},
        wrap="{'state_dict': {k: v + 1 for k, v in s.items()}, 'state_dict_ema': s}",
    ),
    "windows, words and tables of positions": Awkward(
        """
class Attention(nn.Module):
    def __init__(self, dim, window, heads):
        super().__init__()
        self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        self.register_buffer("index", (at[:, :, None] - at[:, None, :]).sum(0))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        return x + 0.01 * self.proj(x.movedim(1, 3)).movedim(3, 1)


class Net(nn.Module):
    def __init__(self, img_size=64, embed_dim=48, depths=[3, 3, 3], num_heads=[6, 6, 6], window_size=7,
                 drop_rate=0., drop_path_rate=0.1, upscale=2, upsampler="", resi_connection="1conv"):
        super().__init__()
        self.head = nn.Conv2d(3, embed_dim, 3, 1, 1)
        self.layers = nn.ModuleList()
        for i, depth in enumerate(depths):
            self.layers.append(nn.Sequential(*[Attention(embed_dim, window_size, num_heads[i]) for _ in range(depth)]))
        if resi_connection == "1conv":
            self.conv = nn.Conv2d(embed_dim, embed_dim, 3, 1, 1)
        elif resi_connection == "3conv":
            self.conv = nn.Sequential(nn.Conv2d(embed_dim, 4, 3, 1, 1), nn.Conv2d(4, embed_dim, 3, 1, 1))
        if upsampler == "direct":
            self.tail = Tail(embed_dim, 3, upscale)
        else:
            self.tail = nn.Sequential(nn.Conv2d(embed_dim, 8, 3, 1, 1), Tail(8, 3, upscale))

    def forward(self, x):
        y = self.head(x)
        for layer in self.layers:
            y = layer(y)
        return (up(x) + self.tail(self.conv(y))).clamp(0, 1)


if __name__ == "__main__":
    model = Net(embed_dim=36, depths=[4, 4], num_heads=[6, 6], window_size=8)
""",
        "Net(embed_dim=24, depths=[2, 3], num_heads=[3, 3], window_size=12, upscale=4, upsampler='direct',"
        " resi_connection='3conv')",
        {"args.window_size": "12", "args.depths": "[2, 3]", "args.upsampler": "'direct'",
         "args.resi_connection": "'3conv'"},
    ),
}  # fmt: skip
FILES["lists without a default"] = Awkward(
    FILES["lists of depths"].body.replace(
        "img_size=64, in_chans=3, embed_dim=24, depths=[6, 6, 6, 6], upscale=2",
        "embed_dim, depths, upscale, in_chans=3",
    ),
    "Net(embed_dim=12, depths=[2, 3, 1], upscale=4)",
    {"args.embed_dim": "12", "args.depths": "[2, 3, 1]", "args.upscale": "4"},
)
