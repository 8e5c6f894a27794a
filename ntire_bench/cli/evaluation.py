"""What run and gate have in common: what they are asked for, images, and options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.cli.options import Effort, Images, Machine, taken_as
from ntire_bench.cli.sources import Sources

if TYPE_CHECKING:
    from ntire_bench.measuring.options import Options
    from ntire_bench.protocols.protocol import Channel
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.workflows.data import Data

__all__ = [
    "Request",
    "images_and_options",
    "refuse_unknown",
    "taken_as_request",
]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for alike with run and gate: on what, by which rules, where.

    Attributes:
        images: Which images are used.
        protocol_name: Rules; None for the default of the images.
        channel: Channel to compare with the thresholds in; None: as the protocol says.
        machine: Device and isolation.
        sources: Where the submissions lie.
    """

    images: Images
    protocol_name: str | None
    channel: Channel | None
    machine: Machine
    sources: Sources


taken_as_request = taken_as("request", Request)


def refuse_unknown(catalogue: Catalogue, ids: Sequence[int]) -> None:
    """Refuse ids that are not there, and a named baseline, before the images are checked: that takes minutes.

    Raises:
        UsageError: An id, or the baseline that an option names, is not there.
        SubmissionError: That baseline cannot be tried.
    """
    from ntire_bench.submissions.baseline_choice import choose

    for id_ in ids:
        catalogue.entry(id_)
    if catalogue.baseline_choice is not None:
        choose(catalogue, catalogue.baseline_choice)


def images_and_options(
    request: Request, effort: Effort, *, ssim: bool = False, save_dir: Path | None = None
) -> tuple[Data, Options]:
    """Check the images, and say what is to be known of images and isolation before anything is measured.

    Args:
        request: What the user asks for.
        effort: How long runtimes are measured.
        ssim: Whether SSIM is computed too.
        save_dir: Where SR images go; None keeps none.

    Returns:
        Images and rules, and the options of an evaluation.

    Raises:
        DatasetError: The images are not fit; lists every problem.
        UsageError: The protocol does not go with the images, or the isolation cannot be had.
    """
    from ntire_bench.cli import terminal, wording
    from ntire_bench.measuring.options import isolation_of
    from ntire_bench.protocols import protocol as protocols
    from ntire_bench.workflows.data import choose_data
    from ntire_bench.workflows.options import options_for

    names = request.images.split_names
    if request.images.splits is None and request.protocol_name is not None:
        judged = protocols.load(request.protocol_name).splits
        if "valid" not in judged:  # the default of --splits
            names = [*judged, *(name for name in names if name not in ("valid", *judged))]
            terminal.tell(f"Splits of the rules, as --splits names none: {', '.join(names)}.")
    with terminal.progress_bar() as progress:
        data = choose_data(
            names,
            request.images.data_dir,
            request.protocol_name,
            lambda done, total: progress("checking images", done, total),
        )
    options = options_for(
        data.protocol,
        channel=request.channel,
        ssim=ssim,
        save_dir=save_dir,
        tell=terminal.tell,
        **vars(effort),
        **vars(request.machine),
    )
    terminal.tell_isolation(isolation_of(options, data.splits), options.isolation)
    if data.sample:
        terminal.tell(wording.SAMPLE)
    return data, options
