"""The Python API: what the commands do, as functions for programs and notebooks.

Use them as `ntire_bench.evaluate` and so on; the package loads this module when one is first used.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ntire_bench.errors import UsageError
from ntire_bench.estimating.defaults import MAX_ROUNDS, MAX_TIME_S
from ntire_bench.ranking.board import Board

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ntire_bench.protocols.protocol import Channel
    from ntire_bench.ranking.entry import WhichCosts
    from ntire_bench.records.record import Record
    from ntire_bench.reporting.render import Format
    from ntire_bench.submissions.catalogue import Catalogue
    from ntire_bench.submissions.submission import Submission
    from ntire_bench.workflows.check import Check

__all__ = [
    "Leaderboard",
    "check",
    "evaluate",
    "leaderboard",
    "load_record",
    "prepare",
    "psnr",
    "render",
    "ssim",
]

PathLike = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Leaderboard(Board):
    """A `Board` that shows itself: as a table of text when it is printed, as a table in a notebook."""

    def __str__(self) -> str:
        """Return the table as plain text."""
        return render(self)

    def _repr_html_(self) -> str:
        from ntire_bench.reporting.notebook import to_fragment

        return to_fragment(self)


def evaluate(
    model: int | PathLike,
    *,
    models: PathLike = "models",
    model_zoo: PathLike | None = None,
    data_dir: PathLike | None = None,
    splits: Sequence[str] = ("valid",),
    protocol: str | None = None,
    baseline: int | str | None = None,
    baseline_dir: PathLike | None = None,
    channel: Channel | None = None,
    device: str = "auto",
    isolation: str = "auto",
    allow_pickle: bool = False,
    rounds: int | None = None,
    precision: float | None = None,
    max_rounds: int = MAX_ROUNDS,
    max_time_s: float = MAX_TIME_S,
    threads: int | None = None,
    ssim: bool = False,
    save_dir: PathLike | None = None,
    results: PathLike | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Record:
    """Measure one submission beside the baseline, as `ntire-bench run` does.

    Its code runs in worker processes, never in this one.

    Args:
        model: The id or the name of a submission in `models`, or the path of its model file.
        models: Folder of the model files; for a path, the folder it lies in.
        model_zoo: Folder of the checkpoints; None for model_zoo/ beside the folder of the model files.
        data_dir: Folder of the image pairs. None looks in the working directory, its data/ and its parent;
            where no challenge images are there, the sample set is taken.
        splits: "valid", "test", or the NAME of folder pairs NAME_HR, NAME_LR.
        protocol: Name of the rules; None for the default of the images.
        baseline: Id or name of the submission that costs are divided by; None: as the protocol says.
        baseline_dir: Folder that holds the baseline; None to look among the submissions.
        channel: "y" or "rgb", to compare with the thresholds in; None: as the protocol says.
        device: "auto", "cpu", "cuda" or "cuda:N".
        isolation: "auto", "required" or "none".
        allow_pickle: Whether checkpoints may run code as they are loaded, inside their worker.
        rounds: Exactly so many rounds; None measures until `precision` is reached.
        precision: Half of the runtime's 95 % interval, as a share of the runtime, at which rounds end;
            None for 0.01 on a CPU and 0.0025 on a GPU.
        max_rounds: At most so many rounds.
        max_time_s: Rounds end after so many seconds.
        threads: CPU threads of the workers; None leaves a core to this process.
        ssim: Whether SSIM is computed too.
        save_dir: Where SR images go; None keeps none.
        results: Results folder to store the record in; None stores nothing.
        progress: Called with what is being done, calls done, calls in all.

    Returns:
        The record; its `status` is "failed", and `error` says why, where the submission does not run.

    Raises:
        UsageError: There is no such submission, baseline, protocol or device.
        SubmissionError: The files of the submission, or of the baseline, cannot be used.
        DatasetError: The images are not fit; lists every problem.
    """
    from ntire_bench.records import store
    from ntire_bench.submissions import baseline_choice
    from ntire_bench.workflows import evaluate as workflow
    from ntire_bench.workflows.data import choose_data
    from ntire_bench.workflows.options import options_for

    catalogue, submission = _find(model, models, model_zoo)
    if results is not None:
        store.check_writable(results)
    data = choose_data(tuple(splits), None if data_dir is None else Path(data_dir), protocol)
    folder = None if baseline_dir is None else baseline_choice.find_folder(Path(baseline_dir))
    catalogue = dataclasses.replace(
        catalogue,
        baseline_choice=None if baseline is None else str(baseline),
        baseline_folder=folder,
    )
    catalogue = baseline_choice.without_namesakes(catalogue, data.protocol.baseline.name)
    submission = catalogue.get(submission.id)
    beside = baseline_choice.choose(catalogue, data.protocol.baseline.name)
    options = options_for(
        data.protocol,
        channel=channel,
        rounds=rounds,
        precision=precision,
        max_rounds=max_rounds,
        max_time_s=max_time_s,
        threads=threads,
        device=device,
        isolation=isolation,
        allow_pickle=allow_pickle,
        ssim=ssim,
        save_dir=None if save_dir is None else Path(save_dir),
    )
    record = workflow.evaluate(submission, beside, data.splits, data.protocol, options, progress)
    if results is not None:
        store.save(record, results)
    return record


def check(
    model: int | PathLike,
    *,
    models: PathLike = "models",
    model_zoo: PathLike | None = None,
    protocol: str | None = None,
    device: str = "auto",
    isolation: str = "auto",
    allow_pickle: bool = False,
) -> Check:
    """Load a submission in a worker, and return how it was resolved and what it costs.

    Args:
        model: The id or the name of a submission in `models`, or the path of its model file.
        models: Folder of the model files; for a path, the folder it lies in.
        model_zoo: Folder of the checkpoints; None for model_zoo/ beside the folder of the model files.
        protocol: Name of the rules, which give scale and cost input; None for the default.
        device: "auto", "cpu", "cuda" or "cuda:N".
        isolation: "auto", "required" or "none".
        allow_pickle: Whether the checkpoint may run code as it is loaded, inside its worker.

    Raises:
        UsageError: There is no such submission, protocol or device.
        SubmissionError: It does not load, or does not give an SR image.
    """
    from ntire_bench.data import sample
    from ntire_bench.protocols import protocol as protocols
    from ntire_bench.workflows import check as workflow

    _, submission = _find(model, models, model_zoo)
    rules = protocols.load(protocol or protocols.DEFAULT_PROTOCOL)
    return workflow.check(
        submission,
        sample.probe_lr(rules.scale, rules.noise),
        rules,
        truth=sample.probe_hr(rules.scale),
        device=device,
        isolation=isolation,
        allow_pickle=allow_pickle,
    )


def leaderboard(
    results: PathLike = "leaderboard/results",
    *,
    protocol: str | None = None,
    channel: Channel | None = None,
    device: str | None = None,
    reference: str | None = None,
    references: PathLike = "leaderboard/references",
    records_of: str | None = None,
    weights: Mapping[str, float] | None = None,
    thresholds: Mapping[str, float] | None = None,
    costs: WhichCosts = "audited",
) -> Leaderboard:
    """Rank the records of a results folder, or show a published table.

    Args:
        results: The folder.
        protocol: Name or TOML file of the rules; None for the default's records, or those of the only rules
            that have any.
        channel: "y" or "rgb", to compare with the thresholds in; None: as the protocol says.
        device: Part of a device's name or of what else was measured with, such as "torch 2.11", or "cuda" or
            "cpu"; None for the class of device, driver, libraries, CPU and threads with the most teams.
        reference: Name of a published table to show in place of the records, such as "ntire2024", or of a
            results file that was kept with `ntire-bench reference add`.
        references: Folder of such files.
        records_of: Name of the rules that the records were made under, where `protocol` is to rank them anew.
        weights: By "runtime", "flops" and "params", in place of the rules' own; they add up to 1.
        thresholds: By split [dB], in place of the rules' own.
        costs: "audited" or "official": what the audit found where that is more, or fvcore's FLOPs and
            parameters() alone.

    Returns:
        A board: `rows` in order, `left_out` with the reasons, `notes` for the reader; `anew` says who moved
        where it is not by the rules that the records were made under.

    Raises:
        UsageError: There is no such protocol or published table, nothing was measured on `device`, or the
            weights do not add up to 1.

    >>> board = leaderboard(reference="ntire2024")
    >>> [(row.rank, row.entry.name) for row in board.rows[:3]]
    [(1, 'XiaomiMM'), (2, 'Cao Group'), (3, 'BSR')]
    """
    from ntire_bench.ranking.anew import changes_of
    from ntire_bench.ranking.named import board_named
    from ntire_bench.ranking.stored import board_of_records

    changes = changes_of(weights, thresholds, costs)
    if reference is not None:
        board = board_named(Path(references), reference, changes)
    else:
        board = board_of_records(
            Path(results), protocol, channel, device, records_of=records_of, changes=changes
        )
    return Leaderboard(**{field.name: getattr(board, field.name) for field in dataclasses.fields(board)})


def render(
    board: Board,
    fmt: Format = "table",
    *,
    width: int | None = None,
    color: bool = False,
    notes: bool = False,
) -> str:
    """Return a leaderboard as text: "table", "md", "csv", "json", "latex", "html" or "challenge".

    Args:
        board: As `leaderboard` returns it.
        fmt: The format.
        width: Columns of the table; 100 where it is None. The other formats have no width.
        color: Whether the table holds colour codes.
        notes: Whether Markdown and LaTeX, which are for papers, hold all notes as the other formats do.

    Raises:
        UsageError: There is no such format.

    >>> print(render(leaderboard(reference="ntire2024"), "csv").splitlines()[0][:19])
    id,team,is_baseline
    """
    from ntire_bench.reporting import render as formats

    return formats.render(board, fmt, width=width, color=color, notes=notes)


def prepare(
    hr_dir: PathLike,
    lr_dir: PathLike | None = None,
    *,
    scale: int = 4,
    replace: bool = False,
    noise: float | None = None,
    seed: int = 0,
) -> list[Path]:
    """Make the LR image of every HR PNG of a folder, as the challenge did with MATLAB's bicubic reduction.

    Args:
        hr_dir: Folder of 8-bit RGB PNG images.
        lr_dir: Folder to write to; None for NAME_LR beside NAME_HR, or NAME_noise50 with noise of 50.
        scale: 2, 3 or 4; without effect with noise, which keeps the size.
        replace: Whether other LR images that are there may be replaced.
        noise: Standard deviation of white Gaussian noise to add [8-bit levels]; None scales down instead.
        seed: Of the noise.

    Returns:
        The LR files, NAMEx4.png for NAME.png, or NAME.png with noise.

    Raises:
        DatasetError: An image is not fit, or a file cannot be written; nothing is written then.
    """
    from ntire_bench.data import prepare as lr_images

    target = lr_images.folder_beside(Path(hr_dir), noise) if lr_dir is None else Path(lr_dir)
    return lr_images.prepare(
        Path(hr_dir), target, scale if noise is None else 1, replace=replace, noise=noise, seed=seed
    )


def psnr(
    sr: npt.NDArray[np.uint8], hr: npt.NDArray[np.uint8], *, channel: Channel = "y", border: int = 4
) -> float:
    """Return the PSNR of an SR image [dB], as the challenge defines it.

    Args:
        sr: (H, W, 3) uint8, RGB.
        hr: The same shape and type.
        channel: "y" for the luma, "rgb" for all three channels together.
        border: Pixels cropped off every side.

    Returns:
        10 log10(255^2 / MSE); `math.inf` where the channel is equal everywhere.

    Raises:
        ValueError: Types or shapes are wrong, or nothing is left inside the border.

    >>> import numpy as np
    >>> hr = np.full((16, 16, 3), 128, np.uint8)
    >>> round(psnr(hr + np.uint8(1), hr, channel="rgb"), 4)  # 20 log10(255)
    48.1308
    """
    from ntire_bench.metrics import psnr as metric

    both = metric.psnr(sr, hr, border)
    return both.y_db if _is_y(channel) else both.rgb_db


def ssim(
    sr: npt.NDArray[np.uint8], hr: npt.NDArray[np.uint8], *, channel: Channel = "y", border: int = 4
) -> float:
    """Return the mean structural similarity of an SR image: Wang et al., IEEE TIP 2004, window 11x11.

    Args:
        sr: (H, W, 3) uint8, RGB.
        hr: The same shape and type.
        channel: "y" for the luma, "rgb" for the mean over the three channels.
        border: Pixels cropped off every side.

    Returns:
        A value in [-1, 1]; 1 where the channel is equal everywhere.

    Raises:
        ValueError: Types or shapes are wrong, or less than 11 pixels a side are left inside the border.

    >>> import numpy as np
    >>> hr = np.arange(24 * 24 * 3, dtype=np.uint8).reshape(24, 24, 3)
    >>> ssim(hr, hr)
    1.0
    """
    from ntire_bench.metrics import ssim as metric

    return metric.ssim_y(sr, hr, border) if _is_y(channel) else metric.ssim_rgb(sr, hr, border)


def load_record(path: PathLike) -> Record:
    """Read one stored record; those of earlier versions are read too.

    Args:
        path: A JSON file below a results folder.

    Raises:
        RecordError: It cannot be read, or does not hold what a record must.
    """
    from ntire_bench.records import store

    return store.load(path)


def _is_y(channel: str) -> bool:
    if channel not in ("y", "rgb"):
        raise UsageError("there is no such channel", found=repr(channel), remedy='give "y" or "rgb"')
    return channel == "y"


def _find(
    model: int | PathLike, models: PathLike, model_zoo: PathLike | None
) -> tuple[Catalogue, Submission]:
    """Return the submissions beside a model, and the model itself."""
    from ntire_bench.submissions import models_folder
    from ntire_bench.submissions.submission import PACKAGE_FILE

    word = str(model)
    is_word = isinstance(model, (int, str)) and os.sep not in word and not word.endswith(".py")
    file = None if is_word else Path(model)  # type: ignore[arg-type]
    if file is not None and file.name == PACKAGE_FILE:
        file = file.parent
    folder = Path(models) if file is None else file.parent
    zoo = folder.parent / "model_zoo" if model_zoo is None else Path(model_zoo)
    catalogue = models_folder.find(folder, zoo)
    if file is None:
        return catalogue, catalogue.get(catalogue.id_of(word))
    paths = {id_: item.file for id_, item in catalogue.entries.items()}
    files = {(path.parent if path.name == PACKAGE_FILE else path).name: id_ for id_, path in paths.items()}
    if file.name in files:
        return catalogue, catalogue.get(files[file.name])
    raise UsageError(
        "this is no model file of a submission" if file.exists() else "there is no such model file",
        file=file,
        expected="a file named teamNN_Name.py, or a package teamNN_Name",
        remedy="rename it, or correct the path",
    )
