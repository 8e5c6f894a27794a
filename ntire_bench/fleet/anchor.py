"""Nodes that are not as fast as their class: the baseline, which runs beside every submission, tells."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ntire_bench.claims.desk import Desk
from ntire_bench.claims.nodes import LeftOutNode, leave_out, left_out_records
from ntire_bench.errors import RecordError
from ntire_bench.ranking.device_class import class_of_record
from ntire_bench.records import store
from ntire_bench.records.record import Record
from ntire_bench.text import utc

__all__ = ["Anchors", "odd_nodes"]

_ENOUGH = 3  # records of a node, before it is judged while others still run


@dataclass(frozen=True)
class _Anchor:
    """What one record says of the node that it was measured on.

    Attributes:
        alike: What must be the same for runtimes of the baseline to be compared.
        node: Name.
        runtime_ms: Of the baseline, mean over splits.
        path: Of the record, relative to the results folder.
    """

    alike: object
    node: str
    runtime_ms: float
    path: str


@dataclass
class Anchors:
    """The baseline's runtimes of a campaign, node by node.

    Attributes:
        desk: The claims, which say on which node a record was made.
        tolerance: By how much a node may differ from the median of its class, as a share of that.
    """

    desk: Desk
    tolerance: float
    _read: dict[Path, _Anchor | None] = field(default_factory=dict)

    def leave_out(self, records: Mapping[str, str], *, all_done: bool) -> dict[str, str]:
        """Leave out nodes that differ, with all their records, and return why, by name.

        Args:
            records: Of each team by its label, relative to the results folder.
            all_done: Whether no more records will come: then one of a node is enough to judge it.

        Raises:
            RecordError: It cannot be stored.
        """
        left_out = left_out_records(self.desk.results)
        found = [
            anchor
            for label, record in records.items()
            if self.desk.results / record not in left_out
            and (anchor := self._anchor(label, record)) is not None
        ]
        odd = odd_nodes(
            [(one.alike, one.node, one.runtime_ms) for one in found],
            self.tolerance,
            least=1 if all_done else _ENOUGH,
        )
        for node, why in odd.items():
            paths = tuple(one.path for one in found if one.node == node)
            leave_out(self.desk.results, LeftOutNode(node=node, why=why, records=paths, utc=utc()))
        return odd

    def _anchor(self, label: str, record: str) -> _Anchor | None:
        path = self.desk.results / record
        if path not in self._read:
            self._read[path] = self._of(label, record, path)
        return self._read[path]

    def _of(self, label: str, record: str, path: Path) -> _Anchor | None:
        made = [turn for turn in self.desk.turns(label) if turn.end is not None and turn.end.record == record]
        try:
            runtime_ms, alike = _runtime(store.load(path))
        except RecordError:  # the leaderboard will say so
            return None
        if not made or runtime_ms is None:
            return None
        return _Anchor(alike, made[0].claim.node, runtime_ms, record)


def _runtime(record: Record) -> tuple[float | None, object]:
    """Return the baseline's runtime [ms], mean over splits, and what must be the same to compare it."""
    if record.status != "ok" or record.baseline is None or not record.baseline.splits:
        return None, None
    splits = record.baseline.splits
    images = tuple(sorted((name, split.dataset_sha256) for name, split in splits.items()))
    mean = statistics.fmean(split.runtime_ms for split in splits.values())
    return mean, (class_of_record(record), record.baseline.submission.files, images)


def odd_nodes(
    runtimes: Sequence[tuple[object, str, float]], tolerance: float, *, least: int = 1
) -> dict[str, str]:
    """Return the nodes on which the baseline is not as fast as in its class, and why, by name.

    A node's anchor is the median of its runtimes. The median of the class is that of all its nodes' anchors,
    each as often as the node has records, so that it is always some node's own.

    Args:
        runtimes: What must be the same to compare it, the node, and the baseline's runtime [ms].
        tolerance: By how much an anchor may differ from the median, as a share of that.
        least: Records that a node needs to be judged.

    >>> odd = odd_nodes([(0, "a", 10.0), (0, "b", 10.2), (0, "c", 11.0), (1, "d", 50.0)], 0.03)
    >>> list(odd), odd["c"].partition("there, ")[2]
    (['c'], '7.8 % more than the 10.200 ms of its class (3.0 % are allowed)')
    """
    groups: dict[object, dict[str, list[float]]] = {}
    for alike, node, runtime_ms in runtimes:
        groups.setdefault(alike, {}).setdefault(node, []).append(runtime_ms)
    found: dict[str, str] = {}
    for nodes in groups.values():
        anchors = {
            node: statistics.median(of_node) for node, of_node in nodes.items() if len(of_node) >= least
        }
        if len(anchors) < 2:
            continue
        weighted = [anchors[node] for node in anchors for _ in nodes[node]]
        median = statistics.median_low(weighted)
        for node, anchor in sorted(anchors.items()):
            off = anchor / median - 1
            if abs(off) > tolerance:
                found[node] = (
                    f"its node is left out: the baseline takes {anchor:.3f} ms there, {abs(off):.1%} "
                    f"{'more' if off > 0 else 'less'} than the {median:.3f} ms of its class "
                    f"({tolerance:.1%} are allowed)"
                ).replace("%", " %")
    return found
