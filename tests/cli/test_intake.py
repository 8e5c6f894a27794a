"""The command intake, from end to end: worker, feedback sheets, exit status."""

from __future__ import annotations

import zipfile

import pytest
import toys
from commands import process
from markdown_it import MarkdownIt


@pytest.mark.slow
def test_each_team_gets_a_sheet_and_only_what_runs_is_taken_in(tmp_path):
    toys.write_toy(tmp_path / "bad", 6, "Bad", body=toys.RAISES)
    package = tmp_path / "good/models/team08_Pack"
    package.mkdir(parents=True)
    toys.write_toy(tmp_path / "good", 8, "Pack")
    (tmp_path / "good/models/team08_Pack.py").rename(package / "network.py")
    (package / "__init__.py").write_text(
        "from models.team08_Pack.network import Toy\nfrom . import extra\nimport thop_is_not_there\n"
    )
    (package / "extra.py").write_text("import another_that_is_not_there\n")
    (tmp_path / "inbox").mkdir()
    for name in ("bad", "good"):
        with zipfile.ZipFile(tmp_path / f"inbox/{name}.zip", "w") as archive:
            for path in sorted((tmp_path / name).rglob("*.p*")):
                archive.write(path, path.relative_to(tmp_path / name).as_posix())
    (tmp_path / "inbox/noise.zip").write_bytes(b"no archive")
    done = process("intake", "inbox", "--json", cwd=tmp_path)
    assert done.code == 1, done.stderr
    found = {one["item"]: one for one in done.document["items"]}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "inbox/bad.zip": "does not run",
        "inbox/good.zip": "taken in",
        "inbox/noise.zip": "refused",
    }
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["team08_Pack"]
    pages = {
        name: MarkdownIt("commonmark").enable("table").render((tmp_path / one["feedback"]).read_text())
        for name, one in found.items()
    }
    assert (
        "<h1>08_Pack: taken in</h1>" in pages["inbox/good.zip"]
        and "<td>parameters</td>" in pages["inbox/good.zip"]
    )
    assert "a toy that fails" in pages["inbox/bad.zip"] and "cannot be unpacked" in pages["inbox/noise.zip"]
    assert str(tmp_path) not in "".join(pages.values()) and "/tmp/" not in "".join(pages.values())


def test_without_a_trial_nothing_is_run(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toys.write_toy(tmp_path / "inbox/x", 6, "Bad", body=toys.RAISES)
    result = call("intake", "inbox", "--no-check", "--feedback", "sheets")
    assert result.exit_code == 0 and "taken in: x  06_Bad" in result.stdout
    assert (tmp_path / "sheets/x.md").read_text().startswith("# 06_Bad: taken in")
    assert call("intake", "nowhere", "--no-check").exit_code == 2
