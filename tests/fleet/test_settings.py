"""fleet.toml and --engine-option: every mistake is told with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ntire_bench.errors import UsageError
from ntire_bench.fleet import settings
from ntire_bench.fleet.local import slots

WHOLE = """\
engine = "slurm"
jobs = 8
again = 1
anchor = "5 %"
program = ["apptainer", "exec", "--nv", "bench.sif", "ntire-bench"]

[slurm]
partition = "gpu"
account = "vision"
gres = "gpu:a100:1"
time = 240
exclusive = true
setup = ["module load cuda"]
sbatch = {reservation = "challenge"}

[local]
cores_per_job = 8
"""


def written(folder: Path, text: str) -> Path:
    (folder / "fleet.toml").write_text(text)
    return folder / "fleet.toml"


def test_a_file_and_options_above_it(tmp_path):
    file = written(tmp_path, WHOLE)
    found = settings.read(file, None, (), None)
    assert (found.engine, found.jobs, found.again, found.anchor) == ("slurm", 8, 1, 0.05)
    assert found.slurm.gres == "gpu:a100:1" and found.slurm.sbatch == {"reservation": "challenge"}
    assert found.program[0] == "apptainer" and found.local.cores_per_job == 8
    above = settings.read(file, None, ("time=60", "exclusive=false", "setup='module load a' ls"), 2)
    assert (above.slurm.time, above.slurm.exclusive, above.jobs) == (60, False, 2)
    assert above.slurm.setup == ("module load a", "ls") and above.slurm.partition == "gpu"
    assert settings.read(file, "local", ("cores-per-job=2",), None).local.cores_per_job == 2
    assert settings.read(None, None, (), None).engine is None


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ('engine = "ray"', (), "engine: expected 'local' or 'slurm', got 'ray'"),
        ("job = 8", (), "job: there is no such key (jobs?)"),
        ("jobs = 0", (), "jobs: expected 1 or more, got 0"),
        ('anchor = "much"', (), "anchor: expected `float`"),
        ("anchor = -0.1", (), "anchor: expected a share above 0"),
        ("[slurm]\npartitions = 'a'", (), "slurm.partitions: there is no such key (partition?)"),
        ("[slurm]\ntime = 'long'", (), "slurm.time: expected `int`"),
        ("[slurm]\ntime = 0", (), "slurm.time: expected 1 or more"),
        ("slurm = 3", (), "slurm: expected a table"),
        ('engine = "slurm"', ("tims=3",), "--engine-option tims: slurm has no such key (time?)"),
        ('engine = "slurm"', ("time",), "--engine-option time: expected KEY=VALUE"),
        ('engine = "slurm"', ("time=soon",), "slurm.time: expected `int`"),
        ('engine = "local"', ("gres=gpu:1",), "--engine-option gres: local has no such key; there are"),
        ("", ("time=3",), "--engine-option time: there is no engine"),
        ('engine = "slurm"', ("program=a 'b",), "program: expected `array`"),
        ('engine = "slurm"\nslurm = 3', ("time=3",), "slurm: expected a table"),
        ('engine = "slurm"', ("look_s=nan",), "slurm.look_s: expected 0.1 or more"),
        ("anchor = inf", (), "anchor: expected a share above 0"),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path, text, options, said):
    with pytest.raises(UsageError) as error:
        settings.read(written(tmp_path, text), None, options, None)
    assert said in str(error.value)


def test_all_mistakes_are_told_at_once(tmp_path):
    with pytest.raises(UsageError) as error:
        settings.read(written(tmp_path, 'jobs = "a"\nagain = "b"\n[slurm]\nmem = 3'), None, (), None)
    assert all(key in str(error.value) for key in ("jobs:", "again:", "slurm.mem:"))


@pytest.mark.parametrize(("text", "said"), [("jobs = ", "is not TOML"), (None, "cannot be read")])
def test_a_file_that_is_none(tmp_path, text, said):
    file = tmp_path / "none.toml" if text is None else written(tmp_path, text)
    with pytest.raises(UsageError, match=said):
        settings.read(file, None, (), None)


@pytest.mark.parametrize("jobs", [None, 1, 2, 3, 99])
@pytest.mark.parametrize("gpus", [[], ["0"], ["0", "1", "GPU-abc"]], ids=len)
@pytest.mark.parametrize("cores", [1, 2, 3, 16])
def test_parts_of_a_machine_share_no_core_and_no_gpu(cores, gpus, jobs):
    parts = slots(range(cores), gpus, jobs, 4, "host")
    assert 1 <= len(parts) <= min(jobs or 99, cores)
    used = [core for part in parts for core in part.cores]
    assert len(used) == len(set(used)) and all(part.cores for part in parts)
    assert len({part.name for part in parts}) == len(parts)
    if gpus:
        assert [part.gpu for part in parts] == gpus[: len(parts)]
    else:
        assert all(part.gpu is None for part in parts)
        assert len(parts) == 1 or min(len(part.cores) for part in parts) >= 4
