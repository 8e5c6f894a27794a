"""What strangers send: paths that lead out, links, bombs and lies are refused before they do harm."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ntire_bench.errors import SubmissionError
from ntire_bench.submissions.unpack import Bounds, unpack


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "inner" / "target"
    folder.mkdir(parents=True)
    return folder


def archive(
    path: Path, members: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(info)
            file.writestr(info, content)
    return path


def refused(sent: Path, target: Path, **bounds: int) -> str:
    with pytest.raises(SubmissionError) as caught:
        unpack(sent, target, Bounds(**bounds))
    return str(caught.value)


def test_an_archive_and_a_folder_give_the_same_files(tmp_path: Path, target: Path) -> None:
    members = {"a/models/x.py": b"x = 1\n", "a/model_zoo/x.pth": bytes(range(256)) * 9}
    clutter = {"__MACOSX/a/._x.py": b"", "a/.DS_Store": b"", "a/__pycache__/x.pyc": b""}
    names = unpack(archive(tmp_path / "a.zip", {**members, **clutter}), target)
    assert names == sorted(members)
    folder = tmp_path / "folder"
    for name, content in {**members, **clutter}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    other = tmp_path / "other"
    other.mkdir()
    assert unpack(folder, other) == names
    for name, content in members.items():
        assert (target / name).read_bytes() == (other / name).read_bytes() == content


@pytest.mark.parametrize(
    "name", ["../x.py", "a/../../x.py", "/tmp/x.py", "..\\x.py", "C:\\x.py", "a/..", "C:/x.py"]
)
def test_no_path_leads_out(tmp_path: Path, target: Path, name: str) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    sent = archive(tmp_path / "a.zip", {"ok.py": b"", name: b"x"})
    assert "path that leads out" in refused(sent, target)
    after = {path.name for path in tmp_path.rglob("*")} - {"a.zip", "ok.py"}
    assert sorted(after) == before


def test_links_and_devices_are_refused(tmp_path: Path, target: Path) -> None:
    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = (0o120777 if info.filename == "l.py" else 0o100644) << 16

    assert "holds a link" in refused(archive(tmp_path / "a.zip", {"l.py": b"/etc/passwd"}, link), target)
    assert not list(target.iterdir())
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.py").symlink_to("/etc/passwd")
    assert "holds a link" in refused(folder, target)
    (folder / "x.py").unlink()
    os.mkfifo(folder / "x.py")
    assert "holds a device or the like" in refused(folder, target)
    (tmp_path / "link.zip").symlink_to("a.zip")
    assert "is a link" in refused(tmp_path / "link.zip", target)


def test_what_is_unpacked_is_counted_and_headers_are_not_believed(tmp_path: Path, target: Path) -> None:
    sent = archive(tmp_path / "a.zip", {"bomb": bytes(3_000_000)})
    assert sent.stat().st_size < 10_000
    assert "holds too much" in refused(sent, target, total_bytes=1_000_000)
    assert (target / "bomb").stat().st_size <= 1_000_000
    (target / "bomb").unlink()
    # A size of 10 in both headers: zipfile stops there and compares a checksum.
    content = sent.read_bytes().replace(struct.pack("<L", 3_000_000), struct.pack("<L", 10))
    sent.write_bytes(content)
    assert "cannot be unpacked" in refused(sent, target)
    many = archive(tmp_path / "many.zip", {f"{number}.py": b"" for number in range(30)})
    assert "holds too many files" in refused(many, target, files=20)


def test_a_long_list_of_members_is_not_even_read(tmp_path: Path, target: Path) -> None:
    sent = archive(tmp_path / "a.zip", {"x.py": b"x"})
    data = sent.read_bytes()
    at = data.rindex(b"PK\x05\x06")
    sent.write_bytes(data[: at + 12] + struct.pack("<L", 2**30) + data[at + 16 :])
    assert "holds too many files" in refused(sent, target)
    sent.write_bytes(data[:at] + b"PK\x06\x07" + bytes(16) + data[at:])
    assert "holds too many files, or is too large" in refused(sent, target)


def test_names_that_no_system_keeps_and_names_that_come_twice(tmp_path: Path, target: Path) -> None:
    assert "name that cannot be kept" in refused(archive(tmp_path / "a.zip", {"a\x1b[31m.py": b""}), target)
    assert "name that cannot be kept" in refused(archive(tmp_path / "b.zip", {"a" * 300: b""}), target)
    assert "name that cannot be kept" in refused(archive(tmp_path / "c.zip", {"a/" * 20 + "b": b""}), target)
    assert "a name twice" in refused(archive(tmp_path / "d.zip", {"a.py": b"", "A.py": b""}), target)


def test_other_archives_passwords_and_noise_are_refused(tmp_path: Path, target: Path) -> None:
    noise = tmp_path / "a.zip"
    for content in (b"", b"no archive", b"PK\x05\x06" + bytes(5)):
        noise.write_bytes(content)
        assert "cannot be unpacked" in refused(noise, target)
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    assert "archive of another kind" in refused(tmp_path / "a.tar.gz", target)

    def locked(info: zipfile.ZipInfo) -> None:
        info.flag_bits |= 1

    sent = archive(tmp_path / "b.zip", {"x.py": b"secret"}, locked)
    data = bytearray(sent.read_bytes())
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + place] |= 1
    sent.write_bytes(data)
    assert "without a password" in refused(sent, target)
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("x.py", b"x")
    assert "compressed in an unusual way" in refused(tmp_path / "c.zip", target)
