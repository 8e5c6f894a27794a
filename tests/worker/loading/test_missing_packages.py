"""Packages that a file imports and that are not there: named in passing, answered, or missed when used."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from torch import nn
from torch.nn import functional

from ntire_bench.worker.loading import missing_packages
from ntire_bench.worker.loading.stand_in_answers import answer
from ntire_bench.worker.network import packages


@pytest.fixture
def execute(monkeypatch):
    """Executes the text of a model file."""

    def executes(text: str) -> types.ModuleType:
        module = types.ModuleType("team_file")
        monkeypatch.setitem(sys.modules, "team_file", module)
        missing_packages.execute(text.encode(), "team_file.py", module)
        return module

    return executes


def test_nothing_missing_leaves_everything_as_it_is(execute):
    module = execute(
        "from __future__ import annotations\nimport math, torch.nn as nn\nfrom torch import Tensor\n"
    )
    assert module.math.pi > 3
    assert module.nn is nn
    assert module.Tensor is torch.Tensor
    assert missing_packages.missing(module) == []
    assert missing_packages.used(module) == []


def test_what_is_imported_and_not_used_is_not_missed(execute):
    module = execute("import no_such_a, no_such_b.c as d\nfrom no_such_e.f import g as h, i\nx = 1\n")
    assert module.x == 1
    assert [one.package for one in missing_packages.missing(module)][:1] == ["no_such_a"]
    assert "No module named 'no_such_a'" in missing_packages.missing(module)[0].reason
    assert missing_packages.used(module) == []
    assert "no_such_a" not in sys.modules


@pytest.mark.parametrize(
    "use", ["no_such_a()", "no_such_a.b.c(1)", "d.e(nn.Module)", "h()", "class X(h): pass\nX()"]
)
def test_what_is_used_is_missed_by_its_name(execute, use):
    text = f"import no_such_a, no_such_b.c as d\nfrom no_such_e import h\nfrom torch import nn\n{use}\n"
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such"):
        execute(text)


def test_a_base_class_that_is_missing_harms_its_own_class_alone(execute):
    module = execute("import no_such_a as pl\nclass A(pl.LightningModule):\n    pass\nclass B:\n    pass\n")
    module.B()
    with pytest.raises(ModuleNotFoundError, match="LightningModule is used"):
        module.A()


@pytest.mark.parametrize(
    "decorator",
    ["@REGISTRY.register()", "@REGISTRY.register", "@REGISTRY.register('a', force=True)", "@register_model",
     "@own.register_module(name='a')"],
)  # fmt: skip
def test_a_registry_gives_the_class_back_and_says_so(execute, decorator):
    module = execute(
        "from no_such_a.utils import REGISTRY, register_model, Registry\nown = Registry('mine')\n"
        f"{decorator}\nclass Net:\n    size = 3\n"
    )
    assert module.Net.size == 3
    assert isinstance(module.Net, type)
    assert missing_packages.used(module)
    assert "not registered anywhere" in missing_packages.used(module)[-1].how
    with pytest.raises(ModuleNotFoundError):
        module.REGISTRY.get("Net")()


def test_an_import_inside_try_has_its_own_answer(execute):
    module = execute("try:\n    import no_such_a\nexcept ImportError:\n    no_such_a = None\n")
    assert module.no_such_a is None
    assert missing_packages.missing(module) == []


def test_other_files_are_told_apart(execute):
    module = execute("from .blocks import A\nfrom models.no_such_team import B\n")
    relative, absolute = missing_packages.missing(module)
    assert relative.another_file and ".blocks is another file" in relative.reason
    assert absolute.another_file and absolute.package == "models"
    with pytest.raises(ModuleNotFoundError, match="another file of the repository"):
        module.B()


def test_a_name_that_an_installed_package_does_not_have(execute):
    module = execute("from collections import OrderedDict, no_such_name\n")
    assert module.OrderedDict.__name__ == "OrderedDict"
    with pytest.raises(ModuleNotFoundError, match="does not have it"):
        module.no_such_name()


def test_lines_of_errors_are_those_of_the_file(execute):
    with pytest.raises(ZeroDivisionError) as caught:
        execute("import no_such_a, math\n\n1 / 0\n")
    assert caught.traceback[-1].lineno == 2  # counted from 0


@pytest.fixture
def absent(monkeypatch):
    """Makes packages that may be installed absent."""

    def hide(*tops: str) -> None:
        for name in [*tops, *(name for name in sys.modules if name.split(".")[0] in tops)]:
            monkeypatch.setitem(sys.modules, name, None)

    return hide


@pytest.mark.parametrize(
    "place",
    [
        "from timm.models.layers import {0}",
        "from timm.layers import {0}",
        "from timm.layers.drop import {0}",
        "import timm.layers as t\n{0} = t.{0}",
        "import timm\n{0} = timm.models.layers.{0}",
        "from timm.models import layers\n{0} = layers.{0}",
    ],
)
def test_timms_helpers_are_answered_wherever_timm_has_them(execute, absent, place):
    absent("timm")
    names = ("DropPath", "trunc_normal_", "to_2tuple")
    module = execute("\n".join(place.format(name) for name in names))
    x = torch.rand(3)
    assert torch.equal(module.DropPath(0.5).eval()(x), x)
    assert module.trunc_normal_ is nn.init.trunc_normal_
    assert module.to_2tuple(3) == (3, 3)
    told = missing_packages.used(module)
    assert [item.value.rsplit(".", 1)[1] for item in told] == list(names)
    assert all(item.key == "stand_in" and item.how.startswith("timm is not installed; ") for item in told)


def test_drop_path_drops_whole_images_in_training_and_keeps_the_mean(execute, absent):
    absent("timm")
    path = execute("from timm.layers import DropPath").DropPath(0.25)
    assert not list(path.parameters()) and path.drop_prob == 0.25
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = path(torch.ones(4000, 2, 3, 3))
    kinds = sorted({tuple(sorted(set(image.flatten().tolist()))) for image in out})
    assert kinds == [(0.0,), (pytest.approx(4 / 3),)]
    assert out.mean() == pytest.approx(1, abs=0.03)
    assert torch.equal(path.eval()(out), out)


def test_tuples(execute, absent):
    absent("timm")
    module = execute("from timm.layers.helpers import to_2tuple, to_3tuple, to_ntuple")
    assert (module.to_2tuple(3), module.to_2tuple((1, 2)), module.to_2tuple([1, 2])) == (
        (3, 3),
        (1, 2),
        (1, 2),
    )
    assert module.to_3tuple("ab") == ("ab", "ab", "ab") and module.to_ntuple(5)(0) == (0,) * 5


@pytest.fixture
def arch_util(execute, absent):
    """basicsr.archs.arch_util, as a file gets it that names its parts."""
    absent("basicsr")
    names = "ResidualBlockNoBN, Upsample, default_init_weights, make_layer, pixel_unshuffle"
    return execute(f"from basicsr.archs.arch_util import {names}")


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_upsample(arch_util, scale):
    """Published x4 checkpoints have upsample.0 and upsample.2: convolutions to four times the channels."""
    layer = arch_util.Upsample(scale, 6)
    places = {1: [], 2: [0], 3: [0], 4: [0, 2], 8: [0, 2, 4]}[scale]
    factor = 3 if scale == 3 else 2
    channels = 6 * factor**2
    assert shapes(layer) == {
        name: shape
        for place in places
        for name, shape in ((f"{place}.weight", (channels, 6, 3, 3)), (f"{place}.bias", (channels,)))
    }
    x = expected = torch.rand(1, 6, 5, 7)
    state = layer.state_dict()
    for place in places:
        filtered = functional.conv2d(expected, state[f"{place}.weight"], state[f"{place}.bias"], padding=1)
        expected = functional.pixel_shuffle(filtered, factor)
    assert torch.equal(layer(x), expected) and expected.shape == (1, 6, 5 * scale, 7 * scale)


def test_upsample_has_no_other_scales(arch_util):
    for scale in (5, 6, 12):
        with pytest.raises(ValueError, match=f"scale {scale} is not supported"):
            arch_util.Upsample(scale, 6)


def test_residual_block(arch_util):
    block = arch_util.ResidualBlockNoBN(num_feat=6, res_scale=0.3, pytorch_init=True)
    of_conv = {"weight": (6, 6, 3, 3), "bias": (6,)}
    assert shapes(block) == {f"conv{n}.{name}": shape for n in (1, 2) for name, shape in of_conv.items()}
    x, state = torch.rand(1, 6, 5, 7), block.state_dict()
    inner = functional.relu(functional.conv2d(x, state["conv1.weight"], state["conv1.bias"], padding=1))
    residual = functional.conv2d(inner, state["conv2.weight"], state["conv2.bias"], padding=1)
    assert torch.allclose(block(x), x + 0.3 * residual)
    row = arch_util.make_layer(arch_util.ResidualBlockNoBN, 3, num_feat=6)
    assert set(shapes(row)) == {f"{place}.{name}" for place in range(3) for name in shapes(block)}


def test_pixel_unshuffle_undoes_a_pixel_shuffle(arch_util):
    x = torch.rand(2, 12, 5, 7)
    assert torch.equal(arch_util.pixel_unshuffle(functional.pixel_shuffle(x, 2), scale=2), x)


def test_initial_weights(arch_util):
    parts = [
        nn.Conv2d(32, 64, 3),
        nn.Sequential(nn.Linear(300, 200, bias=False)),
        nn.BatchNorm2d(4),
        nn.PReLU(),
    ]
    nn.init.constant_(parts[2].weight, 5)
    arch_util.default_init_weights(parts, 0.1, bias_fill=2)
    for weight, inputs in ((parts[0].weight, 32 * 9), (parts[1][0].weight, 300)):
        assert weight.std().item() == pytest.approx(
            0.1 * (2 / inputs) ** 0.5, rel=0.05
        )  # He et al. 2015, times 0.1
    assert parts[0].bias.eq(2).all() and parts[2].weight.eq(1).all() and parts[2].bias.eq(2).all()
    assert parts[3].weight.item() == 0.25
    alone = nn.Conv2d(3, 3, 3)
    arch_util.default_init_weights(alone)
    assert alone.bias.eq(0).all()


@pytest.mark.parametrize(
    ("wanted", "use"),
    [
        ("from torchvision.ops import DeformConv2d", "DeformConv2d(3, 3, 3)"),
        ("import torchvision", "torchvision.transforms.ToTensor()"),
        ("from torchvision.transforms import functional as TF", "TF.to_tensor(0)"),
        ("from einops import rearrange", "rearrange(0, 'a -> a 1')"),
        ("from einops.layers.torch import Rearrange", "Rearrange('b c -> c b')"),
        ("from timm.models.layers import Mlp", "Mlp(3)"),
        ("from basicsr.archs.swinir_arch import Upsample", "Upsample(4, 64)"),  # of another module
        ("from basicsr.archs.arch_util import DCNv2Pack", "DCNv2Pack(3, 3)"),
        ("from thop import profile", "profile(None)"),
        ("from ptflops import get_model_complexity_info as count", "count(None)"),
    ],
)
def test_what_computes_is_not_answered(execute, absent, wanted, use):
    absent("torchvision", "einops", "timm", "basicsr", "thop", "ptflops")
    assert missing_packages.used(execute(f"{wanted}\ndef use():\n    return {use}\n")) == []
    with pytest.raises(packages.MissingPackage, match="is used, and (No module named|import of) "):
        execute(f"{wanted}\n{use}\n")


@pytest.mark.parametrize(
    "text",
    [
        "def f(x: a.Float['b c'], y: 'a.Int' | a.Int = a.B.C, *, z: a.D | None = None) -> a.E: pass",
        "assert not isinstance(3, a.Kind) and a",
        "f = [a, a.b]; g = {'x': a.c}",
        "Alias = a.B[int, a.C]",
    ],
)
def test_what_is_missing_may_be_named(execute, text):
    module = execute(f"import no_such_a as a\n{text}\n")
    assert missing_packages.used(module) == []


@pytest.mark.parametrize(
    "use",
    ["list(a)", "for x in a.b: pass", "with a.c: pass", "a.x + 1", "2 * a.x", "len(a)", "int(a)", "3 in a",
     "a.b[0]()", "a.x < 3", "-a", "import torch; torch.zeros(3)[a]", "*_, = a"],
)  # fmt: skip
def test_whatever_else_is_done_with_it_says_what_is_missing(execute, use):
    with pytest.raises(ModuleNotFoundError, match=r"is used, and No module named 'no_such_a'") as caught:
        execute(f"import no_such_a as a\n{use}\n")
    assert caught.value.name == "no_such_a"


def test_a_package_that_is_there_and_fails_is_told_apart(execute, tmp_path, monkeypatch):
    for name, text in (("fails_a", "1 / 0"), ("timm", "import no_such_b")):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    module = execute("from fails_a import x\nfrom timm import to_2tuple\n")
    with pytest.raises(ModuleNotFoundError, match="importing fails_a fails: ZeroDivisionError"):
        module.x()
    (told,) = missing_packages.used(module)
    assert told.how == "timm cannot be imported; a value is repeated as often"


def test_imports_are_made_in_their_turn(execute, tmp_path, monkeypatch):
    """A file may first say where its modules are."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_b.py").write_text("x = 3")
    module = execute(f"import sys\nsys.path.append({str(tmp_path)!r})\nfrom beside_b import x\n")
    assert module.x == 3 and missing_packages.missing(module) == []
    del sys.modules["beside_b"]


def test_names_that_something_or_nothing_answers():
    assert answer("timm.models.layers", "Mlp") is None and answer("einops", "rearrange") is None
    assert answer("torchvision.ops", "DeformConv2d") is None
    assert answer("basicsr.models.archs.arch_util", "Upsample") == answer(
        "basicsr.archs.arch_util", "Upsample"
    )
    assert answer("basicsr.archs.rcan_arch", "Upsample") is None
