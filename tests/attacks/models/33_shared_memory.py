"""Fills shared memory: /dev/shm, and files without a name that no process maps."""

import os
import time

held = []
try:
    held.append(os.open("/dev/shm/attack_33", os.O_CREAT | os.O_RDWR))
    os.unlink("/dev/shm/attack_33")
except OSError:
    pass
held += [os.memfd_create("attack_33") for _ in range(8)]
while True:
    for fd in held:
        try:
            os.write(fd, b"x" * 50_000_000)
        except OSError:
            pass
        time.sleep(0.02)
