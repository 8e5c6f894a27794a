"""What may meet in one ranking: one class of device, driver, libraries, CPU and threads."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import re
import shlex

import pytest
from boards import board, left_out, on, ranked
from record_factory import make_environment, make_record

from ntire_bench.errors import UsageError
from ntire_bench.ranking.device_class import argument_for, class_of, meant
from ntire_bench.records.record import Environment
from ntire_bench.reporting import captions, layout, render

H100 = dataclasses.replace(
    make_environment("cuda", "NVIDIA H100 80GB HBM3"),
    driver="580.159.04",
    torch="2.11.0+cu130",
    cuda="13.0",
    cudnn="91900",
    cpu="Intel(R) Xeon(R) Processor (family 6, model 207)",
)
OTHER = {
    "device_name": "NVIDIA H200",
    "driver": "550.1",
    "torch": "2.10.0+cu130",
    "cuda": "12.8",
    "cudnn": "91800",
    "cpu": "AMD EPYC",
    "threads": 2,
}


def other(environment: Environment, **changes: object) -> Environment:
    return dataclasses.replace(environment, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", OTHER)
def test_what_differs_in_any_part_of_its_class_is_not_ranked_together(key: str) -> None:
    changed = other(H100, **{key: OTHER[key]})
    records = (
        make_record(1, "A", environment=H100),
        make_record(2, "B", environment=H100),
        on(25, make_record(3, "C", environment=changed)),
    )
    got = board(*records)
    assert ranked(got) == ["A", "B"] and left_out(got) == [("03_C", "other device")]
    (told,) = [text for text in captions.captions(got) if text.startswith("Left out")]
    assert told.startswith("Left out: 03_C: measured ") and str(OTHER[key]) in told
    # The command that it names ranks them.
    command = shlex.split(told.partition("To rank these: ")[2])
    assert command[:3] == ["ntire-bench", "leaderboard", "--device"] and len(command) == 4
    assert ranked(board(*records, device=command[3])) == ["C"]


def test_nothing_else_of_a_machine_parts_its_records() -> None:
    # A CPU's runtimes do not depend on a GPU that is there beside it.
    cpu = make_environment("cpu", "Example CPU", threads=2)
    others = other(cpu, python="3.12.1", os="Linux 6.9", cpu_cores=4, driver="580", commit="f" * 40)
    assert ranked(board(make_record(1, "A", environment=cpu), make_record(2, "B", environment=others))) == [
        "A",
        "B",
    ]


def test_a_cpu_board_parts_what_another_torch_measured() -> None:
    cpu = make_environment("cpu", "Example CPU", threads=2)
    newer = other(cpu, torch="2.11.0")
    got = board(
        *(on(1, make_record(id_, f"T{id_}", environment=cpu)) for id_ in (1, 2, 3)),
        on(2, make_record(1, "T1", environment=newer)),
        on(2, make_record(4, "T4", environment=newer)),
    )
    assert ranked(got) == ["T1", "T2", "T3"]
    told = captions.captions(got)
    assert (
        "Left out: 04_T4, and other records of 01_T1: measured with torch 2.11.0, and the others with torch "
        "2.10.0. To rank these: ntire-bench leaderboard --device 'torch 2.11.0'"
    ) in told
    assert (
        "Measured with torch 2.10.0. Only records of the same device and all of these are ranked together."
        in told
    )
    assert layout.title(got).count("Example CPU, 2 threads") == 1


def test_any_part_of_a_class_can_be_named() -> None:
    older = other(H100, torch="2.10.0+cu128", cuda="12.8")
    records = (
        make_record(1, "A", environment=H100),
        make_record(2, "B", environment=H100),
        make_record(3, "C", environment=older),
    )
    for name, found in {
        "h100": ["A", "B"],
        "cuda": ["A", "B"],  # any GPU, although every class here has a version of CUDA
        "torch 2.10": ["C"],
        "CUDA 12.8": ["C"],
        "driver 580": ["A", "B"],
        "NVIDIA H100 80GB HBM3": ["A", "B"],
        str(class_of(older)): ["C"],
    }.items():
        assert ranked(board(*records, device=name)) == found, name
    with pytest.raises(UsageError, match=r"'torch 2\.9'.*torch 2\.10\.0\+cu128, CUDA 12\.8.*--device"):
        board(*records, device="torch 2.9")


def test_a_name_is_looked_for_before_a_description() -> None:
    cpu = make_environment("cpu", "Intel(R) Xeon(R) Processor (family 6, model 207)", threads=2)
    assert meant([class_of(H100), class_of(cpu)], "xeon") == {class_of(cpu)}
    assert meant([class_of(H100), class_of(cpu)], "cpu") == {class_of(cpu)}
    assert meant([class_of(H100)], "xeon") == {class_of(H100)}
    assert meant([class_of(H100)], "threadripper") == set()


def test_what_is_said_to_rank_a_class_means_that_class_alone() -> None:
    """Over every mixture of two values of each part."""
    keys = list(OTHER)
    classes = {
        class_of(other(H100, **{key: OTHER[key] for key, on_ in zip(keys, chosen, strict=True) if on_}))
        for chosen in itertools.product((False, True), repeat=len(keys))
    }
    assert len(classes) == 2 ** len(keys)
    ranked_ = class_of(H100)
    for one in classes - {ranked_}:
        assert meant(classes, argument_for(one, ranked_, classes)) == {one}


def test_two_classes_of_one_other_device_are_told_apart() -> None:
    a6000 = other(H100, device_name="NVIDIA RTX A6000")
    got = board(
        make_record(1, "A", environment=H100),
        make_record(2, "B", environment=H100),
        make_record(3, "C", environment=a6000),
        make_record(3, "C", environment=other(a6000, torch="2.10.0+cu130")),
    )
    told = [text for text in captions.captions(got) if text.startswith("Left out: 03_C: ")]
    assert len(told) == 2 and got.superseded == 0
    assert {text.partition(": measured on ")[2].partition(".")[0] for text in told} == {"NVIDIA RTX A6000"}
    assert len({item.device for item in got.left_out}) == 2


def test_a_command_is_safe_to_paste() -> None:
    odd = other(H100, device_name="it's $(a trap)")
    got = board(
        *(make_record(id_, f"T{id_}", environment=H100) for id_ in (1, 2)),
        make_record(3, "C", environment=odd),
    )
    (told,) = [text for text in captions.captions(got) if text.startswith("Left out")]
    assert shlex.split(told.partition("--device ")[2]) == ["it's $(a trap)"]


def test_every_format_names_the_class() -> None:
    got = board(
        make_record(1, "A", environment=H100), make_record(2, "B", environment=other(H100, threads=2))
    )
    text = (
        "driver 580.159.04, torch 2.11.0+cu130, CUDA 13.0, cuDNN 91900, Intel(R) Xeon(R) Processor (family 6"
    )
    for fmt in ("table", "latex", "html"):
        shown = " ".join(render.render(got, fmt, width=400, notes=True).split())  # type: ignore[arg-type]
        if fmt == "latex":
            assert r"leaderboard -{}-device" in shown  # two hyphens in a row would be one dash
            shown = shown.replace("\\", "")
        assert f"Measured with {text}" in shown and "Left out: 01_A" in shown, fmt
    plain = re.sub(r"\\", "", render.render(got, "md", notes=True))
    assert f"Measured with {text}" in plain and "--device '1 thread'" in plain
    device = json.loads(render.render(got, "json"))["device"]
    assert device["class"] == {
        **{"kind": "cuda", "driver": "580.159.04", "torch": "2.11.0+cu130", "cuda": "13.0", "cudnn": "91900"},
        **{"cpu": "Intel(R) Xeon(R) Processor (family 6, model 207)", "threads": 2},
    }
    document = json.loads(render.render(got, "json"))
    assert document["left_out"][0]["device"] == "1 thread"
    first = next(csv.DictReader(io.StringIO(render.render(got, "csv"))))
    assert first["device"] == "NVIDIA H100 80GB HBM3" and first["device_class"].endswith(", 2 threads")
