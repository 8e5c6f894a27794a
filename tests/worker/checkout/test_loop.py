"""How a checkout's loop is cut down to what leads from the LR tensor to the SR image."""

from __future__ import annotations

import ast

import torch
from loops import HEAD, LOOP, code_of, loop_of, run_of


def test_a_loop_is_cut_down_to_what_leads_to_the_image():
    loop = loop_of(
        LOOP.format(
            body="start.record(); sr = forward(lr, net, tile); end.record(); sr = util.tensor2uint(sr, 1)"
        )
    )
    roles = {"device": "device", "net": "model", "tile": "tile", "__white__": "data_range"}
    assert loop.roles == roles  # the last for tensor2uint(sr, 1)
    assert list(loop.calls) == ["forward(lr, net, tile)"]
    code = ast.unparse(loop.code)
    assert "lr = __lr__.to(device)" in code
    assert "return sr" in code
    assert not any(word in code for word in ("record", "imread", "select_model", "imsave", "eval"))


def test_tensors_that_were_made_before_the_loop():
    text = (
        "def select_model(args, device):\n    return model, name, data_range, tile\n"
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    tensors = []\n    for path in args.files:\n"
        "        tensors.append((path, util.uint2tensor4(util.imread_uint(path), white)))\n"
        "    for path, lr in tensors:\n        sr = net(lr[..., :2])\n"
        "        util.imsave(util.tensor2uint(sr, white), path)\n"
    )
    step = run_of(text, 1.0)
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(step(lr), 3 * lr[..., :2])


def test_calls_repeated_without_gradients_are_made_once():
    """Even within no_grad, which makes torch a name that is needed: a module's functions change nothing."""
    text = HEAD + (
        "def run(net, white, args, start, end):\n"
        "    for path in args.files:\n        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        "        util.mkdir(path)\n        torch.cuda.empty_cache()\n        torch.save(lr, 'lr.pt')\n"
        "        for _ in range(args.repeat):\n            torch.cuda.synchronize()\n"
        "            start.record()\n            with torch.no_grad():\n                sr = net(lr)\n"
        "            end.record()\n            torch.cuda.synchronize()\n"
        "        util.imsave(util.tensor2uint(sr, white), path)\n"
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    run(net, white, args, start, end)\n"
    )
    code = ast.unparse(loop_of(text).code)
    assert code.count("net(__lr__)") + code.count("net(lr)") == 1 and "with torch.no_grad():" in code
    for word in ("range", "cuda", "mkdir", "save", "record"):
        assert word not in code


def test_padding_in_the_loop_is_kept():
    code = code_of(
        "h, w = lr.shape[2:]\nlr = F.pad(lr, (0, -w % 8, 0, -h % 8))\nsr = net(lr)\n"
        "sr = sr[..., :h * 4, :w * 4]\nsr = util.tensor2uint(sr, white)"
    )
    for line in ("h, w = lr.shape[2:]", "lr = F.pad(lr,", "sr = net(lr)", "sr = sr[..., :h * 4, :w * 4]"):
        assert line in code


def test_a_variable_of_a_comprehension_takes_no_name_from_the_loop():
    code = code_of(
        "h, w = lr.shape[2:]\nparts = [0 for w in args.parts]\nsr = net(lr, parts)[..., :w * 4]\n"
        "sr = util.tensor2uint(sr, white)"
    )
    assert "h, w = lr.shape[2:]" in code


def test_what_a_later_part_of_a_try_needs_is_kept():
    code = code_of(
        "try:\n    first = net(lr)\nexcept RuntimeError:\n    second = forward(lr, net)\nelse:\n"
        "    second = first\nfinally:\n    scale = white\nsr = util.tensor2uint(second, scale)"
    )
    for line in ("first = net(lr)", "second = forward(lr, net)", "second = first"):
        assert line in code
    code = code_of("try:\n    out = net(lr)\nfinally:\n    sr = util.tensor2uint(out, white)")
    assert "out = net(lr)" in code


def test_a_branch_that_makes_its_image_itself_is_kept():
    code = code_of(
        "if title == '07_A':\n    sr = forward_team07(net, lr)\n    sr = util.tensor2uint(sr, white)\n"
        "else:\n    sr = util.tensor2uint(forward(lr, net), white)"
    )
    assert "if title == '07_A':" in code
    assert "return sr" in code and "return forward(lr, net)" in code


def test_autocast_around_the_loop_is_kept():
    text = LOOP.replace("torch.no_grad()", "torch.no_grad(), torch.autocast('cuda')")
    loop = loop_of(text.format(body="sr = util.tensor2uint(net(lr), white)"))
    assert "with torch.autocast('cuda'):" in ast.unparse(loop.code)


def test_calls_repeated_for_their_time_are_made_once():
    code = code_of(
        "times = []\nfor i in range(args.repeats):\n    start.record()\n    sr = forward(lr, net)\n"
        "    end.record()\n    times.append(start.elapsed_time(end))\nsr = util.tensor2uint(sr, white)"
    )
    assert "sr = forward(lr, net)" in code and "return sr" in code
    assert not any(word in code for word in ("for i", "repeats", "record", "times"))


def test_a_loop_whose_turns_build_on_each_other_is_kept():
    for body in (
        "outs = []\nfor k in range(4):\n    start.record()\n    outs.append(net(lr.rot90(k, (2, 3))))\n"
        "sr = util.tensor2uint(sum(outs), 1)",
        "sr = lr\nfor _ in range(2):\n    start.record()\n    sr = net(sr)\nsr = util.tensor2uint(sr, 1)",
    ):
        code = code_of(body)
        assert "for " in code and "net(" in code and "record" not in code


def test_a_loop_that_is_left_early_is_kept_whole():
    code = code_of(
        "for stride in (8, 4):\n    sr = net(lr, stride)\n    if ok(sr):\n        break\n"
        "sr = util.tensor2uint(sr, 1)"
    )
    assert "for stride in (8, 4):" in code and "break" in code


def test_a_file_without_a_loop_has_none():
    assert loop_of("def select_model(args, device):\n    return 1\n") is None
