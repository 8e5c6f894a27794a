"""Which submissions a pull request changes: nothing that `find` would use may slip past the gate."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.submissions.base_version import version_in
from ntire_bench.submissions.changed import base_commit, changed_since
from ntire_bench.submissions.models_folder import find


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "core.quotePath=true"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def put(folder: Path, *names: str, content: str = "SUBMISSION = {}\n") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    names = ("00_RLFN", "05_A", "06_B", "07_C")
    put(tmp_path, *(f"models/team{name}.py" for name in names))
    put(tmp_path, *(f"model_zoo/team{name}.pth" for name in names), "model_zoo/README.md", "README.md")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "base")
    git(tmp_path, "tag", "base")
    return tmp_path


def changed(checkout: Path) -> tuple[list[int], list[str]]:
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "change")
    models, model_zoo = checkout / "models", checkout / "model_zoo"
    ids, strays = changed_since("base", find(models, model_zoo), models, model_zoo)
    return ids, [Path(stray).name for stray in strays]


def test_files_beside_the_submissions_do_not_count(checkout: Path) -> None:
    put(checkout, "README.md", "model_zoo/README.md", "docs/x.md", content="new")
    assert changed(checkout) == ([], [])


def test_a_model_a_checkpoint_and_a_declaration_count(checkout: Path) -> None:
    put(checkout, "models/team05_A.py", content="x = 1\n")
    put(checkout, "model_zoo/team06_B.pth", content="new")
    put(checkout, "models/team07_C.toml", content="data_range = 1\n")
    assert changed(checkout) == ([5, 6, 7], [])


@pytest.mark.parametrize(
    ("model", "checkpoint", "id_"),
    [
        ("31_X.py", "TEAM31_x.PTH", 31),
        ("team77_é.py", "77.safetensors", 77),
        ("team08_a b.py", "8-weights.pt", 8),
    ],
)
def test_every_name_that_is_found_is_judged(checkout: Path, model: str, checkpoint: str, id_: int) -> None:
    put(checkout, f"models/{model}", f"model_zoo/{checkpoint}")
    assert changed(checkout) == ([id_], [])


def test_a_renamed_checkpoint_counts(checkout: Path) -> None:
    (checkout / "model_zoo" / "team05_A.pth").rename(checkout / "model_zoo" / "05-other.pth")
    assert changed(checkout) == ([5], [])


def test_a_declared_checkpoint_counts(checkout: Path) -> None:
    put(checkout, "models/team05_A.py", content='SUBMISSION = {"checkpoint": "weights.pth"}\n')
    put(checkout, "model_zoo/weights.pth")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "declared")
    git(checkout, "tag", "-f", "base")
    put(checkout, "model_zoo/weights.pth", content="new")
    assert changed(checkout) == ([5], [])


def test_a_checkpoint_that_was_taken_away_counts(checkout: Path) -> None:
    (checkout / "model_zoo" / "team06_B.pth").unlink()
    assert changed(checkout) == ([6], [])


def test_a_submission_that_was_taken_away_whole_is_none(checkout: Path) -> None:
    (checkout / "models" / "team06_B.py").unlink()
    (checkout / "model_zoo" / "team06_B.pth").unlink()
    assert changed(checkout) == ([], [])


def test_what_belongs_to_no_submission_is_named(checkout: Path) -> None:
    put(checkout, "models/team8_One.py", "models/Net.py", "model_zoo/99_nobody.pth")
    assert changed(checkout) == ([], ["99_nobody.pth", "Net.py", "team8_One.py"])


def test_a_base_that_is_not_there_is_no_pass(checkout: Path) -> None:
    models, model_zoo = checkout / "models", checkout / "model_zoo"
    with pytest.raises(UsageError, match="git cannot tell"):
        changed_since("nowhere", find(models, model_zoo), models, model_zoo)


@pytest.mark.parametrize("base", ["", " ", "--output=x"])
def test_a_base_that_is_empty_is_no_pass(checkout: Path, base: str) -> None:
    """As it is where a workflow takes the base of a pull request and runs on a push."""
    models, model_zoo = checkout / "models", checkout / "model_zoo"
    with pytest.raises(UsageError, match="BASE names no commit"):
        changed_since(base, find(models, model_zoo), models, model_zoo)


def test_what_is_not_committed_yet_counts(checkout: Path) -> None:
    put(checkout, "models/team05_A.py", content="x = 1\n")
    put(checkout, "models/team09_New.py", "model_zoo/team09_New.pth", "models/team10_Ignored.py")
    put(checkout, "models/__pycache__/team06_B.cpython-311.pyc", "models/Net.py")
    put(checkout, ".gitignore", content="team10*\n")
    git(checkout, "add", "models/team05_A.py")
    models, model_zoo = checkout / "models", checkout / "model_zoo"
    ids, strays = changed_since("base", find(models, model_zoo), models, model_zoo)
    assert ids == [5, 9] and [Path(stray).name for stray in strays] == ["Net.py"]


def test_outside_a_checkout_is_no_pass(tmp_path: Path) -> None:
    put(tmp_path, "models/team05_A.py", "model_zoo/team05_A.pth")
    catalogue = find(tmp_path / "models", tmp_path / "model_zoo")
    with pytest.raises(UsageError, match="git cannot tell"):
        changed_since("base", catalogue, tmp_path / "models", tmp_path / "model_zoo")


def test_a_version_in_the_base_is_what_git_had(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    models, model_zoo = checkout / "models", checkout / "model_zoo"
    put(checkout, "models/team05_A.py", content="x = 1\n")
    put(checkout, "model_zoo/team05_A.pth", content="new weights")
    put(checkout, "models/team09_New.py", "model_zoo/team09_New.pth")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "change")
    commit = base_commit("base", models)
    before = version_in(commit, 5, models, model_zoo, tmp_path_factory.mktemp("before"))
    assert before is not None and before.checkpoint is not None
    assert (before.file.name, before.file.read_text()) == ("team05_A.py", "SUBMISSION = {}\n")
    assert before.checkpoint.read_text() == "SUBMISSION = {}\n"
    assert sorted(path.name for path in before.file.parent.iterdir()) == ["team05_A.py"]
    assert version_in(commit, 9, models, model_zoo, tmp_path_factory.mktemp("new")) is None


def test_a_version_that_could_not_be_used_says_so(checkout: Path, tmp_path: Path) -> None:
    put(checkout, "models/team05_A.py", content="no Python (")
    git(checkout, "commit", "-qam", "broken")
    git(checkout, "tag", "broken")
    commit = base_commit("broken", checkout / "models")
    folder = tmp_path / "before"
    folder.mkdir()
    with pytest.raises(SubmissionError, match="is not Python"):
        version_in(commit, 5, checkout / "models", checkout / "model_zoo", folder)


def test_the_base_of_a_branch_is_where_it_left(checkout: Path) -> None:
    put(checkout, "models/team05_A.py", content="x = 1\n")
    git(checkout, "commit", "-qam", "on main")
    git(checkout, "checkout", "-q", "-b", "branch", "base")
    put(checkout, "models/team06_B.py", content="x = 2\n")
    git(checkout, "commit", "-qam", "on the branch")
    of_base = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "base"], check=True, capture_output=True, text=True
    )
    assert base_commit("main", checkout / "models") == of_base.stdout.strip()


def test_any_file_of_a_package_counts_and_its_version_has_all_of_them(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put(checkout, "models/team08_P/__init__.py", "models/team08_P/sub/blocks.py", "model_zoo/team08_P.pth")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "package")
    git(checkout, "tag", "-f", "base")
    put(checkout, "models/team08_P/sub/blocks.py", content="x = 1\n")
    assert changed(checkout) == ([8], [])
    folder = tmp_path_factory.mktemp("before")
    commit = base_commit("base", checkout / "models")
    before = version_in(commit, 8, checkout / "models", checkout / "model_zoo", folder)
    assert before is not None and before.package is not None
    assert (before.package / "sub/blocks.py").read_text() == "SUBMISSION = {}\n"
