"""Two submissions, run beside each other for a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntire_bench.cli.evaluation import Request, images_and_options
from ntire_bench.cli.options import Effort, see_that_it_can_measure
from ntire_bench.cli.sources import open_catalogue
from ntire_bench.cli.which_record import versions_back
from ntire_bench.errors import SubmissionError, UsageError

if TYPE_CHECKING:
    from ntire_bench.ranking.comparing import Comparison

__all__ = ["side_by_side"]


def side_by_side(a: str, b: str, effort: Effort, request: Request) -> Comparison:
    """Evaluate a submission with another one in the place of the baseline, and compare both.

    Args:
        a: The first, as people write it.
        b: The second.
        effort: How long runtimes are measured.
        request: On what, by which rules, where.

    Raises:
        UsageError: One is not there, cannot be tried or does not run, or both are the same.
        DatasetError: The images are not fit.
    """
    see_that_it_can_measure()
    from ntire_bench.cli import terminal
    from ntire_bench.ranking.comparing import compare_session
    from ntire_bench.workflows.evaluate import evaluate

    for text in (a, b):
        if versions_back(text)[1]:
            raise UsageError(
                "an earlier version cannot be run: only its records are kept",
                found=text,
                remedy="leave --run out, or run `ntire-bench gate ID --against COMMIT`",
            )
    catalogue = open_catalogue(request.sources)
    try:
        one, other = (catalogue.get(catalogue.id_of(text)) for text in (a, b))
        if one.is_same_as(other):
            raise UsageError("both are the same submission", found=one.label, remedy="name two")
        data, options = images_and_options(request, effort)
        with terminal.progress_bars() as progress:
            record = evaluate(one, other, data.splits, data.protocol, options, progress())
    except SubmissionError as error:
        told = {"expected": error.expected, "found": error.found, "remedy": error.remedy}
        raise UsageError(error.what, file=error.file, **told) from None
    if record.error is not None:
        whose = other.label if record.error.phase == "baseline" else one.label
        raise UsageError(f"{whose} does not run: {record.error.message}", remedy="see ntire-bench check")
    return compare_session(record, options.psnr_channel)
