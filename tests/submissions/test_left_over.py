"""Nothing in models/ and model_zoo/ is passed over without a word, and nothing that is used is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import toys

from ntire_bench.submissions.models_folder import find


def told(folder: Path) -> dict[str, str]:
    """Return what is said of each file or folder, by its name."""
    lines = find(folder / "models", folder / "model_zoo").ignored
    return {Path(line.split(": ", 1)[0]).name: line.split(": ", 1)[1] for line in lines}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    toys.write_toy(tmp_path, 5, "Net")
    (tmp_path / "models/team05_Net.toml").write_text("data_range = 1\n")
    for name in ("README.md", "LICENSE", ".gitkeep"):
        (tmp_path / "models" / name).write_text("")
        (tmp_path / "model_zoo" / name).write_text("")
    (tmp_path / "models/__pycache__").mkdir()
    return tmp_path


def test_what_is_used_or_expected_is_not_named(place: Path) -> None:
    assert told(place) == {}


def test_everything_else_is_named_with_what_to_do(place: Path) -> None:
    models, zoo = place / "models", place / "model_zoo"
    (models / "team06_Zip.zip").write_bytes(b"")
    (models / "team07_Folder").mkdir()
    (models / "stray.toml").write_text("")
    (models / "notes").write_text("")
    (models / "Package").mkdir()
    (models / "Package/__init__.py").write_text("")
    for name in ("team09_Gone.pth", "best.pth", "team05_Net_old.pth", "weights.onnx", "team10.tar.gz"):
        (zoo / name).write_bytes(b"")
    (zoo / "folder").mkdir()
    found = told(place)
    assert "`ntire-bench intake` takes it in" in found.pop("team06_Zip.zip")
    assert "a folder without __init__.py" in found.pop("team07_Folder")
    assert "declares something of no model file" in found.pop("stray.toml")
    assert "not a model file by its ending" in found.pop("notes")
    assert "name it team{ID}_{Name} to make it a submission" in found.pop("Package")
    assert "no model file has the id 09" in found.pop("team09_Gone.pth")
    assert "begins with no id" in found.pop("best.pth")
    assert "of 05_Net's checkpoints team05_Net.pth is taken" in found.pop("team05_Net_old.pth")
    assert "not a checkpoint by its ending" in found.pop("weights.onnx")
    assert "`ntire-bench intake`" in found.pop("team10.tar.gz") and "a folder" in found.pop("folder")
    assert found == {}


def test_what_is_told_as_a_problem_is_not_told_twice(place: Path) -> None:
    (place / "models/team05_Net.toml").unlink()
    for name in ("team05_Net.pth", "team05_a.pth", "team05_b.pth"):
        (place / "model_zoo" / name).write_bytes(b"")
    (place / "model_zoo/team05_Net.pth").unlink()
    catalogue = find(place / "models", place / "model_zoo")
    assert 5 in catalogue.problems and catalogue.ignored == ()


def test_both_folders_may_be_one(tmp_path: Path) -> None:
    toys.write_toy(tmp_path, 5, "Net")
    (tmp_path / "models/team05_Net.py").rename(tmp_path / "model_zoo/team05_Net.py")
    (tmp_path / "model_zoo/notes.txt").write_text("")
    catalogue = find(tmp_path / "model_zoo", tmp_path / "model_zoo")
    assert list(catalogue.submissions) == [5] and len(catalogue.ignored) == 1
