"""Has the tests see less than the machine has: a program, user namespaces, Landlock, GPUs.

`NTIRE_BENCH_TEST_HIDE=bwrap,user-namespaces make test` runs them as on a machine without these. Nothing is
removed from the machine, and the program under test has no part in it: it finds what a bare machine has.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from ntire_bench.isolation.levels import seccomp, syscalls

__all__ = ["HIDE", "environment_with_gpus", "hide", "hide_gpus", "wanted"]

HIDE = "NTIRE_BENCH_TEST_HIDE"  # names, with commas between them
_GPUS = "NTIRE_BENCH_TEST_GPUS"  # what CUDA_VISIBLE_DEVICES was before the tests
_USER_NAMESPACES, _LANDLOCK = "user-namespaces", "landlock"  # every other name is a program's
_ALL = "all"
_UNSHARE = {"x86_64": 272, "aarch64": 97}
_LANDLOCK_CALLS = (444, 445, 446)


def wanted() -> frozenset[str]:
    """Return the names of what is to be hidden."""
    return frozenset(name.strip() for name in os.environ.get(HIDE, "").split(",")) - {""}


def hide(names: Collection[str]) -> None:
    """Hide these from this process and all that it starts, for good.

    Raises:
        RuntimeError: One cannot be hidden on this machine.
    """
    of_kernel = {_USER_NAMESPACES, _LANDLOCK} & set(names)
    for name in sorted(set(names) - of_kernel):
        _hide_program(name)
    if of_kernel:
        _forbid(of_kernel)


def hide_gpus() -> None:
    """Have torch see no GPU in this process and in what it starts; torch must not be imported yet."""
    os.environ.setdefault(_GPUS, os.environ.get("CUDA_VISIBLE_DEVICES", _ALL))
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def environment_with_gpus() -> dict[str, str]:
    """Return an environment for a process that is to see the GPUs."""
    environment = dict(os.environ)
    before = environment.pop(_GPUS)
    del environment["CUDA_VISIBLE_DEVICES"]
    return environment if before == _ALL else environment | {"CUDA_VISIBLE_DEVICES": before}


def _hide_program(name: str) -> None:
    """Put into PATH, for each folder that holds the program, one with links to all else that is in there."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for place, folder in enumerate(folders):
        if not os.path.exists(os.path.join(folder, name)):
            continue
        without = Path(tempfile.mkdtemp(prefix="ntire_bench_path_"))
        without.chmod(0o755)
        atexit.register(_remove, without, os.getpid())
        for entry in os.scandir(folder):
            if entry.name != name:
                (without / entry.name).symlink_to(os.path.abspath(entry.path))
        folders[place] = str(without)
    os.environ["PATH"] = os.pathsep.join(folders)
    if shutil.which(name) is not None:
        raise RuntimeError(f"{name} cannot be hidden: it is still found in {shutil.which(name)}")


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a fork of it that ends is not the end of the tests
        shutil.rmtree(folder, ignore_errors=True)


def _forbid(names: Collection[str]) -> None:
    """Have the kernel refuse the calls, as it does where they are switched off or not built in."""
    machine = os.uname().machine
    if machine not in _UNSHARE:
        raise RuntimeError(f"{', '.join(sorted(names))} cannot be hidden on {machine}")
    lines = [seccomp._line(seccomp._LOAD, seccomp._NUMBER)]
    if _LANDLOCK in names:
        lines += _refuse_calls(_LANDLOCK_CALLS, seccomp._ENOSYS)
    if _USER_NAMESPACES in names:
        lines += _refuse_calls((seccomp._CLONE3,), seccomp._ENOSYS)  # whose flags a filter cannot see
        for number in (_UNSHARE[machine], seccomp._CLONE[machine]):
            lines += [
                seccomp._line(seccomp._EQUAL, number, 0, 4),
                seccomp._line(seccomp._LOAD, seccomp._FIRST_ARGUMENT),
                seccomp._line(seccomp._ANY_BIT, syscalls.CLONE_NEWUSER, 0, 1),
                seccomp._line(seccomp._RETURN, seccomp._ERRNO | seccomp._EPERM),
                seccomp._line(seccomp._RETURN, seccomp._ALLOW),
            ]
    syscalls.forbid_new_privileges()
    seccomp.apply(b"".join([*lines, seccomp._line(seccomp._RETURN, seccomp._ALLOW)]))


def _refuse_calls(numbers: Collection[int], error: int) -> list[bytes]:
    lines = []
    for number in numbers:
        lines += [
            seccomp._line(seccomp._EQUAL, number, 0, 1),
            seccomp._line(seccomp._RETURN, seccomp._ERRNO | error),
        ]
    return lines
