"""Submissions as teams send them: zip, folder, package, single file; what is refused, and what is left."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

import pytest
import toys

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.measuring.resolve import describe
from ntire_bench.submissions.models_folder import find
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import relative
from ntire_bench.workflows.check import Check
from ntire_bench.workflows.intake import Taken, intake, items_of


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path


def take(place: Path, **options: bool) -> dict[str, Taken]:
    items = items_of(place / "inbox")
    done = intake(items, place / "models", place / "model_zoo", trial=None, **options)
    return {taken.item.name: taken for taken in done}


def zipped(place: Path, name: str, source: Path) -> Path:
    target = place / "inbox" / name
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(source).as_posix())
    return target


def test_a_zip_of_models_and_model_zoo_is_taken_in_as_it_was(place: Path) -> None:
    toys.write_toy(place / "own", 5, "Net", body=toys.DECLARED)
    (place / "own" / "README.md").write_text("hello")
    zipped(place, "net.zip", place / "own")
    taken = take(place)["net.zip"]
    assert (taken.outcome, taken.label, taken.left) == ("taken in", "05_Net", ("README.md",))
    there = find(place / "models", place / "model_zoo").get(5)
    assert describe(there).files == describe(toys.found(place / "own")).files
    again = take(place)["net.zip"]
    assert again.outcome == "there already" and again.files == taken.files


def test_what_pack_wrote_is_taken_in(place: Path) -> None:
    from record_factory import make_record

    from ntire_bench.workflows.pack import pack

    toys.write_toy(place / "own", 5, "Net", body=toys.DECLARED)
    pack(toys.found(place / "own"), place / "inbox/team05_Net.zip", {"MAIL.txt": "x"}, make_record(5, "Net"))
    assert take(place)["team05_Net.zip"].outcome == "taken in"


def test_a_folder_with_files_beside_each_other_and_a_single_file(place: Path) -> None:
    for id_, name in ((6, "Flat"), (7, "Single")):
        toys.write_toy(place / f"own{id_}", id_, name, body=toys.DECLARED)
    flat = place / "inbox" / "their folder"
    flat.mkdir()
    for path in (place / "own6").rglob("*.p*"):
        shutil.copy(path, flat)
    for path in (place / "own7").rglob("*.p*"):
        shutil.copy(path, place / "inbox")
    found = take(place)
    assert {name: (one.outcome, one.label) for name, one in found.items()} == {
        "their folder": ("taken in", "06_Flat"),
        "team07_Single.py": ("taken in", "07_Single"),
    }
    assert sorted(find(place / "models", place / "model_zoo").submissions) == [6, 7]


def write_package(folder: Path, stem: str = "team08_Pack") -> Path:
    """Write a package whose __init__.py imports the network from a file that imports another one."""
    package = folder / "models" / stem
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .network import Toy\n\nSUBMISSION = {'data_range': 1}\n")
    (package / "network.py").write_text("from .blocks import *\n" + toys.TOY)
    (package / "blocks.py").write_text("WIDTH = 8\n")
    zoo = folder / "model_zoo"
    zoo.mkdir(exist_ok=True)
    import torch

    torch.save(toys.state_dict(), zoo / f"{stem}.pth")
    return package


def test_a_package_is_taken_in_with_all_its_files(place: Path) -> None:
    write_package(place / "own")
    zipped(place, "pack.zip", place / "own")
    taken = take(place)["pack.zip"]
    assert (taken.outcome, taken.label, taken.left) == ("taken in", "08_Pack", ())
    there = find(place / "models", place / "model_zoo").get(8)
    assert there.package == place / "models/team08_Pack" and there.stem == "team08_Pack"
    before = describe(there).files
    (place / "models/team08_Pack/blocks.py").write_text("WIDTH = 9\n")
    assert describe(there).files != before  # every file counts


def test_the_name_of_the_archive_names_a_model_file_without_an_id(place: Path) -> None:
    own = place / "own"
    toys.write_toy(own, 5, "Net", body=toys.DECLARED, stem="model")
    zipped(place, "team12_Late.zip", own)
    zipped(place, "unnamed.zip", own)
    found = take(place)
    assert found["team12_Late.zip"].label == "12_Late"
    assert sorted(path.name for path in found["team12_Late.zip"].files) == [
        "team12_Late.pth",
        "team12_Late.py",
    ]
    assert found["unnamed.zip"].outcome == "refused"
    assert "no model file that is named as a submission" in str(found["unnamed.zip"].reason)


def test_a_whole_checkout_is_refused_unless_its_name_says_whose_it_is(place: Path) -> None:
    for id_ in (5, 6):
        toys.write_toy(place / "own", id_, f"Net{id_}", body=toys.DECLARED)
    zipped(place, "checkout.zip", place / "own")
    zipped(place, "team06_Net6.zip", place / "own")
    found = take(place)
    assert "holds 2 submissions" in str(found["checkout.zip"].reason)
    assert found["team06_Net6.zip"].label == "06_Net6" and len(found["team06_Net6.zip"].left) == 2
    assert sorted(find(place / "models", place / "model_zoo").submissions) == [6]


def test_another_teams_id_is_refused_and_replaced_only_on_request(place: Path) -> None:
    toys.write_toy(place, 5, "Old", body=toys.DECLARED)
    toys.write_toy(place / "own", 5, "New", body=toys.toy("pass", head=toys.DECLARED))
    zipped(place, "new.zip", place / "own")
    refused = take(place)["new.zip"]
    assert refused.outcome == "refused" and "the id 05 is taken" in str(refused.reason)
    assert find(place / "models", place / "model_zoo").get(5).name == "Old"
    assert take(place, replace=True)["new.zip"].outcome == "taken in"
    catalogue = find(place / "models", place / "model_zoo")
    assert catalogue.get(5).name == "New" and catalogue.ignored == ()


def test_what_has_no_checkpoint_is_refused_in_the_words_of_what_was_sent(place: Path) -> None:
    toys.write_toy(place / "own", 5, "Net", body=toys.DECLARED, checkpoint=None)
    zipped(place, "net.zip", place / "own")
    text = str(take(place)["net.zip"].reason)
    assert "team05_Net.py: has no checkpoint" in text and "ntire_bench_intake_" not in text
    assert not (place / "models").exists()


@pytest.mark.parametrize("cwd", ["work", "work/deep"])
def test_no_message_names_the_temporary_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch, cwd: str
) -> None:
    """Neither as it is, nor relative to where the command runs."""
    (place / "temporary").mkdir()
    (place / cwd).mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(place / "temporary"))
    monkeypatch.chdir(place / cwd)
    toys.write_toy(place / "own", 6, "Net", body=toys.DECLARED)
    zipped(place, "none.zip", place / "own/models")

    def trial(submission: Submission) -> Check:
        where = relative(submission.file)
        raise SubmissionError(f"{where} fails", file=submission.file, found=where, remedy=f"look at {where}")

    toys.write_toy(place / "other", 7, "Fails", body=toys.DECLARED)
    zipped(place, "fails.zip", place / "other")
    done = intake(items_of(place / "inbox"), place / "models", place / "model_zoo", trial=trial)
    said = {taken.item.name: str(taken.reason) for taken in done}
    assert "has no checkpoint" in said["none.zip"] and "model_zoo/team06_Net.pth" in said["none.zip"]
    assert said["fails.zip"].count("models/team07_Fails.py") == 3
    assert not any("temporary" in text or "ntire_bench_intake" in text for text in said.values())


def test_the_same_files_under_another_name_are_called_as_they_lie_there(place: Path) -> None:
    toys.write_toy(place / "own", 5, "Net", body=toys.DECLARED)
    zipped(place, "a.zip", place / "own")
    for path in list((place / "own").glob("*/team05_*")):
        path.rename(path.with_name(f"team05_Renamed{path.suffix}"))
    zipped(place, "b.zip", place / "own")
    done = take(place)
    assert (done["b.zip"].outcome, done["b.zip"].label) == ("there already", "05_Net")


def test_an_archive_in_an_archive_is_named(place: Path) -> None:
    (place / "own").mkdir()
    (place / "own/inner.zip").write_bytes(b"PK")
    zipped(place, "team05_Net.zip", place / "own")
    assert "no Python file among inner.zip" in str(take(place)["team05_Net.zip"].reason)


def test_an_inbox_must_be_a_folder(place: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        items_of(place / "nothing")
    (place / "inbox/feedback").mkdir()
    (place / "inbox/.hidden").write_text("")
    assert items_of(place / "inbox") == []
