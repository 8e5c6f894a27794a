"""Builds a submission's kernels, in a process that has no image and whose files all end with it. Worker only.

First what its setup.py builds, on a copy of the folder; then what loading the network asks
torch.utils.cpp_extension or Triton for. What comes of it goes to the parent as plain bytes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.messages import MOST_DEPTH, BuildRequest, Built, BuiltFile, Kernels, is_plain_path
from ntire_bench.worker.loading import kernels as served

__all__ = ["BuildOutcome", "build"]

_SIDE = 64  # LR pixels of the made-up image that a network is tried on, for kernels that forward compiles
_SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")
_MOST_REASON = 1500  # characters


@dataclass
class BuildOutcome:
    """What was built.

    Attributes:
        reply: For the parent.
        contents: Those of its files, in their order.
    """

    reply: Built
    contents: list[Path]


@dataclass
class _Build:
    scratch: Path
    setups: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        """What is handed over."""
        return self.scratch / "built"


def build(request: BuildRequest, load: Callable[[Any], object]) -> BuildOutcome:
    """Build all kernels of a submission. A failure is noted: its code may do without.

    Args:
        request: What is to be built.
        load: Loads the network, which may build more.
    """
    state = _Build(Path(os.environ.get("TMPDIR", "/tmp")) / "build")
    state.output.mkdir(parents=True)
    _prepare_environment(state.output)
    for number, folder in enumerate(request.setups):
        _run_setup(state, folder, f"setup{number}")
    served.serve(Kernels(folder=state.output, setups=state.setups))
    generator = np.random.default_rng(0)
    probe = generator.integers(96, 160, (_SIDE, _SIDE, 3), dtype=np.uint8)
    loaded: str | None = None
    with _recorded(state):
        try:
            load(probe)
        except Exception as error:  # told, and judged when the network is loaded for good
            loaded = error.what if isinstance(error, SubmissionError) else _reason(error)
            _say(f"loading the network after the build: {error}")
    triton = state.output / served.TRITON
    if triton.is_dir():
        for lock in triton.rglob("*.lock"):
            lock.unlink()
    files = [file for file in sorted(state.output.rglob("*")) if file.is_file() and not file.is_symlink()]
    for file in files:
        path = file.relative_to(state.output).as_posix()
        if not is_plain_path(path):
            raise SubmissionError(
                "builds a file whose name is not taken",
                expected=f"a path of at most {MOST_DEPTH} names of letters, digits and _ . + = @ , -",
                found=path,
                remedy="rename the folder or the extension",
            )
    listed = tuple(
        BuiltFile(file.relative_to(state.output).as_posix(), file.stat().st_size) for file in files
    )
    reply = Built(
        files=listed, setups=state.setups, extensions=state.extensions, failed=state.failed, loaded=loaded
    )
    return BuildOutcome(reply, files)


def _prepare_environment(output: Path) -> None:
    """Let compilers be found, and have what is built at run time lie where it is collected."""
    # PATH may name folders of the user's that this process does not see; the system's it always does.
    folders = [str(Path(sys.prefix) / "bin"), str(Path(sys.executable).parent), *_SYSTEM]
    known = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys([*known, *folders]))
    os.environ["TORCH_EXTENSIONS_DIR"] = str(output.parent / "extensions")
    os.environ["TRITON_CACHE_DIR"] = str(output / served.TRITON)
    os.environ.setdefault("MAX_JOBS", str(len(os.sched_getaffinity(0))))
    for name in ("OMP_NUM_THREADS", "GLIBC_TUNABLES"):  # those of timed calls; a compiler is quicker without
        os.environ.pop(name, None)


def _run_setup(state: _Build, folder: Path, name: str) -> None:
    """Run a setup.py on a copy of its folder, and keep the libraries that it has put there."""
    copy = state.scratch / name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__", ".git", "*.pth", "*.so"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path))}
    command = [sys.executable, "setup.py", "build_ext", "--inplace", "--build-temp", str(copy / "build_temp")]
    _say(f"{folder.name}: {' '.join(command[1:4])}")
    done = subprocess.run(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    text = done.stdout.decode(errors="replace")
    _say(text)
    label = f"{folder.name}/setup.py"
    if done.returncode:
        lines = [line for line in text.splitlines() if line.strip()]
        told = next((line for line in lines if "error:" in line.lower()), lines[-1] if lines else "")
        state.failed[label] = f"exit status {done.returncode}: {told.strip()}"[:_MOST_REASON]
        return
    state.setups[str(folder)] = name
    for library in sorted(copy.rglob("*")):
        inside = library.relative_to(copy)
        is_own = library.suffix == ".so" and not library.is_symlink()
        if is_own and inside.parts[0] not in ("build", "build_temp"):
            target = state.output / name / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(library, target)
            module = served.module_name(library.name)
            state.extensions[f"{module} ({label})"] = target.relative_to(state.output).as_posix()


@contextlib.contextmanager
def _recorded(state: _Build) -> Iterator[None]:
    """Note what torch.utils.cpp_extension builds within the context, under which name."""
    from torch.utils import cpp_extension

    originals = {name: getattr(cpp_extension, name) for name in ("load", "load_inline")}

    def recording(original: Callable[..., Any]) -> Callable[..., Any]:
        def build(name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            printed: list[str] = []
            try:
                with _printed_by_programs(state.scratch / "printed", printed):
                    made = original(name, *args, **{**kwargs, "verbose": True})
            except Exception as error:
                state.failed[name] = _reason(error, *printed)
                _say("".join(traceback.format_exception(error)))
                raise
            _keep(state, name, made)
            return made

        return build

    for name, original in originals.items():
        setattr(cpp_extension, name, recording(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(cpp_extension, name, original)


@contextlib.contextmanager
def _printed_by_programs(file: Path, texts: list[str]) -> Iterator[None]:
    """Collect what is printed within the context, by compilers too, and print it when it ends."""
    sys.stdout.flush()
    before = os.dup(1)
    with file.open("w+b") as collected:
        os.dup2(collected.fileno(), 1)
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(before, 1)
            os.close(before)
            collected.seek(0)
            texts.append(collected.read().decode(errors="replace"))
            _say(texts[-1])


def _keep(state: _Build, name: str, made: object) -> None:
    """Keep the file of an extension that was just built."""
    folder = Path(os.environ["TORCH_EXTENSIONS_DIR"])
    file = Path(str(getattr(made, "__file__", None) or made or ""))
    if not file.is_file():  # without a module of Python's, torch returns no path
        # The folder may carry the version of Python and CUDA in its name.
        candidates = sorted(folder.rglob(f"{name}*.so"), key=lambda path: path.stat().st_mtime)
        candidates += [Path(path) for path in torch.ops.loaded_libraries if Path(path).stem == name]
        if not candidates:
            state.failed[name] = "no library was found where torch builds it"
            return
        file = candidates[-1]
    target = state.output / "extensions" / name / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    state.extensions[name] = target.relative_to(state.output).as_posix()
    state.failed.pop(name, None)


def _reason(error: BaseException, *printed: str) -> str:
    """Return an error on one line: of a compiler's many lines, the first that says error."""
    texts = (*printed, str(error))
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    told = next((line for line in lines if "error:" in line or "not found" in line), first)
    return f"{type(error).__name__}: {told}"[:_MOST_REASON]


def _say(text: str) -> None:
    """Add to what the build prints, which the parent keeps as its log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
