"""Which submission is meant by the name of a protocol's baseline, and which may not have that name.

The order of ids or files never decides. Else all costs could be divided by those of a stranger's submission.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Named", "Placed", "Ruling", "called", "rule"]

_WORDS = re.compile(r"[\s_-]+")
_ORGANIZERS_ID = 0  # the baseline's in the challenge's own code, and among this program's examples


class Named(Protocol):
    """A submission, whether or not it can be tried."""

    @property
    def id(self) -> int:
        """The team's number."""

    @property
    def name(self) -> str:
        """NAME in the file's name."""

    @property
    def label(self) -> str:
        """Both, such as "00_RLFN"."""


class Placed(Named, Protocol):
    """One whose model file is there."""

    @property
    def file(self) -> Path:
        """The model file."""


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What a name means among some submissions.

    Attributes:
        id: Of the baseline; None where nothing says which one it is.
        how: Why it is that one, where its name alone does not say so.
        candidates: The ids of all that may be meant.
        namesakes: The ids of others that have exactly the baseline's name, which is not allowed.
    """

    id: int | None
    how: str = ""
    candidates: tuple[int, ...] = ()
    namesakes: tuple[int, ...] = ()


def rule(name: str, submissions: Sequence[Placed], *, checkout: bool) -> Ruling:
    """Say which submission is the protocol's baseline, where no option names it.

    Args:
        name: Of the baseline.
        submissions: All there are, also those that cannot be tried.
        checkout: Whether they are branches of a challenge's checkout.
    """
    exact = [item.id for item in submissions if _is(name, item)]
    fitting = sorted(item.id for item in submissions if _has_word(name, item))
    if checkout:
        if _ORGANIZERS_ID in fitting:
            how = f"{name} is in its name, and its id is {_ORGANIZERS_ID}"
            return Ruling(id=_ORGANIZERS_ID, how=how, candidates=tuple(fitting))
        # The denoising challenge's scripts call their SGN "RFDN_baseline", after those they were copied from.
        first = next((item for item in submissions if item.id == _ORGANIZERS_ID), None)
        if not fitting and first is not None and name.casefold() in _WORDS.split(first.file.stem.casefold()):
            how = f"{name} is in its model file's name, and its id is {_ORGANIZERS_ID}"
            return Ruling(id=_ORGANIZERS_ID, how=how, candidates=(_ORGANIZERS_ID,))
        return Ruling(id=None, candidates=tuple(fitting))
    if len(exact) == 1:
        if exact[0] == _ORGANIZERS_ID:
            return Ruling(id=exact[0], candidates=(exact[0],))
        # Beside a 00_RLFN_baseline of the organizer's, a stranger's 41_RLFN is not simply taken for it.
        rivals = [i.id for i in submissions if i.id == _ORGANIZERS_ID and _is_marked(name, i)]
        if not rivals:
            return Ruling(id=exact[0], how="it alone has that name", candidates=(exact[0],))
        return Ruling(id=None, candidates=(*rivals, *exact))
    among = sorted(exact or fitting)
    if _ORGANIZERS_ID not in among:
        return Ruling(id=None, candidates=tuple(among))
    namesakes = tuple(id_ for id_ in exact if id_ != _ORGANIZERS_ID)
    how = "of those with that name" if exact else f"{name} is in its name, and of such"
    how += f" it has the id {_ORGANIZERS_ID}"
    return Ruling(id=_ORGANIZERS_ID, how=how, candidates=tuple(among), namesakes=namesakes)


def called(text: str, submissions: Sequence[Named]) -> list[int]:
    """Return the ids of the submissions that a user may mean by a name.

    Args:
        text: A name or label, or a word of a name; case is ignored. Of several with that word, those that
            also have the word "baseline" are meant.
        submissions: All there are.
    """
    wanted = text.casefold()
    exact = [item.id for item in submissions if wanted in (item.name.casefold(), item.label.casefold())]
    partly = [item for item in submissions if _has_word(text, item)]
    marked = [item for item in partly if "baseline" in _words(item)]
    chosen = marked if len(partly) > 1 and marked else partly
    return sorted(exact or [item.id for item in chosen])


def _words(item: Named) -> list[str]:
    return _WORDS.split(item.name.casefold())


def _is(name: str, item: Named) -> bool:
    return item.name.casefold() == name.casefold()


def _has_word(name: str, item: Named) -> bool:
    return _is(name, item) or name.casefold() in _words(item)


def _is_marked(name: str, item: Named) -> bool:
    """Return whether a name is the baseline's and the word "baseline", such as "RLFN_baseline"."""
    return sorted(filter(None, _words(item))) == sorted([name.casefold(), "baseline"])
