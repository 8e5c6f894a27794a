"""Constructor arguments from a checkpoint alone: files such as participants of the challenge hand in."""

from __future__ import annotations

import importlib
import time

import pytest
import torch
from torch import nn
from torch.nn import functional

from ntire_bench.worker.fitting import arguments
from ntire_bench.worker.fitting.fit import fit
from ntire_bench.worker.fitting.shapes import mismatch
from ntire_bench.worker.network.state_dict import StateDict


def state_of(network, where=""):
    return StateDict({name: tensor.detach().clone() for name, tensor in network.state_dict().items()}, where)


def fitted(build, *networks, declared=None):
    found, attempts = fit(build, [state_of(network) for network in networks], declared or {}, 4)
    assert found is not None, attempts
    for name, tensor in found.state.tensors.items():
        assert torch.equal(found.network.state_dict()[name], tensor)
    return found


def refused(build, *networks, declared=None):
    found, attempts = fit(build, [state_of(network) for network in networks], declared or {}, 4)
    assert found is None
    return max(attempts, key=lambda attempt: attempt.likeness)


# Networks in the ways people write them


class Attention(nn.Module):
    """A part."""

    def __init__(self, esa_channels, n_feats, conv=nn.Conv2d):
        super().__init__()
        self.conv1 = conv(n_feats, esa_channels, 1)
        self.conv4 = conv(esa_channels, n_feats, 1)


class Block(nn.Module):
    """A part."""

    def __init__(self, in_channels, mid_channels=None, out_channels=None, esa_channels=16):
        super().__init__()
        self.c1_r = nn.Conv2d(in_channels, mid_channels or in_channels, 3)
        self.c2_r = nn.Conv2d(mid_channels or in_channels, in_channels, 3)
        self.esa = Attention(esa_channels, out_channels or in_channels)


class Pruned(nn.Module):
    """RLFN's way: widths with defaults, blocks in attributes with numbers."""

    def __init__(self, in_channels=3, out_channels=3, feature_channels=46, mid_channels=48, upscale=4):
        super().__init__()
        self.conv_1 = nn.Conv2d(in_channels, feature_channels, 3)
        for number in range(1, 5):
            setattr(self, f"block_{number}", Block(feature_channels, mid_channels))
        self.upsampler = nn.Sequential(
            nn.Conv2d(feature_channels, out_channels * upscale**2, 3), nn.PixelShuffle(upscale)
        )


class ResBlock(nn.Module):
    """A part."""

    def __init__(self, conv, n_feats, kernel_size, act=nn.ReLU(True)):  # noqa: B008 - as EDSR's code has it
        super().__init__()
        self.body = nn.Sequential(
            conv(n_feats, n_feats, kernel_size), act, conv(n_feats, n_feats, kernel_size)
        )


class Edsr(nn.Module):
    """EDSR's way: no defaults, a row of blocks that ends in a convolution, enlargement in factors of 2."""

    def __init__(self, n_feats, n_resblocks, scale, kernel_size=3, res_scale=1.0):
        super().__init__()
        self.res_scale = res_scale
        self.head = nn.Sequential(nn.Conv2d(3, n_feats, kernel_size))
        blocks = [ResBlock(nn.Conv2d, n_feats, kernel_size) for _ in range(n_resblocks)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(n_feats, n_feats, kernel_size))
        steps = [nn.Conv2d(n_feats, 4 * n_feats, 3) for _ in range(scale.bit_length() - 1)]
        self.tail = nn.Sequential(*steps, nn.Conv2d(n_feats, 3, 3))


class Positional(nn.Module):
    """BasicSR's way: positional names, nothing else."""

    def __init__(self, num_in_ch, num_out_ch, num_feat, num_block, upscale):
        super().__init__()
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3)
        self.body = nn.Sequential(*[nn.Conv2d(num_feat, num_feat, 3) for _ in range(num_block)])
        self.up = nn.Conv2d(num_feat, num_out_ch * upscale**2, 3)


class Deployable(nn.Module):
    """SPAN's way: a flag decides between training branches and the merged convolution."""

    def __init__(self, channels=28, deploy=False, bias=True, clamp=True):
        super().__init__()
        self.clamp = clamp
        if deploy:
            self.eval_conv = nn.Conv2d(3, channels, 3, bias=bias)
        else:
            self.branch = nn.Sequential(nn.Conv2d(3, 2 * channels, 1), nn.Conv2d(2 * channels, channels, 3))
        self.up = nn.Conv2d(channels, 48, 3)


def test_defaults_that_fit_are_left_alone():
    found = fitted(Pruned, Pruned())
    assert found.args == found.derived == {}


def test_two_widths_at_once():
    found = fitted(Pruned, Pruned(feature_channels=40, mid_channels=44))
    assert found.derived == {"feature_channels": 40, "mid_channels": 44}


@pytest.mark.parametrize(("feats", "blocks", "kernel"), [(32, 6, 3), (64, 16, 3), (24, 1, 3), (20, 5, 5)])
def test_arguments_without_defaults(feats, blocks, kernel):
    found = fitted(Edsr, Edsr(feats, blocks, 4, kernel))
    expected = {"n_feats": feats, "n_resblocks": blocks, "scale": 4}
    assert found.derived == (expected if kernel == 3 else {**expected, "kernel_size": kernel})


@pytest.mark.parametrize(("feat", "blocks"), [(32, 5), (50, 12), (64, 23)])
def test_positional_arguments(feat, blocks):
    found = fitted(Positional, Positional(3, 3, feat, blocks, 4))
    expected = {"num_in_ch": 3, "num_out_ch": 3, "num_feat": feat, "num_block": blocks, "upscale": 4}
    assert found.derived == expected


@pytest.mark.parametrize(
    "args", [{}, {"deploy": True}, {"deploy": True, "bias": False}, {"deploy": True, "channels": 52}]
)
def test_flags_take_the_value_that_loads_strictly(args):
    assert fitted(Deployable, Deployable(**args)).derived == args


def test_flags_that_no_tensor_shows_keep_their_default():
    found = fitted(Deployable, Deployable(clamp=False))
    assert found.network.clamp is True


def test_five_arguments_at_once():
    class Wide(nn.Module):
        def __init__(
            self, in_ch=3, dim=180, n_blocks=12, hidden=360, kernel=7, scale=2, bias=True, extra=False
        ):
            super().__init__()
            self.first = nn.Conv2d(in_ch, dim, kernel, bias=bias)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.Conv2d(dim, hidden, 3), nn.Conv2d(hidden, dim, 3)) for _ in range(n_blocks)
            )
            self.up = nn.Conv2d(dim, 3 * scale**2, 3)
            self.extra = nn.Conv2d(dim, dim, 1) if extra else None

    args = {"dim": 40, "n_blocks": 5, "hidden": 64, "kernel": 3, "scale": 4, "bias": False, "extra": True}
    assert fitted(Wide, Wide(**args)).derived == args


def test_arguments_that_only_fit_together():
    class Grouped(nn.Module):
        def __init__(self, dim=60, heads=6):
            super().__init__()
            if dim % heads:
                raise ValueError("dim must be a multiple of heads")
            self.first = nn.Conv2d(3, dim, 3)
            self.temperature = nn.Conv2d(heads, 2, 1)
            self.numbered = nn.ModuleList(nn.Conv2d(dim, dim, 1) for _ in range(heads))

    assert fitted(Grouped, Grouped(32, 8)).derived == {"dim": 32, "heads": 8}


def test_the_scale_is_the_protocols_even_where_no_tensor_shows_it():
    class Interpolates(nn.Module):
        def __init__(self, upscale_factor=2):
            super().__init__()
            self.upscale_factor = upscale_factor
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return functional.interpolate(self.conv(x), scale_factor=float(self.upscale_factor))

    assert fitted(Interpolates, Interpolates(2)).derived == {"upscale_factor": 4}


def test_a_scale_that_is_no_enlargement_is_left_alone():
    class Residual(nn.Module):
        def __init__(self, scale=0.1):
            super().__init__()
            self.scale = scale
            self.conv = nn.Conv2d(3, 48, 3)

    assert fitted(Residual, Residual()).derived == {}


class Ranged(nn.Module):
    """Arguments without defaults, one of which no tensor shows."""

    def __init__(self, n_feats, weight_of_this):
        super().__init__()
        self.weight_of_this = weight_of_this
        self.conv = nn.Conv2d(3, n_feats, 3)


def other(build):
    """Return another name for a class: calls by it are no examples in this file of how it is called."""
    return build


def test_an_argument_that_the_checkpoint_does_not_tell_is_an_open_choice():
    found = fitted(Ranged, other(Ranged)(32, 255))
    (choice,) = found.choices
    assert (choice.name, choice.meant, choice.closed) == ("weight_of_this", False, False)
    assert len(choice.others) > 1
    found = fitted(Ranged, other(Ranged)(32, 255), declared={"weight_of_this": 255})
    assert found.derived == {"n_feats": 32}
    assert found.args == {"n_feats": 32, "weight_of_this": 255}
    assert found.choices == []


def test_an_untold_flag_is_a_choice_of_two():
    class Flagged(nn.Module):
        def __init__(self, clamp: bool):
            super().__init__()
            self.clamp = clamp
            self.conv = nn.Conv2d(3, 48, 3)

    found = fitted(Flagged, other(Flagged)(False))
    (choice,) = found.choices
    assert (choice.value, choice.others, choice.meant, choice.closed) == (True, (False,), False, True)
    again = found.again({"clamp": False})
    assert again.network.clamp is False
    assert torch.equal(again.network.conv.weight, found.network.conv.weight)


def test_a_flag_with_a_default_that_changes_no_tensor_is_a_choice_too():
    (choice,) = fitted(Deployable, Deployable(deploy=True)).choices
    assert (choice.name, choice.value, choice.others, choice.meant) == ("clamp", True, (False,), True)


def test_an_argument_that_no_number_can_be_names_itself():
    class Configured(nn.Module):
        def __init__(self, mode: str, n_feats=32):
            super().__init__()
            self.conv = nn.Conv2d(3, n_feats, 3)

    reason = refused(Configured, other(Configured)("x")).reason
    assert "the argument 'mode' has no default" in reason


def test_a_call_in_the_same_file_is_an_example():
    class Exemplary(nn.Module):
        def __init__(self, mode: str, n_feats=32):
            super().__init__()
            self.conv = nn.Conv2d(3, n_feats, 3)

    found = fitted(Exemplary, Exemplary("fast", 20))
    assert found.derived == {"mode": "fast", "n_feats": 20}
    assert found.how == {"mode": "the value with which the file itself calls it"}


def test_names_in_a_call_of_the_same_file_stand_for_their_values(tmp_path, monkeypatch):
    text = (
        "from torch import nn\n"
        "ACTS = {'relu': nn.ReLU, 'gelu': nn.GELU}\nCONFIG = {'mode': 'fast', 'widths': [3, 20]}\n"
        "class Unpacked(nn.Module):\n    def __init__(self, mode, widths):\n        super().__init__()\n"
        "        self.conv = nn.Conv2d(*widths, 3)\n"
        "class Whole(nn.Module):\n    def __init__(self, cfg):\n        super().__init__()\n"
        "        self.mode = cfg['mode']\n        self.conv = nn.Conv2d(*cfg['widths'], 3)\n"
        "class Open(nn.Module):\n    def __init__(self, **kwargs):\n        super().__init__()\n"
        "        self.act = ACTS[kwargs.get('act')]()\n        self.conv = nn.Conv2d(3, 20, 3)\n"
        "if __name__ == '__main__':\n    Unpacked(**CONFIG)\n    Whole(CONFIG)\n    Whole(cfg=print)\n"
    )
    (tmp_path / "named_in_calls.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("named_in_calls")
    assert fitted(module.Unpacked, module.Unpacked("x", [3, 20])).args == {"mode": "fast", "widths": [3, 20]}
    found = fitted(module.Whole, module.Whole({"mode": "x", "widths": [3, 20]}))
    assert found.args == {"cfg.mode": "fast", "cfg.widths": [3, 20]}
    assert fitted(module.Open, module.Open(act="gelu")).args["act"] in ("relu", "gelu")


def test_squares_divisors_ratios_and_lists():
    class Windowed(nn.Module):
        def __init__(
            self,
            dim=96,
            window=7,
            squeeze=30,
            ratio=4.0,
            widths=(48, 48),
            kernels=[3, 5],  # noqa: B006
            heads=None,
        ):
            super().__init__()
            self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads or 6))
            self.squeezed = nn.Conv2d(dim, dim // squeeze, 1)
            self.hidden = nn.Linear(dim, int(dim * ratio))
            sizes = zip(widths, kernels, strict=True)
            self.rows = nn.ModuleList(nn.Conv2d(dim, w, k) for w, k in sizes)
            self.rates = [rate.item() for rate in torch.linspace(0, 1, 3)]

    args = {"dim": 36, "window": 8, "squeeze": 6, "ratio": 2.5, "widths": (20, 32), "kernels": [5, 3]}
    assert fitted(Windowed, other(Windowed)(**args)).derived == args


def test_declared_arguments_are_final():
    attempt = refused(Pruned, Pruned(feature_channels=40), declared={"feature_channels": 46})
    assert "of another shape" in attempt.reason
    assert "feature_channels=46" in attempt.call
    assert fitted(Pruned, Pruned(mid_channels=40), declared={"feature_channels": 46}).derived == {
        "mid_channels": 40
    }


def test_a_declared_argument_that_does_not_exist_is_named():
    assert (
        "takes no argument 'n_feat' (declared in args)"
        in refused(Pruned, Pruned(), declared={"n_feat": 3}).reason
    )


def test_keyword_arguments_of_any_name_are_passed_on():
    def build_model(**options):
        return Pruned(**options)

    found = fitted(build_model, Pruned(feature_channels=20), declared={"feature_channels": 20})
    assert found.derived == {}


def test_a_function_builds_as_a_class_does():
    def build_model(width: int, deep=4):
        return nn.Sequential(*[nn.Conv2d(width, width, 3) for _ in range(deep)])

    found = fitted(build_model, build_model(12, 2))
    assert found.derived == {"width": 12, "deep": 2}


def test_a_function_that_gives_no_network():
    assert refused(lambda: 5, Pruned()).reason == "gives a int, not an nn.Module"


def test_the_first_state_dict_that_fits_is_taken():
    ema, raw = Pruned(), Pruned()
    found, _ = fit(Pruned, [state_of(ema, "params_ema"), state_of(raw, "params")], {}, 4)
    assert found.state.where == "params_ema"
    found, _ = fit(Pruned, [state_of(Edsr(8, 1, 4), "params_ema"), state_of(raw, "params")], {}, 4)
    assert found.state.where == "params"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_type_become_the_networks(dtype):
    state = StateDict({name: tensor.to(dtype) for name, tensor in Pruned().state_dict().items()}, "")
    found, _ = fit(Pruned, [state], {}, 4)
    assert all(parameter.dtype == torch.float32 for parameter in found.network.parameters())
    name = "conv_1.weight"
    assert torch.equal(found.network.state_dict()[name], state.tensors[name].float())


def test_constructors_that_need_real_tensors_are_built_for_real():
    class Drops(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.rates = [rate.item() for rate in torch.linspace(0, 0.1, 4)]
            self.conv = nn.Conv2d(3, width, 3)

    assert fitted(Drops, Drops(20)).derived == {"width": 20}


def test_the_network_that_is_given_lies_in_memory():
    assert not any(p.is_meta for p in fitted(Edsr, Edsr(16, 2, 4)).network.parameters())


def test_lazy_modules_take_their_shapes_from_the_checkpoint():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.LazyConv2d(48, 3)

    class Eager(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 48, 3)

    assert fitted(Lazy, Eager()).derived == {}


def test_a_network_whose_own_loading_fails_is_told():
    class Own(Pruned):
        def load_state_dict(self, state_dict, strict=True):
            raise KeyError("my_key")

    assert refused(Own, Pruned()).reason == "KeyError: 'my_key'"


def test_running_statistics_are_part_of_it():
    class Normed(nn.Sequential):
        def __init__(self, width=8):
            super().__init__(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))

    assert fitted(Normed, Normed(12)).derived == {"width": 12}


def test_a_checkpoint_of_another_network_ends_the_search_at_once():
    found, attempts = fit(Pruned, [state_of(Edsr(24, 3, 4))], {}, 4)
    assert found is None
    assert len(attempts) == 1
    assert attempts[0].likeness == 0.0
    missing, unknown = len(Pruned().state_dict()), len(Edsr(24, 3, 4).state_dict())
    assert attempts[0].reason == (
        f"{missing} missing in the checkpoint (first conv_1.weight, conv_1.bias, block_1.c1_r.weight, ...), "
        f"{unknown} unknown to the network (first head.0.weight, head.0.bias, body.0.body.0.weight, ...)"
    )


def test_one_tensor_too_many_is_named_after_the_best_of_all_attempts():
    network = Edsr(24, 3, 4)
    network.extra = nn.Parameter(torch.zeros(1))
    attempt = refused(Edsr, network)
    assert attempt.call == "Edsr(n_feats=24, n_resblocks=3, scale=4)"
    assert attempt.reason == "1 unknown to the network (first extra)"


def test_it_ends_quickly_when_nothing_fits():
    class Endless(nn.Module):
        def __init__(
            self, a=5, b=6, c=7, d=8, e=9, f=10, g=11, h=12, i=13, j=True, k=True, m=True, n_blocks=12, dim=64
        ):
            super().__init__()
            self.first = nn.Conv2d(3, dim, 3)
            self.blocks = nn.ModuleList(nn.Conv2d(dim, dim, 3) for _ in range(n_blocks))

    network = Endless(n_blocks=7, dim=31)
    network.extra = nn.Parameter(torch.zeros(1))
    begin = time.perf_counter()
    attempt = refused(Endless, network)
    assert time.perf_counter() - begin < 10.0  # about 0.5 s on one idle core
    assert attempt.reason == "1 unknown to the network (first extra)"


def test_mismatch_says_what_differs():
    assert mismatch(Pruned(), state_of(Pruned())) is None
    told = mismatch(Pruned(feature_channels=40), state_of(Pruned()))
    assert (
        "27 of another shape (first conv_1.weight: checkpoint 46x3x3x3, network 40x3x3x3; conv_1.bias: "
        in told
    )
    told = mismatch(nn.Conv2d(3, 4, 3), state_of(nn.Conv2d(3, 4, 3, bias=False)))
    assert told == "1 missing in the checkpoint (first bias)"


def test_rows_of_blocks_are_counted_as_they_look_and_as_they_are():
    counts = arguments._counts(state_of(Edsr(16, 6, 4)))
    assert counts.index(6) < counts.index(7)
