"""What a campaign will take: how fast the baseline is here, and what the submissions are run on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ntire_bench.measuring.options import Options, isolation_of
from ntire_bench.measuring.resolve import describe
from ntire_bench.records import store
from ntire_bench.submissions import baseline_choice
from ntire_bench.submissions.catalogue import Catalogue
from ntire_bench.submissions.submission import Submission
from ntire_bench.workflows.data import Data
from ntire_bench.workflows.estimate import Estimate, estimate, work_of
from ntire_bench.workflows.resume import already_done
from ntire_bench.workflows.speed import Speed, speed_of_records, timed_speed

__all__ = ["foresee", "speed_here"]


def speed_here(baseline: Submission, data: Data, options: Options, results: Path) -> Speed:
    """Return how fast submissions run here: from the records of this machine, or else timed now.

    Args:
        baseline: Of the evaluations to come.
        data: Images and rules.
        options: Device, threads, isolation.
        results: Folder of the records.

    Raises:
        NtireBenchError: There is no such record, and the baseline does not run.
    """
    stored, scale = store.load_all(results, data.protocol.name)[0], data.protocol.scale
    known = speed_of_records(stored, options, baseline, scale)
    return known or timed_speed(
        baseline, options, isolation_of(options, data.splits), scale, data.protocol.noise
    )


def foresee(
    catalogue: Catalogue,
    ids: Sequence[int],
    data: Data,
    options: Options,
    results: Path,
    *,
    resume: bool = False,
) -> Estimate | None:
    """Foresee the evaluation of submissions.

    Args:
        catalogue: What there is.
        ids: What is to be evaluated; what cannot be tried takes no time.
        data: Images and rules.
        options: Rounds, device, isolation, SR images.
        results: Folder of the records.
        resume: Whether what is done already is left out.

    Returns:
        The estimate; None where nothing is to be evaluated.

    Raises:
        NtireBenchError: The baseline is not there, or does not run.
    """
    name = data.protocol.baseline.name
    catalogue = baseline_choice.without_namesakes(catalogue, name)
    wanted = [item for item in map(catalogue.entry, ids) if isinstance(item, Submission)]
    baseline = baseline_choice.choose(catalogue, name)
    if resume:
        stored, base = store.load_all(results, data.protocol.name)[0], describe(baseline)
        wanted = [item for item in wanted if already_done(item, stored, data, options, base) is None]
    if not wanted:
        return None
    return estimate(
        [item.label for item in wanted],
        work_of(data.splits, data.protocol.scale),
        options.stop,
        speed_here(baseline, data, options, results),
        keep_images=options.save_dir is not None,
    )
