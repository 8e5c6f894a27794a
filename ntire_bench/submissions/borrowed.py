"""Whose checkpoint a submission runs with, by the name of the file: another team's is told, not refused."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from ntire_bench.submissions.submission import Submission

__all__ = ["with_owners"]

_OF_TEAM = re.compile(r"(?:team)?(\d{2,})_", re.IGNORECASE)  # as files of submissions begin


def with_owners(submissions: Mapping[int, Submission], labels: Mapping[int, str]) -> dict[int, Submission]:
    """Note of each submission that names or links to another team's checkpoint which team that is.

    Args:
        submissions: By id.
        labels: Of all that lie there, by id, those that cannot be used too.

    Returns:
        The same submissions, with `checkpoint_of` where the checkpoint's name begins with the id of another.
    """
    return {
        id_: dataclasses.replace(item, checkpoint_of=_owner(item, labels))
        for id_, item in submissions.items()
    }


def _owner(submission: Submission, labels: Mapping[int, str]) -> str:
    if submission.checkpoint is None:
        return ""
    names = submission.checkpoint.name, submission.checkpoint.resolve().name
    ids = [int(match[1]) for match in map(_OF_TEAM.match, names) if match]
    return next((labels[id_] for id_ in ids if id_ != submission.id and id_ in labels), "")
