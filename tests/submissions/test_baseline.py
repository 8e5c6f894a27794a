"""Which submission is the baseline: named by an option, found by a rule, or asked for; never the first."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import challenge_checkout
import pytest
import toys
from click.testing import Result
from pairs import smooth, write_pairs
from record_factory import make_record

from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.isolation.choose import isolation_for
from ntire_bench.measuring.options import Options
from ntire_bench.protocols import protocol
from ntire_bench.ranking.entry import entry_from_record
from ntire_bench.records import store
from ntire_bench.submissions import baseline_choice, models_folder
from ntire_bench.submissions.baseline_rule import called, rule
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.checkout import find
from ntire_bench.workflows import rehearse
from ntire_bench.workflows.data import Data

IMAGES = Data((), protocol.load("sample"))
DECLARED = toys.toy(head='SUBMISSION = {"model": "Toy", "data_range": 1}')


def named(*labels: str) -> list[SimpleNamespace]:
    """Return submissions of these labels, by id."""
    parts = [label.split("_", 1) for label in labels]
    items = [
        SimpleNamespace(id=int(id_), name=name, label=label, file=Path(f"models/team{id_}_net.py"))
        for (id_, name), label in zip(parts, labels, strict=True)
    ]
    return sorted(items, key=lambda item: item.id)


# The rule


@pytest.mark.parametrize(
    ("labels", "id_", "namesakes"),
    [
        (["00_RLFN", "05_B"], 0, ()),
        (["00_rlfn", "05_B"], 0, ()),
        (["38_RLFN", "05_B"], 38, ()),  # as 38_SPAN is under ntire2026
        (["00_RLFN", "41_RLFN", "07_rLfN"], 0, (7, 41)),
        (["00_RLFN", "03_RLFN_baseline", "41_RLFN-S"], 0, ()),
        (["00_RLFN_baseline", "05_B"], 0, ()),
        (["00_RLFN_baseline", "41_RLFN_baseline"], 0, ()),
        (["03_RLFN", "41_RLFN"], None, ()),
        (["00_B", "03_RLFN", "41_RLFN"], None, ()),
        (["41_RLFN_baseline", "05_B"], None, ()),
        (["41_RLFN", "00_RLFN_baseline"], None, ()),  # or a stranger would take the organizer's place
        (["41_RLFN", "00_RLFN-S"], 41, ()),
        (["05_MyRLFN", "00_B"], None, ()),
    ],
)
def test_among_the_files_of_models(labels, id_, namesakes):
    found = rule("RLFN", named(*labels), checkout=False)
    assert (found.id, found.namesakes) == (id_, namesakes)
    assert rule("RLFN", named(*labels)[::-1], checkout=False).id == id_  # whatever the order


@pytest.mark.parametrize(
    ("labels", "id_", "candidates"),
    [
        (["00_EFDN_baseline", "41_EFDN_baseline"], 0, (0, 41)),
        (["00_EFDN", "41_EFDN_baseline"], 0, (0, 41)),
        (["00_baseline efdn", "41_EFDN"], 0, (0, 41)),  # though another has the name itself
        (["41_EFDN_baseline", "07_B"], None, (41,)),
        (["00_B", "41_EFDN", "42_EFDN_baseline"], None, (41, 42)),
        (["00_MyEFDN", "07_B"], None, ()),
    ],
)
def test_among_the_branches_of_a_checkout(labels, id_, candidates):
    found = rule("EFDN", named(*labels), checkout=True)
    assert (found.id, found.candidates, found.namesakes) == (id_, candidates, ())
    assert bool(found.how) == (id_ is not None)


def test_the_first_branch_may_be_called_after_another_network_than_its_file():
    """As in the denoising challenge: 00_RFDN_baseline is built of models/team00_SGN.py."""
    there = named("00_RFDN_baseline", "07_B")
    there[0].file, there[1].file = Path("models/team00_SGN.py"), Path("models/team07_SGN.py")
    assert rule("SGN", there, checkout=True).id == 0
    assert rule("SGN", there[1:], checkout=True).id is None  # the organizer's id alone has this
    assert rule("SGN", [*there, *named("41_SGN")], checkout=True).id is None  # another has the name
    assert rule("SGN", there, checkout=False).id is None


def test_what_a_user_calls_a_submission():
    there = named("00_EFDN_baseline", "03_Pair", "04_Pair", "41_EFDN_baseline", "42_EFDN-S")
    assert called("pair", there) == [3, 4]
    assert called("03_pair", there) == [3]
    assert called("EFDN", there) == [0, 41]  # to be asked about: which one comes first says nothing
    assert called("s", there) == [42]
    assert called("SPAN", there) == []


# Files


def drop_ins(folder: Path, *labels: str) -> Catalogue:
    for label in labels:
        id_, name = label.split("_", 1)
        toys.write_toy(folder, int(id_), name, body=DECLARED, checkpoint=b"not opened by the parent")
    return models_folder.find(folder / "models", folder / "model_zoo")


def with_options(catalogue, named=None, folder=None):
    return dataclasses.replace(catalogue, baseline_choice=named, baseline_folder=folder)


def test_who_takes_the_baselines_name_cannot_be_tried_and_all_others_can(tmp_path):
    catalogue = drop_ins(tmp_path, "00_RLFN", "05_rlfn", "07_RLFN-S", "09_B")
    settled = baseline_choice.without_namesakes(catalogue, "RLFN")
    assert list(settled.submissions) == [0, 7, 9] and list(settled.problems) == [5]
    with pytest.raises(SubmissionError) as caught:
        settled.get(5)
    assert str(caught.value).endswith(
        "team05_rlfn.py: takes the name of the baseline; expected a name of its own, as 00_RLFN is the "
        "baseline; found 05_rlfn. Remedy: rename it and its checkpoint, or name the baseline "
        "with --baseline ID."
    )
    for told in (catalogue, settled):
        assert baseline_choice.choose(told, "RLFN").label == "00_RLFN"
    # Of another baseline it does not take the name, and where an option says who it is, anybody may have it.
    assert baseline_choice.without_namesakes(catalogue, "B") == catalogue
    chosen = with_options(catalogue, "9")
    assert baseline_choice.without_namesakes(chosen, "RLFN") == chosen
    assert baseline_choice.choose(chosen, "RLFN").label == "09_B"


def test_a_baseline_that_is_not_there_or_cannot_be_tried(tmp_path):
    catalogue = drop_ins(tmp_path, "00_rlfn", "05_B")
    (tmp_path / "model_zoo" / "team05_B.pth").unlink()
    catalogue = models_folder.find(tmp_path / "models", tmp_path / "model_zoo")
    with pytest.raises(UsageError, match=r"baseline SPAN is not among .*00_rlfn, 05_B.*team00_SPAN.py"):
        baseline_choice.choose(catalogue, "SPAN")
    with pytest.raises(SubmissionError, match="has no checkpoint"):
        baseline_choice.choose(catalogue, "B")
    for text, message in (
        ("77", "no submission 77"),
        ("x", "baseline x is not among"),
        ("9" * 5000, "is not"),
    ):
        with pytest.raises(UsageError, match=message):
            baseline_choice.choose(with_options(catalogue, text), "RLFN")


@pytest.mark.parametrize(("text", "id_"), [("0", 0), ("00", 0), ("004", 4), ("b", 4), ("rlfn", 0)])
def test_an_id_with_zeros_or_a_name_that_one_has(tmp_path, text, id_):
    catalogue = with_options(drop_ins(tmp_path, "00_RLFN_baseline", "04_B"), text)
    assert baseline_choice.choose(catalogue, "RLFN").id == id_


def test_a_name_that_several_have_is_asked_about(tmp_path):
    catalogue = with_options(drop_ins(tmp_path, "00_RLFN", "04_RLFN"), "rlfn")
    with pytest.raises(UsageError, match="several .* baseline rlfn; found 00_RLFN, 04_RLFN.*--baseline ID"):
        baseline_choice.choose(catalogue, "SPAN")
    assert baseline_choice.choose(with_options(catalogue, "04_RLFN"), "SPAN").id == 4


@pytest.mark.parametrize("inner", [True, False])
def test_a_folder_of_the_baselines_own(tmp_path, inner):
    """In models/ and model_zoo/, or side by side; of several the one that is named so, or chosen."""
    folder = tmp_path / "base"
    drop_ins(folder, "00_RLFN")
    if not inner:
        for file in sorted(folder.glob("*/*")):
            file.rename(folder / file.name)
        for empty in ("models", "model_zoo"):
            (folder / empty).rmdir()
    there = drop_ins(tmp_path, "00_RLFN", "05_B")
    catalogue = with_options(there, folder=baseline_choice.find_folder(folder))
    found = baseline_choice.choose(catalogue, "RLFN")
    assert found.file == (folder / "models" if inner else folder) / "team00_RLFN.py"
    assert not found.is_same_as(there.get(0)) and found.baseline_because == ""
    only = baseline_choice.choose(catalogue, "SPAN")
    assert only.file == found.file and "the only one in --baseline-dir" in only.baseline_because
    home = folder if inner else tmp_path / "second"
    drop_ins(home, "38_SPAN", "39_B")
    several = with_options(there, folder=baseline_choice.find_folder(home))
    assert baseline_choice.choose(several, "SPAN").id == 38
    assert baseline_choice.choose(dataclasses.replace(several, baseline_choice="39"), "SPAN").id == 39
    with pytest.raises(UsageError, match="EFDN is not among .*38_SPAN, 39_B"):
        baseline_choice.choose(several, "EFDN")


def test_folders_that_hold_no_baseline(tmp_path):
    with pytest.raises(UsageError, match="is not a folder.*Remedy: correct --baseline-dir"):
        baseline_choice.find_folder(tmp_path / "nowhere")
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "rlfn.py").touch()
    catalogue = with_options(drop_ins(tmp_path, "00_RLFN"), folder=baseline_choice.find_folder(folder))
    with pytest.raises(UsageError, match=r"holds no submission .*rlfn.py.*put team00_RLFN.py and its"):
        baseline_choice.choose(catalogue, "RLFN")


def test_the_same_files_are_the_same_submission_by_whatever_path(tmp_path, monkeypatch):
    there = drop_ins(tmp_path, "00_RLFN").get(0)
    monkeypatch.chdir(tmp_path)
    again = baseline_choice.find_folder(Path(".")).get(0)
    assert again.file != there.file and again.is_same_as(there)
    assert not dataclasses.replace(again, checkpoint=None).is_same_as(there)
    assert not dataclasses.replace(again, id=1).is_same_as(there)


# The commands, with workers


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("images"), "valid", [smooth(1, 84, 120)])


def drop_in(folder: Path, id_: int, name: str, changes: str = "pass") -> None:
    body = toys.toy(changes, head='SUBMISSION = {"model": "Toy", "data_range": 1}')
    toys.write_toy(folder, id_, name, body=body, checkpoint=toys.state_dict())


def records_of(result: Result) -> dict[int, dict]:
    return {
        item["record"]["submission"]["id"]: item["record"] for item in json.loads(result.stdout)["records"]
    }


def short(images: Path) -> list[object]:
    return ["--rounds", 1, "--data-dir", images, "--device", "cpu"]


@pytest.mark.slow
def test_a_namesake_is_a_failed_record_of_its_own(call, tmp_path, images):
    drop_in(tmp_path, 0, "RLFN")
    drop_in(tmp_path, 1, "Good")
    drop_in(tmp_path, 41, "rlfn")
    result = call("run", "--all", *short(images), "--json")
    assert result.exit_code == 1, result.output
    records = records_of(result)
    assert {id_: record["status"] for id_, record in records.items()} == {0: "ok", 1: "ok", 41: "failed"}
    assert records[41]["error"]["phase"] == "find"
    assert "team41_rlfn.py: takes the name of the baseline" in records[41]["error"]["message"]
    assert "The baseline is 00_RLFN: of those with that name it has the id 0" in result.stderr
    for id_ in (0, 1):
        base = records[id_]["baseline"]["submission"]
        assert (base["id"], base["file"]) == (0, "models/team00_RLFN.py")
        told = [item for item in base["inferred"] if item["key"] == "baseline"]
        assert [item["value"] for item in told] == ["00_RLFN"] and "id 0" in told[0]["how"]
    assert records[0]["submission"] == records[0]["baseline"]["submission"]  # measured once
    for command in (["check", 41], ["fuse", 41]):
        refused = call(*command, "--device", "cpu")
        assert refused.exit_code == 1 and refused.stdout == ""
        assert refused.stderr.startswith("Error: models/team41_rlfn.py: takes the name of the baseline")
    gates = json.loads(call("gate", 1, 41, "--data-dir", images, "--json").stdout)["gates"]
    assert [(item["submission"], item["outcome"]) for item in gates][1] == ("41_rlfn", "not judged")
    assert "takes the name of the baseline" in gates[1]["reason"] and gates[0]["outcome"] == "pass"
    chosen = call("gate", 41, "--data-dir", images, "--baseline", 0)  # then anybody may have the name
    assert chosen.exit_code == 0 and chosen.stdout.startswith("PASS  41_rlfn")
    assert "No threshold of ntire2024 follows a baseline: none is run." in chosen.stderr
    assert call("gate", 41, "--data-dir", images, "--baseline", 77).exit_code == 2


@pytest.mark.parametrize("command", ["run", "gate"])
def test_a_named_baseline_that_is_not_there_is_told_before_the_images_are_looked_at(call, tmp_path, command):
    drop_ins(tmp_path, "50_B")
    result = call(command, 50, "--baseline", 77, "--data-dir", tmp_path / "nowhere")
    assert result.exit_code == 2 and "there is no submission 77" in result.stderr
    assert "nowhere" not in result.stderr and result.stderr.count("\n") == 1


def test_several_of_that_name_and_none_of_them_the_organizers(call, tmp_path, images):
    for label in ("03_RLFN", "41_RLFN", "50_B"):
        drop_ins(tmp_path, label)
    result = call("run", 50, *short(images))
    assert result.exit_code == 2 and result.stdout == ""
    (message,) = [line for line in result.stderr.splitlines(True) if not line.startswith("isolation")]
    assert message == (
        "Error: models: nothing says which submission is the protocol's baseline RLFN; expected one with the "
        "id 00 and RLFN in its name; found 03_RLFN, 41_RLFN. Remedy: choose it with --baseline ID, or name a "
        "folder of its own with --baseline-dir.\n"
    )
    assert not (tmp_path / "leaderboard" / "results" / "ntire2024").exists()


@pytest.fixture(scope="module")
def efdn(tmp_path_factory) -> Path:
    """A checkout in which two branches have the baseline's name, and one looks for the organizer's files."""
    titles = {41: "EFDN_baseline", 0: "EFDN_baseline", 7: "Nosy"}
    nosy = challenge_checkout.network(
        before="assert not list(__import__('pathlib').Path('..').glob('base/*'))"
    )
    return challenge_checkout.write_small(tmp_path_factory.mktemp("esr") / "checkout", titles, {7: nosy})


@pytest.mark.slow
def test_of_branches_with_the_baselines_name_that_with_the_id_0_is_it(call, efdn, images):
    options = ["--challenge-root", efdn, "--protocol", "ntire2025", *short(images)]
    result = call("run", "--all", *options, "--json")
    assert result.exit_code == 0, result.output
    records = records_of(result)
    assert sorted(records) == [0, 7, 41]
    for record in records.values():
        base = record["baseline"]["submission"]
        assert (base["id"], base["name"]) == (0, "EFDN_baseline")
        (told,) = [item for item in base["inferred"] if item["key"] == "baseline"]
        assert told["how"] == "EFDN is in its name, and its id is 0"
    line = (
        "The baseline is 00_EFDN_baseline: EFDN is in its name, and its id is 0 (--baseline names another)."
    )
    assert result.stderr.count(line) == 1
    rows = json.loads(result.stdout)["leaderboard"]["rows"]
    assert {row["id"]: row["is_baseline"] for row in rows} == {0: True, 7: False, 41: False}


@pytest.mark.parametrize("titles", [{41: "EFDN_baseline", 0: "B"}, {41: "EFDN", 42: "EFDN_baseline", 1: "B"}])
def test_without_a_branch_0_of_that_name_the_command_asks(call, tmp_path, images, titles):
    root = challenge_checkout.write_small(tmp_path / "checkout", titles)
    result = call("run", "--all", "--challenge-root", root, "--protocol", "ntire2025", *short(images))
    assert result.exit_code == 2 and result.stdout == "" and result.stderr.count("Error: ") == 1
    fitting = ", ".join(f"{id_}_{title}" for id_, title in titles.items() if "EFDN" in title)
    assert f"found {fitting}. Remedy: choose it with --baseline ID" in result.stderr


@pytest.mark.slow
def test_a_checkout_against_a_baseline_that_its_submissions_cannot_read(call, efdn, images, tmp_path):
    if isolation_for("auto").level == "L0":
        pytest.skip("no isolation can be had on this machine")
    base = efdn.parent / "base"
    drop_in(base, 0, "EFDN", "sr = sr * 1")
    options = ["--challenge-root", efdn, "--protocol", "ntire2025", *short(images), "--json"]
    result = call("run", 0, 7, *options, "--baseline-dir", base)
    assert result.exit_code == 0, result.output
    model, checkpoint = base / "models" / "team00_EFDN.py", base / "model_zoo" / "team00_EFDN.pth"
    for record in records_of(result).values():
        told = record["baseline"]["submission"]
        assert (told["id"], told["name"], told["model"]) == (0, "EFDN", "Toy")
        assert told["file_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
        assert told["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        assert (tmp_path / told["file"]).samefile(model)
    # The check of the branch is one: without isolation it does find the folder.
    found = call("run", 7, *options, "--baseline-dir", base, "--isolation", "none")
    assert found.exit_code == 1 and "AssertionError" in records_of(found)[7]["error"]["message"]
    shutil.rmtree(base)


def test_a_baseline_inside_the_checkout_is_refused(call, images, tmp_path):
    root = challenge_checkout.write_small(tmp_path / "checkout", {0: "EFDN_baseline"})
    zoo = tmp_path / "disk"
    (root / "model_zoo").rename(zoo)
    (root / "model_zoo").symlink_to(zoo)
    drop_ins(root / "base", "00_EFDN")
    drop_ins(tmp_path / "linked", "00_EFDN")
    (tmp_path / "linked" / "model_zoo" / "team00_EFDN.pth").unlink()
    (tmp_path / "linked" / "model_zoo" / "team00_EFDN.pth").symlink_to(zoo / "team00.pth")
    for base in (root / "base", tmp_path / "linked"):
        options = ["--challenge-root", root, "--protocol", "ntire2025", "--baseline-dir", base]
        result = call("run", 0, *options, *short(images))
        assert result.exit_code == 2, result.output
        assert "the baseline lies where the submissions of the checkout can read it" in result.stderr
        assert "Remedy: copy it there" in result.stderr


@pytest.mark.slow
def test_a_submission_of_the_baselines_id_and_name_is_an_ordinary_one(call, tmp_path, images):
    drop_in(tmp_path, 0, "RLFN", "sr = sr * 1")
    drop_in(tmp_path / "base", 0, "RLFN")
    result = call("run", 0, *short(images), "--baseline-dir", "base", "--json")
    assert result.exit_code == 0, result.output
    record = records_of(result)[0]
    assert record["submission"]["file"] == "models/team00_RLFN.py"
    assert record["baseline"]["submission"]["file"] == "base/models/team00_RLFN.py"
    assert record["submission"]["file_sha256"] != record["baseline"]["submission"]["file_sha256"]
    rows = [
        (row["is_baseline"], row["rank"] is None) for row in json.loads(result.stdout)["leaderboard"]["rows"]
    ]
    assert sorted(rows) == [
        (False, False),
        (True, True),
    ]  # ranked, and the baseline of its session out of rank
    written = call("leaderboard", "--format", "challenge").stdout.splitlines()[1:]
    assert sorted(line.split("\t")[0].strip() for line in written) == ["00_RLFN", "00_RLFN_baseline"]
    # The same files under another path are the same submission: measured once.
    same = records_of(call("run", 0, *short(images), "--baseline-dir", tmp_path, "--json"))[0]
    assert same["submission"] == same["baseline"]["submission"]


def test_a_row_is_the_baseline_by_its_files_not_by_its_name():
    rules = protocol.load("ntire2024")
    record = make_record(0, "RLFN")
    assert entry_from_record(record, rules, "y").is_baseline
    other = dataclasses.replace(record.baseline.submission, file="base/team00_RLFN.py", file_sha256="1" * 64)
    beside = dataclasses.replace(record, baseline=dataclasses.replace(record.baseline, submission=other))
    assert not entry_from_record(beside, rules, "y").is_baseline


# check --strict


def test_a_rehearsal_without_a_baseline_says_so(tmp_path, monkeypatch):
    catalogue = drop_ins(tmp_path, "05_B", "41_RLFN", "42_RLFN")
    ran = []

    def evaluated(item, baseline, *_, **__):
        ran.append((item.label, baseline.label))
        return make_record(5, "B")

    monkeypatch.setattr(rehearse, "evaluate", evaluated)
    said: list[str] = []
    options = Options(psnr_channel="y")
    rehearse.rehearse(catalogue.get(5), catalogue, options, said.append, IMAGES)
    assert ran == [("05_B", "05_B")] and len(said) == 1
    assert said[0].startswith("Evaluated without a baseline") and "found 41_RLFN, 42_RLFN" in said[0]
    rehearse.rehearse(catalogue.get(5), with_options(catalogue, "41"), options, said.append, IMAGES)
    assert ran[1:] == [("05_B", "41_RLFN")] and len(said) == 1
    with pytest.raises(UsageError, match="no submission 77"):  # what a user names is not passed over
        rehearse.rehearse(catalogue.get(5), with_options(catalogue, "77"), options, said.append, IMAGES)


def test_a_baseline_that_cannot_be_tried_is_not_the_submissions_fault(call, tmp_path):
    drop_in(tmp_path, 5, "B")
    drop_ins(tmp_path, "06_C")
    (tmp_path / "model_zoo" / "team06_C.pth").unlink()
    result = call("check", 5, "--strict", "--baseline", 6, "--device", "cpu")
    assert result.exit_code == 2 and "team06_C.py: has no checkpoint" in result.stderr
    result = call("check", 5, "--baseline-dir", tmp_path)
    assert result.exit_code == 2 and "Remedy: add --strict" in result.stderr


# import


def test_rows_of_the_baselines_name_in_a_results_file_are_asked_about(call, tmp_path):
    row = {"valid_runtime": [1.0], "valid_psnr": [27.0], "num_parameters": 0.3, "flops": 17.0}
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"41_EFDN_baseline": row, "00_EFDN_baseline": row}))
    result = call("import", file, "--protocol", "ntire2025")
    assert result.exit_code == 2 and "found 41_EFDN_baseline, 00_EFDN_baseline" in result.stderr
    assert "name the baseline's row with --baseline" in result.stderr
    assert call("import", file, "--protocol", "ntire2025", "--baseline", "00_EFDN_baseline").exit_code == 0
    assert len(store.load_all(tmp_path / "leaderboard" / "results")[0]) == 2


def test_a_checkouts_own_options_still_decide(efdn):
    catalogue = find.find(efdn)
    assert baseline_choice.choose(catalogue, "EFDN").id == 0
    assert baseline_choice.choose(with_options(catalogue, "41"), "EFDN").id == 41
    assert baseline_choice.choose(with_options(catalogue, "nosy"), "EFDN").id == 7
    with pytest.raises(UsageError, match="several .*00_EFDN_baseline, 41_EFDN_baseline"):
        baseline_choice.choose(with_options(catalogue, "efdn"), "SPAN")
    with pytest.raises(UsageError, match="the protocol's baseline SPAN is not among .* --baseline ID"):
        baseline_choice.choose(catalogue, "SPAN")
