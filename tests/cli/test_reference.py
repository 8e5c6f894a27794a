"""References that are kept by a name, and own rows among those of one."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from challenge_files import model, write_json
from html_pages import Page
from imported_results import call, published
from record_factory import make_environment, make_record

from ntire_bench.records import store


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_json(Path("results.json"), {"07_A": model(), "08_B": model(8.0)})
    return tmp_path


def add(*words: str, file: str = "results.json", name: str = "last-year"):
    return call("reference", "add", file, "--protocol", "ntire2024", "--name", name, *words)


def test_a_results_file_is_kept_and_shown_by_its_name() -> None:
    done = add()
    assert done.exit_code == 0
    told = (
        "3 rows of results.json kept in leaderboard/references/last-year: ntire-bench leaderboard --reference"
    )
    assert done.stderr == f"{told} last-year\n"
    shown = call("leaderboard", "--reference", "last-year")
    assert shown.exit_code == 0 and shown.stdout == done.stdout and "08_B" in shown.stdout
    # It does not meet what is measured here.
    assert call("leaderboard").exit_code == 1
    assert add().exit_code == 0  # the same again
    listed = call("reference", "list").stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["ntire2024", "35"], ["last-year", "3"]]
    documents = json.loads(call("reference", "list", "--json").stdout)
    assert [(item["name"], item["rows"]) for item in documents] == [("ntire2024", 35), ("last-year", 3)]


def test_add_for_programs() -> None:
    document = json.loads(add("--json").stdout)
    assert (document["name"], document["protocol"], len(document["records"])) == ("last-year", "ntire2024", 3)
    assert [row["rank"] for row in document["leaderboard"]["rows"]] == [1, 2, None]


def test_a_name_that_is_taken_is_refused() -> None:
    add()
    write_json(Path("other.json"), {"07_A": model(), "08_B": model(9.0)})
    done = add(file="other.json")
    assert done.exit_code == 2 and "there is a reference last-year already, of other rows" in done.stderr
    for name, told in (("ntire2024", "comes with this program"), ("../up", "cannot be called so")):
        refused = add(name=name)
        assert refused.exit_code == 2 and told in refused.stderr and refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--reference", "none"], "there is no reference 'none'; found ntire2024"),
        (["--among", "none"], "there is no reference 'none'"),
        (["--reference", "ntire2024", "--protocol", "ntire2025"], "--protocol does not go with --reference"),
        (
            ["--among", "ntire2024", "--format", "challenge"],
            "choose one of table, md, csv, json, latex, html",
        ),
        (["--among", "ntire2024", "--format", "codabench", "-o", "out"], "files are of one team"),
        (["--among", "ntire2024", "--format", "md", "--notes"], "--notes does not go with --among"),
        (["--among", "ntire2024", "--psnr-channel", "y"], "ntire2024 is judged in RGB"),
        (["--among", "ntire2024", "--reference", "ntire2024"], "both name a reference"),
    ],
)
def test_wrong_use_is_one_message(words: list[str], told: str) -> None:
    done = call("leaderboard", *words)
    assert done.exit_code == 2 and told in done.stderr and done.stderr.count("\n") == 1


def test_a_published_table_is_ranked_by_other_weights(root: Path) -> None:
    done = call(
        "leaderboard", "--reference", "ntire2024", "--weights", "runtime=0,flops=1,params=0", "--json"
    )
    document = json.loads(done.stdout)
    ranks = {row["name"]: row["rank"] for row in document["rows"] if row["rank"]}
    assert ranks == {
        line["team"]: int(line["rank_flops"]) for line in published(root) if line["rank_flops"].isdigit()
    }
    assert document["anew"]["moves"]


def test_own_rows_stand_among_a_reference_in_columns_of_their_own() -> None:
    store.save(make_record(1, "Mine", flops=9_800_000_000), Path("leaderboard/results"))
    done = call("leaderboard", "--among", "ntire2024", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.exit_code == 0 and len(rows) == 35 + 2  # with the baseline of the own session
    assert [float(row["flops_g"]) for row in rows] == sorted(float(row["flops_g"]) for row in rows)
    for row in rows:
        mine, theirs = row["here_score_final"], row["reference_score_final"]
        assert bool(mine) != bool(theirs) and bool(mine) == (row["from"] == "here")
    (own,) = [row for row in rows if row["team"] == "01_Mine"]
    assert (own["here_rank"], own["psnr_valid_db"], own["reference_rank"]) == ("1", "26.93", "")  # on RGB
    first = next(row for row in rows if row["team"] == "XiaomiMM")
    assert (first["reference_rank"], first["here_rank"]) == ("1", "")
    assert (
        own["here_device"].startswith("NVIDIA GeForce RTX 3090")
        and own["reference_device"] == "NVIDIA RTX 3090"
    )


def test_a_reader_of_both_is_told_which_machine_each_is_of() -> None:
    record = make_record(1, "Mine", environment=make_environment("cpu", "Example CPU", threads=2))
    store.save(record, Path("leaderboard/results"))
    for fmt in ("table", "md"):
        text = " ".join(call("leaderboard", "--among", "ntire2024", "--format", fmt).stdout.split())
        assert "Measured here: Example CPU, 2 threads, torch 2.10.0. ntire2024: NVIDIA RTX 3090." in text
        assert "are not to be compared" in text
    table = call("leaderboard", "--among", "ntire2024").stdout
    (line,) = [line for line in table.splitlines() if "01_Mine" in line]
    assert re.search(r"12\.00 +10\.00 +\S+ +1 *$", line), line  # nothing in the reference's columns
    document = json.loads(call("leaderboard", "--among", "ntire2024", "--json").stdout)
    assert document["own"]["psnr_channel"] == document["reference"]["psnr_channel"] == "rgb"


def test_what_is_published_has_both_too(tmp_path: Path) -> None:
    """LaTeX for a paper, a page of one file: own rows stand out, and the machines stay apart."""
    store.save(make_record(1, "Mi</td>ne", flops=9_800_000_000), Path("leaderboard/results"))
    latex = call("leaderboard", "--among", "ntire2024", "--format", "latex").stdout
    assert r"\label{tab:ntire2024-among-ntire2024}" in latex and r"\multicolumn{3}{c}{Here}" in latex
    (own,) = [line for line in latex.splitlines() if "01\\_Mi" in line]
    assert own.startswith(r"\textbf{01\_Mi\textless{}/td\textgreater{}ne} & 26.93 & ")
    assert own.endswith(r"& 1 &  &  &  \\")
    done = call("leaderboard", "--among", "ntire2024", "--format", "html", "-o", "both.html")
    assert done.exit_code == 0 and done.stdout == ""
    page = Page(Path("both.html").read_text(encoding="utf-8"))
    rows = {row[0]: row[1:] for row in page.rows}
    assert rows["01_Mi</td>ne"][-3:] == ["", "", ""] and rows["01_Mi</td>ne"][-4] == "1"
    assert rows["XiaomiMM"][-6:] == ["", "", "", "5.59", "2.61", "1"]  # Table 1 of the report
    assert "are not to be compared" in page.text and "Source of ntire2024" in page.text
    assert [held["class"] for tag, held in page.seen if tag == "tr" and held.get("class")] == ["own"] * 2


def test_among_with_no_own_rows_is_exit_1() -> None:
    done = call("leaderboard", "--among", "ntire2024")
    assert done.exit_code == 1 and "XiaomiMM" in done.stdout and "ntire-bench run --all" in done.stderr
