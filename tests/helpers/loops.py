"""Loops of a test_demo.py, for the tests that cut them."""

from __future__ import annotations

import ast

import torch

from ntire_bench.worker.checkout.loop import find_loop


def loop_of(text):
    tree = ast.parse(text)
    select = next(node for node in tree.body if getattr(node, "name", "") == "select_model")
    return find_loop(tree, select, "args")


LOOP = """
def forward(*_):
    pass
def forward_team07(*_):
    pass
def select_model(args, device):
    return model, name, data_range, tile
def main(args):
    device = torch.device("cuda")
    net, title, white, tile = select_model(args, device)
    net.eval()
    with torch.no_grad():
        for path in os.listdir(args.data_dir):
            lr = util.uint2tensor4(util.imread_uint(path), white).to(device)
            {body}
            util.imsave(sr, path)
"""


HEAD = (
    "import torch\nfrom utils import utils_image as util\n"
    "def select_model(args, device):\n    return model, name, data_range, tile\n"
)


def code_of(body):
    return ast.unparse(loop_of(LOOP.format(body=body.replace("\n", "\n            "))).code)


def run_of(text, white, **given):
    """Return the function of a loop, with a network that trebles what it gets."""
    loop = loop_of(text)
    known = {"torch": torch}
    exec(compile(loop.code, "loop", "exec"), known)
    roles = {"model": lambda lr: 3 * lr, "data_range": white, **given}
    return known["__make_step__"](**{name: roles.get(role) for name, role in loop.roles.items()})
