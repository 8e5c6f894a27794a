"""What this process is to other machines, and whether the process behind a claim still runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ntire_bench.claims.turn import Claim
from ntire_bench.machine import processes

__all__ = ["NODE", "has_ended", "job", "machine", "node", "restarts"]

NODE = "NTIRE_BENCH_NODE"  # set by an engine that runs several evaluations on one machine


def node() -> str:
    """Return the name of what computes: this machine's, or that of the part of it which an engine names."""
    return os.environ.get(NODE) or os.environ.get("SLURMD_NODENAME") or socket.gethostname()


def job() -> str:
    """Return a scheduler's number of the job that this process is in; empty where there is none."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    if array and task:
        return f"slurm {array}_{task}"
    number = os.environ.get("SLURM_JOB_ID")
    return f"slurm {number}" if number else ""


def restarts() -> int:
    """Return how often a scheduler has started this process's job again."""
    told = os.environ.get("SLURM_RESTART_COUNT", "")
    return int(told) if told.isdigit() else 0


def machine() -> str:
    """Return what tells this machine since its start from all others; empty where that cannot be told.

    Containers of one machine see processes of their own, so the space of process numbers is part of it.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def has_ended(claim: Claim) -> str:
    """Return why the process behind a claim is known to have ended; empty where that is not known.

    Args:
        claim: Of any machine. Of another one nothing is known but its deadline.
    """
    if claim.machine and claim.machine == machine() and claim.started is not None:
        gone = processes.start_time(claim.pid) != claim.started or processes.state(claim.pid) == "Z"
        return f"process {claim.pid} on {claim.node} is gone" if gone else ""
    # One job may have several processes, on several machines: only one that began anew has ended before.
    if claim.job and claim.job == job() and claim.restarts < restarts():
        return f"job {claim.job} was started again"
    return ""
