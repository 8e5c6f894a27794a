"""Which submissions have a build step, and what its cache depends on."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernels import package

from ntire_bench.errors import SubmissionError
from ntire_bench.submissions import models_folder
from ntire_bench.submissions.branch import Branch
from ntire_bench.submissions.declaration import kernel_declared
from ntire_bench.submissions.kernel_sources import has_kernels, setup_folders, sources_sha256
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration

PLAIN = 'SUBMISSION = {"checkpoint": None}\nfrom torch import nn\n'


def found(folder: Path, text: str | None = None) -> Submission:
    if text is not None:
        folder.mkdir(exist_ok=True)
        (folder / "team05_Net.py").write_text(text)
    catalogue = models_folder.find(folder, folder / "none")
    for problem in catalogue.problems.values():
        raise problem.error
    return catalogue.submissions[5]


@pytest.mark.parametrize(
    ("line", "builds"),
    [
        ("from torch.utils.cpp_extension import load_inline", True),
        ("import torch.utils.cpp_extension as ext", True),
        ("import triton", True),
        ("    import triton.language as tl", True),
        ("from torch import nn", False),
        ("# no triton, no extension", False),
    ],
)
def test_a_file_that_mentions_what_builds_has_a_build_step(tmp_path: Path, line: str, builds: bool) -> None:
    assert has_kernels(found(tmp_path, f"{PLAIN}if True:\n    pass\n{line.strip()}\n")) is builds


def test_a_package_with_a_setup_of_extensions_has_one(tmp_path: Path) -> None:
    package(tmp_path / "team05_Net", '"strict": True')
    (tmp_path / "team05_Net" / "network.py").write_text("from torch import nn\n")
    item = found(tmp_path)
    assert has_kernels(item) and setup_folders(item) == ((tmp_path / "team05_Net").resolve(),)
    (tmp_path / "team05_Net" / "setup.py").write_text("from setuptools import setup\nsetup(name='x')\n")
    assert not has_kernels(found(tmp_path))


def test_the_hash_changes_with_what_is_compiled_and_not_with_the_declared_twin(tmp_path: Path) -> None:
    package(tmp_path / "team05_Net", '"strict": True')
    before = sources_sha256(found(tmp_path))
    source = tmp_path / "team05_Net" / "ops" / "gate.c"
    source.write_text(source.read_text() + "/* changed */\n")
    assert sources_sha256(found(tmp_path)) != before


def test_a_branchs_hash_changes_with_its_cuda_source_too(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    source = tmp_path / "models" / "gate.cu"
    source.write_text("__global__ void gate() {}\n")
    branch = Branch(
        root=tmp_path, script=tmp_path / "test_demo.py", line=1, parameter="args", attribute="model_id",
        as_text=False, title=None, data_range=1.0, tile=None, files=(), checkpoints=(),
    )  # fmt: skip
    before = branch.code_sha256(), branch.sources_sha256()
    source.write_text("__global__ void gate(float *x) {}\n")
    after = branch.code_sha256(), branch.sources_sha256()
    assert before[0] != after[0] and before[1] != after[1]


def test_a_branchs_hash_changes_with_what_its_kernel_includes_and_not_with_its_checkpoint(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "models" / "team05"
    folder.mkdir(parents=True)
    for name in ("net.py", "weights.pth", "sizes.inc", "setup.cfg"):
        (folder / name).write_text("before")
    branch = Branch(
        root=tmp_path, script=tmp_path / "test_demo.py", line=1, parameter="args", attribute="model_id",
        as_text=False, title=None, data_range=1.0, tile=None, files=(folder / "net.py",), checkpoints=(),
    )  # fmt: skip
    known = {branch.code_sha256()}
    (folder / "weights.pth").write_text("after")
    assert branch.code_sha256() in known
    for name in ("net.py", "sizes.inc", "setup.cfg"):
        (folder / name).write_text("after")
        assert branch.code_sha256() not in known
        known.add(branch.code_sha256())


def test_a_branch_declares_its_kernel_and_twin_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text('SUBMISSION = {"kernel": "half", "twin": "plain", "data_range": 255}\n')
    assert kernel_declared([file]) == Declaration(kernel="half", twin="plain", source="SUBMISSION")
    file.write_text("SUBMISSION = make()\n")  # some other thing of that name
    assert kernel_declared([file, tmp_path / "none.py"]) == Declaration()


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ('"twin": "a", "twin_args": {}', "declares twin and twin_args"),
        ('"twin": "not a name"', "name of a method or function"),
        ('"kernel": "int8"', "wrong type"),
    ],
)
def test_what_cannot_be_declared_is_said(tmp_path: Path, declared: str, words: str) -> None:
    with pytest.raises(SubmissionError, match=words):
        found(tmp_path, f'SUBMISSION = {{"checkpoint": None, {declared}}}\n')
