"""The commands data manifest and data verify: images named, and copies of them checked."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntire_bench.cli.interrupted import interruptible
from ntire_bench.cli.options import PATH, json_flag, protocol_option
from ntire_bench.cli.output import print_json, write
from ntire_bench.errors import UsageError
from ntire_bench.text import one_line, relative

if TYPE_CHECKING:
    from ntire_bench.data.manifest import Manifest
    from ntire_bench.data.manifest_files import Difference

__all__ = ["data"]

_MOST_SHOWN = 50


@click.group()
def data() -> None:
    """Name the images of a folder in a manifest, and check a copy of them."""


@data.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--output", "-o", type=PATH, help="File to write.  [default: manifest.json in DIR]")
@protocol_option
@click.option("--seed", type=click.IntRange(0), help="What `prepare --noise` made noisy images with.")
@click.option("--force", is_flag=True, help="Replace another manifest that is there already.")
@json_flag
def manifest(
    folder: Path, output: Path | None, protocol_name: str | None, seed: int | None, force: bool, as_json: bool
) -> None:
    """Write names, sizes and hashes of all images in DIR, of files and of pixels, split by split.

    Splits are the folder pairs NAME_HR, NAME_LR in DIR; the protocol says how LR is made of HR. A run on
    images with a manifest.json beside them refuses other images than those, and its records name the
    manifest.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.data.manifest import NAME
    from ntire_bench.data.manifest_files import make
    from ntire_bench.protocols import protocol

    rules = protocol.load(protocol_name or protocol.DEFAULT_PROTOCOL)
    if seed is not None and rules.noise is None:
        remedy = "leave it out, or name rules of denoising with --protocol"
        raise UsageError(f"--seed is of noise, and there is none under {rules.name}", remedy=remedy)
    target = output or folder / NAME
    with (
        interruptible(lambda: "nothing was written.", as_json=as_json, document=dict),
        terminal.progress_bar() as progress,
    ):
        found, otherwise = make(
            folder,
            rules.scale,
            rules.noise,
            seed,
            rules.border,
            lambda done, total: progress("images", done, total),
        )
    if seed is not None and otherwise:
        raise UsageError(
            f"{len(otherwise)} noisy images are not what --seed gives",
            file=folder / otherwise[0].file,
            found=otherwise[0].message,
            remedy="give the seed that they were made with, or leave --seed out where it is not known",
        )
    text = found.text()
    is_there = target.is_file() and target.read_bytes() == text
    if target.exists() and not is_there and not force:
        raise UsageError(
            "another manifest is there already",
            file=target,
            remedy="compare with `ntire-bench data verify`; --force replaces it, -o names another file",
        )
    if not is_there:
        write(target, text.decode())
    if as_json:
        document = {"manifest": relative(target), "written": not is_there, **_head(found)}
        print_json({**document, "not_made_of_hr": [dataclasses.asdict(one) for one in otherwise]})
        return
    for name, split in found.splits.items():
        terminal.show(f"{name}: {len(split.images)} pairs, fingerprint {split.dataset_sha256[:16]}")
    _tell_otherwise(otherwise)
    if found.noise is not None and found.seed is None:
        terminal.tell("No --seed: whether the noise is what `prepare` makes was not looked at.")
    terminal.tell(f"{'written' if not is_there else 'as it was'}: {relative(target)}")


@data.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.argument("manifest_file", type=PATH, metavar="MANIFEST")
@json_flag
def verify(folder: Path, manifest_file: Path, as_json: bool) -> None:
    """Check the images in DIR against a manifest, and that LR is what `prepare` makes of HR.

    Exit status: 0 all is as in the manifest, 1 something differs, 2 wrong use.
    """
    from ntire_bench.cli import terminal
    from ntire_bench.data.manifest import read
    from ntire_bench.data.manifest_files import verify as compare

    wanted = read(manifest_file)
    with (
        interruptible(lambda: "the check was not finished.", as_json=as_json, document=dict),
        terminal.progress_bar() as progress,
    ):
        found = compare(folder, wanted, lambda done, total: progress("images", done, total))
    if as_json:
        differences = [dataclasses.asdict(one) for one in found]
        print_json({"ok": not found, **_head(wanted), "differences": differences})
        sys.exit(1 if found else 0)
    for one in found[:_MOST_SHOWN]:
        terminal.show(f"{one_line(one.file)} {one_line(one.message)}")
    if len(found) > _MOST_SHOWN:
        terminal.show(f"and {len(found) - _MOST_SHOWN} more: --json names all")
    pairs = sum(len(split.images) for split in wanted.splits.values())
    what = f"{pairs} pairs of {len(wanted.splits)} split{'s' if len(wanted.splits) != 1 else ''}"
    unseen = wanted.noise is not None and wanted.seed is None
    made = "; the noise was not looked at: the manifest names no seed" if unseen else ", and LR is made of HR"
    if found:
        terminal.show(f"DIFFERS  {what}: {len(found)} difference{'s' if len(found) != 1 else ''}")
    else:
        terminal.show(f"OK  {what}: all as in {relative(manifest_file)}{made}")
    sys.exit(1 if found else 0)


def _head(found: Manifest) -> dict[str, Any]:
    return {
        "scale": found.scale,
        "noise": found.noise,
        "seed": found.seed,
        "splits": {
            name: {"images": len(split.images), "dataset_sha256": split.dataset_sha256}
            for name, split in found.splits.items()
        },
    }


def _tell_otherwise(found: list[Difference]) -> None:
    """Say which LR images are not what `prepare` makes: a user may not know, and `verify` will say so."""
    from ntire_bench.cli import terminal

    for one in found[:3]:
        terminal.tell(f"{one_line(one.file)}: {one.message}.")
    if len(found) > 3:
        terminal.tell(f"And {len(found) - 3} more such images; `ntire-bench data verify` names all.")
