"""Signatures: what is not signed, was changed or is signed with another key is left out."""

from __future__ import annotations

import builtins
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from record_factory import make_record

from ntire_bench.errors import UsageError
from ntire_bench.ranking.stored import board_of_records
from ntire_bench.records import store
from ntire_bench.records.signing import PrivateKey, PublicKey, make_keys, signature_path


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return make_keys(tmp_path / "keys" / "organizer")


@pytest.fixture
def results(tmp_path: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two teams, both signed."""
    monkeypatch.setenv("NTIRE_BENCH_CACHE", str(tmp_path / "cache"))
    key = PrivateKey(keys[0])
    for id_, name in ((1, "A"), (2, "B")):
        key.sign(store.save(make_record(id_, name), tmp_path / "results"))
    return tmp_path / "results"


def record_of(results: Path, name: str) -> Path:
    (path,) = results.glob(f"*/{name}/*.json")
    return path


def left_out(results: Path, key: Path) -> dict[str, tuple[str, str]]:
    board = board_of_records(results, "ntire2024", key=key)
    return {item.team: (item.kind, item.reason) for item in board.left_out}


def test_signed_records_are_ranked(results: Path, keys: tuple[Path, Path]) -> None:
    assert left_out(results, keys[1]) == {}
    board = board_of_records(results, "ntire2024", key=keys[1])
    assert {row.entry.name for row in board.rows if row.rank is not None} == {"A", "B"}


def test_what_is_not_signed_is_left_out(results: Path, keys: tuple[Path, Path]) -> None:
    signature_path(record_of(results, "02_B")).unlink()
    assert left_out(results, keys[1]) == {"02_B": ("unsigned", "not believed: it is not signed")}
    assert board_of_records(results, "ntire2024").left_out == ()  # nobody asked for signatures


def test_one_byte_is_enough(results: Path, keys: tuple[Path, Path]) -> None:
    path = record_of(results, "01_A")
    path.write_bytes(path.read_bytes() + b"\n")
    (found,) = left_out(results, keys[1]).values()
    assert found == ("unsigned", "not believed: it was changed after it was signed")


def test_a_signature_of_one_record_does_not_fit_another(results: Path, keys: tuple[Path, Path]) -> None:
    a, b = (signature_path(record_of(results, name)) for name in ("01_A", "02_B"))
    shutil.copy(a, b)
    assert set(left_out(results, keys[1])) == {"02_B"}


def test_another_key_is_told_apart_from_a_change(
    results: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    _, other = make_keys(tmp_path / "other")
    kinds = left_out(results, other)
    assert set(kinds) == {"01_A", "02_B"}
    assert all(
        reason.startswith("not believed: it is signed with another key") for _, reason in kinds.values()
    )


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"algorithm": "x", "key": "y", "signature": "%%%"}', "\xff"]
)
def test_what_is_no_signature_is_said(results: Path, keys: tuple[Path, Path], text: str) -> None:
    signature_path(record_of(results, "01_A")).write_text(text, encoding="latin-1")
    (found,) = left_out(results, keys[1]).values()
    assert found == ("unsigned", "not believed: what lies beside it is no signature")


def test_a_key_is_never_replaced(keys: tuple[Path, Path]) -> None:
    before = keys[0].read_bytes()
    with pytest.raises(UsageError, match="there is a file of its name"):
        make_keys(keys[0])
    assert keys[0].read_bytes() == before
    private, public = keys[0].with_name("new"), keys[0].with_name("new.pub")
    public.write_text("somebody's")
    with pytest.raises(UsageError, match="there is a file of its name"):
        make_keys(private)
    assert not private.exists() and public.read_text() == "somebody's"


def test_keys_that_are_none_are_told(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    (tmp_path / "text").write_text("no key")
    for kind, path in ((PrivateKey, public), (PrivateKey, tmp_path / "text"), (PublicKey, private)):
        with pytest.raises(UsageError, match="is not such a key"):
            kind(path)
    for kind in (PrivateKey, PublicKey):
        with pytest.raises(UsageError, match="cannot be read"):
            kind(tmp_path / "absent")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"ntire-bench\[signing\]"):
        make_keys(tmp_path / "key")


def test_commands(call: Any, results: Path, tmp_path: Path) -> None:
    made = call("keygen", tmp_path / "mine", "--json")
    assert made.exit_code == 0 and Path(json.loads(made.stdout)["public"]).name == "mine.pub"
    again = call("keygen", tmp_path / "mine")
    assert again.exit_code == 2 and "there is a file of its name" in again.stderr
    shown = call("leaderboard", "--results", results, "--verify", tmp_path / "mine.pub", "--json")
    assert {item["kind"] for item in json.loads(shown.stdout)["left_out"]} == {"unsigned"}
    wrong = call("leaderboard", "--results", results, "--verify", tmp_path / "mine")
    assert wrong.exit_code == 2 and "is not such a key" in wrong.stderr
