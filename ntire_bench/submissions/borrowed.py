"""Whose checkpoint a submission runs with: another team's is told, not refused.

That is one whose name begins with another's id, as checkpoints in model_zoo/ do, or that lies in a folder of
such a name. Of files of other names, nobody can say whose they were first.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from ntire_bench.submissions.submission import Submission

__all__ = ["with_owners"]

_OF_TEAM = re.compile(r"(?:team(\d+)|(\d{2,}))[_.-]", re.IGNORECASE)  # as files of submissions begin
_FOLDER_OF_TEAM = re.compile(r"team(\d+)(?:[_.-]|$)", re.IGNORECASE)


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
    found = []
    for path in (submission.checkpoint.absolute(), submission.checkpoint.resolve()):
        # Folders of model_zoo may be called after teams; the one that all lie in is called as a user likes.
        found += [_OF_TEAM.match(path.name), _FOLDER_OF_TEAM.match(path.parent.name)]
    ids = [int(next(filter(None, match.groups()))) for match in found if match]
    return next((labels[id_] for id_ in ids if id_ != submission.id and id_ in labels), "")
