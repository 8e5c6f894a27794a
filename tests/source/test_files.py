"""Strangers' files: read as far as they are ordinary and small, refused in one plain message otherwise."""

from __future__ import annotations

import hashlib
import os

import pytest

from ntire_bench.errors import SubmissionError
from ntire_bench.source import files


def test_a_file_that_is_not_python_is_refused_with_its_line(tmp_path):
    file = tmp_path / "team05_Toy.py"
    file.write_text("x = 1\ndef f(:\n    pass", encoding="utf-8")
    with pytest.raises(SubmissionError, match=r"team05_Toy.py: is not Python; found .* line 2. Remedy: "):
        files.parse(file)


@pytest.mark.parametrize("content", [b"x = '\xff\xfe'\n", b"\0\0\0", b"x = " + b"(" * 5000 + b")" * 5000])
def test_bytes_that_no_parser_takes_are_refused_too(tmp_path, content):
    file = tmp_path / "team05_Toy.py"
    file.write_bytes(content)
    with pytest.raises(SubmissionError, match="is not Python"):
        files.parse(file)


def test_a_file_is_read_up_to_its_largest_size(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(range(256)))
    assert files.read(file, 256) == bytes(range(256))
    assert files.sha256(file, 256) == hashlib.sha256(bytes(range(256))).hexdigest()
    for read in (files.read, files.sha256):
        with pytest.raises(SubmissionError, match=r"is not read; expected .* at most 255 bytes; found 256 b"):
            read(file, 255)


def test_what_is_no_ordinary_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    told = "is not read; .*found a device or a pipe. Remedy: put an ordinary file"
    for name in ("pipe", "link"):
        with pytest.raises(SubmissionError, match=told):
            files.read(tmp_path / name)
    with pytest.raises(SubmissionError, match="cannot be read; found Is a directory"):
        files.read(tmp_path)
    with pytest.raises(SubmissionError, match="cannot be read; found No such file"):
        files.read(tmp_path / "nothing")


def test_a_name_that_no_file_can_have_is_no_file(tmp_path):
    assert not files.is_file(tmp_path / ("x" * 5000))
    assert not files.is_file(tmp_path)
