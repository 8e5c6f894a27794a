"""A protocol of an organizer's own, as a TOML file."""

from __future__ import annotations

from pathlib import Path

TEXT = """
name = "mine2027"
title = "My Efficient Super-Resolution 2027"
scale = 4
border = 4
psnr_channel = "y"
rounds = 5
cost_input = [1, 3, 256, 256]

[thresholds]
kind = "absolute"
decimals = 2

[thresholds.splits]
Night = 28.50
Fog = 27.00

[weights]
runtime = 0.5
flops = 0.25
params = 0.25

[baseline]
name = "RLFN"
"""


def write_rules(folder: Path, *changes: tuple[str, str], name: str = "mine.toml") -> Path:
    """Write the protocol with parts of its text replaced."""
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
