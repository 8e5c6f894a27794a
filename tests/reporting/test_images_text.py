"""The table of an evaluation's images: readable at every width, without columns of which nothing is known."""

from __future__ import annotations

import io

import pytest
from record_factory import make_record
from rich.console import Console

from ntire_bench.reporting.images_text import ImageRow, table_of


def row(name: str, **values: object) -> ImageRow:
    known = {
        "split": "valid",
        "height": 400,
        "width": 600,
        "psnr_db": 27.037,
        "baseline_psnr_db": 29.399,
        "ssim_y": 0.8,
        "runtime_ms": 193.72,
        "baseline_runtime_ms": 678.61,
        "slow_calls": 1,
    }
    return ImageRow(name=name, **{**known, **values})


def shown(rows: list[ImageRow], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table_of(make_record(5, "Net"), rows, width))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [45, 60, 80, 110])
def test_no_cell_is_broken_at_any_width_and_what_is_left_out_is_named(width):
    text = shown([row("astronaut"), row("a_longer_name", psnr_db=None)], width)
    assert max(map(len, text.splitlines())) <= width
    for whole in ("valid/astronaut", "valid/a_longer_name", "27.037", "193.72"):
        assert whole in text
    left_out = " ".join(text.split()).partition("Too narrow for")[2]
    for name, cell in (("size", "600x400"), ("baseline ms", "678.61"), ("over baseline", "-2.362")):
        assert (cell in text) is not (name in left_out), name
    assert bool(left_out) is (width < 100)


def test_columns_of_which_nothing_is_known_are_left_out():
    rows = [row("a", baseline_psnr_db=None, baseline_runtime_ms=None, ssim_y=None, slow_calls=0)]
    text = shown(rows, 100)
    assert not any(name in text for name in ("baseline", "SSIM", "slow", "narrow")) and "600x400" in text
