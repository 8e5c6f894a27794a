"""The images of a campaign and the rules that go with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.data.dataset import Split, load_splits
from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Protocol

__all__ = ["Data", "choose_data"]


@dataclass(frozen=True)
class Data:
    """The images of a campaign and the rules that go with them.

    Attributes:
        splits: Checked pairs.
        protocol: The rules.
    """

    splits: tuple[Split, ...]
    protocol: Protocol

    @property
    def sample(self) -> bool:
        """Whether this is the sample set, which is not comparable with the challenge."""
        return any(split.sample for split in self.splits)


def choose_data(
    split_names: Sequence[str],
    data_dir: Path | None,
    protocol_name: str | Protocol | None,
    progress: Callable[[int, int], None] | None = None,
) -> Data:
    """Check the images and choose the rules.

    Args:
        split_names: "valid", "test", or the NAME of folder pairs NAME_HR, NAME_LR.
        data_dir: Folder of the pairs. None looks in the working directory, its data/ and its parent; where no
            challenge images are there, the sample set is taken.
        protocol_name: Of the rules, the path of their TOML file, or the rules themselves; None takes the
            default protocol, or "sample" on the sample set.
        progress: Called with (files checked, files in all).

    Raises:
        DatasetError: The images are not fit; lists every problem.
        UsageError: The protocol does not go with the images.
    """
    named = protocols.load(protocol_name) if isinstance(protocol_name, str) else protocol_name
    rules = named or protocols.load()
    splits = load_splits(
        split_names,
        data_dir,
        scale=rules.scale,
        noise=rules.noise,
        border=rules.border,
        folders=rules.folders,
        prefer_sample=rules.thresholds.kind == "below_baseline",
        progress=progress,
    )
    data = Data(splits, rules)
    if not data.sample:
        return data
    if named is None:
        return Data(splits, protocols.load(protocols.SAMPLE_PROTOCOL))
    if not rules.fits_any_images:
        raise UsageError(
            f"protocol {rules.name} is judged on {_judged_on(rules)}, and there are none here",
            remedy=f"name their folder with --data_dir, or use --protocol {protocols.SAMPLE_PROTOCOL}",
        )
    return data


def _judged_on(rules: Protocol) -> str:
    """Return the images that rules with thresholds in dB are for, in words.

    >>> _judged_on(protocols.load("ntire2024"))
    'images of DIV2K_LSDIR_valid and DIV2K_LSDIR_test'
    """
    return f"images of {' and '.join(rules.folders.get(split, split) for split in rules.splits)}"
