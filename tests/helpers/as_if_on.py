"""Runs ntire_bench as if on another system: python as_if_on.py SYSTEM ARGUMENTS.

SYSTEM is a value of sys.platform. What Python documents as missing there is taken away before the program is
imported. The packages it needs are imported before that: how they behave there is not tried, and neither are
paths, locks and processes as that system has them.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

_FIRST = (
    "asyncio", "click", "compileall", "concurrent.futures.thread", "cv2", "matplotlib", "multiprocessing",
    "msgspec", "numpy", "pandas", "PIL.Image", "rich.console", "rich.progress", "rich.table", "shutil",
    "subprocess", "tempfile", "urllib.request",
)  # fmt: skip
_LINUX = ("O_PATH", "memfd_create", "pidfd_open", "sched_getaffinity", "setresgid", "setresuid")
_UNIX = (
    "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "WNOHANG", "chown", "fork", "getegid", "geteuid",
    "getgid", "getuid", "killpg", "setgroups", "setsid", "uname", "wait",
)  # fmt: skip
_UNIX_MODULES = ("fcntl", "grp", "pwd", "resource", "termios")


def _without_folders(real: Callable[..., int]) -> Callable[..., int]:
    """Return an os.open that opens no folder, as on Windows."""

    def opened(path: Any, *others: Any, **more: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path, *others, **more)

    return opened


def _take_away(holder: object, names: tuple[str, ...]) -> None:
    for name in names:
        if hasattr(holder, name):
            delattr(holder, name)


def _become(system: str) -> None:
    for name in _FIRST:
        importlib.import_module(name)
    _take_away(os, _LINUX)
    if system == "win32":
        _take_away(os, _UNIX)
        _take_away(signal, ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGSTOP"))
        _take_away(socket, ("AF_UNIX",))
        sys.modules.update(dict.fromkeys(_UNIX_MODULES))  # type: ignore[arg-type]
        os.open = _without_folders(os.open)
    else:
        import fcntl

        _take_away(fcntl, tuple(name for name in dir(fcntl) if name.startswith("F_") and "SEAL" in name))
    sys.platform = system


if __name__ == "__main__":
    _become(sys.argv[1])
    sys.argv = ["ntire-bench", *sys.argv[2:]]
    from ntire_bench.cli import main

    main(prog_name="ntire-bench")
