"""The command run: what it prints where, what it stores, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import COLOUR, Done, process
from PIL import Image
from record_factory import make_record

from ntire_bench.records import store


@pytest.fixture(scope="module")
def ran(place) -> Done:
    """Everything, in JSON, with options written as the challenge does."""
    return process(
        "run", "--all", "--data_dir", "images", "--include_test", "--rounds", 2, "--save_dir", "sr",
        "--ssim", "--psnr_channel", "rgb", "--json", "--device", "cpu", cwd=place,
    )  # fmt: skip


def test_run_json_is_one_document_and_all_else_goes_to_standard_error(ran, place):
    document = ran.document  # would raise if anything else were there
    assert ran.code == 1  # one of them failed
    assert set(document) == {"records", "already_done", "elsewhere", "leaderboard"}
    outcomes = {item["record"]["submission"]["id"]: item["record"] for item in document["records"]}
    assert {id_: record["status"] for id_, record in outcomes.items()} == {0: "ok", 1: "ok", 2: "failed"}
    for item in document["records"]:
        assert not Path(item["path"]).is_absolute()
        assert store.load(place / item["path"]).submission.id == item["record"]["submission"]["id"]
    assert set(outcomes[1]["splits"]) == {"valid", "test"}
    assert outcomes[1]["splits"]["test"]["ssim_y"] is not None
    assert outcomes[1]["rounds"] == 2 and outcomes[1]["psnr_channel"] == "rgb"
    rows = {row["name"]: row for row in document["leaderboard"]["rows"]}
    assert set(rows) == {"RLFN", "Good"}
    assert "01_Good" in ran.stderr and "02_Bad  failed in phase" in ran.stderr
    begins = "3 submissions on 3 images: about "  # said first, beside what isolation lacks
    assert ran.stderr.index(begins) < ran.stderr.index("00_RLFN  valid")


def test_nothing_that_is_piped_has_colours_bars_or_a_strangers_escapes(ran):
    assert not COLOUR.search(ran.stdout + ran.stderr)
    assert "\r" not in ran.stderr and "━" not in ran.stderr
    assert "ValueError: [31mred [0m" in ran.stderr  # its letters, not what they would do to a terminal


def test_sr_images_lie_under_save_dir(ran, place):
    images = sorted(str(path.relative_to(place / "sr")) for path in (place / "sr").rglob("*.png"))
    teams = [f"{team}/DIV2K_LSDIR_{split}" for team in ("00_RLFN", "01_Good") for split in ("test", "valid")]
    expected = [
        f"{team}/{n}.png" for team in teams for n in (("0801",) if "test" in team else ("0801", "0802"))
    ]
    assert images == expected
    assert Image.open(place / "sr" / images[0]).size == (128, 96)


def test_no_file_of_the_checkout_is_written(ran, place):
    assert sorted(path.name for path in place.iterdir()) == sorted(
        ["hopeless", "images", "leaderboard", "model_zoo", "models", "sr"]
    )


def believed(place: Path) -> list[str]:
    """Return the teams whose newest record is not measured again by --resume."""
    newest = {
        item.record.submission.label: item.record
        for item in store.load_all(place / "leaderboard" / "results")[0]
    }
    return [label for label, one in newest.items() if one.timing is not None and one.timing.attested]


def test_a_rejected_team_fails_the_run_that_leaves_it_out_too(ran, call, place):
    if "01_Good" not in believed(place):
        pytest.skip("the machine was busy: the record is not believed, and would be measured again")
    (item,) = [one for one in ran.document["records"] if one["record"]["submission"]["id"] == 1]
    path = place / item["path"]
    content = path.read_text()
    words = (
        "run",
        "1",
        "--data-dir",
        "images",
        "--include-test",
        "--rounds",
        2,
        "--resume",
        "--device",
        "cpu",
    )
    assert call(*words).exit_code == 0
    document = json.loads(content)
    document["findings"].append({"code": "memorized", "severity": "reject", "message": "it knows the images"})
    try:
        path.write_text(json.dumps(document))
        rejected = call(*words)
    finally:
        path.write_text(content)
    assert rejected.exit_code == 1 and "01_Good  done already: " in rejected.stderr


def test_resume_does_again_what_failed_and_says_what_is_done(ran, call, place):
    before = believed(place)  # not all of them on a busy machine
    again = call(
        "run", "--all", "--data-dir", "images", "--include-test", "--rounds", 2, "--resume", "--device", "cpu"
    )
    assert again.exit_code == 1  # what fails, fails again
    assert "02_Bad  failed" in again.stderr
    for label in before:
        assert f"{label}  done already: leaderboard/results/ntire2024/{label}/" in again.stderr
    assert str(place) not in again.stdout + again.stderr
    assert "01_Good" in again.stdout and "Rank" in again.stdout
    assert not COLOUR.search(again.stdout)


def test_test_demo_takes_the_challenges_flags(place, tmp_path, root):
    """From the checkout, as the challenge's participants call it."""
    arguments = ["--model_id", "1", "--save_dir", tmp_path / "sr", "--include_test", "--ssim"]
    arguments += ["--model_zoo", place / "model_zoo", "--models", place / "models", "--rounds", "1"]
    arguments += ["--data_dir", place / "images", "--results", tmp_path / "results"]
    done = process(*arguments, cwd=root, program=(sys.executable, "test_demo.py"))
    assert done.code == 0, done.stderr
    (stored,) = store.load_all(tmp_path / "results")[0]
    assert stored.record.submission.name == "Good" and set(stored.record.splits) == {"valid", "test"}
    assert stored.record.splits["valid"].ssim_y is not None
    assert len(list((tmp_path / "sr").rglob("*.png"))) == 3
    assert "01_Good" in done.stdout and "SSIM" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["run", "1", "--rounds", "1", "--save_images"], ["gate", "1"]], ids=lambda c: c[0]
)
@pytest.mark.parametrize("as_json", [False, True])
def test_the_sample_set_is_named_wherever_it_is_used(place, tmp_path, command, as_json):
    places = ["--models", place / "models", "--model_zoo", place / "model_zoo"]
    done = process(*command, *places, *(["--json"] if as_json else []), cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert "SAMPLE: not comparable with the challenge." in done.stderr
    assert len(list((tmp_path / "results" / "01_Good").rglob("*.png"))) == (3 if "run" in command else 0)
    if as_json:
        documents = [done.document, *(item["record"] for item in done.document.get("records", ()))]
        assert documents[-1]["sample"] is True
    else:
        assert "SAMPLE" in done.stdout


def test_run_shows_the_board_of_the_device_it_ran_on(call, here, tmp_path):
    """Two teams of another device do not push the new row out."""
    for id_, name in ((5, "Eve"), (6, "Fay")):
        store.save(make_record(id_, name, created_utc="2026-01-01T00:00:00Z"), tmp_path / "results")
    result = call("run", "0", "--data_dir", "images", "--rounds", "1", "--results", tmp_path / "results")
    assert result.exit_code == 0
    assert re.search(r"^ *00_RLFN \(baseline\)\S* .* 7\.39", result.stdout, re.MULTILINE), result.stdout


def test_test_demo_evaluates_0_only_where_nothing_is_named(root, tmp_path):
    """The challenge's --model_id has the default 0."""
    models = tmp_path / "models"
    models.mkdir()

    def missing(*words):
        command = [sys.executable, str(root / "test_demo.py"), "--models", str(models), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done.stderr
        return re.findall(r"there is no submission (\d+)", done.stderr)

    assert missing() == ["00"]
    assert missing("--model_id", "7") == ["07"]
    assert missing("7") == ["07"]
