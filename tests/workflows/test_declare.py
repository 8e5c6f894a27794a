"""What `check --write` writes: a declaration by which the next run infers nothing and comes to the same."""

from __future__ import annotations

import dataclasses
import json

import awkward
import numpy as np
import pytest
import torch
import toys
from awkward_files import cuda, truth, write  # noqa: F401 - fixtures
from click.testing import CliRunner
from record_factory import make_record
from toys import DECLARED, TOY, found, toy, write_toy

from ntire_bench.cli import group
from ntire_bench.errors import SubmissionError, UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.records.record import Finding, Inference, SubmissionInfo
from ntire_bench.wire.declaration import Declaration
from ntire_bench.workflows import declare, rehearse

RESOLVED = [name for name, one in awkward.FILES.items() if not one.refused]


@pytest.fixture(scope="module")
def probe():
    """A smooth LR image with a few edges, uint8 HWC."""
    y, x = np.mgrid[0:40, 0:44]
    planes = [127 + 90 * np.sin(x / 6 + c) * np.cos(y / (5 + c)) + 30 * ((x + y) % 22 > 11) for c in range(3)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def info(submission, loaded, **others):
    return SubmissionInfo(
        id=submission.id,
        name=submission.name,
        file=str(submission.file),
        file_sha256="",
        checkpoint=None if submission.checkpoint is None else str(submission.checkpoint),
        model=loaded.model,
        data_range=loaded.upscaler.data_range,
        pad_to=max(loaded.upscaler.found_pads.values(), default=None),
        inferred=tuple(loaded.inferred),
        **others,
    )


@pytest.mark.parametrize("which", RESOLVED)
def test_what_is_written_gives_the_same_and_leaves_nothing_to_infer(which, tmp_path, truth, probe):  # noqa: F811
    write(tmp_path, awkward.FILES[which], truth)
    submission = found(tmp_path)
    first = toys.load(submission, probe)
    toml = submission.file.with_suffix(".toml")
    toml.write_text(declare.text(info(submission, first), submission.declaration), encoding="utf-8")
    second = toys.load(found(tmp_path), probe)
    assert {item.key for item in second.inferred} <= {"stand_in", "cuda", "left_out"}, toml.read_text(
        encoding="utf-8"
    )
    assert (second.model, second.upscaler.data_range) == (first.model, first.upscaler.data_range)
    assert second.upscaler.output == first.upscaler.output
    assert second.upscaler.pad_to == max(first.upscaler.found_pads.values(), default=None)
    lr = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * first.upscaler.data_range
    with torch.inference_mode():
        assert torch.equal(first.upscaler.checked(lr), second.upscaler.checked(lr))


def inferred(*pairs):
    return tuple(Inference(key=key, value=value, how="") for key, value in pairs)


BARE = SubmissionInfo(
    id=5, name="Toy", file="models/team05_Toy.py", file_sha256="", model="Toy", data_range=255.0,
    checkpoint="model_zoo/team05_toy.pth",
)  # fmt: skip


def lines(found, declaration=None):
    declaration = declaration or Declaration()
    return declare.text(found, declaration).splitlines()[1:]


def test_the_text():
    assert lines(BARE) == ['model = "Toy"', "data_range = 255"]
    told = inferred(("model", "Toy"), ("args.a", "[1, 2]"), ("args.opt.b", "'x'"), ("state_key", "params"))
    assert lines(dataclasses.replace(BARE, inferred=told, pad_to=8)) == [
        'model = "Toy"', "data_range = 255", 'state_key = "params"', "pad_to = 8", "", "[args]", "a = [1, 2]",
        'opt = {"b" = "x"}',
    ]  # fmt: skip


def test_a_checkpoint_of_another_name_is_named():
    assert 'checkpoint = "05_best.pth"' in lines(
        dataclasses.replace(BARE, checkpoint="model_zoo/05_best.pth")
    )
    assert "checkpoint = false" in lines(dataclasses.replace(BARE, checkpoint=None))


def test_what_was_declared_with_set_is_kept():
    declaration = Declaration(model="Toy", args={"deploy": True, "opt": {"a": 1}}, tile=64, strict=False)
    told = lines(dataclasses.replace(BARE, inferred=inferred(("args.opt.b", "2"))), declaration)
    assert {"tile = 64", "strict = false", "deploy = true", 'opt = {"a" = 1, "b" = 2}'} <= set(told)
    assert declaration.args == {"deploy": True, "opt": {"a": 1}}


@pytest.mark.parametrize("value", ["None", "{1, 2}", "nonsense(", "__import__('os')", "1 +"])
def test_what_toml_cannot_hold_is_refused(value):
    with pytest.raises(SubmissionError, match=r"value that TOML cannot hold.*build_model"):
        lines(dataclasses.replace(BARE, inferred=inferred(("args.a", value))))


def test_a_declaration_is_not_overwritten(tmp_path):
    write_toy(tmp_path, body=DECLARED)
    with pytest.raises(UsageError, match="declares SUBMISSION, which is not overwritten"):
        declare.refuse_if_declared(found(tmp_path))
    file = write_toy(tmp_path, body=TOY)
    toml = file.with_suffix(".toml")
    toml.write_text('model = "Toy"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="is there already, and is not overwritten"):
        declare.refuse_if_declared(found(tmp_path))
    assert toml.read_text(encoding="utf-8") == 'model = "Toy"\n'


def test_settings(tmp_path):
    write_toy(tmp_path)
    given = ("data_range=255", "model=Toy", "args.opt.deploy=true", "args.x = [1, 2]", 'state_key="a b"')
    declared = declare.settled(found(tmp_path), given).declaration
    assert declared == Declaration(
        model="Toy",
        data_range=255,
        state_key="a b",
        args={"opt": {"deploy": True}, "x": [1, 2]},
        source="--set",
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data_range", "wants KEY=VALUE"),
        ("data_range=3", "--set declares data_range"),
        ("modell=3", "--set knows no key modell.*Remedy: write model=3"),
        ("tile=x", "wrong type"),
        ("checkpoint=a.pth", "does not choose the checkpoint"),
    ],
)
def test_settings_that_are_none(tmp_path, setting, message):
    write_toy(tmp_path)
    with pytest.raises(UsageError, match=message):  # of the command line, not of the submission
        declare.settled(found(tmp_path), (setting,))


# The command


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Runs `ntire-bench check 5` with options in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def calls(*options):
        result = CliRunner().invoke(group.main, ["check", "5", "--device", "cpu", *options])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return calls


@pytest.mark.slow
def test_check_write_and_set(call, tmp_path, truth):  # noqa: F811
    one = awkward.FILES["a flag that changes the image a little"]
    write(tmp_path, one, truth)
    toml = tmp_path / "models" / "team05_Toy.toml"
    refused = call("--write")
    assert refused.exit_code == 1
    assert "`args.shift = true`" in refused.stderr
    assert not toml.exists()
    written = call("--write", "--set", "args.shift=true")
    assert written.exit_code == 0, written.stderr
    assert "written: models/team05_Toy.toml" in written.stderr
    assert "shift = true" in toml.read_text(encoding="utf-8")
    again = call("--write")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert "inferred" not in call().stdout


@pytest.mark.slow
def test_check_strict_shows_what_an_organizer_would_find(tmp_path):
    """A network that carries state from image to image, which loading alone does not show."""
    body = toy(
        "STATE.append(float(lr.mean())); sr = sr + (STATE[-2] if len(STATE) > 1 else 0) % 0.05",
        head='SUBMISSION = {"model": "Toy", "data_range": 1}\nSTATE = []',
    )
    write_toy(tmp_path, body=body)
    places = ["--models", str(tmp_path / "models"), "--model-zoo", str(tmp_path / "model_zoo")]
    places += ["--device", "cpu", "--json"]
    plain = CliRunner().invoke(group.main, ["check", "5", *places])
    strict = CliRunner().invoke(group.main, ["check", "5", "--strict", *places])
    codes = {finding["code"] for finding in json.loads(strict.stdout)["findings"]}
    assert "output-not-reproducible" not in plain.stdout
    assert "output-not-reproducible" in codes and strict.exit_code == 1


@pytest.mark.slow
def test_check_strict_audits_an_image_of_the_size_of_a_datasets(tmp_path, root, monkeypatch):
    """This one computes less on small images; and of two findings of one code, both are shown."""
    (tmp_path / "models").mkdir()
    (tmp_path / "model_zoo").mkdir()
    attack = (root / "tests" / "attacks" / "models" / "20_small_images.py").read_text(encoding="utf-8")
    without = attack.replace('"data_range": 1}', '"data_range": 1, "checkpoint": None}')
    (tmp_path / "models" / "team05_Net.py").write_text(without, encoding="utf-8")
    both = tuple(
        Finding(code="output-stale", severity="reject", message=message) for message in ("first", "second")
    )
    ran = rehearse.Rehearsed(record=make_record(5, "Net", findings=both), protocol=protocols.load())
    monkeypatch.setattr(rehearse, "rehearse", lambda *_: ran)
    places = ["--models", str(tmp_path / "models"), "--model-zoo", str(tmp_path / "model_zoo")]
    plain, strict = (
        json.loads(
            CliRunner().invoke(group.main, ["check", "5", *places, "--device", "cpu", "--json", *more]).stdout
        )
        for more in ([], ["--strict"])
    )
    assert "flops-vary-with-size" not in {finding["code"] for finding in plain["findings"]}
    assert "flops-vary-with-size" in {finding["code"] for finding in strict["findings"]}
    assert [one["message"] for one in strict["findings"] if one["code"] == "output-stale"] == [
        "first",
        "second",
    ]
