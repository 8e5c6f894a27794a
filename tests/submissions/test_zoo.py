"""Published checkpoints are found by content, verified by hash, never half there."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ntire_bench.errors import MeasurementError, UsageError
from ntire_bench.submissions import fetching, zoo

CONTENT = bytes(range(256)) * 1000


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Site:
    """What the server serves, and what it was asked for."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    ranges: bool = True
    break_after: int | None = None
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def hosts(self) -> fetching.Hosts:
        return fetching.Hosts(listing=f"{self.address}/repos", raw=f"{self.address}/raw")


@pytest.fixture
def site() -> Iterator[Site]:
    state = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:  # noqa: N802 - the base class's name
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            if self.path.startswith("/repos/"):
                repository = "/".join(self.path.split("/")[2:4])
                if repository not in state.trees:
                    self.send_error(404)
                    return
                self.answer(200, json.dumps({"tree": state.trees[repository]}).encode())
                return
            content = state.files.get(self.path.removeprefix("/raw/"))
            if content is None:
                self.send_error(404)
            elif wanted and state.ranges:
                self.answer(206, content[int(wanted.removeprefix("bytes=").rstrip("-")) :])
            else:
                self.answer(200, content)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.break_after is not None and self.path.startswith("/raw/"):
                body, state.break_after = body[: state.break_after], None
                self.close_connection = True
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def item(site: Site) -> zoo.Published:
    site.trees = {
        "first/repo": [{"path": "README.md", "sha": "0" * 40}],
        "second/repo": [{"path": "model zoo/x4.pth", "sha": git_blob(CONTENT)}],
    }
    site.files = {"second/repo/HEAD/model%20zoo/x4.pth": CONTENT}
    return zoo.Published(
        id=5,
        name="X",
        title="x_x4",
        repositories=("first/repo", "second/repo"),
        bytes=len(CONTENT),
        blob=git_blob(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_found_by_its_content_and_fetched(site: Site, item: zoo.Published, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetching.pull(item, tmp_path / "zoo", hosts=site.hosts, progress=lambda *p: seen.append(p))
    assert path == tmp_path / "zoo" / "team05_X.pth"
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "zoo") == ["team05_X.pth"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_is_there_is_not_fetched_again(site: Site, item: zoo.Published, tmp_path: Path) -> None:
    (tmp_path / item.file_name).write_bytes(CONTENT)
    fetching.pull(item, tmp_path, hosts=site.hosts)
    assert site.requests == []


def test_a_broken_download_is_gone_on_with(site: Site, item: zoo.Published, tmp_path: Path) -> None:
    site.break_after = 100_000
    with pytest.raises(MeasurementError, match="run the same command again"):
        fetching.pull(item, tmp_path, hosts=site.hosts)
    assert not (tmp_path / item.file_name).exists()
    (part,) = tmp_path.iterdir()
    have = part.stat().st_size
    assert 0 < have <= 100_000
    assert part.read_bytes() == CONTENT[:have]
    fetching.pull(item, tmp_path, hosts=site.hosts)
    assert site.requests[-1][1] == f"bytes={have}-"
    assert names(tmp_path) == [item.file_name]
    assert (tmp_path / item.file_name).read_bytes() == CONTENT


def test_a_server_without_ranges_is_begun_anew(site: Site, item: zoo.Published, tmp_path: Path) -> None:
    site.break_after = 100_000
    with pytest.raises(MeasurementError):
        fetching.pull(item, tmp_path, hosts=site.hosts)
    site.ranges = False
    fetching.pull(item, tmp_path, hosts=site.hosts)
    assert (tmp_path / item.file_name).read_bytes() == CONTENT


@pytest.mark.parametrize("other", [CONTENT[:-1] + b"!", CONTENT + b"more"], ids=["changed", "longer"])
def test_a_wrong_hash_is_refused_and_nothing_replaced(
    site: Site, item: zoo.Published, tmp_path: Path, other: bytes
) -> None:
    (tmp_path / item.file_name).write_bytes(b"the old one")
    site.files = dict.fromkeys(site.files, other)
    with pytest.raises(MeasurementError) as caught:
        fetching.pull(item, tmp_path, hosts=site.hosts)
    assert "nothing was replaced" in str(caught.value)
    assert item.sha256 in str(caught.value)
    assert names(tmp_path) == [item.file_name]
    assert (tmp_path / item.file_name).read_bytes() == b"the old one"


def test_a_file_that_is_nowhere_is_said(site: Site, item: zoo.Published, tmp_path: Path) -> None:
    site.trees = dict.fromkeys(site.trees, [])
    with pytest.raises(MeasurementError) as caught:
        fetching.pull(item, tmp_path, hosts=site.hosts)
    assert "first/repo or second/repo" in str(caught.value)


def test_no_network_is_a_plain_message(item: zoo.Published, tmp_path: Path) -> None:
    hosts = fetching.Hosts(listing="http://127.0.0.1:1/repos", raw="http://127.0.0.1:1/raw")
    with pytest.raises(MeasurementError, match="cannot be fetched"):
        fetching.pull(item, tmp_path / "model_zoo", hosts=hosts)
    assert not list(tmp_path.iterdir())  # an empty folder would stand in the way of the shipped examples


def test_an_unknown_id_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match="00_RLFN"):
        zoo.find("99")


@pytest.mark.shared
def test_the_manifest_is_of_the_published_files(shared: Path) -> None:
    for item in zoo.catalogue():
        content = (shared / "weights" / f"{item.title}.pth").read_bytes()
        assert (len(content), git_blob(content)) == (item.bytes, item.blob)
        assert hashlib.sha256(content).hexdigest() == item.sha256


def test_every_published_checkpoint_has_its_model_file(root: Path) -> None:
    for item in zoo.catalogue():
        model = root / "models" / item.file_name
        assert model.with_suffix(".py").is_file() or (model.with_suffix("") / "__init__.py").is_file()
