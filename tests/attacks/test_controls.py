"""The honest controls in controls/: code that is unusual and fair, of which none may raise a reject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from attack_tables import (
    FOLDER,
    NOT_FVCORE,
    PIXELS,
    REJECT,
    UNDERCOUNTED,
    WARNING,
    WHOLE,
)
from in_process import examine

from ntire_bench.records.scored_costs import scored_flops, scored_params

CONTROLS = sorted((FOLDER / "controls").glob("*.py"))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("file", CONTROLS, ids=lambda file: file.stem)
def test_an_honest_control_is_not_rejected(examined, file: Path) -> None:
    counted, findings = examined(file)
    assert not [finding for finding in findings if finding.severity == REJECT]
    warned = {finding.code for finding in findings if finding.severity == WARNING}
    if file.stem in NOT_FVCORE:
        assert warned == {NOT_FVCORE[file.stem]}
        assert counted.flops == WHOLE * PIXELS  # what fvcore counts for the same convolutions in plain code
    elif file.stem in UNDERCOUNTED:
        assert warned <= {"flops-undercounted", "flops-uncounted-operators", "flops-uncalled-modules"}
        assert scored_flops(counted) >= WHOLE * PIXELS > 0.99 * counted.flops
    else:
        assert not warned
        assert scored_flops(counted) == counted.flops
    assert scored_params(counted) == counted.params


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_false_alarms_are_counted(examined, record_property: Callable[[str, object], None]) -> None:
    alarms = [
        f"{file.stem}: {finding.code} ({finding.severity})"
        for file in CONTROLS
        for finding in examined(file)[1]
        if finding.severity == REJECT
        or (finding.severity == WARNING and file.stem not in {*NOT_FVCORE, *UNDERCOUNTED})
    ]
    record_property(
        "summary", "\n  ".join([f"{len(alarms)} false alarms on {len(CONTROLS)} honest controls", *alarms])
    )
    assert not alarms


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["border", "windows", "tiled", "attention"])
def test_whole_images_do_not_make_windows_suspicious(name: str, seed: int, photograph: np.ndarray) -> None:
    _, findings = examine(FOLDER / "controls" / f"{name}.py", photograph[seed * 3 :, seed:])
    assert not [finding for finding in findings if finding.severity == REJECT]
