"""Which records are left out because of the node that they were measured on: one file for each node."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntire_bench.claims import exclusive
from ntire_bench.claims.desk import claims_folder
from ntire_bench.errors import RecordError

__all__ = ["LeftOutNode", "leave_out", "left_out_nodes", "left_out_records"]

_SUFFIX = ".left-out"


@dataclass(frozen=True, kw_only=True)
class LeftOutNode:
    """A node whose runtimes are not those of its class.

    Attributes:
        node: Its name.
        why: In words, with the figures.
        records: Those that were measured on it and are left out, relative to the results folder.
        utc: When that was found, ISO 8601, UTC.
    """

    node: str
    why: str
    records: tuple[str, ...]
    utc: str = ""


def leave_out(results: Path, found: LeftOutNode) -> None:
    """Store that a node is left out; what is known of it already stays.

    Raises:
        RecordError: It cannot be written.
    """
    folder = claims_folder(results) / "nodes"
    before = next((one for one in left_out_nodes(results) if one.node == found.node), None)
    records = dict.fromkeys((*(before.records if before else ()), *found.records))
    path = folder / f"{urllib.parse.quote(found.node, safe=' ')}{_SUFFIX}"
    with exclusive.writing("that a node is left out", path):
        folder.mkdir(parents=True, exist_ok=True)
        exclusive.replace(path, msgspec.json.encode(dataclasses.replace(found, records=tuple(records))))


def left_out_nodes(results: Path) -> list[LeftOutNode]:
    """Return the nodes that are left out, by name.

    Raises:
        RecordError: A file cannot be read.
    """
    found: list[LeftOutNode] = []
    for path in sorted((claims_folder(results) / "nodes").glob(f"*{_SUFFIX}")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=LeftOutNode))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RecordError(
                "which node is left out cannot be read",
                file=path,
                found=str(error),
                remedy="restore the file, or delete it to have the node's records count",
            ) from error
    return found


def left_out_records(results: Path, nodes: Iterable[LeftOutNode] | None = None) -> dict[Path, str]:
    """Return the records that are left out because of a node, and why.

    Args:
        results: Folder of the records.
        nodes: Those that are left out; None reads them.
    """
    found = left_out_nodes(results) if nodes is None else nodes
    return {results / record: one.why for one in found for record in one.records}
