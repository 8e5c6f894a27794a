"""What a campaign asks of an engine. An engine starts commands; it knows nothing of measuring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ntire_bench.fleet.job import Job

__all__ = ["Engine", "Seen"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A job as its engine sees it.

    Attributes:
        state: "waiting" for a place, "running", or "over": ended, or never heard of.
        node: Where it runs; empty where that is not known.
        reason: The engine's own word for how it is, such as "NODE_FAIL".
    """

    state: Literal["waiting", "running", "over"]
    node: str = ""
    reason: str = ""


class Engine(Protocol):
    """Starts commands somewhere.

    Attributes:
        name: As --engine has it.
    """

    name: str

    @property
    def look_s(self) -> float:
        """How long to wait between two looks at its jobs [s]."""

    def free(self) -> int | None:
        """Return how many jobs it would take now; None for any number."""

    def submit(self, jobs: Sequence[Job]) -> list[str]:
        """Ask for jobs, and return how the engine calls each; these texts are understood by a later process.

        Raises:
            UsageError: The engine refuses them.
        """

    def look(self, handles: Sequence[str]) -> Mapping[str, Seen] | None:
        """Return how jobs are; None where the engine does not answer now."""

    def cancel(self, handles: Sequence[str]) -> None:
        """End jobs."""

    def leave_out(self, nodes: Sequence[str]) -> None:
        """Ask for no more jobs on these nodes.

        Raises:
            UsageError: No node is left.
        """

    def how_to_cancel(self, handles: Sequence[str]) -> str:
        """Return the command with which a user ends jobs."""
