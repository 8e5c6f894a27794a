"""Packages that a model file imports and that are not there: named in passing, or missed when used."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from torch import nn

from ntire_bench import stand_ins


@pytest.fixture
def execute(monkeypatch):
    """Executes the text of a model file."""

    def executes(text: str) -> types.ModuleType:
        module = types.ModuleType("team_file")
        monkeypatch.setitem(sys.modules, "team_file", module)
        stand_ins.execute(text.encode(), "team_file.py", module)
        return module

    return executes


def test_nothing_missing_leaves_everything_as_it_is(execute):
    module = execute(
        "from __future__ import annotations\nimport math, torch.nn as nn\nfrom torch import Tensor\n"
    )
    assert module.math.pi > 3
    assert module.nn is nn
    assert module.Tensor is torch.Tensor
    assert stand_ins.missing(module) == ""
    assert stand_ins.used(module) == []


def test_what_is_imported_and_not_used_is_not_missed(execute):
    module = execute("import no_such_a, no_such_b.c as d\nfrom no_such_e.f import g as h, i\nx = 1\n")
    assert module.x == 1
    assert "No module named 'no_such_a'" in stand_ins.missing(module)
    assert stand_ins.used(module) == []
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
    assert stand_ins.used(module)
    assert "not registered anywhere" in stand_ins.used(module)[-1].how
    with pytest.raises(ModuleNotFoundError):
        module.REGISTRY.get("Net")()


def test_an_import_inside_try_has_its_own_answer(execute):
    module = execute("try:\n    import no_such_a\nexcept ImportError:\n    no_such_a = None\n")
    assert module.no_such_a is None
    assert stand_ins.missing(module) == ""


def test_other_files_are_told_apart(execute):
    module = execute("from .blocks import A\nfrom models.no_such_team import B\n")
    assert ".blocks is another file" in stand_ins.missing(module)
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


def test_what_is_answered_does_what_the_package_does_in_eval_mode(execute):
    # timm's documentation: trunc_normal_ is torch's, DropPath is the identity in eval mode.

    module = execute(
        "from timm.models.layers import trunc_normal_, DropPath, to_2tuple\nimport timm.layers as t\n"
    )
    if not stand_ins.missing(module):
        pytest.skip("timm is installed")
    weights = module.trunc_normal_(torch.zeros(1000), std=0.02)
    assert weights.std() == pytest.approx(0.02, rel=0.1)
    x = torch.rand(3)
    assert torch.equal(module.DropPath(0.5)(x), x)
    assert not list(module.DropPath().parameters())
    assert (module.to_2tuple(3), module.to_2tuple((1, 2))) == ((3, 3), (1, 2))
    assert module.t.to_2tuple(4) == (4, 4)
    assert {item.value for item in stand_ins.used(module)} >= {"timm.models.layers.DropPath"}
