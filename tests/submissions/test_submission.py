"""The folders models/ and model_zoo/: what is found, what is refused, and that nothing is executed."""

from __future__ import annotations

import os
import sys

import pytest
from toys import found, write_toy

from ntire_bench.cli import wording
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.submissions import submission as submission_module
from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.submission import CHECKPOINT_SUFFIXES


def write(folder, *, models=(), zoo=()):
    """Write empty model files and checkpoints; what is in them must not matter to `find`."""
    for name, names in (("models", models), ("model_zoo", zoo)):
        (folder / name).mkdir(exist_ok=True)
        for file in names:
            (folder / name / file).write_text("", encoding="utf-8")
    return find(folder / "models", folder / "model_zoo")


def refusal(catalogue, id_=5):
    with pytest.raises(SubmissionError) as caught:
        catalogue.get(id_)
    assert "Remedy: " in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "id_", "name"),
    [
        ("team05_Toy.py", 5, "Toy"),
        ("05_Toy.py", 5, "Toy"),
        ("Team05_Toy.py", 5, "Toy"),
        ("team31_AGDN-S.py", 31, "AGDN-S"),
        ("team05_two_words.py", 5, "two_words"),
        ("team05_Überauflösung.py", 5, "Überauflösung"),
        ("team05_超分.py", 5, "超分"),
        ("team05_v1.5.py", 5, "v1.5"),
        ("team123_Toy.py", 123, "Toy"),
        ("team005_Toy.py", 5, "Toy"),
    ],
)
def test_names_of_model_files(tmp_path, file, id_, name):
    catalogue = write(tmp_path, models=[file], zoo=[file.replace(".py", ".pth")])
    submission = catalogue.get(id_)
    assert (submission.id, submission.name, submission.file.name) == (id_, name, file)
    assert submission.checkpoint.name == file.replace(".py", ".pth")
    assert submission.label == f"{id_:02d}_{name}"


@pytest.mark.parametrize("suffix", [*CHECKPOINT_SUFFIXES, ".PTH", ".Pt"])
@pytest.mark.parametrize(
    "stem", ["team05_Toy", "TEAM05_toy", "05_other", "team05", "5_Toy", "05-best.epoch9"]
)
def test_names_of_checkpoints(tmp_path, stem, suffix):
    catalogue = write(tmp_path, models=["team05_Toy.py"], zoo=[stem + suffix, "team055_Toy.pth", "x05_a.pth"])
    assert catalogue.get(5).checkpoint.name == stem + suffix


def test_the_suffixes_are_those_of_the_design():
    assert CHECKPOINT_SUFFIXES == (".pth", ".pt", ".ckpt", ".pkl", ".safetensors")


def test_finding_executes_no_model_file_and_opens_no_checkpoint(tmp_path):
    trap = tmp_path / "executed"
    body = f"open({str(trap)!r}, 'w').close()\nraise SystemExit(3)\ndef build_model(): pass"
    write_toy(tmp_path, body=body, checkpoint=None)
    checkpoint = tmp_path / "model_zoo" / "team05_Toy.pth"
    os.mkfifo(checkpoint)  # reading it would block for ever, and so would opening it
    (tmp_path / "model_zoo" / "team06_Toy.pth").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    write_toy(tmp_path, id=6, body=body, checkpoint=None)
    catalogue = find(tmp_path / "models", tmp_path / "model_zoo")
    assert catalogue.get(6).has_build_model
    assert "has no checkpoint" in refusal(catalogue)  # a pipe is no file
    assert not trap.exists()


def test_files_that_are_no_submissions_are_named_with_the_remedy(tmp_path):
    catalogue = write(
        tmp_path, models=["helper.py", "team5_Toy.py", "__init__.py", "notes.txt", "team05_.py"]
    )
    assert not catalogue.submissions
    assert (
        len(catalogue.ignored) == 4 and "notes.txt: not a model file by its ending" in catalogue.ignored[-1]
    )
    assert any("team05_Toy.py (the id has two digits or more)" in line for line in catalogue.ignored)
    assert any("helper.py" in line and "team{ID}_{Name}.py" in line for line in catalogue.ignored)


def test_two_files_with_one_id(tmp_path):
    catalogue = write(
        tmp_path, models=["05_A.py", "team05_B.py", "team06_C.py"], zoo=["05_A.pth", "06_C.pth"]
    )
    message = refusal(catalogue)
    assert "two files have the id 05" in message
    assert "05_A.py, team05_B.py" in message
    assert "rename all but one" in message
    assert catalogue.get(6).name == "C"  # one team's mistake is not another's


def test_three_files_with_one_id_are_counted(tmp_path):
    assert "3 files have the id 05" in refusal(write(tmp_path, models=["05_A.py", "05_B.py", "team005_C.py"]))


def test_no_checkpoint_says_what_would_do_and_what_is_there(tmp_path):
    message = refusal(write(tmp_path, models=["team05_Toy.py"], zoo=["team06_a.pth", "README.md"]))
    assert "team05_Toy.py: has no checkpoint" in message
    assert "model_zoo/team05_Toy.pth" in message
    assert "found team06_a.pth" in message
    assert all(suffix in message for suffix in CHECKPOINT_SUFFIXES)
    assert '"checkpoint": None' in message


def test_an_empty_and_a_missing_model_zoo_are_told_apart(tmp_path):
    assert "found no checkpoint at all" in refusal(write(tmp_path, models=["team05_Toy.py"]))
    (tmp_path / "model_zoo").rmdir()
    message = refusal(find(tmp_path / "models", tmp_path / "model_zoo"))
    assert "no folder" in message


def test_several_checkpoints_are_listed_unless_one_bears_the_files_name(tmp_path):
    zoo = ["05_a.pth", "team05_b.pt"]
    message = refusal(write(tmp_path, models=["team05_Toy.py"], zoo=zoo))
    assert "has several checkpoints" in message
    assert "05_a.pth, team05_b.pt" in message
    assert write(tmp_path, zoo=["TEAM05_TOY.pth"]).get(5).checkpoint.name == "TEAM05_TOY.pth"


def test_two_formats_of_one_name_are_several_checkpoints(tmp_path):
    message = refusal(
        write(tmp_path, models=["team05_Toy.py"], zoo=["team05_Toy.pth", "team05_Toy.safetensors"])
    )
    assert "has several checkpoints" in message


def declare(folder, checkpoint):
    write_toy(folder, body=f'SUBMISSION = {{"checkpoint": {checkpoint!r}}}', checkpoint=None)
    return find(folder / "models", folder / "model_zoo")


def test_a_declared_checkpoint_needs_no_prefix(tmp_path):
    write(tmp_path, zoo=["best.pth", "05_other.pth"])
    assert declare(tmp_path, "best.pth").get(5).checkpoint.name == "best.pth"


def test_a_declared_checkpoint_that_is_not_there(tmp_path):
    write(tmp_path, zoo=["05_other.pth"])
    message = refusal(declare(tmp_path, "best.pth"))
    assert "best.pth: the declared checkpoint is not there" in message
    assert "05_other.pth" in message


@pytest.mark.parametrize("path", ["../secret.pth", "/etc/hostname", "a/../../secret.pth"])
def test_a_declared_checkpoint_outside_model_zoo(tmp_path, path):
    (tmp_path / "secret.pth").write_text("", encoding="utf-8")
    assert "outside" in refusal(declare(tmp_path, path))


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("team06_Other.pth", "06_Other"),
        ("06_best.pth", "06_Other"),
        ("team6.best.pth", "06_Other"),
        ("team06_Other/best.pth", "06_Other"),
        ("team05_Toy/best.pth", ""),
        ("6_blocks.pth", ""),
        ("team05_b.pth", ""),
        ("team09_gone.pth", ""),  # nobody of that number is there
        ("4x_net.pth", ""),  # a factor is no team's number
        ("2024_best.pth", ""),
    ],
)
def test_another_teams_checkpoint_is_told_by_its_name(tmp_path, name, owner):
    (tmp_path / "model_zoo" / name).parent.mkdir(parents=True)
    write(tmp_path, models=["team06_Other.py"], zoo=[name, "team06_Other.pth"])
    catalogue = declare(tmp_path, name)
    assert catalogue.get(5).checkpoint_of == owner and catalogue.get(6).checkpoint_of == ""
    assert any(f"by its name {owner}'s" in line for line in wording.catalogue_lines(catalogue)) == bool(owner)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_another_teams_checkpoint_is_told(tmp_path):
    write(tmp_path, models=["team05_Toy.py", "team06_Other.py"], zoo=["team06_Other.pth"])
    (tmp_path / "model_zoo" / "team05_Toy.pth").symlink_to("team06_Other.pth")
    assert write(tmp_path).get(5).checkpoint_of == "06_Other"


def test_a_network_without_checkpoint(tmp_path):
    assert declare(tmp_path, None).get(5).checkpoint is None


def test_a_broken_file_does_not_hide_the_others(tmp_path):
    write_toy(tmp_path, id=4, body="def f(:", checkpoint={})
    write_toy(tmp_path, id=5)
    catalogue = find(tmp_path / "models", tmp_path / "model_zoo")
    assert list(catalogue.submissions) == [5]
    assert catalogue.problems[4].label == "04_Toy"
    assert "is not Python" in refusal(catalogue, 4)


def test_unknown_id_names_near_matches_and_everything_there(tmp_path):
    models = ["team00_RLFN.py", "team31_AGDN.py", "team42_LKDN.py"]
    catalogue = write(tmp_path, models=models, zoo=["00_a.pth", "31_a.pth"])
    with pytest.raises(UsageError) as caught:
        catalogue.get(13)
    message = str(caught.value)
    assert "there is no submission 13" in message
    assert "found 00_RLFN, 31_AGDN, 42_LKDN (cannot be used)" in message
    assert "near: 31_AGDN" in message
    assert "add team13_NAME.py" in message


def test_unknown_id_in_an_empty_folder(tmp_path):
    with pytest.raises(UsageError, match="found nothing"):
        write(tmp_path).get(0)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(UsageError, match="--models"):
        find(tmp_path / "nowhere", tmp_path)


def test_toy_is_found(tmp_path):
    file = write_toy(tmp_path)
    submission = found(tmp_path)
    assert submission.file == file
    assert submission.declaration.source == ""


def test_every_hop_of_a_link_is_handed_to_the_worker(tmp_path):
    """A link to a link, by way of a folder that is one: without the middle the end is not found."""
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.pth").touch()
    (tmp_path / "folder").symlink_to(real)
    (tmp_path / "own.pth").symlink_to("folder/a.pth")
    hops = list(dict.fromkeys(submission_module._hops(tmp_path / "own.pth")))
    assert hops == [tmp_path / "folder" / "a.pth", real / "a.pth"]
    assert list(submission_module._hops(real / "a.pth")) == [real / "a.pth"]
