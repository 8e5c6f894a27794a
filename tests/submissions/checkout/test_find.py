"""The submissions of a challenge's checkout, read and not run."""

from __future__ import annotations

import json
import os

import challenge_checkout as checkout
import pytest
from challenge_branches import FAILING, RUNNING

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.submissions.checkout import find


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


def test_model_files_and_checkpoints_are_read(catalogue, challenge_root):
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
        assert (found.file, found.checkpoint) == (challenge_root / file, challenge_root / checkpoint)
    missing = catalogue.get(checkout.NO_CHECKPOINT)
    assert missing.checkpoint is None
    assert missing.branch.checkpoints == (challenge_root / "model_zoo/team19_NoCheckpoint.pth",)


def test_what_its_process_may_read_and_where_it_works(catalogue, challenge_root):
    plain = catalogue.get(checkout.PLAIN)
    assert plain.workdir == challenge_root.resolve()
    assert plain.readable[0] == challenge_root.resolve()


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


def test_what_a_checkout_holds_never_ends_the_parent(own_root, tmp_path, monkeypatch):
    root = own_root
    (root / "model_zoo" / "gone").symlink_to(tmp_path / "nowhere")
    body = (
        "        name, data_range = 'A\\ud800 B', 1.0\n"
        f"        model = load(os.path.join('model_zoo', '{'x' * 300}.pth'))\n"
        f"        model = load('{'**/' * 30}*.pth')\n"
        "        return model, name, data_range, None\n"
    )
    checkout.add_branch(root, 98, body)
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": listed.append(path) or scandir(path))
    found = find.find(root).submissions[98]
    assert found.name == "A_ B" and found.checkpoint is None
    assert len(listed) <= 1  # a pattern is looked for in one folder, however many it names
    monkeypatch.undo()
    assert found.readable == (root.resolve(),)
    json.dumps(found.label).encode()


def test_a_pattern_is_the_file_that_it_fits_if_it_is_one(own_root):
    root = own_root
    load = "        model = load(glob.glob('model_zoo/pattern98*.pth')[0])\n"
    checkout.add_branch(root, 98, f"{load}        return model, 'A', 1.0, None\n")
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


def test_numbers_below_zero_are_told(own_root):
    checkout.add_branch(own_root, -1, "        return Net(), 'old', 1.0, None\n")
    found = find.find(own_root)
    assert min(found.submissions) == 0
    assert "test_demo.py: model_id -1 is left out, ids begin at 0." in found.ignored


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
    with pytest.raises(UsageError, match="has no branch that can be read"):
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
