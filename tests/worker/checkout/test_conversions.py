"""Where a loop makes a tensor of an image and an image of a tensor."""

from __future__ import annotations

import argparse
import ast

import pytest
import torch
from loops import HEAD, LOOP, loop_of, run_of


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_a_loop_that_converts_in_a_range_of_its_own_gets_it(white):
    """White is 1 for the loop's conversions, whatever the network takes; and the loop itself sees to that."""
    text = LOOP.format(
        body="lr = lr * white\n{0}sr = net(lr) / white\n{0}sr = util.tensor2uint(sr)".format(" " * 12)
    )
    step = run_of(text.replace("util.imread_uint(path), white)", "util.imread_uint(path))"), white)
    lr = torch.rand(1, 3, 4, 5) * white
    assert torch.allclose(step(lr), 3 * lr)
    same = run_of(
        text.replace("tensor2uint(sr)", "tensor2uint(sr, 1.)").replace("path), white)", "path), 1)"), white
    )
    assert torch.allclose(same(lr), 3 * lr)


@pytest.mark.parametrize("name", ["uint2tensor3", "img2tensor"])
def test_conversions_to_three_dimensions_give_three(name):
    body = "lr = lr.unsqueeze(0)\n{0}sr = net(lr)\n{0}sr = util.tensor2img([sr])".format(" " * 12)
    step = run_of(LOOP.format(body=body).replace("uint2tensor4", name), 1.0)
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(step(lr), 3 * lr)


def test_an_image_of_something_else_is_not_the_end():
    text = HEAD + (
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    for path in args.files:\n        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        "        util.imsave(util.tensor2uint(lr, white), path)\n"
        "        sr = net(lr)\n        sr = util.tensor2uint(sr, white)\n"
        "        hr = util.tensor2uint(args.hr, white)\n"
    )
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(run_of(text, 1.0)(lr), 3 * lr)
    assert "hr" not in ast.unparse(loop_of(text).code)


@pytest.mark.parametrize("white", [1.0, 255.0])
@pytest.mark.parametrize("reader", ["util.imread_uint(path)", "cv2.imread(path)[:, :, ::-1]"])
@pytest.mark.parametrize("always", [True, False])
def test_what_is_done_to_the_lr_image_before_it_is_a_tensor_is_done(white, reader, always):
    """By all branches or by one; the image is uint8 HWC, in the order of colours that its reader gives."""
    work = "image = 255 - image" if always else "if white == 1: image = 255 - image"
    text = HEAD.replace("import torch\n", "import torch, cv2\n") + (
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        f"    for path in args.files:\n        image = {reader}\n        {work}\n"
        "        lr = util.uint2tensor4(image, white)\n"
        "        sr = util.tensor2uint(net(lr), white)\n"
    )
    loop = loop_of(text).whole
    known = {"torch": torch}  # and no util: it may import what is not installed
    exec(compile(loop.code, "loop", "exec"), known)
    roles = {"model": lambda lr: 3 * lr, "data_range": white}
    step = known["__make_step__"](**{name: roles.get(role) for name, role in loop.roles.items()})
    lr = torch.randint(0, 256, (1, 3, 4, 5)).float() / 255 * white
    expected = white - lr if always or white == 1 else lr
    assert torch.allclose(step(lr), 3 * expected, atol=1e-5 * white)


def test_an_image_that_is_only_read_and_converted_is_not_taken_back_to_pixels():
    text = HEAD + (
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    for path in args.files:\n        name = os.path.basename(path)\n"
        "        image = util.imread_uint(path, n_channels=3)\n        lr = util.uint2tensor4(image, white)\n"
        "        sr = util.tensor2uint(net(lr), white)\n"
    )
    assert loop_of(text).whole is None


def test_a_crop_of_the_image_is_one_of_the_tensor_and_anything_else_is_told():
    text = HEAD + (
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    for path in args.files:\n        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        "        h, w = lr.shape[2:]\n        sr = util.tensor2uint(net(lr), white)\n"
        "        sr = sr[:h - 1, 1:w, :]\n        sr = sr[:2]\n        {more}\n        psnr = measure(sr)\n"
    )
    lr = torch.rand(1, 3, 4, 5)
    loop = loop_of(text.format(more="name = path"))
    assert loop.dropped == [] and torch.equal(
        run_of(text.format(more=""), 1.0)(lr), 3 * lr[..., :3, 1:][..., :2, :]
    )
    for more in ("sr = cv2.blur(sr, 3)", "if args.blur:\n            sr = cv2.blur(sr, 3)"):
        ((condition, told),) = loop_of(text.format(more=more)).dropped
        assert "cv2.blur(sr, 3)" in told and condition == ("args.blur" if "if" in more else "True")
    conditional = text.format(more="if args.crop:\n            sr = sr[:1]")
    for crop in (True, False):
        found = run_of(conditional, 1.0, args=argparse.Namespace(crop=crop))(lr)
        assert found.shape[2] == (1 if crop else 2)
