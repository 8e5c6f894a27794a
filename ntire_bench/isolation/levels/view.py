"""What a worker may see of the file system, whatever keeps it from the rest.

An allow-list: the interpreter and its packages, this package, the system's libraries, the devices of a GPU,
and the submission's own files. What is not on it is absent (namespaces) or cannot be opened (Landlock).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ntire_bench import PACKAGE

__all__ = ["View", "search_paths", "view"]

_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into /usr on most systems
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "OpenCL", "nvidia")
_SYS = ("devices/system", "kernel/mm/transparent_hugepage")
# Of an interpreter's prefix, which may be the checkout itself: what Python and CUDA's libraries are made of.
_PREFIX = ("bin", "lib", "lib64", "include", "pyvenv.cfg", "targets", "nvvm")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_GPU_DEVICES = (
    "nvidia[0-9]*",
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps/*",
    "nvidia-caps-imex-channels/*",
    "dri/*",
    "kfd",
    "dxg",
)


@dataclass(frozen=True, kw_only=True)
class View:
    """What a worker sees.

    Attributes:
        readable: Files and folders, each at its own path, to read and execute; none lies inside another.
        links: Symbolic links of the system's root: (where it points, path).
        devices: Device nodes, to read and write.
        gpu: Whether there are a GPU's among them.
    """

    readable: tuple[Path, ...]
    links: tuple[tuple[str, str], ...] = ()
    devices: tuple[Path, ...] = ()
    gpu: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the same as plain JSON values; of what can be read, where it really lies stands first."""
        return {
            "readable": [[os.path.realpath(path), str(path)] for path in self.readable],
            "links": [list(link) for link in self.links],
            "devices": [str(path) for path in self.devices],
        }


def view(files: Iterable[Path], hidden: Iterable[Path] = (), root: Path = Path("/")) -> View:
    """Return what a worker with these files sees.

    Args:
        files: The submission's own files and folders.
        hidden: Folders that must stay out of sight even where they lie inside one of those above.
        root: Of the file system, for tests.
    """
    links: list[tuple[str, str]] = []
    wanted = [root / "usr"]
    for path in (root / name for name in _SYSTEM):
        if path.is_symlink():
            links.append((os.readlink(path), str(path)))
        elif path.is_dir():
            wanted.append(path)
    wanted += [root / "etc" / name for name in _ETC]
    gpu = sorted(path for pattern in _GPU_DEVICES for path in (root / "dev").glob(pattern))
    # torch asks how the processor is laid out, the C library whether there are huge pages (where it
    # cannot ask, it takes none, and RLFN longer); CUDA asks for its PCI device and module too.
    wanted += [root / "sys"] if gpu else [root / "sys" / name for name in _SYS]
    if gpu:
        wanted += [root / "run/nvidia-persistenced", root / "run/opengl-driver"]
        wanted += _cuda_folders()
    wanted += [*_interpreter(), PACKAGE, *files]
    concealed = [Path(os.path.realpath(path)) for path in hidden]
    linked = {path for _, path in links}
    seen: dict[Path, None] = {}
    for path in wanted:
        for name in dict.fromkeys((Path(os.path.abspath(path)), Path(os.path.realpath(path)))):
            if not linked & {str(parent) for parent in name.parents}:  # then its real place is enough
                seen.update(dict.fromkeys(_without(name, concealed)))
    everyday = [root / "dev" / name for name in _DEVICES]
    return View(
        readable=tuple(_outermost(seen)),
        links=tuple(links),
        devices=tuple(path for path in [*everyday, *gpu] if path.exists() and not path.is_dir()),
        gpu=bool(gpu),
    )


def search_paths(seen: View) -> list[str]:
    """Return the entries of this process's sys.path that a worker can read, without the current folder."""
    return [path for path in sys.path if os.path.isabs(path) and _covered(Path(path), seen.readable)]


def _interpreter() -> Iterator[Path]:
    """Yield what Python and its packages are made of, wherever they were installed."""
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)):
        if Path(prefix) not in (Path("/"), Path("/usr")):
            yield from (Path(prefix) / name for name in _PREFIX)
        for store in ("/nix/store", "/gnu/store"):  # there an interpreter is made of many folders
            if prefix.startswith(f"{store}/"):
                yield Path(store)
    yield Path(sys.executable)
    for entry in map(Path, sys.path):
        packages = entry.name in ("site-packages", "dist-packages")
        if entry.is_absolute() and (packages or (entry / "torch" / "__init__.py").is_file()):
            yield entry


def _cuda_folders() -> Iterator[Path]:
    """Yield the folders of CUDA's libraries that the environment names."""
    for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
        if os.path.isabs(folder) and any(Path(folder).glob("*.so*")):
            yield Path(folder)
    if os.path.isabs(os.environ.get("CUDA_HOME", "")):
        yield from (Path(os.environ["CUDA_HOME"]) / name for name in _PREFIX)


def _without(path: Path, hidden: Sequence[Path]) -> Iterator[Path]:
    """Yield a path, or where hidden folders lie inside it what there is beside them, links aside."""
    if not path.exists():
        return
    inside = Path(os.path.realpath(path))
    if any(inside == folder or folder in inside.parents for folder in hidden):
        return
    if not any(inside in folder.parents for folder in hidden):
        yield path
        return
    for child in sorted(path.iterdir()):
        if not child.is_symlink():  # where it points may be what is hidden
            yield from _without(child, hidden)


def _outermost(paths: Iterable[Path]) -> Iterator[Path]:
    kept: set[Path] = set()
    for path in sorted(paths, key=lambda path: len(path.parts)):
        if not kept & set(path.parents):
            kept.add(path)
            yield path


def _covered(path: Path, readable: Iterable[Path]) -> bool:
    around = {path, *path.parents, Path(os.path.realpath(path)), *Path(os.path.realpath(path)).parents}
    return any(folder in around for folder in readable)
