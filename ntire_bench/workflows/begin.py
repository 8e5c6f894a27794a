"""new: a model file and a first checkpoint, to begin a network with."""

from __future__ import annotations

import contextlib
import keyword
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ntire_bench import PACKAGE, interruption
from ntire_bench.client.worker import Worker
from ntire_bench.errors import UsageError
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import Isolation
from ntire_bench.submissions import models_folder
from ntire_bench.submissions.shipped_examples import Folders, folders_without_own
from ntire_bench.submissions.spelling import spelled
from ntire_bench.submissions.submission import CHECKPOINT_SUFFIXES, Submission
from ntire_bench.text import one_line, relative
from ntire_bench.wire.declaration import Declaration

__all__ = ["Begun", "begin", "class_name", "wanted"]

_TEMPLATES = PACKAGE / "submissions" / "templates"
_FACTOR = "upscale: int = 4"  # as templates have it
_BUFFER_SIDE = 2048  # HR pixels; sizes the buffer that the checkpoint comes back in: 12 MiB
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,59}")
# Names that a template uses otherwise.
_TAKEN = {"Block", "RepConv", "SUBMISSION", "Tensor", "annotations", "functional", "nn", "torch"}


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What was written.

    Attributes:
        submission: The model file and its checkpoint.
        baseline: Files of the protocol's baseline that were put beside it; empty where there was no need.
    """

    submission: Submission
    baseline: tuple[Path, ...] = ()


def wanted(team: str, name: str | None) -> tuple[int, str]:
    """Return the number and the name that a user writes for a new submission.

    Args:
        team: The number, such as "5" or "team05"; or both, such as "05_MyNet" or "models/team05_MyNet.py".
        name: The name; None where it was not written apart.

    Raises:
        UsageError: One of them is missing, or two names are written.

    >>> wanted("5", "MyNet"), wanted("team05", "MyNet"), wanted("models/team05_MyNet.py", None)
    ((5, 'MyNet'), (5, 'MyNet'), (5, 'MyNet'))
    """
    first = spelled(team)
    if first.id is None:
        raise UsageError(
            "no number of a team is given" if name is None else "the first word is no number of a team",
            expected="a number of up to nine digits",
            found=one_line(team, 80),
            remedy=f"write ntire-bench new 5 {'MyNet' if name else one_line(first.name or 'MyNet', 80)}",
        )
    if first.name is not None and name is not None and first.name != name:
        raise UsageError(
            "two names are given",
            found=f"{one_line(first.name, 80)} and {one_line(name, 80)}",
            remedy=f"write ntire-bench new {first.id} {one_line(name, 80)}",
        )
    if (name or first.name) is None:
        raise UsageError("no name of the network is given", remedy=f"write ntire-bench new {first.id} MyNet")
    return first.id, name or first.name or ""


def class_name(name: str) -> str:
    """Return the name of the class for a network: its letters and digits.

    >>> class_name("MyNet"), class_name("my-net.v2"), class_name("2Fast"), class_name("nn")
    ('MyNet', 'mynetv2', 'Net2Fast', 'Netnn')
    """
    letters = re.sub(r"[^A-Za-z0-9_]", "", name)
    usable = letters.isidentifier() and not keyword.iskeyword(letters) and letters not in _TAKEN
    return letters if usable else f"Net{letters}"


def begin(
    id_: int,
    name: str,
    models: Path,
    model_zoo: Path,
    probe: npt.NDArray[np.uint8],
    protocol: Protocol,
    *,
    isolation: Isolation,
    reparam: bool = False,
    with_baseline: bool = False,
) -> Begun:
    """Write a model file and its first checkpoint: the LR image enlarged bicubically, plus zeros.

    At scale 1 it is the noisy image less zeros.

    The checkpoint is what a worker saves of the network: so the file is known to run.

    Args:
        id_: The team's number.
        name: NAME in the file's name; the class is named after it.
        models: Folder of the model files; made if need be.
        model_zoo: Folder of the checkpoints; made if need be.
        probe: A real LR image, uint8 HWC.
        protocol: For the scale, and the name of the baseline.
        isolation: What `isolation.isolation_for` returned.
        reparam: Whether the network has a training and a deploy form.
        with_baseline: Whether the protocol's baseline is put beside it, where neither folder is there yet.

    Raises:
        UsageError: The name is unfit, the id or a file is there already, or nothing can be written; or
            there is no such template.
    """
    _refuse_name(name, protocol)
    template = _template(protocol, reparam=reparam)
    stem = f"team{id_:02d}_{name}"
    file, checkpoint = models / f"{stem}.py", model_zoo / f"{stem}.pth"
    examples = folders_without_own(models, model_zoo) if with_baseline else None
    _refuse_taken(id_, models, model_zoo)
    text = template.read_text(encoding="utf-8").replace(_FACTOR, f"upscale: int = {protocol.scale}")
    cls = class_name(name)
    for word, value in (("CHECKPOINT", relative(checkpoint)), ("CLASS", cls), ("NAME", name)):
        text = text.replace(word, value)
    declaration = Declaration(model=cls, data_range=1, source="SUBMISSION")
    submission = Submission(
        id=id_, name=name, file=file, checkpoint=None, declaration=declaration, has_build_model=False
    )
    with contextlib.ExitStack() as undo:
        try:
            models.mkdir(parents=True, exist_ok=True)
            model_zoo.mkdir(parents=True, exist_ok=True)
            with interruption.held():
                _write_new(file, text.encode())
                undo.callback(file.unlink, missing_ok=True)
            with Worker(
                submission,
                scale=protocol.scale,
                largest_lr=(_BUFFER_SIDE // protocol.scale, _BUFFER_SIDE // protocol.scale),
                device="cpu",
                isolation=isolation,
            ) as worker:
                worker.hello()
                worker.load(probe)
                content = worker.save()
            with interruption.held():
                _write_new(checkpoint, content)
                undo.callback(checkpoint.unlink, missing_ok=True)
            baseline = _beside(examples, models, model_zoo, protocol)
        except FileExistsError as error:
            raise UsageError(
                "is there already, and is not overwritten",
                file=error.filename or file,
                remedy="choose another id or name",
            ) from None
        except OSError as error:
            raise UsageError(
                "cannot be written",
                file=error.filename or file,
                found=error.strerror or str(error),
                remedy="work in a folder that this user may write to",
            ) from None
        undo.pop_all()
    found = models_folder.find(models, model_zoo).get(id_)
    return Begun(submission=found, baseline=baseline)


def _template(protocol: Protocol, *, reparam: bool) -> Path:
    """Return the file that a model file is made of."""
    if protocol.scale > 1:
        return _TEMPLATES / f"{'reparam' if reparam else 'plain'}.py.txt"
    if reparam:
        raise UsageError(
            "--reparam is there for networks that enlarge alone",
            found=f"the rules of {protocol.name}, which are of denoising",
            remedy="leave --reparam out",
        )
    return _TEMPLATES / "denoise.py.txt"


def _refuse_name(name: str, protocol: Protocol) -> None:
    if not _NAME.fullmatch(name) or name.lower().endswith((".py", *CHECKPOINT_SUFFIXES)):
        raise UsageError(
            "this is no name for a network",
            expected="letters, digits and . _ + -, such as MyNet",
            found=one_line(name, 80),
            remedy="write ntire-bench new 5 MyNet",
        )
    if name.casefold() == protocol.baseline.name.casefold():
        raise UsageError(
            "this is the name of the baseline",
            found=name,
            remedy="choose another: a second submission of that name is refused",
        )


def _refuse_taken(id_: int, models: Path, model_zoo: Path) -> None:
    """Refuse an id that a file in one of the folders has already."""
    for folder in (models, model_zoo):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            suffixes = (".py", ".toml", "", *CHECKPOINT_SUFFIXES)
            if path.suffix.lower() in suffixes and models_folder.id_of(path) == id_:
                raise UsageError(
                    f"the id {id_:02d} is taken",
                    file=path,
                    remedy="choose another id, or rename that file; nothing is overwritten",
                )


def _beside(examples: Folders | None, models: Path, model_zoo: Path, protocol: Protocol) -> tuple[Path, ...]:
    """Copy the protocol's baseline out of the examples that ship with the program, if it is among them."""
    if examples is None:
        return ()
    there = models_folder.find(examples.models, examples.model_zoo).submissions.values()
    written: list[Path] = []
    for item in there:
        if item.name != protocol.baseline.name or item.checkpoint is None:
            continue
        for source, folder in ((item.file, models), (item.checkpoint, model_zoo)):
            target = folder / source.name
            if not os.path.lexists(target):
                shutil.copyfile(source, target)
                written.append(target)
    return tuple(written)


def _write_new(path: Path, content: bytes) -> None:
    """Write a file whole, or not at all, and never over another one.

    Raises:
        FileExistsError: There is one.
        OSError: It cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=".new_", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        try:
            os.link(name, path)
        except FileExistsError:
            raise FileExistsError(17, "File exists", str(path)) from None
    finally:
        os.unlink(name)
