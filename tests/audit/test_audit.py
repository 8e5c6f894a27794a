"""The audit's parts: costs of operators, origins of tensors, sizes, and which figure is scored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from record_factory import make_record
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ntire_bench.audit import literals, rules
from ntire_bench.audit.evidence import Agreement, Evidence, Look
from ntire_bench.data import sample
from ntire_bench.measuring.numbers_in_code import numbers_written
from ntire_bench.protocols import protocol
from ntire_bench.ranking import entry as entries
from ntire_bench.records.record import Audit, Complexity
from ntire_bench.source import files
from ntire_bench.submissions import models_folder, zoo
from ntire_bench.submissions.submission import Submission
from ntire_bench.wire.declaration import Declaration
from ntire_bench.wire.observation import Observation
from ntire_bench.worker.costs import count
from ntire_bench.worker.costs.observe import observe
from ntire_bench.worker.network.upscaler import Upscaler
from ntire_bench.workflows.check import check

CPU = torch.device("cpu")
IMAGE = torch.rand(1, 3, 40, 24, generator=torch.Generator().manual_seed(0))
HW = 40 * 24


class Network(nn.Module):
    """Runs a function of an image and of some weights."""

    def __init__(self, function, **weights):
        super().__init__()
        self.function = function
        for name, weight in weights.items():
            setattr(self, name, nn.Parameter(weight, requires_grad=False))

    def forward(self, lr):
        return self.function(self, lr)


def seen(function, **weights) -> Observation:
    network = Network(function, **weights).eval()
    upscaler = Upscaler(network, Path("models/team05_Toy.py"), 4, CPU)
    return observe(upscaler, IMAGE, network, twice=True)[1]


WIDE = torch.rand(8, 3)
KERNEL = torch.rand(8, 3, 3, 3)


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        # By the textbook: output elements times the terms of each.
        (lambda n, x: functional.conv2d(x, n.kernel, padding=1), HW * 8 * 27),
        (lambda n, x: functional.conv2d(x, n.kernel, padding="same"), HW * 8 * 27),
        (lambda n, x: functional.conv2d(x, n.kernel, stride=2, padding=1), HW // 4 * 8 * 27),
        (lambda n, x: functional.conv_transpose2d(x, n.kernel.transpose(0, 1), stride=2), HW * 8 * 27),
        (lambda n, x: n.wide @ x.flatten(2), HW * 24),
        (lambda n, x: torch.einsum("oc,bchw->bohw", n.wide, x), HW * 24),
        (lambda n, x: functional.linear(x.movedim(1, -1), n.wide), HW * 24),
        (lambda n, x: torch.baddbmm(x.new_zeros(1), n.wide[None], x.flatten(2)), HW * 24),
        (lambda n, x: torch.addmm(x.new_zeros(1), n.wide, x.flatten(2)[0]), HW * 24),
        (lambda n, x: torch.addbmm(x.new_zeros(1), n.wide[None], x.flatten(2)), HW * 24),
        (lambda n, x: torch.mv(x.flatten(2)[0].T, n.wide[0]), HW * 3),
        (lambda n, x: torch.dot(x.flatten(), x.flatten()), HW * 3),
        # Scores and mixtures of 40 rows, with 24 columns as their features, for each of 3 channels.
        (lambda n, x: functional.scaled_dot_product_attention(x, x, x), 3 * 40 * 40 * (24 + 24)),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_products_cost_what_the_textbook_says(function, macs: int) -> None:
    assert seen(function, kernel=KERNEL, wide=WIDE).products == macs


def test_what_several_outputs_are_computed_from_is_seen():
    upscaler = Upscaler(nn.Identity(), Path("models/team05_Toy.py"), 4, torch.device("cpu"))
    for forward in (lambda x: [x * 0, x * 2], lambda x: {"sr": x * 2}):
        assert observe(upscaler, IMAGE, forward)[1].from_image
    assert not observe(upscaler, IMAGE, lambda _: [torch.ones(3)])[1].from_image


def test_products_are_half_of_what_torch_counts() -> None:
    def function(network, x):
        y = functional.conv2d(x, network.kernel, padding=1)
        return functional.conv2d(torch.relu(y), network.kernel.transpose(0, 1), padding=1)

    network = Network(function, kernel=KERNEL)
    with FlopCounterMode(display=False) as counter:  # two operations for each multiply-accumulate
        network(IMAGE)
    assert seen(function, kernel=KERNEL).products * 2 == counter.get_total_flops()


def test_work_by_hand_costs_what_it_replaces() -> None:
    weighted = seen(lambda n, x: x * n.wide[0].reshape(1, 3, 1, 1), wide=WIDE)
    assert (weighted.products, weighted.by_hand) == (0, 3 * HW)
    summed = seen(lambda n, x: (x * x.flip(1)).sum(1))
    assert summed.by_hand == 3 * HW
    gated = seen(lambda n, x: x * torch.sigmoid(x))
    assert (gated.by_hand, gated.uncounted) == (0, {"aten::sigmoid": 12 * HW, "aten::mul": 3 * HW})
    transformed = seen(lambda n, x: torch.fft.fft2(x))
    assert transformed.by_hand == pytest.approx(2.5 * 3 * HW * np.log2(HW), abs=1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda n, x: x @ n.square, {}),
        (lambda n, x: x @ n.square.half().float(), {}),
        (lambda n, x: x @ CONSTANT, {"weights": 576}),
        (lambda n, x: x @ CONSTANT[:, :3], {"weights": 72}),
        (lambda n, x: x @ (CONSTANT * 2 - 1), {"weights": 576}),
        (lambda n, x: x + CONSTANT[:1], {"constants": 24}),
        (lambda n, x: x[..., INDEX], {}),
        (lambda n, x: n.square[0][(x * 5).long()], {"lookups": 3 * HW}),
        (lambda n, x: CONSTANT.flatten()[(x * 5).long()], {"lookups": 3 * HW, "weights": 576}),
        (lambda n, x: x @ torch.rand(24, 24), {"generated": 576}),
        (lambda n, x: x @ torch.sin(torch.arange(576.0).reshape(24, 24)), {"generated": 576}),
        (lambda n, x: x @ torch.eye(24), {"expanded": 576}),  # numbers in the code; little of it
        (lambda n, x: x @ (n.square[:, :1] @ n.square[:1]), {"expanded": 576 - 48}),
        (lambda n, x: x @ n.quarter.view(torch.int8).reshape(24, 24).float(), {"packed": 576 - 144}),
        (lambda n, x: x @ n.quarter.clone().view(torch.int8).reshape(24, 24).float(), {"packed": 432}),
        (lambda n, x: torch.from_numpy((x * 2).numpy().copy()), {"from_image": False}),
        (lambda n, x: x + torch.from_numpy((x * 2).numpy().copy()), {"foreign": 3 * HW}),
        (lambda n, x: x + torch.empty_like(x), {"unwritten": 3 * HW}),
        # Positions are data, and a learned layer of positions is learned.
        (lambda n, x: x + (torch.arange(24.0).sin().expand(24, 24) @ n.square[:, :1]).T, {}),
        (lambda n, x: x @ (torch.arange(48.0).reshape(24, 2).sin() @ n.square[:2]), {"expanded": 576 - 48}),
        # What a norm subtracts is a statistic only of what comes from the image.
        (lambda n, x: functional.batch_norm(x, CONSTANT[0, :3], CONSTANT[1, :3]), {}),
        (lambda n, x: x @ functional.batch_norm(torch.zeros(1, 24), CONSTANT[0], ONES).T, {"weights": 48}),
        # One kernel for every channel is one kernel; a map of coordinates repeats a few numbers.
        (lambda n, x: functional.conv2d(x, REPEATED, groups=3, padding=4), {"weights": 81}),
        (lambda n, x: x + RAMP, {"tables": 0}),
        (lambda n, x: x + SINES, {"tables": 4 * 24}),
        (lambda n, x: x + NOISE, {"tables": HW}),
        (lambda n, x: x + EIGHT_BITS / 255, {"tables": HW}),
        (lambda n, x: torch.empty_like(x).copy_(x), {}),
        # Whatever shows it and whenever it becomes a tensor, it is what it was.
        (lambda n, x: x @ CONSTANT.detach_(), {"weights": 576}),
        (lambda n, x: x @ torch.tensor(LISTED), {"weights": 576}),
        # A mask that leaves as many weights as there are parameters is none of its own.
        (lambda n, x: x @ (n.square * MASK), {"expanded": 0}),
        # Numbers that Python holds.
        (
            lambda n, x: x @ torch.stack([torch.full((24,), one) * ROW for one in LISTED[0]]),
            {"weights": 24, "expanded": 552},
        ),
        (lambda n, x: sum((x * one for row in LISTED * 2 for one in row), x), {"constants": 1152}),
        (lambda n, x: torch.add(x, 1, out=torch.empty_like(x)), {}),
    ],
)
def test_tensors_are_known_by_their_origin(function, expected: dict[str, int]) -> None:
    found = seen(function, square=torch.rand(24, 24), quarter=torch.rand(6, 24))
    keys = "weights constants lookups generated expanded packed foreign unwritten from_image".split()
    plain = dict.fromkeys(keys, 0) | {"tables": 0, "from_image": True}
    tables = {"tables": sum(values for _, values in found.tables.values())}
    assert {key: getattr(found, key) for key in keys} | tables == plain | expected


ONES = torch.ones(24)
LISTED = torch.rand(24, 24, generator=torch.Generator().manual_seed(2)).tolist()
CODES = torch.randint(0, 64, (24, 24))
MASK, ROW = (torch.rand(24, 24) > 0.3).float(), torch.rand(24)
REPEATED = torch.rand(1, 1, 9, 9).repeat(3, 1, 1, 1)
RAMP = torch.arange(24.0).repeat(40, 1)
SINES = torch.cos(torch.arange(40.0)[:, None] * torch.logspace(-3, 0, 24))
EIGHT_BITS = torch.randint(0, 256, (40, 24), dtype=torch.uint8)
NOISE = torch.rand(40, 24)
CONSTANT = torch.rand(24, 24)
INDEX = torch.randperm(24)


def test_a_parameter_is_known_however_it_is_reached() -> None:
    ways = (
        lambda n, x: x @ n.square.data,
        lambda n, x: x @ n.square.detach(),
        lambda n, x: x @ torch.from_numpy(n.square.numpy()),
        lambda n, x: x @ torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(n.square)),
        lambda n, x: x @ n.square.clone(),
    )
    for way in ways:
        found = seen(way, square=torch.rand(24, 24))
        assert (found.weights, found.constants, found.unread) == (0, 0, ())


@pytest.mark.parametrize("parts", [1, 4])
def test_places_in_a_table_that_is_mixed_with_the_image_are_weights(parts: int) -> None:
    def function(network, x):
        levels = network.levels + 0 * x.mean()
        mixed = [x @ levels[codes] for codes in CODES.chunk(parts, 1)]
        return functional.interpolate(torch.cat(mixed, -1), scale_factor=4.0)

    upscaler = Upscaler(Network(function, levels=torch.rand(64)), Path("models/team05_Toy.py"), 4, CPU)
    first = count.audit(upscaler, IMAGE)[1]
    second = count.audit(upscaler, IMAGE.flip(-1) * 0.9)[1]
    assert (first.weights, second.weights) == (0, 576)


def test_a_scratch_tensor_that_is_overwritten_is_no_source() -> None:
    scratch = torch.zeros(1, 3, 40, 48)

    def function(network, x):
        scratch[..., :24] = x
        return scratch[..., :24] * 2

    found = seen(function)
    assert (found.constants, found.foreign, found.from_image) == (0, 0, True)


# Figures and findings


def observation(products: int, pixels: int = 65536, **more) -> Observation:
    return Observation(pixels=pixels, products=products, counted=products, convs=1, activations=1, **more)


def evidence(*per_pixel: float, official: int = 100 * 65536, whole: int = 100 * 65536, **more) -> Evidence:
    sides = ((64, 96), (75, 83), (96, 96))
    counted = Complexity(
        params=10_000,
        flops=official,
        activations=1,
        convs=1,
        input_shape=(1, 3, 256, 256),
        audit=Audit(counter="fvcore", traced_products=official),
    )
    looks = [
        Look(height=h, width=w, observation=observation(int(cost * h * w), h * w, **more))
        for (h, w), cost in zip(sides, per_pixel, strict=False)
    ]
    return Evidence(counted=counted, whole=observation(whole, **more), small=looks)


def judged(case: Evidence) -> tuple[Audit, dict[str, str]]:
    results, findings = rules.judge(case)
    return results, {finding.code: finding.severity for finding in findings}


@pytest.mark.parametrize(
    ("costs", "confirmed", "codes", "flops"),
    [
        ((100, 100, 100), None, {}, 100),
        ((101.9, 101, 101), None, {}, 100),
        ((160, 160, 160), 160, {"flops-special-size": "reject"}, 160),
        ((160, 160, 160), 100, {"flops-special-size": "reject"}, 160),  # 256x384 is favoured as well
        ((160, 150, 140), 100, {}, 100),  # a border
        ((160, 150, 140), 140, {"flops-special-size": "reject"}, 160),
        ((100, 160, 100), None, {"flops-special-size": "reject"}, 160),  # multiples of 32 are favoured
        ((60, 60, 60), None, {}, 100),  # attention over the whole image
    ],
)
def test_sizes_are_judged(costs, confirmed, codes: dict[str, str], flops: int) -> None:
    case = evidence(*costs)
    if confirmed is not None:
        look = Look(height=256, width=384, observation=observation(confirmed * 256 * 384, 256 * 384))
        case.confirmed = look
    results, found = judged(case)
    assert found == codes
    assert results.flops == flops * 65536


def test_a_whole_image_that_costs_more_is_scored() -> None:
    case = evidence(100, 100, 100)
    case.large = [Look(height=300, width=400, observation=observation(113 * 120_000, 120_000))]
    results, found = judged(case)
    assert found == {"flops-vary-with-size": "warning"}
    assert results.flops == 113 * 65536


def test_a_tile_that_costs_more_is_scored() -> None:
    case = evidence(100, 100, 100)
    case.tiles = [Look(height=200, width=200, observation=observation(113 * 40_000, 40_000))]
    results, found = judged(case)
    assert found == {"flops-vary-with-size": "warning"}
    assert results.flops == 113 * 65536


def test_a_small_tile_of_a_network_with_a_border_is_no_fraud() -> None:
    case = evidence(160, 150, 140)
    case.tiles = [Look(height=64, width=64, observation=observation(155 * 4096, 4096))]
    assert judged(case)[1] == {"flops-vary-with-size": "warning"}


@pytest.mark.parametrize(
    ("seen", "named"),
    [
        ({"uncountable": {"aten::new": 1001}}, ("aten::new",)),
        ({"uncountable": {"aten::new": 1000}}, ()),
        ({"unknown": ("team::scan",)}, ("team::scan",)),
    ],
)
def test_an_operator_without_a_cost_is_named_and_no_fraud(seen, named: tuple[str, ...]) -> None:
    results, found = judged(evidence(100, 100, 100, **seen))
    assert found == ({"flops-not-countable": "warning"} if named else {})
    assert results.uncountable == named


@pytest.mark.parametrize("costs", [(800, 800, 800), (100, 160, 100)], ids=["self-ensemble", "padding"])
def test_what_a_checkouts_own_loop_adds_is_scored_and_no_fraud(costs) -> None:
    case = evidence(*costs)
    case.has_loop = True
    results, found = judged(case)
    assert found == {"flops-vary-with-size": "warning"}
    assert results.flops == max(costs) * 65536


@pytest.mark.parametrize(
    ("within_one", "error", "severity"),
    [
        (1.0, 0.0, None),
        (0.9995, 4.0, None),
        (0.99, 0.3, "warning"),
        (0.99, 2.0, "reject"),
        (0.0, 100.0, "reject"),
    ],
)
def test_agreement_is_judged(within_one: float, error: float, severity: str | None) -> None:
    case = evidence(100, 100, 100)
    case.agreement = Agreement(within_one=within_one, error=error)
    assert judged(case)[1].get("output-differs-when-counted") == severity


@pytest.mark.parametrize(
    ("parts", "codes", "params"),
    [
        ({"weights": 999}, {}, 10_999),
        ({"weights": 1001}, {"params-undeclared": "warning"}, 11_001),
        ({"constants": 5000}, {"params-undeclared": "warning"}, 15_000),
        ({"generated": 5000}, {"params-generated": "reject"}, 15_000),
        ({"packed": 5000}, {"params-packed": "reject"}, 15_000),
        ({"expanded": 5000}, {"params-expanded": "info"}, 10_000),
        ({"reachable": 5000}, {"params-undeclared": "warning"}, 15_000),
        ({"reachable": 5000, "weights": 4000}, {"params-undeclared": "warning"}, 15_000),  # the same, once
        ({"wide": 5000}, {"params-wide": "warning"}, 15_000),
        ({"wide": 5000, "packed": 6000}, {"params-packed": "reject"}, 16_000),
    ],
)
def test_parameters_are_judged(parts: dict[str, int], codes: dict[str, str], params: int) -> None:
    results, found = judged(evidence(100, 100, 100, **parts))
    assert found == codes
    assert results.params == params


def test_constants_that_grow_with_the_image_are_no_weights() -> None:
    case = evidence(100, 100, 100)
    grown = [dataclasses.replace(look.observation, constants=look.height * look.width) for look in case.small]
    case.small = [dataclasses.replace(x, observation=o) for x, o in zip(case.small, grown, strict=True)]
    assert judged(case)[0].undeclared == 64 * 96


def looks(*tables: dict[str, tuple[int, int]], constants: int = 0) -> list[Observation]:
    return [observation(1, 1000 + n, constants=constants, tables=table) for n, table in enumerate(tables)]


@pytest.mark.parametrize(
    ("tables", "constants"),
    [
        ([{"a": (5000, 5000)}, {"a": (5000, 5000)}, {"a": (5000, 5000)}], 5007),
        ([{"a": (5000, 5000)}, {}, {"a": (5000, 5000)}], 5007),  # left alone on one size
        ([{"a": (5000, 5000)}, {"a": (3000, 3000)}, {"a": (4000, 4000)}], 3007),  # a part that grows
        ([{"a": (5000, 5000)}, {"b": (3000, 3000)}, {"c": (4000, 4000)}], 3007),  # one for each size
        ([{"a": (5000, 0), "b": (90, 90)}, {"a": (3000, 0)}, {"a": (4000, 0)}], 7),  # positions
        ([{"a": (5000, 5000)}], 5007),
    ],
)
def test_constants_count_by_how_they_grow(tables, constants: int) -> None:
    assert rules.constants_of(looks(*tables, constants=7)) == constants


def test_a_map_that_is_met_twice_on_images_of_one_size_is_no_constant() -> None:
    first, *others = looks({"a": (5000, 5000)}, {}, {"a": (5000, 5000)}, constants=7)
    others[1] = dataclasses.replace(others[1], pixels=first.pixels)
    assert rules.constants_of([first, *others]) == 7


def test_weights_in_the_place_of_parameters_that_are_not_used_count_once() -> None:
    results, found = judged(evidence(100, 100, 100, weights=5000, unread_values=5000))
    assert (results.params, found) == (10_000, {})
    results, found = judged(evidence(100, 100, 100, weights=5000, unread_values=2000))
    assert (results.params, found) == (13_000, {"params-undeclared": "warning"})


def test_numbers_in_the_code_count(tmp_path: Path) -> None:
    file = tmp_path / "team05_Net.py"
    table = ", ".join(["0.5"] * 1500)
    file.write_text(f'"""{"1 " * 2000}"""\nTABLE = ({table})\nRAW = b"{"x" * 400}"\nNAME = "{"9" * 9000}"\n')
    numbers = literals.numbers_in(files.parse(file))
    assert numbers == 1500 + 100
    costs = dataclasses.replace(evidence().counted, audit=Audit(params=10_050))
    scored, findings = literals.with_numbers(costs, numbers)
    assert scored.audit.params == 11_600
    assert [(finding.code, finding.severity) for finding in findings] == [("params-in-code", "warning")]
    assert "10,000" in findings[0].message and "1,600" in findings[0].message
    assert literals.with_numbers(costs, 1000) == (costs, [])
    as_tensors = dataclasses.replace(costs, audit=Audit(params=11_500))
    assert literals.with_numbers(as_tensors, numbers) == (as_tensors, [])


def test_numbers_in_all_files_of_a_package_count(tmp_path: Path) -> None:
    folder = tmp_path / "team05_Net"
    (folder / "parts").mkdir(parents=True)
    file = folder / "__init__.py"
    file.write_text("A = (1, 2)\n")
    (folder / "parts" / "table.py").write_text("B = [3, 4.0, 5]\n")
    (folder / "notes.py").write_text("no Python (1, 2\n")
    (folder / "numbers.txt").write_text("6, 7\n")
    whole = Submission(
        id=5, name="Net", file=file, checkpoint=None, declaration=Declaration(), has_build_model=False
    )
    assert numbers_written(whole) == 5
    assert numbers_written(dataclasses.replace(whole, file=folder / "parts" / "table.py")) == 3


def test_what_torch_packs_counts_by_its_values() -> None:
    weight = torch.quantize_per_tensor(torch.rand(48, 24), 0.01, 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(weight, torch.zeros(48))

    def given(network, x):
        return torch.ops.quantized.linear_dynamic(x, packed)

    def made(network, x):
        whole = torch.quantize_per_tensor(network.square, 0.01, 0, torch.qint8)
        own = torch.ops.quantized.linear_prepack(whole, None)
        return torch.ops.quantized.linear_dynamic(x, own)

    found = seen(given, square=torch.rand(24, 24))
    assert (found.weights, found.unread_values, found.products) == (48 * 24 + 48, 24 * 24, 3 * HW * 48)
    assert (found.unknown, found.unwritten) == ((), 0)
    found = seen(made, square=torch.rand(24, 24))
    assert (found.weights, found.expanded, found.unread_values, found.products) == (0, 0, 0, 3 * HW * 24)


def test_the_audits_figures_are_scored() -> None:
    record = make_record()
    before = entries.entry_from_record(record, protocol.load(), "y").costs
    assert record.complexity is not None and before is not None
    audit = Audit(flops=record.complexity.flops * 2, params=record.complexity.params * 3)
    audited = dataclasses.replace(record, complexity=dataclasses.replace(record.complexity, audit=audit))
    after = entries.entry_from_record(audited, protocol.load(), "y").costs
    assert after is not None
    assert (after.flops, after.params) == (before.flops * 2, before.params * 3)
    assert after.runtime_ms == before.runtime_ms


# A published network; the others are in test_published_runs.py


@pytest.mark.shared
@pytest.mark.slow
def test_the_published_baseline_raises_no_finding(shared: Path, root: Path, tmp_path: Path) -> None:
    (item,) = [item for item in zoo.catalogue() if item.title == "rlfn_ntire_x4"]
    (tmp_path / item.file_name).symlink_to(shared / "weights" / f"{item.title}.pth")
    entry = models_folder.find(root / "models", tmp_path).get(item.id)
    checked = check(entry, sample.probe_lr(), protocol.load(), device="cpu", isolation="none")
    audit = checked.complexity.audit
    assert checked.findings == ()
    assert audit.products == audit.traced_products
    assert audit.flops == checked.complexity.flops
    assert audit.agreement == 1.0
    assert 0 <= audit.params - checked.complexity.params <= 3  # a mean of the three colours


def test_hidden_weights_cost_at_least_what_changes() -> None:
    def function(network, x):
        product = np.tensordot(network.square.numpy(), x.numpy()[0], 1)
        grown = torch.from_numpy(product[None]).repeat(1, 2, 1, 1)[:, :3]
        return functional.interpolate(x + grown, scale_factor=4.0)

    square = torch.rand(3, 3) + 0.5
    upscaler = Upscaler(Network(function, square=square), Path("models/team05_Toy.py"), 4, CPU)
    _, found = count.audit(upscaler, IMAGE.clamp(0.1))
    assert found.hidden == ("square",)
    assert found.hidden_work == 9 * HW
    assert torch.equal(upscaler.network.square, square)
