"""Starts more processes than it may, and fails with the system's own words where that is refused."""

import os
import time

for _ in range(2000):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
