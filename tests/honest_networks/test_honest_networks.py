"""No honest network is accused, and none costs anything but what the textbook says.

Each is examined as `check` examines a submission, by the functions that the worker calls.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from honest import COST_SIDE, NETWORKS, Honest
from in_process import CPU, InProcess

from ntire_bench.audit.auditor import audit
from ntire_bench.data import sample
from ntire_bench.records.record import Complexity, Finding
from ntire_bench.records.scored_costs import scored_flops, scored_params
from ntire_bench.worker.costs import reachable
from ntire_bench.worker.costs.influence import Output
from ntire_bench.worker.network.upscaler import Upscaler, ready

FOLDER = Path(__file__).parent / "networks"
PIXELS = COST_SIDE**2
CHANGING = {"flops-undercounted", "flops-by-hand"}  # what they say is scored


@functools.cache
def collected() -> list[Honest]:
    """Return all networks of the collection."""
    for file in sorted(FOLDER.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"honest_{file.stem}", file)
        assert spec is not None and spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return NETWORKS


def examined(network: Honest, image: np.ndarray) -> tuple[torch.nn.Module, Complexity, list[Finding]]:
    torch.manual_seed(0)
    reachable.begin()
    built = network.build()
    file = Path("models/team05_Net.py")
    ready(built, file, CPU)
    worker = InProcess(Upscaler(built, file, 4, CPU))
    counted = worker.complexity((1, 3, COST_SIDE, COST_SIDE))
    costs, findings, *_ = audit(worker, counted, image, tile=None, has_loop=False)  # type: ignore[arg-type]
    return built, costs, findings


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, on types that it will give up
@pytest.mark.parametrize("network", collected(), ids=lambda network: network.name)
def test_an_honest_network_is_not_accused(network: Honest) -> None:
    built, costs, findings = examined(network, sample.probe_lr())
    told = [(finding.code, finding.message) for finding in findings if finding.severity != "info"]
    assert {code for code, _ in told} == network.warns, told
    assert scored_params(costs) == sum(part.numel() for part in built.parameters()) + network.undeclared

    by_hand = round(network.by_hand * PIXELS)
    products = round(network.macs * PIXELS) + network.once - by_hand
    assert costs.audit.products == products
    if "flops-by-hand" in network.warns:
        assert costs.audit.by_hand == pytest.approx(by_hand, rel=0.01)
    assert isinstance(costs.audit.traced_products, int)
    missed = products + by_hand - costs.audit.traced_products if network.warns & CHANGING else 0
    assert scored_flops(costs) - costs.flops == pytest.approx(missed, rel=0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_plain_bound_finds_what_is_declared_nowhere_and_nothing_else() -> None:
    image = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    for network in collected():
        torch.manual_seed(0)
        reachable.begin()
        built = network.build()
        ready(built, Path("models/team05_Net.py"), CPU)
        upscaler = Upscaler(built, Path("models/team05_Net.py"), 4, CPU)
        with torch.inference_mode():
            upscaler.checked(image)
        norms = [module for module in built.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        statistics = {value.data_ptr() for norm in norms for value in (norm.running_mean, norm.running_var)}
        # It takes the place of parameters that are read no longer, and counts once: see `_audited_params`.
        merged = 2 * 9 * 16 * 16 if network.name == "MergedAtFirst" else 0
        output = Output(upscaler, image)
        found = reachable.undeclared_constants(output, statistics) + reachable.wide_parameters(output)
        assert found in (0, network.undeclared, merged), network.name


def test_the_collection_is_whole() -> None:
    names = [network.name for network in collected()]
    assert len(names) == len(set(names)) >= 60
