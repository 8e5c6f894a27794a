"""Fetches published checkpoints from their authors' public repositories.

Authors move files and rename branches, but a file's content has one git object id. A checkpoint is therefore
looked up in the listing of its repository by that id, downloaded as a raw file, and kept only if its SHA-256
is the published file's. No checkpoint is ever opened here.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ntire_bench.errors import MeasurementError, UsageError
from ntire_bench.submissions.zoo import Published
from ntire_bench.text import relative

__all__ = ["Hosts", "pull"]

_CHUNK_BYTES = 64 * 1024
_TIMEOUT_S = 30.0
_MAX_LISTING_BYTES = 32 * 1024 * 1024

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Hosts:
    """Servers that list repositories and serve raw files; tests name a server of their own."""

    listing: str = "https://api.github.com/repos"
    raw: str = "https://raw.githubusercontent.com"


def pull(
    item: Published, model_zoo: Path, *, hosts: Hosts | None = None, progress: Progress | None = None
) -> Path:
    """Download a published checkpoint into model_zoo/; an interrupted download is continued.

    Args:
        item: Which one.
        model_zoo: Folder to put it in, made where it is missing.
        hosts: Servers; the public ones where it is None.
        progress: Called with (bytes there, bytes in all).

    Returns:
        The file. One of the same name is replaced, but only by content with the right hash.

    Raises:
        MeasurementError: The file cannot be found or fetched, or what came has another hash.
    """
    hosts = hosts or Hosts()
    target = model_zoo / item.file_name
    if target.is_file() and _sha256(target) == item.sha256:
        return target
    url = _locate(item, hosts)  # before the folder is made: where nothing can be fetched, none is left behind
    try:
        model_zoo.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "name a folder that this user may write to with --model-zoo"
        raise UsageError("cannot be made", file=model_zoo, found=error.strerror, remedy=remedy) from None
    part = model_zoo / f".{item.file_name}.{item.sha256[:12]}.part"
    _download(url, part, item, progress)
    found = _sha256(part)
    if found != item.sha256:
        part.unlink()  # it cannot be used, and a download that continued it would fail again
        raise MeasurementError(
            f"the download of {item.title} is not the published file; nothing was replaced",
            file=target,
            expected=f"SHA-256 {item.sha256}",
            found=f"{found} from {url}",
            remedy="try again; if it stays so, the file at that address has changed",
        )
    os.replace(part, target)
    return target


def _locate(item: Published, hosts: Hosts) -> str:
    """Return the address of the raw file, from the listings of the repositories that may hold it."""
    for repository in item.repositories:
        listing = _fetch_json(f"{hosts.listing}/{repository}/git/trees/HEAD?recursive=1")
        for entry in listing.get("tree", ()):
            if (
                isinstance(entry, dict)
                and entry.get("sha") == item.blob
                and isinstance(entry.get("path"), str)
            ):
                return f"{hosts.raw}/{repository}/HEAD/{urllib.parse.quote(entry['path'])}"
    raise MeasurementError(
        f"{item.title} is not where its authors published it",
        expected=f"a file with git object id {item.blob} in {' or '.join(item.repositories)}",
        found="no such file in the current listing",
        remedy=f"ask the authors, and put the file into model_zoo/ as {item.file_name}",
    )


def _open(request: urllib.request.Request) -> Any:  # noqa: ANN401 - urllib's response has no public type
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError:
        raise
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _unreachable(request.full_url, str(reason)) from None


def _unreachable(url: str, found: str) -> MeasurementError:
    return MeasurementError(
        f"{url} cannot be fetched",
        found=found,
        remedy="check the network connection, then run the same command again",
    )


def _fetch_json(url: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "ntire-bench"})
    try:
        with _open(request) as response:
            listing = json.loads(response.read(_MAX_LISTING_BYTES))
    except urllib.error.HTTPError as error:
        raise _unreachable(url, f"HTTP {error.code} {error.reason}") from None
    except (ValueError, OSError, http.client.HTTPException) as error:
        raise _unreachable(url, f"{type(error).__name__}: {error}") from None
    return listing if isinstance(listing, dict) else {}


def _download(url: str, part: Path, item: Published, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= item.bytes:
        part.unlink()
        have = 0
    request = urllib.request.Request(url, headers={"User-Agent": "ntire-bench"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with _open(request) as response:
            # A server that does not support ranges sends the whole file, with status 200.
            have = have if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            with part.open("r+b" if have else "wb") as file:
                file.seek(have)
                _copy(response, file, have, item, progress)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
    except urllib.error.HTTPError as error:
        raise _unreachable(url, f"HTTP {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        kept = f"; {part.stat().st_size} bytes are kept in {relative(part)}" if part.exists() else ""
        raise _unreachable(url, f"{type(error).__name__}: {error}{kept}") from None
    if part.stat().st_size < item.bytes:
        raise _unreachable(url, f"the connection ended after {part.stat().st_size} of {item.bytes} bytes")


def _copy(
    response: IO[bytes], file: IO[bytes], have: int, item: Published, progress: Progress | None
) -> None:
    while have <= item.bytes and (
        chunk := response.read(_CHUNK_BYTES)
    ):  # stops where more comes than the file has
        file.write(chunk)
        have += len(chunk)
        if progress is not None:
            progress(min(have, item.bytes), item.bytes)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
