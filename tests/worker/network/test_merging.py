"""Which methods merge the branches of a training form, by their names: nothing is loaded or run for that."""

from __future__ import annotations

import functools

import pytest
from torch import nn

from ntire_bench.worker.network.merging import NAMES, merging_methods


def block(*names: str, **members: object) -> nn.Module:
    """Return a block whose class has methods of these names, each of which says its own."""

    def method(name: str):
        return lambda self: name

    return type("Rep", (nn.Module,), {**{name: method(name) for name in names}, **members})()


def called(network: nn.Module) -> list[object]:
    return [method() for method in merging_methods(network)]


@pytest.mark.parametrize(
    "name",
    [
        *NAMES,
        *("merge", "merge_branches", "mergeBN", "fuse_convs", "fuseConv", "_fuse", "collapse"),
        *("reparam", "reparam_all", "re_parameterize", "Reparameterize"),
        *(
            "switchToDeploy",
            "convert_to_deploy",
            "to_inference",
            "set_to_deploy",
            "switch_inference",
            "deploy",
        ),
    ],
)
def test_whatever_the_author_calls_it_on_the_network_or_on_its_blocks(name):
    assert called(block(name)) == [name]
    assert called(nn.Sequential(nn.Sequential(block(name)), nn.ReLU(), block(name))) == [name, name]


def test_a_method_of_the_network_goes_before_those_of_its_blocks_and_the_likeliest_before_others():
    network = block("merge_all", "fuse")
    network.body = block("switch_to_deploy")
    assert called(network) == ["fuse"]
    assert called(block("_fuse_bn", "merge")) == ["merge"]


def test_a_block_that_is_used_twice_is_merged_once():
    shared = block("fuse")
    assert called(nn.Sequential(shared, nn.Sequential(shared))) == ["fuse"]


@pytest.mark.parametrize(
    "members",
    [
        {"fuse": lambda self, width: width},
        {"merge_bn": lambda self, *, eps: eps},
        {"fuse": staticmethod(lambda: "static")},
        {"deploy": False},
        {"merged": property(lambda self: 1 / 0)},
        {"fused": functools.cached_property(lambda self: 1 / 0)},
        {"get_equivalent_kernel": lambda self: None},
        {"deployed": lambda self: False},
        {"represent": lambda self: None},
        {"to_device": lambda self: None},
        {"emerge": lambda self: None},
    ],
    ids=lambda members: next(iter(members)),
)
def test_what_is_called_nearly_so_or_needs_arguments_is_none(members):
    assert merging_methods(block(**members)) == []
    one = block()
    one.fuse = nn.Conv2d(3, 3, 1)  # a submodule
    assert merging_methods(one) == []
