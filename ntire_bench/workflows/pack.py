"""What a team sends: one archive with model, checkpoint, declaration, hashes and the factsheet's numbers.

The checks are those of the challenge's submission guide: names of the files, a network that loads and runs,
and numbers of these very files.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ntire_bench.data.dataset import Split, read_hr
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.measuring.resolve import describe
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.ranking.gate import gate
from ntire_bench.records import operational, store
from ntire_bench.records.record import Finding, Record
from ntire_bench.source import files
from ntire_bench.submissions import package_files
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import few, json_text, relative
from ntire_bench.workflows.crops import measured_sr

__all__ = ["Packed", "member_names", "pack", "pack_images", "record_of", "refuse_rejected", "remarks"]

_GUIDE_SUFFIXES = (".pth", ".pt", ".ckpt")
_MOMENT = (1980, 1, 1, 0, 0, 0)  # of every member: the same content is the same archive
_MODE = 0o644 << 16
_PART = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An archive that was written.

    Attributes:
        path: Of the archive.
        sha256: Of the archive.
        members: SHA-256 of each file in it, by name.
    """

    path: Path
    sha256: str
    members: Mapping[str, str]


def record_of(submission: Submission, stored: Iterable[store.Stored]) -> store.Stored:
    """Return the newest successful record of a submission's files as they are now.

    Raises:
        UsageError: There is none.
    """
    now = describe(submission)
    fitting = [
        item
        for item in stored
        if item.record.status == "ok"
        and item.record.imported is None
        and item.record.submission.files == now.files
        and item.record.submission.id == submission.id
    ]
    if not fitting:
        raise UsageError(
            f"there are no numbers of {submission.label} as it is now",
            file=submission.file,
            expected="a successful record of these files",
            remedy=f"evaluate it: ntire-bench run {submission.id} --ssim; or name the folder with --results",
        )
    return max(fitting, key=lambda item: item.order)


def remarks(submission: Submission, record: Record, rules: Protocol, found: Sequence[Finding]) -> list[str]:
    """Return what an organizer would object to, as sentences.

    Args:
        submission: What is packed.
        record: Its numbers.
        rules: Whose thresholds hold.
        found: Findings of a check of these files.
    """
    told = []
    checkpoint = submission.checkpoint
    if checkpoint is not None and checkpoint.suffix.lower() not in _GUIDE_SUFFIXES:
        told.append(
            f"{relative(checkpoint)}: the submission guide names {', '.join(_GUIDE_SUFFIXES)} as endings "
            "of a checkpoint."
        )
    told += [operational.told(one) for one in found if one.severity != "info"]
    answer = gate(record, rules, record.psnr_channel)
    has_gate = rules.asks_for_psnr or record.protocol.sha256 != rules.sha256
    if answer.outcome != "pass" and has_gate:
        failing = "; ".join(f"{v.split}: {v.reason}" for v in answer.verdicts if not v.passed)
        told.append(f"It would not pass the gate ({answer.outcome}): {answer.reason or failing}.")
    elif answer.remark:
        told.append(f"It {answer.remark}.")
    if not any(split.ssim_y is not None for split in record.splits.values()):
        told.append(f"SSIM is missing in the factsheet: ntire-bench run {submission.id} --ssim.")
    return told


def member_names(submission: Submission) -> dict[str, Path]:
    """Return the submission's own files by their names in the archive.

    A checkpoint that is found by its name gets the model file's, as the guide asks; what `fuse` wrote as
    NAME_deploy.pth becomes NAME.pth. One that is declared keeps its name.

    Raises:
        SubmissionError: It is a branch of a checkout, which is more than a model file and a checkpoint.
    """
    if submission.branch is not None:
        raise SubmissionError(
            "is a branch of a challenge's checkout",
            file=submission.file,
            expected="a model file in models/ and its checkpoint",
            remedy="copy both out of the checkout",
        )
    file, checkpoint = submission.file, submission.checkpoint
    if submission.package is not None:
        folder = submission.package.name
        listed = package_files.files_of(submission.package)
        members = {f"models/{folder}/{name}": path for name, path in listed.items()}
    else:
        members = {f"models/{file.name}": file}
        toml = file.with_suffix(".toml")
        if files.is_file(toml):
            members[f"models/{toml.name}"] = toml
    if checkpoint is not None:
        declared = submission.declaration.checkpoint is not None
        name = checkpoint.name if declared else submission.stem + checkpoint.suffix
        members[f"model_zoo/{name}"] = checkpoint
    return members


def pack(submission: Submission, target: Path, texts: Mapping[str, str], record: Record) -> Packed:
    """Write what a team sends into one archive.

    Args:
        submission: Whose files.
        target: The archive; one that is there is replaced when the new one is complete.
        texts: Further members, such as the factsheet's numbers, by name.
        record: Its numbers, for the list of what the archive holds.

    Raises:
        SubmissionError: A file cannot be read.
        UsageError: The archive cannot be written.
    """
    own = member_names(submission)
    hashes = {name: files.sha256(path) for name, path in own.items()}
    hashes |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    listed = {
        "submission": submission.label,
        "id": submission.id,
        "name": submission.name,
        "protocol": record.protocol.name,
        "measured_utc": record.created_utc,
        "files": dict(sorted(hashes.items())),
    }
    manifest = json_text(listed) + "\n"
    sums = "".join(f"{value}  {name}\n" for name, value in sorted(hashes.items()))
    more = {**texts, "SHA256SUMS": sums, "submission.json": manifest}
    _write(target, own, more)
    return Packed(path=target, sha256=files.sha256(target), members=hashes)


def pack_images(
    record: Record, splits: Sequence[Split], save_dir: Path, target: Path, rules: Protocol
) -> Packed:
    """Write the SR images of an evaluation into one archive, as NAME.png.

    Of several splits they lie in folders, SPLIT/NAME.png. Each image is seen to be the one that was measured.

    Args:
        record: The evaluation, whole.
        splits: Checked images, those of the record among them.
        save_dir: Where `run --save-images` put the SR images.
        target: The archive.
        rules: For scale and border.

    Raises:
        UsageError: An SR image is not there, or is not the one that was measured.
        DatasetError: An image cannot be read.
    """
    pairs = {(split.name, pair.name): (split, pair) for split in splits for pair in split.pairs}
    several = len(record.splits) > 1
    members: dict[str, Path] = {}
    for split, result in record.splits.items():
        for image in result.per_image:
            if (split, image.name) not in pairs:
                raise UsageError(
                    f"the image {split}/{image.name} of the record is not among these images",
                    remedy="name the images that it was evaluated on with --data_dir",
                )
            of, pair = pairs[split, image.name]
            path = save_dir / record.submission.label / of.dataset / f"{pair.name}.png"
            measured_sr(path, read_hr(pair, rules.scale), image.psnr_rgb_db, "rgb", rules.border)
            members[f"{split}/{image.name}.png" if several else f"{image.name}.png"] = path
    _write(target, members, {})
    return Packed(
        path=target,
        sha256=files.sha256(target),
        members={name: files.sha256(path) for name, path in sorted(members.items())},
    )


def _write(target: Path, own: Mapping[str, Path], texts: Mapping[str, str]) -> None:
    """Write an archive whole or not at all; the same content always gives the same bytes."""
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED) as archive:
                for name in sorted([*own, *texts]):
                    info = zipfile.ZipInfo(name, _MOMENT)
                    info.external_attr, info.compress_type = _MODE, zipfile.ZIP_DEFLATED
                    if name in texts:
                        archive.writestr(info, texts[name])
                        continue
                    with archive.open(info, "w", force_zip64=True) as out:
                        for part in _parts(own[name]):
                            out.write(part)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        remedy = "name a file in a folder that this user may write to with --output"
        raise UsageError(
            "cannot be written", file=target, found=error.strerror or str(error), remedy=remedy
        ) from None


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_PART):
            yield part


def refuse_rejected(submission: Submission, found: Sequence[Finding]) -> None:
    """Refuse to pack what an organizer would reject.

    Raises:
        SubmissionError: There is a finding of severity reject.
    """
    rejected = [one for one in found if one.severity == "reject"]
    if rejected:
        raise SubmissionError(
            "would be rejected, and is not packed",
            file=submission.file,
            found=few([f"{one.code}: {one.message}" for one in rejected], 3, between="; "),
            remedy=f"see ntire-bench check {submission.id} --strict",
        )
