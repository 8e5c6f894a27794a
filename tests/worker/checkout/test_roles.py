"""What the names in a loop stand for, and what is done to the network on the way to it."""

from __future__ import annotations

import argparse
import ast

import pytest
import torch
from loops import HEAD, loop_of, run_of


def test_a_parameter_that_no_call_gives_has_its_default():
    text = (
        "def select_model(args, device):\n    return model, name, data_range, tile\n"
        "def work(net, white, path, double=True, *, shift=2):\n    lr = util.uint2tensor4(path, white)\n"
        "    sr = net(lr) * (2 if double else 1) + shift\n    return util.tensor2uint(sr, white)\n"
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    for path in args.files:\n        work(net, white, path)\n"
    )
    lr = torch.rand(1, 3, 4, 5)
    assert torch.allclose(run_of(text, 1.0)(lr), 6 * lr + 2)


def test_whatever_else_select_model_returns_is_handed_on():
    text = (
        "def select_model(args, device):\n    return model, name, data_range, tile, window, shift\n"
        "def run(net, white, by, window):\n    for path in files:\n"
        "        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        "        sr = util.tensor2uint(net(lr[..., :window]) + by, white)\n"
        "def main(args):\n    net, title, white, tile, size, by = select_model(args, device)\n"
        "    run(net, white, by, size)\n"
    )
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(run_of(text, 1.0, returned_4=2, returned_5=7)(lr), 3 * lr[..., :2] + 7)


class Halved:
    """A network that knows what was done to it."""

    def __init__(self):
        self.done = []

    def __call__(self, lr):
        return lr * (0.5 if "half" in self.done else 1)

    def half(self):
        self.done.append("half")
        return self

    def fuse(self):
        self.done.append("fuse")

    def eval(self):
        self.done.append("eval")


@pytest.mark.parametrize("where", ["in main", "in run", "in between"])
def test_what_is_done_to_the_network_before_its_loop_is_done(where):
    do = {key: "" for key in ("in main", "in between", "in run")}
    do[where] = "    net.eval()\n    net.fuse()\n    if not args.full:\n        net = net.half()\n"
    text = HEAD + (
        f"def run(net, white, args):\n{do['in run']}"
        "    for path in args.files:\n        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        "        sr = util.tensor2uint(net(lr), white)\n"
        f"def outer(net, white, args):\n{do['in between']}    run(net, white, args)\n"
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        f"{do['in main']}    with torch.no_grad():\n        outer(net, white, args)\n    net = net.half()\n"
    )
    network = Halved()
    lr = torch.rand(1, 3, 4, 5)
    step = run_of(text, 1.0, model=network, args=argparse.Namespace(full=False))
    assert torch.equal(step(lr), lr / 2) and torch.equal(step(lr), lr / 2)
    assert network.done == ["fuse", "half"]


@pytest.mark.parametrize("how", ["with torch.autocast('cpu'):\n        run(net, white, args)", "decorator"])
def test_autocast_around_the_call_of_the_loops_function_is_kept(how):
    decorator = "@torch.autocast('cpu')\n" if how == "decorator" else ""
    text = HEAD + (
        f"{decorator}def run(net, white, args):\n    for path in args.files:\n"
        "        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        "        sr = util.tensor2uint(net(lr), white)\n"
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        f"    {'run(net, white, args)' if decorator else how}\n"
    )
    assert "with torch.autocast('cpu'):" in ast.unparse(loop_of(text).code)


@pytest.mark.parametrize("how", ["def infer(x):\n            return net(x)", "infer = lambda x: net(x)"])
def test_a_network_may_be_called_by_a_function_made_in_the_loop(how):
    text = HEAD + (
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    for path in args.files:\n        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        f"        {how}\n        sr = util.tensor2uint(infer(lr), white)\n"
    )
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(run_of(text, 1.0)(lr), 3 * lr)
