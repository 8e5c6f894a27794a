"""A challenge's own checkout, unmodified: what is read from it, and what running it gives.

What a branch must give comes from the checkout's own run(), executed as it is (see challenge_runner.theirs).
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import challenge_checkout as checkout
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pairs import smooth, write_pairs
from places import HELPERS, ROOT

from ntire_bench.cli import group, wording
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.source.values import UNKNOWN
from ntire_bench.submissions.checkout import branches, find
from ntire_bench.worker.checkout.loop import find_loop

RUNNING = {
    checkout.PLAIN: "00_RLFN_baseline",
    checkout.SPACES: "01_Team / Two Words",
    checkout.CUDA: "02_Cuda",
    checkout.PARAMS: "03_Params",
    checkout.EMA: "04_Ema",
    checkout.DYNAMIC: "05_Dynamic",
    checkout.PACKAGE: "06_Package",
    checkout.ARGUMENT: "07_Argument",
    checkout.PADDED: "13_Padded",
    checkout.TILED: "14_Tiled",
    checkout.RANGE_255: "15_Range",
    checkout.OWN_UTILS: "16_OwnUtils",
    checkout.RELATIVE: "17_Relative",
    checkout.SPEC: "21_Spec",
    checkout.FACTORY: "22_Factory",
    checkout.TOP: "24_Top",
    30: "30_Pair",
    31: "31_Pair",
    checkout.HALF: "32_Half",
    checkout.HELPERS: "34_Helpers",
}
# What the message of a branch that cannot run must say: what is wrong, where, and what to do.
FAILING = {
    checkout.NO_PACKAGE: (
        "models/team08_NoPackage.py: needs a package that is not installed",
        "No module named 'package_nobody_has'",
        "install package_nobody_has",
    ),
    checkout.POINTER: ("model_zoo/team09_Pointer.pth: is a Git LFS pointer", "of 108 bytes", "git lfs pull"),
    checkout.WRONG_SIZE: (
        "model_zoo/team10_WrongSize.pth: does not fit the network",
        "size mismatch for head.weight",
        "shape in current model is torch.Size([8, 3, 3, 3])",
        "put the checkpoint that belongs to this network",
    ),
    checkout.RAISES: (
        "models/team11_Raises.py: select_model raises for model_id 11",
        "ValueError: width must be even (line 10)",
        "mend the branch",
    ),
    checkout.KERNEL: (
        "models/team12_Kernel.py: forward failed",
        "Jiterator is only supported on CUDA",
        "evaluate it on a machine with a GPU",
    ),
    checkout.WRITES: (
        "models/team18_Writes.py: writes to log.txt, and the checkout is read-only",
        "write to a temporary folder",
    ),
    checkout.NO_CHECKPOINT: ("model_zoo/team19_NoCheckpoint.pth: is not there", "put it there"),
    checkout.PICKLE: ("model_zoo/team20_Pickle.pth: holds more than tensors", "PosixPath", "save it again"),
    checkout.TOP_MISSING: (
        "test_demo.py: imports models.team25_TopMissing, which the checkout does not have",
        "put models/team25_TopMissing.py into the checkout",
    ),
    checkout.NO_FILE: (
        "test_demo.py: imports models.team33_NoFile, which the checkout does not have",
        "put models/team33_NoFile.py into the checkout",
    ),
    checkout.DEFORM: (
        "models/team35_Deform.py: needs a package that is not installed",
        "torchvision.ops.DeformConv2d is used, and No module named 'torchvision",
        "(line 15)",
        "Remedy: install torchvision, or do without it; ",
        "docs/PACKAGES.md",
    ),
    checkout.EINOPS: (
        "models/team36_Einops.py: needs a package that is not installed",
        "einops.rearrange is used, and import of einops halted",
        "Remedy: pip install 'ntire-bench[submissions]', which brings einops",
    ),
    checkout.OWN_ABSENT: (
        "models/team37_OwnAbsent.py: imports models.team37_parts, which the checkout does not have",
        "put models/team37_parts.py into the checkout",
    ),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return checkout.write(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def catalogue(root):
    return find.find(root)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two pairs whose LR images are of 21x39 and 40x48 pixels: one is a multiple of no window."""
    return write_pairs(tmp_path_factory.mktemp("images"), "valid", [smooth(1, 84, 156), smooth(2, 160, 192)])


def run_all(how, root, images, out, ids):
    """Run branches in processes forked from one that has imported torch; return what each left."""
    words = [sys.executable, HELPERS / "challenge_runner.py", how, root, images, out, *ids]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert done.returncode == 0 and not done.stderr, done.stderr[-3000:]
    found = {}
    for id_ in ids:
        with np.load(out / f"{id_}.npz") as arrays:
            found[id_] = (json.loads((out / f"{id_}.json").read_text()), list(arrays.values()))
    return found


@pytest.fixture(scope="module")
def before(root):
    return {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}


@pytest.fixture(scope="module")
def ours(root, images, before, tmp_path_factory):
    return run_all("ours", root, images, tmp_path_factory.mktemp("ours"), [*RUNNING, *FAILING])


@pytest.fixture(scope="module")
def theirs(root, images, ours, tmp_path_factory):
    return run_all("theirs", root, images, tmp_path_factory.mktemp("theirs"), list(RUNNING))


# Read, not run


def test_every_branch_is_a_submission_but_the_empty_one(catalogue):
    assert sorted(catalogue.submissions) == sorted([*RUNNING, *FAILING])
    assert catalogue.problems == {}
    assert catalogue.ignored == (
        f"test_demo.py: select_model builds no network for model_id {checkout.EMPTY}.",
    )


def test_names_ranges_and_tiles_are_read(catalogue):
    for id_, title in RUNNING.items():
        branch = catalogue.get(id_).branch
        if id_ != checkout.FACTORY:  # it names itself by a number that nothing says is the id
            assert branch.title == title
        assert branch.data_range == (255.0 if id_ == checkout.RANGE_255 else 1.0)
        assert branch.tile == (32 if id_ == checkout.TILED else None)
    assert catalogue.get(checkout.FACTORY).branch.title == "22_Factory"


def test_labels_are_names_of_files(catalogue):
    labels = {item.label for item in catalogue.submissions.values()}
    assert len(labels) == len(catalogue.submissions)
    assert catalogue.get(checkout.SPACES).label == "01_Team _ Two Words"
    assert catalogue.get(checkout.PLAIN).label == "00_RLFN_baseline"
    assert not any(set(label) & set('/\\:*?"<>|\n') or label != label.strip(" .") for label in labels)


def test_model_files_and_checkpoints_are_read(catalogue, root):
    files = {
        checkout.PLAIN: ("models/team00_RLFN.py", "model_zoo/team00_RLFN.pth"),
        checkout.SPACES: ("models/team01_two_words.py", "model_zoo/team01 two words.pth"),
        checkout.EMA: ("models/team04_ema.py", "model_zoo/team04_ema.pth"),
        checkout.DYNAMIC: ("models/team05_dynamic.py", "model_zoo/team05_dynamic.pth"),
        checkout.PACKAGE: ("models/team06_sub/arch/network.py", "model_zoo/team06/net.pth"),
        checkout.SPEC: ("models/team21 spec.py", "model_zoo/team21_spec.pth"),
        checkout.FACTORY: ("models/team22_factory.py", "model_zoo/team22_factory.pth"),
        checkout.TOP: ("models/team24_Top.py", "model_zoo/team24_Top.pth"),
        30: ("models/team30_pair.py", "model_zoo/team30_pair.pth"),
        31: ("models/team30_pair.py", "model_zoo/team31_pair.pth"),
        checkout.NO_FILE: ("test_demo.py", "model_zoo/team33_NoFile.pth"),
    }
    for id_, (file, checkpoint) in files.items():
        found = catalogue.get(id_)
        assert (found.file, found.checkpoint) == (root / file, root / checkpoint)
    missing = catalogue.get(checkout.NO_CHECKPOINT)
    assert missing.checkpoint is None
    assert missing.branch.checkpoints == (root / "model_zoo/team19_NoCheckpoint.pth",)


def test_what_its_process_may_read_and_where_it_works(catalogue, root):
    plain = catalogue.get(checkout.PLAIN)
    assert plain.workdir == root.resolve()
    assert plain.readable[0] == root.resolve()


def test_nothing_of_a_checkout_is_run_to_read_it(tmp_path):
    trap = tmp_path / "executed"
    (tmp_path / "test_demo.py").write_text(
        f"open({str(trap)!r}, 'w').close()\n"
        "def select_model(args, device):\n"
        f"    open({str(trap)!r}, 'w').close()\n"
        "    if args.model_id == 3:\n"
        "        model, name, data_range = eval('1'), 'x' * 10**9 + '%999999999d' % 3, 1.0\n"
        "    return model, name, data_range, None\n"
    )
    found = find.find(tmp_path).get(3)
    assert (found.label, found.branch.title, found.branch.data_range) == ("03_unnamed", None, 1.0)
    assert not trap.exists()


def read(select, rest=""):
    """Return selector and readings of a select_model."""
    tree = ast.parse(f"import importlib, os\n{rest}\n{select}")
    function = next(node for node in tree.body if getattr(node, "name", "") == "select_model")
    found = branches.read(tree, function)
    return found.selector, found.readings, found.empty


def untold(select, rest=""):
    tree = ast.parse(f"{rest}\n{select}")
    return branches.read(tree, tree.body[-1])


@pytest.mark.parametrize(
    ("asked", "test", "selector"),
    [
        ("args, device", "args.model_id == 7", ("args", "model_id", False)),
        ("args, device", "int(args.model_id) == 7", ("args", "model_id", False)),
        ("args, device", "args.model_id in (7, 8)", ("args", "model_id", False)),
        ("args, device", "6 < args.model_id <= 7", ("args", "model_id", False)),
        ("args, device", "args.model_id in range(7, 8)", ("args", "model_id", False)),
        ("args, device", "not args.model_id != 7 and 7 == args.model_id", ("args", "model_id", False)),
        ("args, device", "args.model_id == '7'", ("args", "model_id", True)),
        ("opt, device", "opt.team == 7", ("opt", "team", False)),
        ("model_id, device", "model_id == 7", ("model_id", None, False)),
    ],
)
def test_ways_to_ask_for_the_number(asked, test, selector):
    found, readings, _ = read(
        f"def select_model({asked}):\n    if {test}:\n        model, name, data_range = Net(), 'A', 1.0\n"
        "    else:\n        raise NotImplementedError\n    return model, name, data_range, None\n"
    )
    assert (found.parameter, found.attribute, found.as_text) == selector
    assert readings[7].returned[1:] == ("A", 1.0, None)


def test_match_statements():
    _, readings, empty = read(
        "def select_model(args, device):\n    match args.model_id:\n"
        "        case 1 | 2:\n            name = f'{args.model_id:03d}_A'\n            model = a()\n"
        "        case 3:\n            pass\n"
        "        case _:\n            raise ValueError\n"
        "    return model, name, 1.0, None\n"
    )
    assert {id_: reading.returned[1] for id_, reading in readings.items()} == {1: "001_A", 2: "002_A"}
    assert empty == [3]


def test_tables_filled_line_by_line_and_lists_of_numbers_by_name():
    rest = (
        "def a(args):\n    import models.a\n    return a(), 'A', 1.0, None\n"
        "TABLE = {}\nTABLE[41] = a\nTEAMS = (7, 8)\n"
    )
    select = (
        "def select_model(args, device):\n    if args.model_id in TEAMS:\n"
        "        return b(), 'B', 255.0, None\n    return TABLE[args.model_id](args)\n"
    )
    _, readings, _ = read(select, rest)
    assert readings[41].returned[1:] == ("A", 1.0, None) and "models.a" in readings[41].modules
    assert readings[7].returned[1:] == readings[8].returned[1:] == ("B", 255.0, None)


def test_functions_that_a_decorator_registers():
    rest = (
        "TABLE = {}\n"
        "def register(number, title='x'):\n    def inner(function):\n        TABLE[number] = function\n"
        "        return function\n    return inner\n"
        "@register(41)\ndef a(args):\n    import models.a\n    return a(), 'A', 1.0, None\n"
        "@register(title='y', number=42)\ndef b(args):\n    return b(), 'B', 255.0, None\n"
    )
    _, readings, _ = read("def select_model(args, device):\n    return TABLE[args.model_id](args)\n", rest)
    assert readings[41].returned[1:] == ("A", 1.0, None) and "models.a" in readings[41].modules
    assert readings[42].returned[1:] == ("B", 255.0, None) and sorted(readings) == [41, 42]


def test_a_list_of_functions_has_the_numbers_of_its_places():
    rest = "def a(args):\n    return a(), 'A', 1.0, None\ndef b(args):\n    return b(), 'B', 255.0, None\n"
    for more in ("LOADERS = [a, b]\n", "LOADERS: list = [a, b]\n"):
        select = "def select_model(args, device):\n    return LOADERS[args.model_id](args)\n"
        _, readings, _ = read(select, rest + more)
        assert {id_: found.returned[1] for id_, found in readings.items()} == {0: "A", 1: "B"}


@pytest.mark.parametrize("last", ["return TABLE[args.model_id](args)", "return TABLE.get(args.model_id)()"])
def test_a_table_that_cannot_be_read_is_told(last):
    found = untold(
        "def select_model(args, device):\n    if args.model_id == 3:\n        return a(), 'A', 1.0, None\n"
        f"    {last}\n",
        "TABLE = {key: value for key, value in everything()}\n",
    )
    assert sorted(found.readings) == [3] and found.untold == ["TABLE"]


def test_a_table_beside_branches_that_all_are_known_is_not_told():
    found = untold(
        "def select_model(args, device):\n    if args.model_id == 3:\n        x = TABLE[args.model_id]\n"
        "    else:\n        raise ValueError\n    return a(), 'A', 1.0, None\n",
        "TABLE = everything()\n",
    )
    assert sorted(found.readings) == [3] and found.untold == []


@pytest.fixture
def own_root(root, tmp_path):
    """A copy of the checkout, to be changed."""
    return Path(shutil.copytree(root, tmp_path / "own", symlinks=True))


@pytest.mark.parametrize(
    "more",
    [
        "TABLE.update(others())",
        "for key in (2, 3):\n    TABLE[key] = a",
        "TABLE |= others()",
        "TABLE[key()] = a",
    ],
)
def test_entries_that_cannot_be_told_make_a_table_that_cannot_be_read(more):
    rest = f"def a(args):\n    return a(), 'A', 1.0, None\nTABLE = {{1: a}}\n{more}\n"
    found = untold("def select_model(args, device):\n    return TABLE[args.model_id](args)\n", rest)
    assert found.readings == {} and found.untold == ([] if found.selector is None else ["TABLE"])
    branch = "    if args.model_id == 9:\n        return a(), 'B', 1.0, None\n"
    found = untold(f"def select_model(args, device):\n{branch}    return TABLE[args.model_id](args)\n", rest)
    assert sorted(found.readings) == [9] and found.untold == ["TABLE"]


def test_a_table_of_another_and_more():
    rest = "def a(args):\n    return a(), 'A', 1.0, None\nBASE = {1: a}\nTABLE = {**BASE, 2: a}\n"
    _, readings, _ = read("def select_model(args, device):\n    return TABLE[args.model_id](args)\n", rest)
    assert sorted(readings) == [1, 2]


def test_what_a_checkout_holds_never_ends_the_parent(own_root, tmp_path):
    root = own_root
    (root / "model_zoo" / "gone").symlink_to(tmp_path / "nowhere")
    script = root / "test_demo.py"
    first = script.read_text(encoding="utf-8").index("    if model_id == 0:")
    text = script.read_text(encoding="utf-8")
    more = (
        "    if model_id == 98:\n        name, data_range = 'A\\ud800 B', 1.0\n"
        f"        model = load(os.path.join('model_zoo', '{'x' * 300}.pth'))\n"
        f"        model = load('{'**/' * 30}*.pth')\n"
        "        return model, name, data_range, None\n"
    )
    script.write_text(text[:first] + more + text[first:], encoding="utf-8")
    begin = time.monotonic()
    found = find.find(root).submissions[98]
    assert found.name == "A_ B" and found.checkpoint is None and time.monotonic() - begin < 5
    assert found.readable == (root.resolve(),)
    json.dumps(found.label).encode()


def test_a_pattern_is_the_file_that_it_fits_if_it_is_one(own_root):
    root = own_root
    script = root / "test_demo.py"
    text = script.read_text(encoding="utf-8")
    branch = (
        "    if model_id == 98:\n        model = load(glob.glob('model_zoo/pattern98*.pth')[0])\n"
        "        return model, 'A', 1.0, None\n"
    )
    first = text.index("    if model_id == 0:")
    script.write_text(text[:first] + branch + text[first:], encoding="utf-8")
    assert find.find(root).submissions[98].checkpoint is None
    only = root / "model_zoo" / "pattern98_last.pth"
    only.write_bytes(b"x")
    assert find.find(root).submissions[98].checkpoint == only
    (root / "model_zoo" / "pattern98_best.pth").write_bytes(b"x")
    assert find.find(root).submissions[98].checkpoint is None


def test_a_linked_zoo_is_followed_over_every_link_and_its_files_are_named(own_root, tmp_path):
    root = own_root
    real, middle = tmp_path / "disk" / "zoo", tmp_path / "scratch"
    real.parent.mkdir()
    (root / "model_zoo").rename(real)
    middle.symlink_to(real)
    (root / "model_zoo").symlink_to(middle)
    (real / "secret.txt").write_text("no checkpoint")
    found = find.find(root).submissions[0]
    assert found.checkpoint is not None
    name = found.checkpoint.name
    assert {middle / name, real / name} <= set(found.readable)
    assert real / name in found.outside and not any("secret" in str(path) for path in found.readable)


def test_dictionaries_of_functions_and_of_settings():
    rest = "def a(args):\n    import models.a\n    return a(), 'A', 1.0, None\nTABLE = {4: a}\n"
    select = (
        "def select_model(args, device):\n    if args.model_id in TABLE:\n"
        "        return TABLE[args.model_id](args)\n"
        "    stem, data_range = {5: ('five', 255), 6: ('six', 1)}[args.model_id]\n"
        "    model = importlib.import_module('models.' + stem).Net()\n"
        "    return model, stem.upper(), data_range, None\n"
    )
    _, readings, _ = read(select, rest)
    assert readings[4].returned[1:] == ("A", 1.0, None) and "models.a" in readings[4].modules
    assert readings[5].returned[1:] == ("FIVE", 255, None) and "models.five" in readings[5].modules
    assert readings[6].returned[1:] == ("SIX", 1, None)


def test_what_cannot_be_told_is_not_guessed():
    _, readings, _ = read(
        "def select_model(args, device):\n"
        "    if args.model_id == 1:\n        model, data_range = Net(), 1.0\n"
        "        if os.path.exists('x'):\n            name, data_range = 'A', 255.0\n"
        "        else:\n            name = 'B'\n"
        "    return model, name, data_range, None\n"
    )
    assert readings[1].returned == (UNKNOWN, UNKNOWN, UNKNOWN, None)


def test_numbers_below_zero_are_told(own_root):
    script = own_root / "test_demo.py"
    text = script.read_text(encoding="utf-8")
    first = text.index("    if model_id == 0:")
    branch = "    if model_id == -1:\n        return Net(), 'old', 1.0, None\n"
    script.write_text(text[:first] + branch + text[first:], encoding="utf-8")
    found = find.find(own_root)
    assert min(found.submissions) == 0
    assert "test_demo.py: model_id -1 is left out, ids begin at 0." in found.ignored


def test_a_default_branch_is_no_submission():
    _, readings, _ = read(
        "def select_model(args, device):\n    if args.model_id == 1:\n        model, name = Net(), 'A'\n"
        "    else:\n        model, name = Net(52, 64), 'rest'\n    return model, name, 1.0, None\n"
    )
    assert sorted(readings) == [1]


def test_a_select_model_from_elsewhere_is_told(tmp_path):
    (tmp_path / "test_demo.py").write_text("from utils.zoo import select_model\n")
    with pytest.raises(UsageError, match="from utils.zoo import select_model.*Remedy: move the function"):
        find.find(tmp_path)


def test_a_folder_that_is_no_checkout_is_told(tmp_path):
    with pytest.raises(UsageError, match="no such folder.*Remedy: name the folder"):
        find.find(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no such file"):
        find.find(tmp_path)
    (tmp_path / "test_demo.py").write_text("x = 1\n")
    with pytest.raises(UsageError, match=r"has no function select_model\(args, device\)"):
        find.find(tmp_path)
    (tmp_path / "test_demo.py").write_text("def select_model(args, device):\n    return None\n")
    with pytest.raises(UsageError, match="has no branch that can be told"):
        find.find(tmp_path)
    (tmp_path / "test_demo.py").write_text("def select_model(:\n")
    with pytest.raises(SubmissionError, match="is not Python"):
        find.find(tmp_path)


def test_paths_out_of_a_checkout_are_not_followed(tmp_path):
    (tmp_path / "secret.pth").write_text("x")
    inside = tmp_path / "checkout"
    inside.mkdir()
    (inside / "test_demo.py").write_text(
        "def select_model(args, device):\n    if args.model_id == 1:\n"
        f"        torch.load('../secret.pth'); torch.load({str(tmp_path / 'secret.pth')!r})\n"
        "        model = name = data_range = 1\n    return model, name, data_range\n"
    )
    found = find.find(inside).get(1)
    assert found.checkpoint is None and found.branch.checkpoints == ()


def test_the_hash_of_a_branch_follows_all_it_is_made_of(tmp_path):
    root = checkout.write(tmp_path / "checkout")

    def now(id_):
        return find.find(root).get(id_).branch.sources_sha256()

    first = now(checkout.PLAIN), now(checkout.PACKAGE), now(checkout.NO_CHECKPOINT)
    assert first == (now(checkout.PLAIN), now(checkout.PACKAGE), now(checkout.NO_CHECKPOINT))
    (root / "model_zoo/team00_RLFN.pth").write_bytes(b"other weights")
    second = now(checkout.PLAIN), now(checkout.PACKAGE), now(checkout.NO_CHECKPOINT)
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, True, False]
    (root / "models/team06_sub/arch/blocks.py").write_text("# another network")
    assert now(checkout.PACKAGE) != second[1]


# The loop


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


def code_of(body):
    return ast.unparse(loop_of(LOOP.format(body=body.replace("\n", "\n            "))).code)


def test_a_loop_is_cut_down_to_what_leads_to_the_image():
    loop = loop_of(
        LOOP.format(
            body="start.record(); sr = forward(lr, net, tile); end.record(); sr = util.tensor2uint(sr, 1)"
        )
    )
    roles = {"device": "device", "net": "model", "tile": "tile", "__white__": "data_range"}
    assert loop.roles == roles  # the last for tensor2uint(sr, 1)
    assert loop.calls == ["forward(lr, net, tile)"]
    code = ast.unparse(loop.code)
    assert "lr = __lr__.to(device)" in code
    assert "return sr" in code
    assert not any(word in code for word in ("record", "imread", "select_model", "imsave", "eval"))


def run_of(text, white, **given):
    """Return the function of a loop, with a network that trebles what it gets."""
    loop = loop_of(text)
    known = {"torch": torch}
    exec(compile(loop.code, "loop", "exec"), known)
    roles = {"model": lambda lr: 3 * lr, "data_range": white, **given}
    return known["__make_step__"](**{name: roles.get(role) for name, role in loop.roles.items()})


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


HEAD = (
    "import torch\nfrom utils import utils_image as util\n"
    "def select_model(args, device):\n    return model, name, data_range, tile\n"
)


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


@pytest.mark.parametrize("how", ["def infer(x):\n            return net(x)", "infer = lambda x: net(x)"])
def test_a_network_may_be_called_by_a_function_made_in_the_loop(how):
    text = HEAD + (
        "def main(args):\n    net, title, white, tile = select_model(args, device)\n"
        "    for path in args.files:\n        lr = util.uint2tensor4(util.imread_uint(path), white)\n"
        f"        {how}\n        sr = util.tensor2uint(infer(lr), white)\n"
    )
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(run_of(text, 1.0)(lr), 3 * lr)


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


def test_padding_in_the_loop_is_kept():
    code = code_of(
        "h, w = lr.shape[2:]\nlr = F.pad(lr, (0, -w % 8, 0, -h % 8))\nsr = net(lr)\n"
        "sr = sr[..., :h * 4, :w * 4]\nsr = util.tensor2uint(sr, white)"
    )
    for line in ("h, w = lr.shape[2:]", "lr = F.pad(lr,", "sr = net(lr)", "sr = sr[..., :h * 4, :w * 4]"):
        assert line in code


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


# Run


@pytest.mark.parametrize("id_", RUNNING)
def test_a_branch_gives_what_the_checkouts_own_run_gives(ours, theirs, id_):
    told, images = ours[id_]
    expected, expected_images = theirs[id_]
    assert "error" not in told, told
    assert len(images) == len(expected_images) == 2
    assert all(np.array_equal(a, b) for a, b in zip(images, expected_images, strict=True))
    assert len({image.tobytes() for image in images}) == 2
    for key in ("params", "flops", "data_range", "tile"):
        assert told[key] == expected[key], key
    assert value_of(told, "name") == expected["name"] == RUNNING[id_]
    assert told["ready"]


@pytest.mark.parametrize("id_", FAILING)
def test_a_branch_that_cannot_run_says_why_and_what_to_do(ours, id_):
    told, images = ours[id_]
    assert not images and told["type"] == "SubmissionError"
    for part in FAILING[id_]:
        assert part in told["error"]
    assert "Remedy: " in told["error"] and "\n" not in told["error"] and len(told["error"]) < 1200


def value_of(told, key):
    return next((item["value"] for item in told["inferred"] if item["key"] == key), None)


def how_of(told, key):
    return next((item["how"] for item in told["inferred"] if item["key"] == key), "")


def test_the_checkouts_own_forward_is_told(ours):
    assert value_of(ours[checkout.PADDED][0], "forward") == "forward_team13(model, img_lr)"
    assert value_of(ours[checkout.PLAIN][0], "forward") == "forward(img_lr, model, tile)"
    assert how_of(ours[checkout.PLAIN][0], "forward") == "as run() of test_demo.py runs it"


def test_what_was_answered_for_a_gpu_is_told(ours):
    how = how_of(ours[checkout.CUDA][0], "device")
    for part in ("Module.cuda() (1)", "Tensor.cuda() (1)", "empty(device='cuda') (1)", "saved on cuda:0"):
        assert part in how
    assert how_of(ours[checkout.PLAIN][0], "device").endswith("are answered on the CPU")


def test_defaults_of_the_command_line_are_told_where_they_are_used(ours):
    told = ours[checkout.ARGUMENT][0]
    assert (value_of(told, "args.width"), value_of(told, "args.deploy")) == ("8", "True")
    assert value_of(ours[checkout.PLAIN][0], "args.width") is None


def test_what_stood_in_for_packages_is_told(ours):
    told = {item["value"]: item["how"] for item in ours[checkout.HELPERS][0]["inferred"]}
    answered = {
        "timm.models.layers.DropPath": "timm is not installed; it does nothing in eval mode",
        "timm.models.layers.to_2tuple": "timm is not installed; a value is repeated as often",
        "timm.models.layers.trunc_normal_": "timm is not installed; torch's own function stands in",
        "timm.models.registry.register_model": "timm is not installed; the class is not registered anywhere",
        "basicsr.archs.arch_util.Upsample": "a layer of the same tensors and arithmetic stands in",
        "basicsr.archs.arch_util.make_layer": "a row of blocks stands in",
        "basicsr.utils.registry.ARCH_REGISTRY.register": "the class is not registered anywhere",
    }
    for name, how in answered.items():
        if importlib.util.find_spec(name.split(".")[0]) is None:
            assert told[name].endswith(how), name
        else:
            assert name not in told
    assert not any("nobody_has" in name for name in told)  # named, and never used
    assert value_of(ours[checkout.PLAIN][0], "stand_in") is None


def test_nothing_is_left_in_the_checkout(ours, theirs, root, before):
    assert {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))} == before


def test_what_only_the_main_program_needs_is_not_missed(ours):
    for id_ in RUNNING:
        # The main program's packages, logger and utilities are not even tried; the import that one branch
        # needs is, for all of them.
        assert value_of(ours[id_][0], "absent") == "TopMissing"
        assert "No module named 'models.team25_TopMissing'" in how_of(ours[id_][0], "absent")
        assert ours[id_][0]["bytecode"]


# The commands


@pytest.fixture
def call():
    """Run a command in this process; a fault of the program's own is raised."""
    before = signal.getsignal(signal.SIGTERM)

    def call(*arguments):
        result = CliRunner().invoke(group.main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    yield call
    signal.signal(signal.SIGTERM, before)


def test_list_tells_what_was_read(call, root):
    result = call("list", "--challenge-root", root)
    assert result.exit_code == 0
    assert "named '15_Range', range 255" in result.stdout
    assert "team19_NoCheckpoint.pth (missing)" in result.stdout
    document = json.loads(call("list", "--challenge-root", root, "--json").stdout)
    tiled = next(item for item in document["submissions"] if item["id"] == checkout.TILED)
    assert tiled["branch"]["tile"] == 32 and tiled["branch"]["missing"] == []


def test_a_checkout_and_a_models_folder_are_not_both_taken(call, root):
    result = call("list", "--challenge-root", root, "--models", root / "models")
    assert result.exit_code == 2
    assert "--challenge-root and --models are both given" in result.stderr


def test_check_loads_a_branch_in_its_worker(call, root):
    result = call("check", checkout.PADDED, "--challenge-root", root)
    assert result.exit_code == 0, result.output
    assert "forward = forward_team13(model, img_lr): as run() of test_demo.py runs it" in result.stdout
    assert "parameters   3,728" in result.stdout
    result = call("check", checkout.POINTER, "--challenge-root", root)
    assert result.exit_code == 1
    assert "is a Git LFS pointer" in result.stderr


def test_run_goes_on_after_a_branch_that_fails(call, root, images, ours, tmp_path):
    ids = [checkout.POINTER, checkout.TILED]
    options = ["--protocol", "sample", "--rounds", 1, "--data-dir", images, "--results", tmp_path / "results"]
    result = call("run", *ids, "--challenge-root", root, *options, "--save-dir", tmp_path / "sr", "--json")
    assert result.exit_code == 1, result.output
    failed, done = (item["record"] for item in json.loads(result.stdout)["records"])
    assert (failed["status"], failed["error"]["phase"]) == ("failed", "load")
    assert "is a Git LFS pointer" in failed["error"]["message"]
    assert (done["status"], done["submission"]["name"], done["submission"]["tile"]) == ("ok", "Tiled", 32)
    assert done["baseline"]["submission"]["name"] == "RLFN_baseline"
    assert len(done["submission"]["sources_sha256"]) == 64
    from PIL import Image

    saved = sorted((tmp_path / "sr" / "14_Tiled").rglob("*.png"))
    assert [np.asarray(Image.open(file)).tobytes() for file in saved] == [
        image.tobytes() for image in ours[checkout.TILED][1]
    ]

    again = call("run", *ids, "--challenge-root", root, *options, "--resume", "--json")
    document = json.loads(again.stdout)
    assert len(document["already_done"]) == 1  # the failed one is tried again
    assert [item["record"]["submission"]["id"] for item in document["records"]] == [checkout.POINTER]


def test_gate_judges_a_branch(call, root, images):
    options = ["--challenge-root", root, "--data-dir", images, "--protocol", "sample"]
    result = call("gate", checkout.PARAMS, *options, "--baseline", checkout.PARAMS)
    assert result.exit_code in (0, 1), result.output
    assert "03_Params" in result.stdout
    result = call("gate", "--changed", "main", *options)
    assert result.exit_code == 2
    assert "--changed does not go with --challenge-root" in result.stderr


def test_lines_of_a_catalogue_name_the_branch(catalogue):
    lines = list(wording.catalogue_lines(catalogue))
    assert any("test_demo.py, line " in line for line in lines)
    assert lines[-1] == catalogue.ignored[0]


# Published networks

# Parameters, fvcore FLOPs at 256x256, PSNR Y and RGB [dB] on Set5: what the authors' own networks give with
# the released checkpoints (../shared/MODELS.md, "Values to reproduce"); 0.001 dB is the same computation.
PUBLISHED = {
    31: ("team31_AGDN-S.py", "AGDN", "agdn_s_x4", (69_272, 4_387_685_760, 32.0263, 30.1017)),
    38: ("team38_SPAN.py", "SPAN", "span_ch28_x4", (150_688, 9_833_807_872, 31.7390, 29.8483)),
}


@pytest.mark.shared
@pytest.mark.slow
def test_published_networks_in_a_checkout_give_their_published_values(call, shared, root, tmp_path):
    checkout_root = tmp_path / "checkout"
    for folder in ("models", "model_zoo"):
        (checkout_root / folder).mkdir(parents=True)
    chain = ""
    for id_, (file, network, title, _) in PUBLISHED.items():
        source = ROOT / "models" / file
        (checkout_root / "models" / file).write_bytes(source.read_bytes())
        (checkout_root / "model_zoo" / f"{title}.pth").symlink_to(shared / "weights" / f"{title}.pth")
        chain += (
            f"    {'elif' if chain else 'if'} model_id == {id_}:\n"
            f"        net = importlib.import_module('models.{file.removesuffix('.py')}').{network}()\n"
            f"        name, data_range = f'{{model_id:02}}_{network}', 1.0\n"
            f"        state = torch.load(os.path.join('model_zoo', '{title}.pth'))\n"
            "        net.load_state_dict(state.get('params_ema', state.get('params', state)), strict=True)\n"
            "        model = net.cuda()\n"
        )
    head, tail = (
        checkout.script().split("    if model_id == 0:")[0],
        checkout.script().split("    else:\n", 1)[1],
    )
    (checkout_root / "test_demo.py").write_text(f"{head}{chain}    else:\n{tail}")
    for side, name in (("HR", "HR"), ("LR", "LR_x4")):
        (tmp_path / f"Set5_{side}").symlink_to(shared / "data" / "Set5" / name)
    options = ["--data-dir", tmp_path, "--splits", "Set5", "--protocol", "ntire2024", "--rounds", 1]
    options += ["--baseline", 38, "--results", tmp_path / "results", "--json"]
    result = call("run", *PUBLISHED, "--challenge-root", checkout_root, *options)
    assert result.exit_code == 0, result.output
    records = {
        item["record"]["submission"]["id"]: item["record"] for item in json.loads(result.stdout)["records"]
    }
    for id_, (_, _, title, (params, flops, psnr_y, psnr_rgb)) in PUBLISHED.items():
        record = records[id_]
        assert (record["complexity"]["params"], record["complexity"]["flops"]) == (params, flops)
        assert record["splits"]["Set5"]["psnr_y_db"] == pytest.approx(psnr_y, abs=1e-3)
        assert record["splits"]["Set5"]["psnr_rgb_db"] == pytest.approx(psnr_rgb, abs=1e-3)
        assert record["submission"]["checkpoint"].endswith(f"{title}.pth")


@pytest.mark.slow
@pytest.mark.parametrize("scaled", ["", " / 255."])
def test_a_loop_that_scales_again_what_its_reading_is_taken_for_is_not_followed(call, own_root, scaled):
    """Where only to_tensor makes the LR tensor, what is done to it afterwards may be done already."""
    script = own_root / "test_demo.py"
    text = script.read_text(encoding="utf-8")
    lines = "img_lr = util.imread_uint(img_lr, n_channels=3)\n"
    lines += "        img_lr = util.uint2tensor4(img_lr, data_range)"
    assert lines in text
    plain = f"img_lr = to_tensor(Image.open(img_lr)).unsqueeze(0)\n        img_lr = img_lr{scaled}"
    script.write_text(text.replace(lines, plain), encoding="utf-8")
    result = call("check", checkout.PADDED, "--challenge-root", own_root, "--json")
    assert result.exit_code == 0, result.output
    codes = [finding["code"] for finding in json.loads(result.stdout)["findings"]]
    assert ("loop-not-followed" in codes) == bool(scaled)


@pytest.mark.slow
def test_a_tile_of_nothing_is_the_branchs_fault_and_no_crime(call, own_root):
    script = own_root / "test_demo.py"
    text = script.read_text(encoding="utf-8")
    first = text.index("    if model_id == 0:")
    branch = "    if model_id == 98:\n        return torch.nn.Conv2d(3, 48, 3), '98_A', 1.0, 0\n"
    script.write_text(text[:first] + branch + text[first:], encoding="utf-8")
    result = call("check", 98, "--challenge-root", own_root)
    assert result.exit_code == 1
    assert "a tile of at least 1 pixel" in result.stderr and "correct the branch" in result.stderr
