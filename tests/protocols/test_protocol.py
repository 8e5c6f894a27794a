"""The editions' rules, against what their organizers published."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from pathlib import Path

import pytest

from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol
from ntire_bench.protocols.protocol import Thresholds

PROTOCOLS = Path(protocol.__file__).parent

# name: thresholds valid, test [dB]; weights runtime, FLOPs, parameters; baseline; its published runtime [ms],
# FLOPs [G], parameters [M]. 2024: report of the NTIRE 2024 ESR challenge, sections 2.3, 2.4 and Table 1 (its
# rows are checked below too). 2025 and 2026: rules and tables of these editions.
PUBLISHED = {
    "ntire2024": (26.90, 26.99, 0.7, 0.15, 0.15, "RLFN", 11.77, 19.67, 0.317),
    "ntire2025": (26.90, 26.99, 0.7, 0.15, 0.15, "EFDN", 16.69, 16.70, 0.276),
    "ntire2026": (26.90, 26.99, 0.8, 0.10, 0.10, "SPAN", 7.74, 9.83, 0.151),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_constants_are_the_published_ones(name):
    rules = protocol.load(name)
    assert (
        rules.thresholds.valid,
        rules.thresholds.test,
        rules.weights.runtime,
        rules.weights.flops,
        rules.weights.params,
        rules.baseline.name,
        rules.baseline.published_runtime_ms,
        rules.baseline.published_flops_g,
        rules.baseline.published_params_m,
    ) == PUBLISHED[name]
    assert rules.thresholds.kind == "absolute"


def test_baseline_of_2024_is_the_last_row_of_the_reports_table(root):
    tables = list((root / "leaderboard" / "reference").glob("ntire2024*.csv"))
    assert len(tables) == 1
    with tables[0].open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if any("RLFN" in str(v) for v in row.values())]
    printed = {value for row in rows for value in row.values()}
    baseline = protocol.load("ntire2024").baseline
    for value in (baseline.published_runtime_ms, baseline.published_flops_g, baseline.published_params_m):
        assert str(value) in printed


@pytest.mark.parametrize("name", protocol.available())
def test_each_is_consistent_in_itself(name):
    rules = protocol.load(name)
    assert rules.name == name
    weights = rules.weights
    assert weights.runtime + weights.flops + weights.params == pytest.approx(1.0, abs=1e-12)
    if name == "dn50":  # NTIRE image denoising challenge: test_demo.py compares R, G and B; sigma 50
        assert (rules.scale, rules.border, rules.psnr_channel, rules.noise) == (1, 4, "rgb", 50)
    else:
        assert (rules.scale, rules.border, rules.psnr_channel, rules.noise) == (4, 4, "y", None)
    assert rules.cost_input == (1, 3, 256, 256)
    assert rules.rounds >= 1
    assert rules.sha256 == hashlib.sha256((PROTOCOLS / f"{name}.toml").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", protocol.available())
def test_each_constant_has_a_source(name):
    assert {"thresholds", "weights", "baseline", "decimals"} <= set(protocol.load(name).sources)


def test_default_comes_first_and_is_2024():
    assert protocol.available()[0] == protocol.DEFAULT_PROTOCOL == protocol.load().name == "ntire2024"
    assert protocol.SAMPLE_PROTOCOL in protocol.available()


def test_sample_threshold_hangs_on_the_baseline_as_in_2024():
    # The 2024 report, Table 1: RLFN has 26.96 / 27.07 dB where the thresholds are 26.90 / 26.99 dB.
    thresholds = protocol.load("sample").thresholds
    assert thresholds.of("valid", 26.96) == 26.90
    assert thresholds.of("test", 27.07) == 26.99
    assert thresholds.of("valid") is None  # unknown until the baseline has been measured
    assert thresholds.of("Set5", 30.0) is None


def test_denoising_asks_for_no_psnr_and_judges_the_splits_that_it_names():
    rules = protocol.load("dn50")
    assert not rules.asks_for_psnr and rules.fits_any_images
    assert rules.splits == ("valid", "test") and rules.thresholds.of("valid") is None
    assert rules.folders == {"valid": "DIV2K_valid", "test": "LSDIR_DIV2K_test"}
    assert all(protocol.load(name).asks_for_psnr for name in protocol.available() if name != "dn50")


def test_absolute_threshold_does_not_ask_for_the_baseline():
    thresholds = Thresholds(kind="absolute", decimals=2, valid=26.904, test=26.99)
    assert thresholds.of("valid") == thresholds.of("valid", 12.0) == 26.90


@pytest.mark.parametrize("name", ["ntire2023", "NTIRE2024", "../protocols/sample", ""])
def test_unknown_protocol_names_the_known_ones(name):
    with pytest.raises(UsageError) as caught:
        protocol.load(name)
    message = str(caught.value)
    assert all(known in message for known in protocol.available())
    assert "--protocol" in message


def test_rules_cannot_be_changed_after_loading():
    with pytest.raises(dataclasses.FrozenInstanceError):
        protocol.load().thresholds.valid = 20.0
