"""What is sent: the archive holds the team's files, opens into a submission, and is the same each time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import toys
from record_factory import make_record

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.measuring.resolve import describe
from ntire_bench.protocols import protocol
from ntire_bench.records import store
from ntire_bench.records.record import Finding
from ntire_bench.submissions.models_folder import find
from ntire_bench.workflows import pack as packing


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    toys.write_toy(tmp_path, 5, "Net", body=toys.TOY)
    (tmp_path / "models/team05_Net.toml").write_text("data_range = 1\n")
    return tmp_path


def test_the_archive_opens_into_the_same_submission(place: Path) -> None:
    submission = toys.found(place)
    packed = packing.pack(
        submission, place / "out/a.zip", {"factsheet.md": "numbers\n"}, make_record(5, "Net")
    )
    with zipfile.ZipFile(packed.path) as archive:
        archive.extractall(place / "there")
    there = find(place / "there/models", place / "there/model_zoo").get(5)
    assert describe(there).files == describe(submission).files and there.declaration.data_range == 1
    sums = (place / "there/SHA256SUMS").read_text().splitlines()
    assert len(sums) == 4
    for line in sums:
        value, name = line.split("  ")
        assert hashlib.sha256((place / "there" / name).read_bytes()).hexdigest() == value
    listed = json.loads((place / "there/submission.json").read_text())
    assert listed["files"] == dict(packed.members) and listed["submission"] == "05_Net"
    assert packed.sha256 == hashlib.sha256(packed.path.read_bytes()).hexdigest()


def test_the_same_files_give_the_same_bytes(place: Path) -> None:
    one, other = (
        packing.pack(toys.found(place), place / name, {"a.md": "x"}, make_record(5, "Net")).path.read_bytes()
        for name in ("a.zip", "b.zip")
    )
    assert one == other


def test_what_fuse_wrote_is_sent_under_the_models_name(place: Path) -> None:
    zoo = place / "model_zoo"
    (zoo / "team05_Net_deploy.pth").write_bytes((zoo / "team05_Net.pth").read_bytes())
    members = packing.member_names(toys.found(place))
    assert members["model_zoo/team05_Net.pth"].name == "team05_Net_deploy.pth"
    assert sorted(members) == ["model_zoo/team05_Net.pth", "models/team05_Net.py", "models/team05_Net.toml"]


def test_numbers_must_be_of_the_files_as_they_are(place: Path) -> None:
    submission = toys.found(place)
    own = describe(submission)
    record = dataclasses.replace(make_record(5, "Net"), submission=own)
    store.save(record, place / "r")
    store.save(make_record(5, "Net", version="2"), place / "r")
    found = packing.record_of(submission, store.load_all(place / "r")[0])
    assert found.record.submission == own
    (place / "models/team05_Net.toml").write_text("data_range = 255\n")
    with pytest.raises(UsageError, match="no numbers of 05_Net as it is now"):
        packing.record_of(toys.found(place), store.load_all(place / "r")[0])


def test_what_an_organizer_would_object_to_is_said_or_refused(place: Path) -> None:
    submission = toys.found(place)
    rules = protocol.load("ntire2024")
    low = make_record(5, "Net", psnr={"valid": (20.0, 19.0)})
    warning = Finding(code="dead-weights", severity="warning", message="some")
    told = packing.remarks(submission, low, rules, [warning])
    assert any("would not pass the gate (below): valid: 20.00 dB" in text for text in told)
    assert "warning: [dead-weights] some" in told and any("--ssim" in text for text in told)
    odd = dataclasses.replace(submission, checkpoint=Path("model_zoo/team05_Net.safetensors"))
    assert ".pth, .pt, .ckpt" in packing.remarks(odd, low, rules, [])[0]
    packing.refuse_rejected(submission, [warning])
    with pytest.raises(SubmissionError, match="would be rejected"):
        packing.refuse_rejected(submission, [dataclasses.replace(warning, severity="reject")])
