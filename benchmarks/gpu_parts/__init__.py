"""What gpu.py is made of: images, sessions, arms, commands that are timed, and the table."""

import sys
from pathlib import Path

# It runs from a checkout that is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
