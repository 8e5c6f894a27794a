"""Checkpoints of strangers: what is read, what is refused, and that no code in them ever runs."""

from __future__ import annotations

import argparse
import copy
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ntire_bench.errors import SubmissionError
from ntire_bench.worker.network import checkpoint, state_dict

STATE = {"head.weight": torch.arange(6.0).reshape(2, 3), "head.bias": torch.ones(2)}


def prefixed(prefix, state=STATE):
    return {prefix + name: tensor for name, tensor in state.items()}


def refusal(path):
    with pytest.raises(SubmissionError) as caught:
        checkpoint.read(path)
    message = str(caught.value)
    assert path.name in message
    assert "Remedy: " in message
    assert "\n" not in message
    return message


def states(content, tmp_path, state_key=None):
    return state_dict.state_dicts(content, tmp_path / "05_Toy.pth", state_key)


def same(tensors, expected=STATE):
    return tensors.keys() == expected.keys() and all(torch.equal(tensors[k], expected[k]) for k in expected)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".pkl"])
def test_both_formats_of_torch_under_any_suffix(tmp_path, suffix, legacy):
    path = tmp_path / f"05_Toy{suffix}"
    torch.save(OrderedDict(STATE), path, _use_new_zipfile_serialization=not legacy)
    (found,) = states(checkpoint.read(path), tmp_path)
    assert same(found.tensors)
    assert found.where == ""


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("suffix", [".safetensors", ".SAFETENSORS"])
def test_safetensors(tmp_path, suffix, prefix):
    path = tmp_path / f"05_Toy{suffix}"
    save_file(prefixed(prefix), path)
    found = states(checkpoint.read(path), tmp_path)[-1]
    assert same(found.tensors)
    assert found.where == ("without the prefix 'module.'" if prefix else "")


def test_parameters_and_what_trainers_add_are_plain_enough(tmp_path):
    path = tmp_path / "05_Toy.pth"
    network = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(3)).sum().backward()
    optimizer.step()
    content = {
        "epoch": 7,
        "best": 30.1,
        "args": {"lr": 1e-3, "name": "x", "sizes": [1, 2]},
        "optimizer": optimizer.state_dict(),
        "network": {name: nn.Parameter(tensor) for name, tensor in STATE.items()},
    }
    torch.save(content, path)
    found = states(checkpoint.read(path), tmp_path)
    assert found[0].where == "network"
    assert same(found[0].tensors)


class _Evil:
    def __init__(self, trap):
        self.trap = trap

    def __reduce__(self):
        return os.mkdir, (str(self.trap),)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_code_in_a_checkpoint_is_never_executed(tmp_path, how):
    trap = tmp_path / "executed"
    path = tmp_path / "05_Toy.pkl"
    content = {**STATE, "x": _Evil(trap)}
    if how == "pickle":
        path.write_bytes(pickle.dumps({"x": _Evil(trap)}, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    message = refusal(path)
    assert not trap.exists()
    assert "mkdir" in message
    assert "more than tensors and plain values" in message
    assert "torch.save(network.state_dict(), path)" in message
    with path.open("rb") as file:  # the trap is real: this is what reading it naively does
        if how == "pickle":
            pickle.load(file)
        else:
            torch.load(file, weights_only=False)
    assert trap.exists()


def test_a_whole_pickled_network_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "05_Toy.pth"
    torch.save(nn.Conv2d(3, 4, 3), path)
    message = refusal(path)
    assert "Conv2d" in message
    assert "torch.save(network.state_dict(), path)" in message


def test_numbers_and_options_of_a_training_log_are_plain_enough(tmp_path):
    path = tmp_path / "05_Toy.pth"
    log = {
        "best": np.float64(30.1),
        "curve": np.arange(3),
        "args": argparse.Namespace(lr=1),
        "n": np.int64(3),
    }
    torch.save({"params": STATE, **log}, path)
    (found,) = states(checkpoint.read(path), tmp_path)
    assert same(found.tensors)


def test_objects_in_numpy_arrays_are_not_plain(tmp_path):
    path, trap = tmp_path / "05_Toy.pth", tmp_path / "executed"
    torch.save({"params": STATE, "x": np.array([_Evil(trap)], dtype=object)}, path)
    refusal(path)
    assert not trap.exists()


def test_a_scripted_network_is_refused(tmp_path):
    path = tmp_path / "05_Toy.pt"
    torch.jit.save(torch.jit.trace(nn.Conv2d(3, 4, 1), torch.ones(1, 3, 4, 4)), path)
    assert "TorchScript" in refusal(path)


def test_a_git_lfs_pointer_is_called_by_its_name(tmp_path):
    path = tmp_path / "05_Toy.pth"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    message = refusal(path)
    assert "Git LFS pointer" in message
    assert "git lfs pull" in message


def test_an_empty_file(tmp_path):
    path = tmp_path / "05_Toy.pth"
    path.touch()
    assert "is empty" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file(tmp_path, suffix, share):
    path = tmp_path / f"05_Toy{suffix}"
    if suffix == ".pth":
        torch.save({"w": torch.rand(100, 100)}, path)
    else:
        save_file({"w": torch.rand(100, 100)}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "cannot be read as a checkpoint" in refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>", b"\0" * 1000, b"hello world\n" * 50])
def test_what_is_no_checkpoint_at_all(tmp_path, suffix, content):
    path = tmp_path / f"05_Toy{suffix}"
    path.write_bytes(content)
    refusal(path)


def test_a_zip_of_something_else(tmp_path):
    path = tmp_path / "05_Toy.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    assert "cannot be read as a checkpoint" in refusal(path)


def test_a_file_that_is_gone_or_a_folder(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "05_gone.pth")
    (tmp_path / "05_folder.pth").mkdir()
    assert "cannot be read" in refusal(tmp_path / "05_folder.pth")


@pytest.mark.parametrize("key", state_dict.STATE_KEYS)
def test_every_key_of_training_code_is_looked_into(tmp_path, key):
    (found,) = states({"epoch": 1, key: STATE}, tmp_path)
    assert same(found.tensors)
    assert found.where == key


def test_keys_nobody_has_thought_of_come_last(tmp_path):
    other = {"x": torch.ones(1)}
    found = states({"my_net": other, "params": STATE}, tmp_path)
    assert [state.where for state in found] == ["params", "my_net"]


def test_averaged_weights_go_before_raw_ones(tmp_path):
    raw = {name: tensor + 1 for name, tensor in STATE.items()}
    found = states({"params": raw, "params_ema": STATE}, tmp_path)
    assert [state.where for state in found] == ["params_ema", "params"]
    assert same(found[0].tensors)


@pytest.mark.parametrize(
    "key", ["ema", "modelEMA", "swa_model", "moving_avg", "model_avg", "polyak", "net_average"]
)
def test_every_name_of_averaged_weights_goes_before_raw_ones(tmp_path, key):
    raw = {name: tensor + 1 for name, tensor in STATE.items()}
    for inside in (STATE, {"decay": 0.99, "shadow": STATE}):
        found = states({"model": raw, key: inside}, tmp_path)
        assert found[0].averaged and same(found[0].tensors)
    beside = {f"net.{name}": tensor for name, tensor in raw.items()}
    beside |= {f"{key}.{name}": tensor for name, tensor in STATE.items()}
    (part,) = [one for one in states(beside, tmp_path) if one.averaged_beside_raw]
    assert same(part.tensors)


def test_torchs_averaged_model_is_unwrapped_wherever_it_lies(tmp_path):
    """`AveragedModel` keeps a count beside the network, which is under "module."."""
    network = torch.nn.Conv2d(3, 4, 3)
    averaged = torch.optim.swa_utils.AveragedModel(network).state_dict()
    for content in (averaged, {"swa_model": averaged, "model": torch.nn.Conv2d(3, 4, 3).state_dict()}):
        first = next(one for one in states(content, tmp_path) if set(one.tensors) == {"weight", "bias"})
        assert torch.equal(first.tensors["weight"], network.weight) and first.dropped == ("n_averaged",)


def test_numbers_and_texts_among_the_tensors_are_left_out(tmp_path):
    content = {**STATE, "epoch": 3, "psnr": np.float64(27.0), "note": None}
    content = {**content, **{f"more.{number}": tensor for number, tensor in enumerate(STATE.values())}}
    (found,) = states(content, tmp_path)
    assert set(found.tensors) == {*STATE, "more.0", "more.1"} and found.key == ""
    assert found.dropped == ("epoch", "psnr", "note")


def test_a_student_beside_its_teacher_under_names_of_their_own(tmp_path):
    teacher = {name: tensor + 1 for name, tensor in STATE.items()}
    content = {**prefixed("teacher_net.", teacher), **prefixed("student_net.")}
    last = states(content, tmp_path)[-1]
    assert same(last.tensors) and last.prefix == "student_net."
    assert last.dropped == tuple(prefixed("teacher_net."))


def test_keys_and_prefixes_one_inside_the_other(tmp_path):
    content = {"state_dict": {"model": prefixed("module.model.")}}
    found = states(content, tmp_path)
    assert [state.where for state in found] == [
        "state_dict.model",
        "state_dict.model without the prefix 'module.'",
        "state_dict.model without the prefix 'module.model.'",
    ]
    assert same(found[-1].tensors)


def test_a_prefix_that_some_names_lack_is_part_of_the_names(tmp_path):
    found = states({**prefixed("module."), "scale": torch.ones(1)}, tmp_path)
    assert len(found) == 1


def test_a_declared_key_is_the_only_one_looked_into(tmp_path):
    content = {"params_ema": {"x": torch.ones(1)}, "mine": {"deep": STATE}}
    (found,) = states(content, tmp_path, "mine.deep")
    assert same(found.tensors)


def test_a_declared_key_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(SubmissionError) as caught:
        states({"params": STATE, "epoch": 3}, tmp_path, "params_ema")
    assert "no state dict at the declared state_key 'params_ema'" in str(caught.value)
    assert "params, epoch" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({}, "an empty one"),
        ([1.0, 2.0], "a list"),
        (torch.ones(3), "a Tensor"),
        ({"epoch": 3, "lr": 0.1}, "epoch, lr"),
        ({"params": {"w": [1.0, 2.0]}}, "params"),
        ({"step": torch.ones(1), "epoch": 3}, "step, epoch"),
        ({**STATE, "hooks": [1, 2]}, "head.weight, head.bias, hooks"),
    ],
)
def test_no_state_dict_says_what_is_there_instead(tmp_path, content, found):
    with pytest.raises(SubmissionError) as caught:
        states(content, tmp_path)
    assert "holds no state dict" in str(caught.value)
    assert f"found {found}" in str(caught.value).replace("a dictionary with ", "")
    assert "params_ema" in str(caught.value)


def test_shapes():
    state = state_dict.StateDict(STATE, "")
    assert state.shapes == {"head.weight": (2, 3), "head.bias": (2,)}


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "05_Toy.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(3 * 2**20))
    assert path.stat().st_size < 2**15
    monkeypatch.setattr(checkpoint, "MAX_UNZIPPED_BYTES", 2**20)
    assert "unpacks to too much" in refusal(path)


def test_parts_of_an_archive_that_lie_over_each_other_all_count(tmp_path, monkeypatch):
    """An archive may name the same packed bytes again and again: small on disk, and as large as it likes."""
    path = tmp_path / "05_Toy.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(2**20))
        (member,) = archive.filelist
        for number in range(40):
            again = copy.copy(member)
            again.filename = f"archive/data/{number}"
            archive.filelist.append(again)
    monkeypatch.setattr(checkpoint, "MAX_UNZIPPED_BYTES", 16 * 2**20)
    assert "unpacks to too much" in refusal(path) and path.stat().st_size < 2**14


class _Asks:
    """Asks for far more memory than there is as it is unpickled, of which the file holds no byte."""

    def __reduce__(self):
        return bytearray, (2**62,)


def test_a_checkpoint_that_asks_for_all_memory_is_one_plain_message(tmp_path):
    path = tmp_path / "05_Toy.pth"
    torch.save({"params": STATE, "extra": _Asks()}, path)
    assert path.stat().st_size < 2**13 and "MemoryError" in refusal(path)


class _Runs:
    """Leaves a file as it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickled_objects_come_to_life_only_where_that_is_allowed(tmp_path):
    path, sign = tmp_path / "05_Toy.pth", tmp_path / "it_ran"
    torch.save({"params": STATE, "extra": _Runs(str(sign))}, path)
    assert "mkdir" in refusal(path) and "--allow-pickle" in refusal(path) and not sign.exists()
    content = checkpoint.read(path, allow_pickle=True)
    assert sign.is_dir() and same(content["params"])
