"""Parameters, FLOPs, activations and convolutions: against published values and independent counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ntire_bench.errors import SubmissionError
from ntire_bench.wire.declaration import Declaration
from ntire_bench.worker.costs import count
from ntire_bench.worker.loading import load
from ntire_bench.worker.network.upscaler import Upscaler

CPU = torch.device("cpu")
INPUT = (1, 3, 64, 64)


def counted(network, shape=INPUT, **options):
    network.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    upscaler = Upscaler(network, Path("models/team05_Toy.py"), 4, CPU, **options)
    return count.measure(upscaler, shape)


def measured(network, shape=INPUT, **options):
    return counted(network, shape, **options).costs


class Toy(nn.Module):
    """Two plain convolutions."""

    def __init__(self, width=8):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 48, 3, padding=1)

    def forward(self, lr):
        return functional.pixel_shuffle(self.tail(torch.relu(self.head(lr))), 4)


class Functional(Toy):
    """The same, called as functions: no module is ever entered."""

    def forward(self, lr):
        features = torch.relu(functional.conv2d(lr, self.head.weight, self.head.bias, padding=1))
        return functional.pixel_shuffle(
            functional.conv2d(features, self.tail.weight, self.tail.bias, padding=1), 4
        )


class Zoo(nn.Module):
    """Every kind of convolution that efficient networks use."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 16, 3, padding=1, padding_mode="reflect")
        self.depthwise = nn.Conv2d(16, 16, 5, padding=2, groups=16)
        self.dilated = nn.Conv2d(16, 16, 3, padding=2, dilation=2, groups=4, bias=False)
        self.strided = nn.Conv2d(16, 8, 3, stride=2, padding=1)
        self.oblong = nn.Conv2d(16, 16, (1, 7), padding=(0, 3))
        self.up = nn.ConvTranspose2d(8, 16, 2, stride=2)
        self.tail = nn.Conv2d(16, 48, 1)

    def forward(self, lr):
        x = self.oblong(self.dilated(self.depthwise(self.head(lr))))
        return functional.pixel_shuffle(self.tail(x + self.up(self.strided(x))), 4)


def by_hand(network, shape=INPUT):
    """Count by the textbook, with hooks on modules: multiply-accumulates, output elements, convolutions.

    A convolution takes (output elements) x (input channels per group) x (kernel area); a transposed one
    (input elements) x (output channels per group) x (kernel area).
    """
    macs, elements, calls = [0], [0], [0]

    def count(module, inputs, output):
        area = int(np.prod(module.kernel_size))
        if isinstance(module, nn.ConvTranspose2d):
            macs[0] += inputs[0].numel() * (module.out_channels // module.groups) * area
        else:
            macs[0] += output.numel() * (module.in_channels // module.groups) * area
        elements[0] += output.numel()
        calls[0] += 1

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        network.eval()(torch.rand(shape))
    for hook in hooks:
        hook.remove()
    return macs[0], elements[0], calls[0]


def rlfn(root, checkpoint=None, args=None):
    file = root / "models" / "team00_RLFN.py"
    declaration = Declaration(model="RLFN", data_range=255, args=args or {}, source="test")
    checkpoint = checkpoint or root / "model_zoo" / "team00_RLFN.pth"
    probe = np.zeros((24, 24, 3), np.uint8)
    loaded = load.load(file, "RLFN", checkpoint, declaration, scale=4, device=CPU, probe=probe)
    return loaded.upscaler.network


# Published values


def test_rlfn_costs_what_its_authors_and_the_challenge_published(root):
    # Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022), Table 7: the entry
    # to the NTIRE 2022 challenge (ByteESR) has 0.317 M parameters, 19.7 G FLOPs, 80.05 M activations and 39
    # convolutions at 256x256. Four digits of FLOPs: NTIRE 2024 report, Table 1 (19.67 G).
    found = measured(rlfn(root), (1, 3, 256, 256))
    assert f"{found.params / 1e6:.3f}" == "0.317"
    assert f"{found.flops / 1e9:.1f}" == "19.7"
    assert f"{found.flops / 1e9:.2f}" == "19.67"
    assert f"{found.activations / 1e6:.2f}" == "80.05"
    assert found.convs == 39
    assert found.input_shape == (1, 3, 256, 256)
    assert found.uncalled_modules == ()


# Independent counts


@pytest.mark.parametrize("network", [Toy(), Toy(31), Zoo()], ids=["toy", "toy31", "zoo"])
@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 3, 48, 96)])
def test_counts_are_those_of_the_textbook(network, shape):
    found = measured(network, shape)
    assert (found.flops, found.activations, found.convs) == by_hand(network, shape)


@pytest.mark.parametrize("network", [Toy(), Functional(), Zoo()], ids=["toy", "functional", "zoo"])
def test_flops_are_half_of_what_torch_counts(network):
    counter = FlopCounterMode(display=False)  # counts a multiply-accumulate as two operations
    network.eval()
    with counter, torch.no_grad():
        network(torch.rand(INPUT))
    assert measured(network).flops * 2 == counter.get_total_flops()


def test_rlfn_agrees_with_torchs_own_count_of_its_convolutions(root):
    network = rlfn(root)
    macs, elements, calls = by_hand(network)
    found = measured(network)
    assert (found.activations, found.convs) == (elements, calls)
    # On top, fvcore counts 4 multiplications for each element that bilinear interpolation gives: in each of
    # the four blocks, 16 channels are brought back to the image's size.
    assert found.flops - macs == 4 * (4 * 16 * 64 * 64)


def test_functional_convolutions_count_like_modules():
    modules, functions = Toy(), Functional()
    functions.load_state_dict(modules.state_dict())
    one, two = measured(modules), measured(functions)
    assert (one.flops, one.activations, one.convs) == (two.flops, two.activations, two.convs)
    assert one.uncalled_modules == ()
    assert two.uncalled_modules == ("head", "tail")


@pytest.mark.parametrize("padding", ["same", 1])
def test_padding_by_name_is_a_convolution_too(padding):
    network = Toy()
    network.head = nn.Conv2d(3, 8, 3, padding=padding)
    found = measured(network)
    assert found.convs == 2
    assert found.activations == 56 * 64 * 64
    if padding == "same":  # fvcore does not know this operator: it must not go unseen
        assert found.uncounted_ops["aten::_convolution_mode"] == 1
    else:
        assert "aten::_convolution_mode" not in found.uncounted_ops


def test_matrix_products_are_counted():
    class Mixes(Toy):
        def forward(self, lr):
            pixels = lr.flatten(2).transpose(1, 2) @ torch.eye(3)  # 4096 x 3 times 3 x 3
            return super().forward(pixels.transpose(1, 2).reshape(lr.shape))

    assert measured(Mixes()).flops - measured(Toy()).flops == 64 * 64 * 3 * 3


def test_flops_grow_with_the_image():
    small, large = measured(Toy(), (1, 3, 64, 64)), measured(Toy(), (1, 3, 128, 192))
    assert large.flops == 6 * small.flops
    assert large.activations == 6 * small.activations
    assert (large.convs, large.params) == (small.convs, small.params)


# Parameters


def test_parameters_count_once_and_buffers_not_at_all():
    network = Toy()
    assert count.count_parameters(network) == (3 * 8 * 9 + 8) + (8 * 48 * 9 + 48)
    before = count.count_parameters(network)
    network.again = network.head
    network.same_weight = network.tail.weight
    network.register_buffer("mean", torch.zeros(1, 3, 1, 1))
    assert count.count_parameters(network) == before
    network.own = nn.Parameter(torch.zeros(7))
    assert count.count_parameters(network) == before + 7


def test_frozen_parameters_count():
    network = Toy()
    before = count.count_parameters(network)
    assert measured(network).params == before
    assert not any(parameter.requires_grad for parameter in network.parameters())


# What a reader must know besides


def test_operators_without_a_cost_are_reported():
    class Gated(Toy):
        def forward(self, lr):
            sr = super().forward(lr)
            return sr * torch.sigmoid(sr) * torch.sigmoid(sr + 1)

    found = measured(Gated()).uncounted_ops
    assert (found["aten::sigmoid"], found["aten::mul"], found["aten::pixel_shuffle"]) == (2, 2, 1)
    assert list(found) == sorted(found)


def test_modules_that_are_never_called_are_reported():
    network = Toy()
    network.unused = nn.Sequential(nn.Conv2d(3, 3, 1))
    found = measured(network)
    assert found.uncalled_modules == ("unused", "unused.0")
    assert found.flops == measured(Toy()).flops


# Networks that need help


class Windows(Toy):
    """Refuses sides that are no multiples of 24, which 64 is not."""

    def forward(self, lr):
        if lr.shape[-1] % 24 or lr.shape[-2] % 24:
            raise ValueError("not a multiple of 24")
        return super().forward(lr)


def test_padding_is_counted_for_flops_as_for_activations():
    found = measured(Windows(), pad_to=24, pad_declared=True)
    padded = measured(Toy(), (1, 3, 72, 72))
    assert (found.flops, found.activations) == (padded.flops, padded.activations)
    assert found.input_shape == INPUT


def test_tiles_do_not_count_twice():
    assert measured(Toy(), tile=40) == measured(Toy())


def refusal(network, **options):
    with pytest.raises(SubmissionError) as caught:
        measured(network, **options)
    message = str(caught.value)
    assert message.startswith("models/team05_Toy.py: ")
    return message


def test_a_network_that_fails_on_the_cost_input_is_told():
    assert "forward failed on an LR image of 64x64; found ValueError: not a multiple of 24" in refusal(
        Windows()
    )


class Part(nn.Module):
    """A network around another one that fvcore cannot follow."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, lr):
        return self.inner(lr)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("part", [False, True], ids=["whole", "part"])
@pytest.mark.parametrize("how", ["script", "trace", "compile"])
def test_what_fvcore_cannot_follow_is_counted_by_its_operators(how, part):
    torch.manual_seed(0)
    toy = Toy().eval()
    made = {
        "script": torch.jit.script,
        "trace": lambda network: torch.jit.trace(network, torch.rand(INPUT)),
        "compile": lambda network: torch.compile(network, backend="eager"),
    }[how](toy)
    network = Part(made) if part else made
    found, plain = measured(network), measured(Toy())
    assert (found.params, found.flops, found.activations, found.convs) == (
        plain.params,
        plain.flops,
        plain.activations,
        plain.convs,
    )
    assert (found.audit.counter, plain.audit.counter) == ("operators", "fvcore")
    assert found.audit.not_traced and plain.audit.not_traced is None
    # fvcore leaves its hooks behind where it fails; they would be timed.
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


@pytest.mark.parametrize("network", [Toy(), Functional(), Zoo()], ids=["toy", "functional", "zoo"])
def test_the_audits_count_is_fvcores(network):
    found = counted(network, (1, 3, 48, 96))
    costs, observed = found.costs, found.observed
    assert observed.counted == costs.flops
    assert observed.products == costs.audit.traced_products
    assert (observed.weights, observed.constants, observed.from_image) == (0, 0, True)
