"""How long rounds go on where nobody says otherwise. Imports nothing: the command's options show these."""

from __future__ import annotations

__all__ = ["MAX_ROUNDS", "MAX_TIME_S"]

MAX_ROUNDS = 60
MAX_TIME_S = 1200.0
