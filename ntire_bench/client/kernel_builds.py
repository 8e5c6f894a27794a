"""Has a submission's kernels built once, behind the walls of a worker, and keeps what came of it.

The process that builds has no network and no image, and none of its files stays: what it built comes back as
bytes, which are written here under names that are checked, to be read only. Nothing of it is run here. It is
kept in the cache folder, by a hash of the sources and of the toolchain.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ntire_bench.client import answers
from ntire_bench.client.sandbox import Sandbox
from ntire_bench.data.cache_dir import cache_dir
from ntire_bench.errors import NtireBenchError, SubmissionError
from ntire_bench.machine import installed
from ntire_bench.records.record import Inference, Isolation
from ntire_bench.submissions import kernel_sources
from ntire_bench.submissions.submission import Submission
from ntire_bench.text import one_line, relative
from ntire_bench.wire.messages import BranchRequest, BuildRequest, Built, Kernels, LoadRequest, plain

__all__ = ["KernelBuild", "build_of", "toolchain"]

TIMEOUT_S = 1800.0
MOST_BYTES = 256 * 2**20  # of all that was built
_FORMAT = 1  # changes with the layout below
_FOLDERS = re.compile(r"(?<![\w.~-])/(?:[^\s/:'\"]+/)+")  # of absolute paths, which compilers print
_COMPILERS = ("c++", "gcc", "nvcc", "ninja")


@dataclass(frozen=True)
class KernelBuild:
    """What a build gave, as it is kept.

    Attributes:
        folder: Holds `files`, to read only, and log.txt.
        built: What lies in `files`.
        seconds: How long it took.
        toolchain: What it was built with.
    """

    folder: Path
    built: Built
    seconds: float
    toolchain: str

    @property
    def log(self) -> Path:
        """What was printed while it was built, the last 256 KiB of it."""
        return self.folder / "log.txt"

    @property
    def files(self) -> Path:
        """The folder of the built files."""
        return self.folder / "files"

    @property
    def names(self) -> tuple[str, ...]:
        """The extensions that were built."""
        return tuple(self.built.extensions)

    @property
    def kernels(self) -> Kernels:
        """What a worker is told."""
        return Kernels(
            folder=self.files,
            setups=self.built.setups,
            extensions=self.built.extensions,
            failed=self.built.failed,
            loaded=self.built.loaded,
        )

    def inferences(self) -> list[Inference]:
        """Return what was built, and what could not be, in words that name no folder of this machine."""
        log = f"log: kernels/{self.folder.name[:16]}.../{self.log.name} in the cache folder"
        how = f"built in {self.seconds:.0f} s behind the same walls; {log}"
        told = [Inference(key="kernel", value=one_line(name), how=how) for name in self.names]
        for name, why in self.built.failed.items():
            why = one_line(_FOLDERS.sub("", why), 300)
            not_built = f"not built ({why}), and the network does without; {log}"
            told.append(Inference(key="kernel", value=one_line(name), how=not_built))
        return told


_known: dict[tuple[str, str], KernelBuild] = {}  # failed ones too: for the time of one command


def build_of(
    submission: Submission,
    load: LoadRequest | None,
    branch: BranchRequest | None,
    *,
    scale: int,
    device: str,
    isolation: Isolation,
    hidden: Sequence[Path],
    tell: Callable[[str], None] = lambda _: None,
) -> KernelBuild | None:
    """Return what was built of a submission's kernels, built now if need be; None where it has none.

    Args:
        submission: Whose.
        load: How it is loaded; None for a branch.
        branch: The branch; None for a file of models/.
        scale: Enlargement factor.
        device: "auto", "cpu", "cuda", "cuda:N".
        isolation: That of its workers.
        hidden: Folders that it must not see.
        tell: Called with a sentence before it is built.

    Raises:
        SubmissionError: The process that builds died, took too long, or gave something that cannot be.
    """
    if not kernel_sources.has_kernels(submission):
        return None
    tools = toolchain()
    identity = (
        f"{_FORMAT}\n{kernel_sources.sources_sha256(submission)}\n{device}\n{submission.label}\n{scale}\n"
        f"{'' if load is None else load.args}\n{tools}"
    )
    key = hashlib.sha256(identity.encode(errors="replace")).hexdigest()
    home = cache_dir() / "kernels"
    known = _known.get((str(home), key)) or _kept(home / key)
    if known is None:
        tell(f"building the kernels of {submission.label}; this is done once for these files")
        request = BuildRequest(
            load=load, branch=branch, setups=kernel_sources.setup_folders(submission), scale=scale
        )
        known = _build(submission, request, home / key, tools, device, isolation, hidden)
    _known[str(home), key] = known
    return known


def _build(
    submission: Submission,
    request: BuildRequest,
    folder: Path,
    tools: str,
    device: str,
    isolation: Isolation,
    hidden: Sequence[Path],
) -> KernelBuild:
    begin = time.monotonic()
    with Sandbox(
        submission.file,
        lr_bytes=4096,
        sr_bytes=MOST_BYTES,
        device=device,
        isolation=isolation,
        readable=submission.readable,
        hidden=hidden,
        workdir=submission.workdir,
        sleeping=True,
    ) as sandbox:
        sandbox.expect_strange_code()
        try:
            reply = sandbox.call("build", TIMEOUT_S, request=plain(request))
            if "error" in reply:
                raise answers.error(reply["error"], submission.file)
            built = answers.built(reply.get("ok"), MOST_BYTES)
        except answers.ForgedAnswerError as problem:
            raise sandbox.forged(str(problem)) from None
        except NtireBenchError as error:
            log = _write_log(folder.with_suffix(".failed.txt"), sandbox.printed())
            remedy = f"{error.remedy or 'mend its build'}; what it printed: {relative(log)}"
            raise SubmissionError(
                f"its kernels cannot be built: {error.what}",
                file=submission.file,
                expected=error.expected,
                found=error.found,
                remedy=remedy,
            ) from error
        made = KernelBuild(folder, built, round(time.monotonic() - begin, 1), tools)
        return _keep(made, sandbox)


def _keep(made: KernelBuild, sandbox: Sandbox) -> KernelBuild:
    """Write what was built, whole or not at all; one that failed is kept under a name of its own."""
    whole = not made.built.failed and made.built.loaded is None
    folder = made.folder if whole else made.folder.with_suffix(".failed")
    temporary = folder.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        (temporary / "files").mkdir(parents=True, mode=0o755)
        begin = 0
        for file in made.built.files:
            path = temporary / "files" / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as out:
                out.write(sandbox.sr[begin : begin + file.size])
            begin += file.size
        _write_log(temporary / "log.txt", sandbox.printed())
        kept = {"built": plain(made.built), "seconds": made.seconds, "toolchain": made.toolchain}
        (temporary / "built.json").write_bytes(msgspec.json.encode(kept))
        if folder.exists():  # of another process, or a build that failed before
            old = folder.with_name(f".{secrets.token_hex(8)}.tmp")
            os.replace(folder, old)
            shutil.rmtree(old, ignore_errors=True)
        os.replace(temporary, folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SubmissionError(
            "what was built of its kernels cannot be kept",
            file=folder,
            found=error.strerror or str(error),
            remedy="free space there, or name another folder with NTIRE_BENCH_CACHE",
        ) from error
    return KernelBuild(folder, made.built, made.seconds, made.toolchain)


def _kept(folder: Path) -> KernelBuild | None:
    """Return a build that is kept whole; None where there is none."""
    try:
        kept = msgspec.json.decode((folder / "built.json").read_bytes())
        built = msgspec.convert(kept["built"], Built)
        sizes = [(folder / "files" / file.path).stat().st_size for file in built.files]
    except (OSError, KeyError, TypeError, msgspec.MsgspecError):
        return None
    if sizes != [file.size for file in built.files]:
        return None
    return KernelBuild(folder, built, float(kept["seconds"]), str(kept["toolchain"]))


def _write_log(path: Path, printed: bytes) -> Path:
    """Write what a build printed, without control characters."""
    text = printed.decode(errors="replace")
    clean = re.sub(r"[^\S\n]|[^\x20-\x7e\n]", lambda found: found[0] if found[0].isprintable() else " ", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(clean, encoding="utf-8")
    return path


@functools.cache
def toolchain() -> str:
    """Return what kernels are built with and for, one thing a line; where it changes, they are built anew."""
    lines = [f"python {platform.python_version()} {sys.implementation.cache_tag}", platform.machine()]
    lines.append(f"torch {installed.torch_build()}")
    for package in ("ninja", "setuptools", "triton", "pybind11"):
        try:
            lines.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{package} none")
    for program in _COMPILERS:
        lines.append(f"{program}: {_version(program)}")
    lines.append(f"gpus {installed.gpus()}")
    lines.append(f"cpu {hashlib.sha256(_cpu_flags()).hexdigest()[:16]}")  # for -march=native
    return "\n".join(lines)


def _version(program: str) -> str:
    """Return what a compiler says of its version, on one line."""
    path = shutil.which(program)
    if path is None:
        return "none"
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return "does not run"
    return " ".join(done.stdout.split())[:300]


def _cpu_flags() -> bytes:
    """Return what the processor can do, as Linux tells it; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return b""
    return next((line for line in lines if line.startswith((b"flags", b"Features"))), b"")
