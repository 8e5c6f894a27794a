"""One team's results as a scoring program of Codabench returns them: one flat object of numbers."""

from __future__ import annotations

import math

from ntire_bench.errors import UsageError
from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name
from ntire_bench.ranking.ranks import Row
from ntire_bench.reporting.export import line
from ntire_bench.text import json_text

__all__ = ["DETAILS_FILE", "SCORES_FILE", "scores", "to_json"]

SCORES_FILE = "scores.json"
DETAILS_FILE = "detailed_results.html"
# Of a board of one team these say nothing; Codabench ranks.
_LEFT_OUT = ("id", "is_baseline", "sample", "rank", "rank_runtime", "rank_params", "rank_flops")
_OF_A_RANKED_ROW = ("score_final", "score_low", "score_high")


def scores(board: Board) -> dict[str, float]:
    """Return the numbers of the one team of a board, by the names that its CSV has.

    `ranked` is 1 where the team may be ranked against others, else 0, and then there is no final score:
    whoever sorts by it must not rank a team that is below a threshold, is rejected, or whose runtime is
    unstable. `passed` is 1 where every threshold that could be compared is kept, and where none is asked for.
    A number that is not known or not finite has no key.

    Args:
        board: Of one team; of none where its evaluation failed.

    Raises:
        UsageError: It is of several teams.
    """
    rows = [row for row in board.rows if row.entry.competes]
    rows = [row for row in rows if not row.entry.is_baseline] or rows
    if len(rows) > 1:
        raise UsageError(
            "codabench's scores are of one team, and there are several",
            found=", ".join(display_name(row.entry) for row in rows),
            remedy="name its id with --team",
        )
    if not rows:
        return {"ranked": 0, "passed": 0}
    (row,) = rows
    ranked = _is_ranked(board, row)
    known = {key: value for key, value in line(board, row).items() if key not in _LEFT_OUT}
    numbers = {
        key: value
        for key, value in known.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    told = {key: value for key, value in numbers.items() if ranked or key not in _OF_A_RANKED_ROW}
    judged = bool(row.verdicts) or not board.protocol.asks_for_psnr
    passed = judged and all(verdict.passed for verdict in row.verdicts)
    return {"ranked": int(ranked), "passed": int(passed), **told}


def _is_ranked(board: Board, row: Row) -> bool:
    """Say whether a row could be ranked among stable runtimes; alone, an unstable one has a rank too."""
    steady = not row.entry.unstable and row.entry.attested is not False
    return row.rank is not None and (steady or board.protocol.ranks_unstable or row.entry.is_baseline)


def to_json(numbers: dict[str, float]) -> str:
    """Return the text of scores.json."""
    return json_text(numbers) + "\n"
