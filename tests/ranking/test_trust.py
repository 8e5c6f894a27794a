"""Records whose figures were changed are not ranked, and the field is named."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from record_factory import make_record
from timed_records import timed

from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking import trust, verification
from ntire_bench.ranking.board import build
from ntire_bench.ranking.stored import board_of_records
from ntire_bench.ranking.verification import contradiction
from ntire_bench.records import store

# What a run of this program has written.
REAL = Path(__file__).parents[1] / "fixtures" / "records" / "v2_ok.json"
Document = dict[str, Any]


def rules() -> Any:
    return protocols.load(json.loads(REAL.read_text())["protocol"]["name"])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NTIRE_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def written(document: Document, folder: Path) -> Path:
    path = folder / document["protocol"]["name"] / "38_SPAN" / "20261128T000000.000000Z.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rules_now = {"name": rules().name, "sha256": rules().sha256}  # those of the file may be older
    path.write_text(json.dumps({**document, "protocol": rules_now}))
    return path


def images(document: Document) -> list[Document]:
    return [image for split in document["splits"].values() for image in split["per_image"]]


def one_ms(document: Document) -> None:
    document["splits"]["valid"]["runtime_ms"] = 1.0


def one_image(document: Document) -> None:
    images(document)[0]["runtime_ms"] *= 0.9


def other_pairs(document: Document) -> None:
    """The calls in another order: medians stay, and the ratio of pairs does not."""
    for image in images(document):
        image["runtime_samples_ms"].sort()


def better_psnr(document: Document) -> None:
    document["splits"]["test"]["psnr_y_db"] += 0.05


def other_psnr(document: Document) -> None:
    images(document)[0]["psnr_rgb_db"] += 0.05


def more_images(document: Document) -> None:
    document["splits"]["valid"]["images"] = 200


def no_images(document: Document) -> None:
    document["splits"]["valid"]["per_image"] = []


def slow_baseline(document: Document) -> None:
    document["baseline"]["splits"]["valid"]["runtime_ms"] *= 2


def ratio(document: Document) -> None:
    document["timing"]["ratio"] *= 0.5


def split_ratio(document: Document) -> None:
    document["timing"]["split_ratios"]["valid"] *= 0.5


def rounds(document: Document) -> None:
    document["rounds"] = 60


def score(document: Document) -> None:
    document["score"]["final"] = 1.5


def parameters(document: Document) -> None:
    document["complexity"]["params"] = 10


def flops(document: Document) -> None:
    document["complexity"]["flops"] = 1_000_000
    document["complexity"]["audit"]["flops"] = 1_000_000


def finding(document: Document) -> None:
    document["findings"] = []


def official_flops(document: Document) -> None:
    """What `--costs official` ranks by; the score is by the audit's, and stays."""
    document["complexity"]["flops"] = 10


def audited_flops(document: Document) -> None:
    document["complexity"]["audit"]["flops"] = 10


def audited_params(document: Document) -> None:
    document["complexity"]["audit"]["params"] = 10


def no_score(document: Document) -> None:
    """Costs that no score contradicts any more."""
    document["score"] = None
    document["complexity"]["params"] = 10


def no_timing(document: Document) -> None:
    document["timing"] = document["score"] = None


def no_word_on_clocks(document: Document) -> None:
    document["timing"]["attested"] = None


def one_split_alone(document: Document) -> None:
    document["splits"].pop("test")


def narrow_interval(document: Document) -> None:
    ratio = document["timing"]["ratio"]
    document["timing"]["ratio_ci95"] = [ratio * 0.999, ratio * 1.001]


def countable(document: Document) -> None:
    document["complexity"]["audit"]["uncountable"] = ["team::scan"]


def hidden_weights(document: Document) -> None:
    document["complexity"]["audit"]["hidden"] = ["tail.weight"]


def finding_on_flops(document: Document) -> None:
    """The audit's count is scored, and nothing says why."""
    costs = document["complexity"]
    costs["flops"] = costs["audit"]["traced_products"] = 1_000_000


def fast_and_alike(document: Document) -> None:
    """All calls a tenth, with every figure that follows from them; the parent's clock stays."""
    for image in images(document):
        image["runtime_samples_ms"] = [call / 10 for call in image["runtime_samples_ms"]]
        image["runtime_ms"] /= 10
    for split in document["splits"].values():
        split["runtime_ms"] /= 10
    timing = document["timing"]
    timing["ratio"] /= 10
    timing["ratio_ci95"] = [value / 10 for value in timing["ratio_ci95"]]
    timing["split_ratios"] = {split: value / 10 for split, value in timing["split_ratios"].items()}


FORGED: list[tuple[Callable[[Document], None], str]] = [
    (one_ms, "splits.valid.runtime_ms holds 1,"),
    (one_image, "runtime_ms holds"),
    (other_pairs, "timing.ratio holds"),
    (better_psnr, "splits.test.psnr_y_db"),
    (other_psnr, "splits.valid.psnr_rgb_db"),
    (more_images, "splits.valid.images holds 200, and 3 follows"),
    (no_images, "splits.valid.per_image is empty"),
    (slow_baseline, "baseline.splits.valid.runtime_ms"),
    (ratio, "timing.ratio"),
    (split_ratio, "timing.split_ratios.valid"),
    (rounds, "runtime_samples_ms, their number, holds 4, and 60 follows"),
    (score, "score.final holds 1.5"),
    (parameters, "score.params"),
    (flops, "score.flops"),
    (finding, "findings lack runtime-unstable"),
    (official_flops, "complexity.flops holds 10, and at least 9833807872 follows"),
    (audited_flops, "complexity.audit.flops holds 10, and at least"),
    (audited_params, "complexity.audit.params holds 10, and at least"),
    (no_score, "score is missing"),
    (no_timing, "timing.attested is missing"),
    (no_word_on_clocks, "timing.attested is missing"),
    (one_split_alone, "baseline.splits test and valid"),
    (narrow_interval, "timing.half_width"),
    (countable, "findings lack flops-not-countable"),
    (hidden_weights, "findings lack flops-hidden-weights"),
    (finding_on_flops, "findings lack what makes complexity.audit.flops higher"),
    (fast_and_alike, "brackets_ms, which timing.attested says"),
]


def test_an_overhead_that_was_large_when_it_was_measured_contradicts_nothing() -> None:
    """Small images on a busy machine: the overhead was 4 ms before the calls, and less in them."""
    record = store.load(REAL)

    def busy(splits: Any) -> Any:
        return {
            name: dataclasses.replace(
                split,
                per_image=tuple(
                    dataclasses.replace(
                        image,
                        brackets_ms=tuple(call + 1.0 for call in image.runtime_samples_ms),
                        overhead_ms=(4.0,) * len(image.overhead_ms),
                        overhead_spread_ms=(2.0,) * len(image.overhead_ms),
                    )
                    for image in split.per_image
                ),
            )
            for name, split in splits.items()
        }

    assert record.baseline is not None
    baseline = dataclasses.replace(record.baseline, splits=busy(record.baseline.splits))
    assert (
        contradiction(dataclasses.replace(record, splits=busy(record.splits), baseline=baseline), rules())
        is None
    )


def test_what_the_program_has_written_follows() -> None:
    assert contradiction(store.load(REAL), rules()) is None


@pytest.mark.parametrize(("change", "field"), FORGED, ids=[change.__name__ for change, _ in FORGED])
def test_a_figure_that_was_changed_is_named(
    tmp_path: Path, change: Callable[[Document], None], field: str
) -> None:
    document = json.loads(REAL.read_text())
    change(document)
    path = written(document, tmp_path)
    why = contradiction(store.load(path), rules())
    assert why is not None and field in why
    board = board_of_records(tmp_path, rules().name)
    assert [row for row in board.rows if row.entry.name == "SPAN"] == []
    (left,) = board.left_out
    assert left.kind == "contradictory" and left.reason == f"not believed: it contradicts itself: {why}"


def test_the_same_file_unchanged_is_ranked_and_remembered_by_its_hash(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads(REAL.read_text())
    written(document, tmp_path)
    assert not board_of_records(tmp_path, rules().name).left_out
    assert list(cache.iterdir())

    looked: list[str] = []

    def look(record: Any, _: Any) -> str | None:
        looked.append(record.submission.name)
        return None

    monkeypatch.setattr(verification, "contradiction", look)
    assert not board_of_records(tmp_path, rules().name).left_out and looked == []
    changed = copy.deepcopy(document)
    score(changed)
    written(changed, tmp_path)
    board_of_records(tmp_path, rules().name)
    assert looked == ["SPAN"]


def test_a_cache_that_cannot_be_written_or_read_changes_nothing_but_the_time(
    tmp_path: Path, cache: Path
) -> None:
    document = json.loads(REAL.read_text())
    score(document)
    written(document, tmp_path)
    cache.write_text("a file where the folder should be")
    for _ in range(2):
        assert [item.kind for item in board_of_records(tmp_path, rules().name).left_out] == ["contradictory"]


def test_what_a_doubted_record_hides_is_an_older_one_that_is_believed(tmp_path: Path) -> None:
    """A forged record does not take the place of the team's true one."""
    true = json.loads(REAL.read_text())
    path = written(true, tmp_path)
    forged = json.loads(path.read_text())
    one_ms(forged)
    forged["created_utc"] = "2027-01-01T00:00:00.000000Z"
    (path.parent / "20270101T000000.000000Z.json").write_text(json.dumps(forged))
    board = board_of_records(tmp_path, rules().name)
    (row,) = [row for row in board.rows if row.entry.name == true["submission"]["name"]]
    runtime = row.entry.runtime_by_split_ms["valid"]
    assert runtime == pytest.approx(true["splits"]["valid"]["runtime_ms"])
    assert [item.kind for item in board.left_out] == ["contradictory"]


def test_made_up_records_of_the_tests_follow_too(tmp_path: Path) -> None:
    found = protocols.load("ntire2024")
    for record in (make_record(), timed(1, "A", 0.5, 0.02)):
        assert contradiction(record, found) is None


def test_old_records_are_ranked_and_shown_as_not_verifiable() -> None:
    old, new = store.load(REAL.with_name("v1_ok.json")), store.load(REAL)
    assert [trust.is_verifiable(record) for record in (old, new)] == [False, True]
    now = protocols.load(old.protocol.name)
    of_these_rules = dataclasses.replace(old, protocol=dataclasses.replace(old.protocol, sha256=now.sha256))
    shown = build([store.Stored(path=Path("0.json"), record=of_these_rules)], now)
    assert shown.rows and [note for note in shown.notes if note.startswith("Not verifiable")]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_another_program_finds_the_signature_right(tmp_path: Path) -> None:
    import base64

    from ntire_bench.records.signing import PrivateKey, make_keys

    private, public = make_keys(tmp_path / "key")
    record = store.save(make_record(), tmp_path)
    told = json.loads(PrivateKey(private).sign(record).read_text())
    (tmp_path / "signature").write_bytes(base64.b64decode(told["signature"]))
    (tmp_path / "signed").write_bytes(b"ntire_bench record\n" + record.read_bytes())
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    words += ["-in", str(tmp_path / "signed"), "-sigfile", str(tmp_path / "signature")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Verified Successfully" in done.stdout, done.stderr


def test_only_the_users_own_eyes_read_a_private_key(tmp_path: Path) -> None:
    from ntire_bench.records.signing import make_keys

    private, _ = make_keys(tmp_path / "key")
    assert os.stat(private).st_mode & 0o077 == 0
