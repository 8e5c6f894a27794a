"""Limits for attacks on the machine, and what each ends with."""

from __future__ import annotations

import os

from ntire_bench.isolation.limits import Limits

MIB = 1024**2
# Far less than a submission gets, so that attacks reach their limits soon; torch alone takes 0.8 GiB of data
# where it was built for GPUs, and libraries start threads by the number of cores.
PROCESSES = 40 + 2 * (os.cpu_count() or 1)
LIMITS = Limits(memory_bytes=1536 * MIB, processes=PROCESSES, output_bytes=4 * MIB, stopped_s=0.5)
LOAD_TIMEOUT_S = 2.0  # of those that may last until their time is up
ENDLESS = ("33_endless_loop", "33_fork_bomb")

RESOURCES = {
    "33_fork_bomb": rf"more than {PROCESSES} processes|did not finish load|ended during load",
    "33_endless_loop": rf"did not finish load in {LOAD_TIMEOUT_S:.0f} s",
    "33_memory": r"took more memory than 1\.5 GiB",
    "33_flood": "printed more than 4 MiB",
    "33_stop": "stopped itself",
    "33_crash": "SIGSEGV",
}
