"""Packages that submissions want and that are not installed: in files of a checkout, and in the commands."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import py_compile
import re
import sys
from collections.abc import Callable

import challenge_checkout
import pytest
import torch
import toys
from click.testing import Result
from pairs import smooth, write_pairs

from ntire_bench.worker.loading import own_files
from ntire_bench.worker.loading.missing_packages import StandIns
from ntire_bench.worker.network import packages
from ntire_bench.worker.network.packages import MissingPackage

# The files of a checkout


@pytest.fixture
def serve(tmp_path, monkeypatch) -> Callable[..., StandIns]:
    """Writes files into a folder and serves it; what that changes in this process is put back."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(importlib.util, "spec_from_file_location", importlib.util.spec_from_file_location)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def serve(**files: str) -> StandIns:
        for name, text in files.items():
            file = tmp_path / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        importlib.invalidate_caches()
        return own_files.serve(tmp_path)

    yield serve
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_files_of_a_checkout_get_stand_ins_and_others_do_not(serve, tmp_path, monkeypatch):
    elsewhere = tmp_path.parent / f"{tmp_path.name}_elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other_a.py").write_text("import no_such_a\n")
    monkeypatch.syspath_prepend(elsewhere)
    stand_ins = serve(
        net_a="import no_such_a\nfrom no_such_b.registry import register\n@register\nclass A: pass\n"
    )
    module = importlib.import_module("net_a")
    assert module.A.__name__ == "A" and list(stand_ins.used) == ["no_such_b.registry.register"]
    with pytest.raises(MissingPackage, match="no_such_a.count is used, and No module named 'no_such_a'"):
        module.no_such_a.count()
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_a'"):
        importlib.import_module("other_a")


def test_imports_of_a_checkouts_own_files_are_as_python_makes_them(serve):
    serve(
        team_a__net="from .parts import x\nfrom team_a.parts import x as y\nimport team_a.parts as parts\n",
        team_a__parts="from team_a import net\nimport no_such_a\nx = 3\n",  # in a circle
        team_b__net="import sys, os\nsys.path.append(os.path.dirname(__file__))\nimport blocks_b\n",
        team_b__blocks_b="from no_such_a import use\nvalue = 5\n",
    )
    net = importlib.import_module("team_a.net")
    assert net.x == net.y == net.parts.x == 3 and net.parts.net is net
    assert importlib.import_module("team_b.net").blocks_b.value == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from team_a.absent import x", "No module named 'team_a.absent'"),
        ("import team_a.absent", "No module named 'team_a.absent'"),
        ("from .absent import x", "No module named 'team_a.absent'"),
        ("from team_a.parts import absent", "cannot import name 'absent'"),
        ("from team_a.raises import x", "a fault of its own"),
        ("from team_a.uses import x", "no_such_a.count is used"),  # not a reason to go without the file
        ("from absent_b import *", "No module named 'absent_b'"),
        ("import sys\nsys.path.append(__file__[:-6])\nfrom raises import x", "a fault of its own"),
    ],
)
def test_nothing_stands_in_for_a_checkouts_own_files(serve, text, message):
    serve(
        team_a__net=text,
        team_a__parts="x = 3",
        team_a__raises="raise ValueError('a fault of its own')",
        team_a__uses="import no_such_a\nx = no_such_a.count()",
    )
    with pytest.raises((ImportError, ValueError), match=re.escape(message)):
        importlib.import_module("team_a.net")


def test_a_file_loaded_by_its_path_is_served_too(serve, tmp_path):
    stand_ins = serve(net_a="from timm.layers import to_2tuple\nimport no_such_a\n")
    spec = importlib.util.spec_from_file_location("any_name", tmp_path / "net_a.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.to_2tuple(3) == (3, 3)
    assert bool(stand_ins.used) == (importlib.util.find_spec("timm") is None)
    assert importlib.util.spec_from_file_location("b", tmp_path / "absent.txt") is None


def test_what_was_compiled_before_is_not_run(serve, tmp_path):
    file = tmp_path / "net_a.py"
    file.write_text("x = 'compiled'")
    py_compile.compile(str(file), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    serve(net_a="x = 'as it reads'")
    assert importlib.import_module("net_a").x == "as it reads"


# What is said


@pytest.mark.parametrize(
    ("torch_version", "fits"), [("2.13.0+cpu", "0.28"), ("2.10.1", "0.25"), ("3.0", None)]
)
def test_the_torchvision_that_fits_is_named(monkeypatch, torch_version, fits):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: torch_version)
    for name, what in (("torchvision", "torchvision"), ("timm", "timm and torchvision")):
        told = packages.remedy_for(name)
        assert told.startswith(f"install {what}, or do without it") and "docs/PACKAGES.md" in told
        short = ".".join(torch_version.split(".")[:2])
        assert (f"to the torch {short} here fits torchvision {fits}" in told) == (fits is not None)


def test_the_pairs_are_those_of_the_document(root):
    text = (root / "docs" / "PACKAGES.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"\| (2\.\d+) \| (0\.\d+) \|", text)) == packages.FITTING
    # torchvision counts on by one with torch, ever since 2.0 went with 0.15 (its README's table).
    for one, other in packages.FITTING.items():
        assert int(other.split(".")[1]) == int(one.split(".")[1]) + 15


def test_the_extra_is_in_the_project(root):
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^submissions = \[\n  "einops>=0\.8",\n\]$', project, re.MULTILINE)
    assert re.search(r"^einops==0\.8\.\d+$", (root / "constraints.txt").read_text(), re.MULTILINE)


# The commands, with workers


def message_of(result: Result) -> str:
    """Return the one error that a command tells."""
    assert result.exit_code == 1 and "Traceback" not in result.stderr, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    return line


DECLARED = 'SUBMISSION = {"model": "Toy", "data_range": 1}\n'
EINOPS = "pip install 'ntire-bench[submissions]', which brings einops"


@pytest.mark.slow
@pytest.mark.parametrize("declared", [DECLARED, ""], ids=["declared", "inferred"])
@pytest.mark.parametrize("where", ["forward", "constructor", "file"])
def test_a_drop_in_that_needs_einops_is_told_how_to_get_it(call, tmp_path, declared, where):
    use = "einops.rearrange(sr, 'b c h w -> b c h w')"
    text = toys.toy(f"sr = {use}" if where == "forward" else "sr = sr.clamp(0, 1)", head=declared)
    text = challenge_checkout.without("einops", "import einops\n") + text
    if where == "constructor":
        text = text.replace("self.upscale = upscale", f"self.upscale, sr = upscale, 0; {use}")
    elif where == "file":
        text += f"\n\nsr = 0\n{use}\n"
    toys.write_toy(tmp_path, 5, "Toy", body=text, checkpoint=toys.state_dict())
    message = message_of(call("check", 5))
    assert message.startswith("Error: models/team05_Toy.py: needs a package that is not installed; found ")
    assert "einops.rearrange is used" in message and f"Remedy: {EINOPS}" in message


@pytest.mark.slow
def test_a_drop_in_of_other_packages_layers_has_a_record_that_says_so(call, tmp_path):
    """It gives what the same network of torch's own layers gives: params, FLOPs and PSNR."""
    layers = "import torch\nfrom torch import nn\nfrom torch.nn import functional\n"
    imports = (
        "from thop_nobody_has import profile\nfrom basicsr.archs.arch_util import Upsample, make_layer\n"
        "from basicsr.utils.registry import ARCH_REGISTRY\nfrom timm.models.layers import DropPath\n\n\n"
        "@ARCH_REGISTRY.register()\n"
    )
    network = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.body = {body}
        self.up = {up}
        self.tail = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        detail = self.tail(self.up(self.body(torch.relu(self.head(x)))))
        return functional.interpolate(x, scale_factor=4, mode="bicubic") + detail
"""
    theirs = network.format(body="make_layer(DropPath, 2, drop_prob=0.5)", up="Upsample(4, 8)")
    up = "nn.Conv2d(8, 32, 3, 1, 1), nn.PixelShuffle(2)"
    own = network.format(body="nn.Identity()", up=f"nn.Sequential({up}, {up})")
    state = toys.state_dict(layers + own, "Net")
    declared = 'SUBMISSION = {"model": "Net", "data_range": 1}\n'
    hidden = "import sys\nsys.modules |= dict.fromkeys(('basicsr', 'timm'))\n"
    toys.write_toy(tmp_path, 0, "RLFN", body=declared + layers + own, checkpoint=state)
    toys.write_toy(tmp_path, 5, "Net", body=declared + hidden + layers + imports + theirs, checkpoint=state)
    images = write_pairs(tmp_path / "images", "valid", [smooth(1, 84, 120)])
    result = call("run", 0, 5, "--data-dir", images, "--rounds", 1, "--json")
    assert result.exit_code == 0, result.output
    plain, helped = (item["record"] for item in json.loads(result.stdout)["records"])
    for key in ("params", "flops"):
        assert helped["complexity"][key] == plain["complexity"][key]
    for channel in ("psnr_y_db", "psnr_rgb_db"):
        assert helped["splits"]["valid"][channel] == plain["splits"]["valid"][channel]
    told = {item["value"] for item in helped["submission"]["inferred"] if item["key"] == "stand_in"}
    assert told == {
        "basicsr.archs.arch_util.Upsample",
        "basicsr.archs.arch_util.make_layer",
        "basicsr.utils.registry.ARCH_REGISTRY.register",
        "timm.models.layers.DropPath",
    }
    assert not any(item["key"] == "stand_in" for item in plain["submission"]["inferred"])


@pytest.mark.slow
def test_branches_of_a_checkout_are_served_in_their_workers(call, tmp_path):
    """One runs with what stands in, one that lacks einops in forward says how to get it."""
    texts = {
        0: challenge_checkout.network(head="from thop_nobody_has import profile"),
        7: challenge_checkout.network(
            head=challenge_checkout.without("timm", "from timm.layers import DropPath"),
            before="self.path = DropPath(0.1)",
            forward="x = self.path(x)",
        ),
        8: challenge_checkout.network(
            head=challenge_checkout.without("einops", "from einops import rearrange"),
            forward="x = rearrange(x, 'b c h w -> b c h w')",
        ),
    }
    titles = {0: "RLFN_baseline", 7: "Paths", 8: "Einops"}
    root = challenge_checkout.write_small(tmp_path / "checkout", titles, texts)
    images = write_pairs(tmp_path / "images", "valid", [smooth(1, 84, 120)])
    options = ["--challenge-root", root, "--data-dir", images, "--rounds", 1, "--json"]
    result = call("run", 7, 8, *options)
    assert result.exit_code == 1, result.output
    helped, failed = (item["record"] for item in json.loads(result.stdout)["records"])
    assert helped["status"] == "ok"
    (told,) = [item for item in helped["submission"]["inferred"] if item["key"] == "stand_in"]
    assert told["value"] == "timm.layers.DropPath" and told["how"].endswith("it does nothing in eval mode")
    assert "team08.py: needs a package that is not installed; found " in failed["error"]["message"]
    assert "einops.rearrange is used, and" in failed["error"]["message"]
    assert f"Remedy: {EINOPS}" in failed["error"]["message"]


@pytest.mark.slow
def test_what_test_demo_itself_imports_is_answered_or_told_as_absent(call, tmp_path):
    """Names that select_model refers to; of those that nothing answers, only a use is an error."""
    root = challenge_checkout.write_small(tmp_path / "checkout", {0: "RLFN_baseline"})
    script = root / "test_demo.py"
    head = (
        challenge_checkout.without("timm", "from timm.layers import to_2tuple")
        + "\nfrom thop_nobody_has import profile as count, clever\nimport lmdb_nobody_has\n\n\n"
        "def describe(model, again=False):\n    assert to_2tuple(3) == (3, 3)\n"
        "    return count(model) if again else clever\n\n\n"
    )
    text = head + script.read_text().replace(
        "    return model,", "    describe(model, AGAIN)\n    return model,"
    )
    script.write_text(text.replace("AGAIN", "False"))
    result = call("check", 0, "--challenge-root", root, "--json")
    assert result.exit_code == 0, result.output
    inferred = json.loads(result.stdout)["submission"]["inferred"]
    told = {item["value"]: (item["key"], item["how"]) for item in inferred}
    assert told["timm.layers.to_2tuple"][0] == "stand_in"
    for name in ("count", "clever"):
        key, how = told[name]
        assert key == "absent"
        assert how.endswith("nothing that was run needed it: No module named 'thop_nobody_has' (line 4)")
    assert not any("lmdb" in name for name in told)  # not even tried
    script.write_text(text.replace("AGAIN", "True"))
    message = message_of(call("check", 0, "--challenge-root", root))
    assert "test_demo.py: needs a package that is not installed" in message
    assert "thop_nobody_has.profile is used" in message and "install thop_nobody_has beside" in message


@pytest.mark.slow
def test_with_einops_a_network_gives_what_torchs_own_operators_give(call, tmp_path):
    einops = pytest.importorskip("einops")
    x = torch.rand(2, 12, 5, 7)
    shuffled = einops.rearrange(x, "b (c i j) h w -> b c (h i) (w j)", i=2, j=2)
    assert torch.equal(shuffled, torch.nn.functional.pixel_shuffle(x, 2))
    text = toys.toy(head=f"from einops import rearrange\n{DECLARED}").replace(
        "functional.pixel_shuffle(self.tail(torch.relu(self.head(lr))), self.upscale)",
        "rearrange(self.tail(torch.relu(self.head(lr))), 'b (c i j) h w -> b c (h i) (w j)', i=4, j=4)",
    )
    assert "rearrange(self" in text
    toys.write_toy(tmp_path, 0, "RLFN", body=toys.toy(head=DECLARED), checkpoint=toys.state_dict())
    toys.write_toy(tmp_path, 5, "Toy", body=text, checkpoint=toys.state_dict())
    images = write_pairs(tmp_path / "images", "valid", [smooth(1, 84, 120)])
    result = call("run", 0, 5, "--data-dir", images, "--rounds", 1, "--json")
    assert result.exit_code == 0, result.output
    plain, own = (item["record"] for item in json.loads(result.stdout)["records"])
    for channel in ("psnr_y_db", "psnr_rgb_db"):
        assert own["splits"]["valid"][channel] == plain["splits"]["valid"][channel]
    assert not any(item["key"] == "stand_in" for item in own["submission"]["inferred"])
