"""A submission of several files: what counts for its hash, what is refused, and how it is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import toys
from commands import process

from ntire_bench.errors import SubmissionError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.submissions import package_files
from ntire_bench.submissions.models_folder import find


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "models/team08_Pack"
    (folder / "sub").mkdir(parents=True)
    for name in ("__init__.py", "sub/blocks.py", ".table"):
        (folder / name).write_text("x = 1\n")
    return folder


@pytest.mark.parametrize("name", ["__init__.py", "sub/blocks.py", ".table", "sub/new.txt"])
def test_every_file_counts_for_the_hash(package: Path, name: str) -> None:
    before = package_files.sha256(package)
    (package / name).write_text("x = 2\n")
    assert package_files.sha256(package) != before


def test_a_name_counts_and_what_python_compiled_does_not(package: Path) -> None:
    before = package_files.sha256(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__/x.pyc").write_bytes(b"x")
    assert package_files.sha256(package) == before
    (package / ".table").rename(package / ".other")
    assert package_files.sha256(package) != before


def test_links_and_too_much_are_refused(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "link.py").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match="is a link"):
        package_files.files_of(package)
    (package / "link.py").unlink()
    os.mkfifo(package / "pipe")
    with pytest.raises(SubmissionError, match="no ordinary file"):
        package_files.files_of(package)
    (package / "pipe").unlink()
    monkeypatch.setattr(package_files, "MOST_BYTES", 10)
    with pytest.raises(SubmissionError, match="too large for a package"):
        package_files.files_of(package)
    monkeypatch.setattr(package_files, "MOST_BYTES", 2**20)
    (package / "/".join("abcdefghi")).mkdir(parents=True)
    with pytest.raises(SubmissionError, match="lies too deep"):
        package_files.files_of(package)


def test_a_package_is_a_problem_of_its_own_where_it_cannot_be_used(package: Path) -> None:
    catalogue = find(package.parent, package.parents[1] / "model_zoo")
    assert "team08_Pack.pth" in str(catalogue.problems[8].error)  # the checkpoint's name is the folder's


@pytest.mark.slow
def test_a_package_loads_by_every_way_to_name_its_files(tmp_path: Path) -> None:
    toys.write_toy(tmp_path, 8, "Pack")
    folder = tmp_path / "models/team08_Pack"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "models/team08_Pack.py").rename(folder / "network.py")
    (folder / "sub/__init__.py").write_text("")
    (folder / "sub/a.py").write_text("from ..b import B\nA = B\n")
    (folder / "b.py").write_text("import a_package_that_is_not_there\nB = 1\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/weights").write_text("not counted")
    seen = isolation_for("auto").level not in ("L2", "L3")
    lines = [
        "import os",
        "from .network import Toy",
        "from .sub.a import A",
        "from models.team08_Pack.b import B",
        "from b import B as C",
        "assert (A, B, C) == (1, 1, 1)",
        f"assert os.path.exists(os.path.join(os.path.dirname(__file__), '__pycache__')) is {seen}",
    ]
    (folder / "__init__.py").write_text("\n".join(lines) + "\n")
    done = process("check", "8", "--json", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert done.document["submission"]["model"] == "Toy"
    assert done.document["submission"]["sources_sha256"] == package_files.sha256(folder)
