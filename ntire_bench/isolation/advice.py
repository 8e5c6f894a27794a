"""What to install or allow for the next better level of isolation."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ntire_bench.records.record import Isolation

__all__ = ["for_next_level"]

# Settings that keep ordinary users from making namespaces, and the value that does so.
_FORBIDDING = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "15000"),
)


def for_next_level(found: Isolation, *, proc_sys: Path = Path("/proc/sys")) -> str:
    """Return what gives a better level than the one that was found; empty where there is none better.

    Args:
        found: As `choose.isolation_for("auto")` returns it.
        proc_sys: Where the kernel shows its settings.
    """
    if found.level == "L3":
        return ""
    if sys.platform != "linux":
        return "run it on Linux, or on Windows in WSL 2"
    forbidding = [
        f"{name}={allowing}" for name, forbids, allowing in _FORBIDDING if _setting(proc_sys, name) == forbids
    ]
    if found.level == "L2" and shutil.which("bwrap") is None:
        return "install bubblewrap (apt-get install bubblewrap, dnf install bubblewrap): level L3"
    if forbidding:
        return (
            f"let users make namespaces (sysctl -w {' '.join(forbidding)}) and install bubblewrap: level L3; "
            "a container must be started with a profile that allows unshare and mount"
        )
    if found.level == "L0":
        return (
            "let users make namespaces and install bubblewrap (level L3); a kernel of version 5.13 or later "
            "with Landlock gives level L1. A container's runtime may forbid both"
        )
    return (
        "install bubblewrap and let users make namespaces (level L3); a container's runtime may forbid them"
    )


def _setting(proc_sys: Path, name: str) -> str | None:
    try:
        return (proc_sys / name.replace(".", "/")).read_text().strip()
    except OSError:
        return None
