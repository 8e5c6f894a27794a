"""Kernels are built once behind the walls of a worker, and what they compute is counted on a twin."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernels import needs_compiler, needs_ninja, package

from ntire_bench.client import kernel_builds
from ntire_bench.client.worker import Worker
from ntire_bench.data import sample
from ntire_bench.errors import SubmissionError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.protocols import protocol
from ntire_bench.submissions import models_folder
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.messages import Built
from ntire_bench.workflows.check import Check, check

COST = 256 * 256 * (3 * 16 * 9 + 16 * 48 * 9)  # two 3x3 convolutions; fvcore gives the gate nothing


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this module's own, in which each kernel is built once."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("NTIRE_BENCH_CACHE")
    os.environ["NTIRE_BENCH_CACHE"] = str(folder)
    yield folder
    os.environ.pop("NTIRE_BENCH_CACHE")
    if before is not None:
        os.environ["NTIRE_BENCH_CACHE"] = before


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Submission:
    """The one submission of this module, built once; its declaration is replaced."""
    folder = tmp_path_factory.mktemp("models")
    package(folder / "team05_Net", '"kernel": "float32", "twin": "forward_reference"')
    found = models_folder.find(folder, folder / "none")
    assert not found.problems
    return found.submissions[5]


def declaring(item: Submission, **changes: Any) -> Submission:
    return dataclasses.replace(item, declaration=dataclasses.replace(item.declaration, **changes))


def checked(item: Submission, told: list[str] | None = None) -> Check:
    said: list[str] = [] if told is None else told
    return check(item, sample.probe_lr(), protocol.load(), device="cpu", isolation="auto", tell=said.append)


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def with_twin(item: Submission, told: list[str]) -> Check:
    return checked(item, told)


@pytest.mark.slow
@needs_compiler
@needs_ninja
def test_costs_are_the_twins_and_nothing_is_held_against_an_honest_kernel(
    with_twin: Check, told: list[str]
) -> None:
    costs = with_twin.complexity
    assert [item for item in with_twin.findings if item.severity != "info"] == []
    assert costs.flops == pytest.approx(COST, rel=0.02)
    assert costs.params == 3 * 16 * 9 + 16 + 16 * 48 * 9 + 48
    assert costs.audit.twin == "forward_reference"
    assert isinstance(costs.audit.kernels, tuple) and set(costs.audit.kernels) == {
        "run_time",
        "_gate (team05_Net/setup.py)",
    }
    most, rms, precision = costs.audit.twin_difference  # type: ignore[misc]
    assert 0 <= rms <= most < 0.01 and precision == "float32"
    assert "sub" in " ".join(costs.uncounted_ops)  # the gate was seen, as the twin has it
    assert len([text for text in told if text.startswith("building the kernels of 05_Net")]) == 1


@pytest.mark.slow
@needs_compiler
@needs_ninja
def test_what_was_built_is_kept_to_be_read_and_never_in_the_submissions_folder(
    with_twin: Check, cache: Path
) -> None:
    (built,) = (cache / "kernels").iterdir()
    libraries = sorted(file for file in built.rglob("*.so"))
    assert [file.name.split(".")[0] for file in libraries] == ["run_time", "_gate"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o444 for file in libraries)
    log = (built / "log.txt").read_text()
    assert "setup.py build_ext" in log and "gate.c" in log and "run_time.cpp" in log
    kept = json.loads((built / "built.json").read_text())
    assert kept["toolchain"] == kernel_builds.toolchain() and kept["built"]["failed"] == {}
    models = Path(with_twin.submission.file).parent
    assert not [file for file in models.rglob("*") if file.suffix in (".so", ".o")]


@pytest.mark.slow
@needs_compiler
@needs_ninja
def test_without_a_twin_it_runs_and_its_costs_are_not_known(item: Submission, told: list[str]) -> None:
    found = checked(declaring(item, kernel=None, twin=None), told)
    on_flops = [one for one in found.findings if one.code.startswith("flops-")]
    assert [(one.code, one.severity) for one in on_flops if "mostly" not in one.code] == [
        ("flops-not-countable", "warning")
    ]
    assert "What is missing: a twin" in on_flops[-1].message and "run_time" in on_flops[-1].message
    assert found.complexity.audit.uncountable == found.complexity.audit.kernels != ()
    assert len([text for text in told if text.startswith("building")]) <= 1


@pytest.mark.slow
@needs_compiler
@needs_ninja
def test_arguments_that_leave_the_kernel_out_are_a_twin_as_well(item: Submission) -> None:
    found = checked(declaring(item, twin=None, twin_args={"kernel": False}))
    assert [one for one in found.findings if one.severity == "reject"] == []
    assert found.complexity.audit.twin == "twin_args"
    assert found.complexity.flops == pytest.approx(COST, rel=0.02)


@pytest.mark.slow
@needs_compiler
@needs_ninja
def test_a_twin_that_uses_the_kernel_is_no_twin(item: Submission) -> None:
    with pytest.raises(SubmissionError, match="its twin cannot be run") as error:
        checked(declaring(item, twin="forward_kernel"))
    assert "must compute in torch's operators, and uses the kernel run_time.gate" in str(error.value)


_HOSTILE = """\
import os, socket
from setuptools import Extension, setup

told = [os.path.exists({image!r})]
for place in ({place!r}, "/kernels_were_here"):
    try:
        open(place, "w").close()
        told.append("written")
    except OSError:
        told.append("refused")
try:
    socket.create_connection(("127.0.0.1", {port}), 2)
    told.append("connected")
except OSError:
    told.append("alone")
print("TOLD", *told, "\\x1b[31m")
setup(name="net", ext_modules=[Extension("ops._gate", ["ops/gate.c"])])
"""


@pytest.mark.slow
@needs_compiler
@needs_ninja
@pytest.mark.skipif(isolation_for("auto").level not in ("L2", "L3"), reason="no namespaces on this machine")
def test_a_hostile_setup_is_behind_the_walls_of_a_worker(tmp_path: Path, cache: Path) -> None:
    package(tmp_path / "models" / "team07_Net", '"kernel": "float32"')
    image = tmp_path / "HR.png"
    image.write_bytes(b"an image")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = _HOSTILE.format(image=str(image), place=str(tmp_path / "written"), port=port)
        (tmp_path / "models" / "team07_Net" / "setup.py").write_text(text)
        item = models_folder.find(tmp_path / "models", tmp_path / "none").submissions[7]
        before = set((cache / "kernels").iterdir()) if (cache / "kernels").is_dir() else set()
        with Worker(item, scale=4, largest_lr=(64, 64), device="cpu") as worker:
            assert worker.builds is not None and worker.builds.names
    (made,) = set((cache / "kernels").iterdir()) - before
    log = (made / "log.txt").read_text()
    assert "TOLD False refused refused alone" in log and "\x1b" not in log
    assert not (tmp_path / "written").exists()


def test_what_is_told_of_a_build_names_no_folder_of_this_machine() -> None:
    built = Built(
        files=(), setups={}, extensions={"gate": "x/gate.so"}, loaded=None,
        failed={"other": "RuntimeError: /home/somebody/models/team05_Net/gate.cpp:30:9: error: and/or"},
    )  # fmt: skip
    kept = kernel_builds.KernelBuild(Path("/home/somebody/.cache/kernels") / ("a" * 64), built, 12.3, "g++")
    made, missing = kept.inferences()
    log = "log: kernels/aaaaaaaaaaaaaaaa.../log.txt in the cache folder"
    assert (made.value, made.how) == ("gate", f"built in 12 s behind the same walls; {log}")
    why = "not built (RuntimeError: gate.cpp:30:9: error: and/or), and the network does without"
    assert (missing.value, missing.how) == ("other", f"{why}; {log}")
