"""What run and gate have in common: images, options of an evaluation, and what Ctrl-C leaves."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.cli.options import Effort, IsolationWanted
from ntire_bench.cli.output import as_channel
from ntire_bench.errors import UsageError
from ntire_bench.text import relative

if TYPE_CHECKING:
    from ntire_bench.measuring.session import Options
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.workflows.data import Data

__all__ = ["INTERRUPTED"]

INTERRUPTED = 130  # as shells report a process that Ctrl-C ended


def _refuse_unknown(catalogue: Catalogue, ids: Sequence[int]) -> None:
    """Refuse ids, and a baseline that is named, before the images are checked, which may take minutes."""
    from ntire_bench.submissions.baseline_choice import choose

    for id_ in ids:
        if id_ not in catalogue.problems:
            catalogue.get(id_)
    if catalogue.baseline_choice is not None:
        choose(catalogue, catalogue.baseline_choice)


def _choose_data(
    splits: str | None, include_test: bool, data_dir: Path | None, protocol_name: str | None
) -> Data:
    from ntire_bench.cli import terminal
    from ntire_bench.workflows.data import choose_data

    names = [name.strip() for name in (splits or "valid").split(",") if name.strip()]
    if include_test and "test" not in names:
        names.append("test")
    if not names:
        raise UsageError("no split is named", remedy="give --splits valid,test or the like")
    with terminal.progress_bar() as progress:
        return choose_data(
            names, data_dir, protocol_name, lambda done, total: progress("checking images", done, total)
        )


def _evaluation_options(
    data: Data,
    effort: Effort | None,
    channel: str | None,
    device: str,
    ssim: bool,
    save_dir: Path | None,
    isolation: IsolationWanted,
) -> Options:
    """Return the options of an evaluation; no `effort` is one round, which is enough for PSNR."""
    from ntire_bench.cli import terminal
    from ntire_bench.estimating.stopping import StopRule
    from ntire_bench.measuring.session import Options, isolation_of

    stop = StopRule(rounds=1)
    if effort is not None:
        stop = StopRule(
            rounds=effort.rounds,
            min_rounds=min(data.protocol.rounds, effort.max_rounds),
            precision=effort.precision,
            max_rounds=effort.max_rounds,
            max_time_s=effort.max_time_s,
        )
    options = Options(
        stop=stop,
        threads=None if effort is None else effort.threads,
        psnr_channel=as_channel(channel or data.protocol.psnr_channel),
        device=device,
        ssim=ssim,
        save_dir=save_dir,
        isolation=isolation.level,
        allow_pickle=isolation.allow_pickle,
        tell=lambda text: terminal.show(text, stderr=True),
    )
    terminal.tell_isolation(isolation_of(options, data.splits), isolation.level)
    return options


@contextlib.contextmanager
def _interruptible(done: Callable[[], str], *, resumable: bool) -> Iterator[None]:
    """On Ctrl-C, say what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        from ntire_bench.cli import terminal

        text = f"Interrupted: {done()}."
        if resumable:
            program = Path(sys.argv[0])
            if program.name == "__main__.py":
                words = ["python", "-m", "ntire_bench"]
            else:
                words = ["python", relative(program)] if program.suffix == ".py" else [program.name]
            words += [word for word in sys.argv[1:] if word != "--resume"]
            text += f" Go on with: {shlex.join([*words, '--resume'])}"
        terminal.show(text, stderr=True)
        sys.exit(INTERRUPTED)
