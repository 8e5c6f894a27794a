"""What a release states and holds, and that the script which checks a wheel finds what is wrong with one."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import check_wheel
import pytest
import wheel_contents
import wheel_runner
from click.testing import CliRunner

import ntire_bench
from ntire_bench.cli import main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WEIGHTS = b"weights"
STATED = f"## team00_A.pth\n\nSome words.\n\nSHA-256: `{hashlib.sha256(WEIGHTS).hexdigest()}`\n"


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tracked(root: Path) -> set[str]:
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("no git checkout")
    return wheel_contents.tracked(root)


# What is stated


def test_the_version_is_stated_once(project, root):
    assert "version" not in project["project"] and project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "ntire_bench/__init__.py"}
    assert wheel_contents.version(root) == ntire_bench.__version__
    assert (
        CliRunner().invoke(main, ["--version"]).output == f"ntire-bench, version {ntire_bench.__version__}\n"
    )


def test_the_changelog_begins_with_this_version(root):
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert releases[0][0] == ntire_bench.__version__
    assert releases == sorted(releases, key=lambda item: tuple(map(int, item[0].split("."))), reverse=True)
    dates = [date for _, date in releases]
    assert dates == sorted(dates, reverse=True)
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_wheel_is_to_hold_the_examples_that_git_tracks_and_no_others(project, tracked):
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    examples = {name for name in tracked if name.startswith(("models/", "model_zoo/"))}
    assert included.keys() == {"leaderboard/reference", *examples}
    assert {included[name] for name in examples} == wheel_contents.in_wheel(examples)


# What the script finds


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ntire_bench/examples/model_zoo/team00_A.pth", WEIGHTS)
    return path


def weights_report(wheel: Path, stated: str) -> list[str]:
    report = wheel_runner.Report()
    with zipfile.ZipFile(wheel) as content:
        wheel_contents.compare_weights(report, content, stated)
    return report.failures


def test_the_right_weights_pass(wheel):
    assert weights_report(wheel, STATED) == []


def test_other_weights_are_told(wheel):
    (said,) = weights_report(wheel, re.sub("`[0-9a-f]{64}`", f"`{'0' * 64}`", STATED))
    assert said.startswith("team00_A.pth is not the file of model_zoo/README.md")


def test_missing_weights_are_told(wheel):
    (said,) = weights_report(wheel, STATED + STATED.replace("team00_A", "team01_B"))
    assert said == "weights: expected ['team00_A.pth', 'team01_B.pth'], found ['team00_A.pth']"


def test_missing_and_strange_files_are_told():
    report = wheel_runner.Report()
    wheel_contents.compare_names(report, "wheel", {"a", "b"}, {"b", "c"})
    assert report.failures == ["wheel lacks c", "wheel holds a, which git does not track"]
    assert report.summary() == "2 differences, see above."


def test_what_is_expected_is_read_from_the_documents(root):
    shown = (root / "docs/index.md").read_text(encoding="utf-8")
    assert 20 < check_wheel.stated_psnr_db(shown, check_wheel.EVALUATED) < 40
    table = (root / "leaderboard/reference/ntire2024.csv").read_text(encoding="utf-8")
    ranks = check_wheel.reference_ranks(table)
    assert ranks[0] == ("XiaomiMM", 1)
    assert [rank for _, rank in ranks] == list(range(1, len(ranks) + 1))


def command(folder: Path, text: str) -> Path:
    path = folder / "ntire-bench"
    path.write_text(f"#!{sys.executable}\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_command_that_says_something_else_is_told(tmp_path, root, tracked):
    report, run = wheel_runner.Report(), wheel_runner.Runner(tmp_path)
    other = command(
        tmp_path, "import sys; print('ntire-bench, version 0.0.0' if '--version' in sys.argv else 'x')"
    )
    with pytest.raises(ValueError, match="Expecting value"):  # no JSON
        check_wheel.use(report, run, root, other, torch=False)
    assert report.failures[0] == (
        f"version: expected ntire-bench, version {ntire_bench.__version__}, found ntire-bench, version 0.0.0"
    )


def test_a_command_that_fails_ends_it_with_what_it_said(tmp_path, root):
    report, run = wheel_runner.Report(), wheel_runner.Runner(tmp_path)
    broken = command(tmp_path, "raise SystemExit('no module of that name')")
    with pytest.raises(wheel_runner.Stopped, match="no module of that name"):
        check_wheel.use(report, run, root, broken, torch=False)
    assert report.failures == ["exit status of ntire-bench --version: expected 0, found 1"]


def test_an_environment_that_cannot_be_made_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(check_wheel, "build", lambda *_: tmp_path / "a.whl")
    result = CliRunner().invoke(check_wheel.main, ["--python", str(tmp_path / "nowhere")])
    assert result.exit_code == 1 and "FAILED" in result.output and "nowhere" in result.output
    assert result.output.endswith("1 difference, see above.\n")


def test_commands_do_not_see_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/checkout")
    monkeypatch.setenv("NTIRE_BENCH_PIXEL_CACHE", "0")
    run = wheel_runner.Runner(tmp_path)
    done = run(sys.executable, "-c", "import os; print(*sorted(os.environ), os.getcwd())")
    assert "PYTHONPATH" not in done.stdout and "NTIRE_BENCH_PIXEL_CACHE" not in done.stdout
    assert "NTIRE_BENCH_CACHE" in done.stdout and done.stdout.rstrip().endswith(str(tmp_path))
