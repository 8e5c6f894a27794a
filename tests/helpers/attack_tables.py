"""What each attack on FLOPs and parameters (18 to 26) ends with, and what honest controls may raise."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import ROOT

from ntire_bench.records.record import Finding

FOLDER: Path = ROOT / "tests" / "attacks"
REJECT, WARNING, INFO = "reject", "warning", "info"

# Multiply-accumulates per LR pixel of the common network: 3x3 convolutions 3 to 24, 24 to 24, 24 to 48.
HEAD, MIDDLE, TAIL = 3 * 24 * 9, 24 * 24 * 9, 24 * 48 * 9
WHOLE = HEAD + MIDDLE + TAIL
RARE = HEAD + TAIL + 24 * 24 * 5 // 2  # three products of 24 x 24, one of them by a triangle
PIXELS = 256 * 256

# File, finding that it raises, its severity, and the least FLOPs that are scored [per LR pixel].
FLOPS: list[tuple[str, str, str, int]] = [
    ("18_raw_pointer", "flops-undercounted", WARNING, WHOLE),
    ("18_raw_pointer", "flops-opaque", REJECT, WHOLE),
    ("18_data_write", "flops-undercounted", WARNING, WHOLE),
    # 3x3 convolutions 3 to 32 and 32 to 48; the 1x1 one of 32 channels leaves some pixels as they are (ReLU).
    ("18_native_kernel", "flops-hidden-weights", REJECT, 32 * 51 * 9 + 32 * 32 * 9 // 10),
    ("18_native_kernel", "flops-opaque", REJECT, 0),
    ("18_known_memory", "flops-opaque", REJECT, HEAD + TAIL + MIDDLE * 3 // 4),
    ("18_known_memory", "flops-hidden-weights", REJECT, 0),
    ("18_large_memory", "flops-opaque", REJECT, 0),
    ("18_output_memory", "flops-opaque", REJECT, (HEAD + TAIL + MIDDLE) * 3 // 4),
    ("18_numpy_memory", "flops-opaque", REJECT, HEAD + TAIL + 24 * 24 // 4),
    ("18_flat_weights", "flops-opaque", REJECT, 0),
    ("18_flat_weights", "flops-hidden-weights", REJECT, HEAD + TAIL + MIDDLE * 3 // 4),
    ("19_is_tracing", "flops-undercounted", WARNING, WHOLE),
    ("19_subclass", "flops-undercounted", WARNING, WHOLE),
    ("19_inference_mode", "flops-undercounted", WARNING, WHOLE),
    ("19_replay", "output-differs-when-counted", REJECT, 0),
    ("19_hooks", "flops-undercounted", WARNING, WHOLE),
    ("19_mode", "output-differs-when-counted", REJECT, 0),
    ("19_mode_escape", "flops-opaque", REJECT, HEAD + TAIL + MIDDLE * 3 // 4),
    ("20_cost_input", "flops-special-size", REJECT, WHOLE),
    ("20_multiples", "flops-special-size", REJECT, WHOLE),
    ("20_small_images", "flops-vary-with-size", WARNING, WHOLE),
    ("20_declared_tile", "flops-vary-with-size", WARNING, WHOLE),
    ("20_tile_size", "flops-vary-with-size", WARNING, WHOLE),
    ("20_noise", "flops-special-size", REJECT, WHOLE),
    ("21_unfold", "flops-by-hand", WARNING, WHOLE),
    ("21_shifts", "flops-by-hand", WARNING, HEAD + 25 * 24 + TAIL),
    # Each of 24 x 24 products of spectra takes 4 multiplications of 129 x 256 complex numbers.
    ("21_fourier", "flops-by-hand", WARNING, HEAD + 24 * 24 * 4 // 2 + TAIL),
    ("21_baddbmm", "flops-undercounted", WARNING, 64 * 51 * 9 + 64 * 64),
    ("21_attention", "flops-undercounted", WARNING, HEAD + 2 * 256 * 24 + TAIL),
    ("21_mkldnn", "flops-undercounted", WARNING, WHOLE),
    ("21_int_mm", "flops-undercounted", WARNING, 64 * 51 * 9 + 64 * 64),
    ("21_rare_operators", "flops-undercounted", WARNING, RARE),
    ("21_gradient", "flops-not-traced", WARNING, WHOLE),
    ("21_prepacked", "flops-not-traced", WARNING, WHOLE),
    ("21_logarithms", "flops-by-hand", WARNING, HEAD + 24 * 24 + TAIL),
    ("21_distances", "flops-by-hand", WARNING, HEAD + 24 * 24 + TAIL),
    ("21_plain_numbers", "flops-by-hand", WARNING, HEAD + 24 * 24 + TAIL),
    ("21_unstated", "flops-not-countable", WARNING, 0),
    ("21_table", "flops-lookup-table", WARNING, 0),
    ("22_thread", "flops-opaque", REJECT, HEAD + TAIL + MIDDLE * 3 // 4),
    ("22_thread", "threads-in-forward", REJECT, 0),
    ("22_waiting_thread", "flops-hidden-weights", REJECT, HEAD + TAIL + MIDDLE * 3 // 4),
    ("22_autograd", "flops-undercounted", WARNING, WHOLE),
    ("22_numpy", "flops-opaque", REJECT, WHOLE),
    ("22_tracer_reset", "flops-undercounted", WARNING, WHOLE),
    ("22_custom_operator", "flops-undercounted", WARNING, WHOLE),
    ("22_subclass", "flops-undercounted", WARNING, WHOLE),
    ("22_backend", "output-differs-when-counted", REJECT, HEAD + TAIL + MIDDLE * 3 // 4),
    ("22_opaque_operator", "flops-not-countable", WARNING, 32 * 51 * 9 + 32 * 32 * 9 // 10),
    ("22_opaque_operator", "flops-hidden-weights", REJECT, 0),
]

_UNDECLARED = 24 * 24 * 9
_COMMON = (3 * 24 * 9 + 24) + (24 * 48 * 9 + 48)  # parameters of the first and the last convolution

# File, finding, severity, parameters that are scored.
PARAMS: list[tuple[str, str, str, int]] = [
    ("23_buffers", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("23_attributes", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("23_globals", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("23_numpy_alias", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("23_statistics", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("23_shared_memory", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("23_subclass", "params-undeclared", WARNING, _COMMON + _UNDECLARED + 24),
    ("23_places", "params-undeclared", WARNING, _COMMON + _UNDECLARED + 16),
    ("23_statistic_pieces", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("23_odd_places", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("24_text", "params-generated", REJECT, _COMMON + 24 * 48),
    ("24_random", "params-generated", REJECT, _COMMON + _UNDECLARED),
    ("24_formula", "params-generated", REJECT, _COMMON + _UNDECLARED),
    ("24_mixed", "params-generated", REJECT, _COMMON + _UNDECLARED),
    ("24_hypernetwork", "params-expanded", INFO, _COMMON + 2 * 4 * 72),
    ("25_packed", "params-packed", REJECT, _COMMON + _UNDECLARED),
    ("25_mixed", "params-packed", REJECT, _COMMON + _UNDECLARED),
    ("25_digits", "params-packed", REJECT, _COMMON + _UNDECLARED),
    ("25_pieces", "params-packed", REJECT, _COMMON + _UNDECLARED),
    ("25_complex", "params-wide", WARNING, _COMMON + _UNDECLARED),
    ("25_double", "params-wide", WARNING, _COMMON + _UNDECLARED),
    ("26_file", "params-undeclared", WARNING, _COMMON + _UNDECLARED),
    ("26_late", "params-changed", REJECT, _COMMON + _UNDECLARED + 24),
]

# They do less on small images, so only a whole one shows what they take; `run` has one.
LARGE_IMAGES = {"20_small_images", "20_declared_tile", "20_tile_size", "large_tile"}

# fvcore cannot follow these, or leaves a part out; what is scored is the audit's count.
NOT_FVCORE = {"compiled": "flops-not-traced", "scripted": "flops-not-traced", "traced": "flops-not-traced"}
UNDERCOUNTED = {"convolution_function", "one_operator_attention"}


# Many small operators: seconds each.
LONG = {"21_plain_numbers", "23_places", "23_statistic_pieces", "24_text", "25_pieces"}


def marked(rows: list[tuple[str, str, str, int]]) -> list[object]:
    """Return rows as parameters of a test, the long ones marked as slow."""
    return [pytest.param(*row, marks=[pytest.mark.slow] if row[0] in LONG else []) for row in rows]


def raised(findings: list[Finding], code: str) -> list[str]:
    return [finding.severity for finding in findings if finding.code == code]
