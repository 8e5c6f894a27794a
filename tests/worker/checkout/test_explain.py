"""Exceptions that Python itself raises for a checkout's code, as messages."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
import torch

from ntire_bench.wire.messages import BranchRequest
from ntire_bench.worker.checkout.explain import explain


@pytest.mark.parametrize(
    ("module", "parts"),
    [
        ("checkout_of_explain.team07.py", ("expected checkout_of_explain.team07", "import it without .py")),
        ("checkout_of_explain.team08", ("put checkout_of_explain/team08.py into the checkout",)),
        ("package_nobody_has.parts", ("needs a package", "install package_nobody_has beside ntire_bench")),
    ],
)
def test_a_module_that_is_not_found_has_the_remedy_of_its_kind(tmp_path, monkeypatch, module, parts):
    folder = tmp_path / "checkout_of_explain"
    folder.mkdir()
    (folder / "team07.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    request = BranchRequest(
        id=7,
        root=tmp_path,
        script=tmp_path / "test_demo.py",
        file=tmp_path / "test_demo.py",
        parameter="args",
        attribute="model_id",
        as_text=False,
        checkpoints=(),
    )
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(module)
    reads = SimpleNamespace(failed=None, last=None)
    message = str(explain(caught.value, request, reads, torch.device("cpu")))
    assert all(part in message for part in parts), message
