"""Builds valid records with made-up numbers, for tests of everything that reads records."""

from __future__ import annotations

import hashlib
from typing import Any

from ntire_bench.protocols import protocol as protocols
from ntire_bench.records.record import (
    Complexity,
    Environment,
    ErrorInfo,
    Finding,
    ImageResult,
    Isolation,
    Measurement,
    ProtocolInfo,
    Record,
    SplitResult,
    SubmissionInfo,
)

BASELINE_PSNR = {"valid": (28.60, 26.96), "test": (28.71, 27.07)}
BASELINE_RUNTIME_MS = {"valid": 14.0, "test": 10.0}
BASELINE_FLOPS = 19_674_931_200
BASELINE_PARAMS = 317_218
GPU = "NVIDIA GeForce RTX 3090"
IMAGES = 200  # as many as the protocols' sets hold


def fake_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_environment(device: str = "cuda", device_name: str = GPU, threads: int = 1) -> Environment:
    return Environment(
        device=device,
        device_name=device_name,
        threads=threads,
        cpu="Example CPU",
        cpu_cores=8,
        torch="2.10.0",
        fvcore="0.1.5.post20221221",
        python="3.11.9",
        os="Linux 6.1",
        clock="CUDA events" if device == "cuda" else "monotonic clock",
        ntire_bench="0.1.0",
    )


def make_split(
    split: str,
    psnr_y_db: float | None,
    psnr_rgb_db: float | None,
    runtime_ms: float,
    *,
    images: int = IMAGES,
    rounds: int = 5,
    dataset_sha256: str | None = None,
) -> SplitResult:
    per_image = tuple(
        ImageResult(
            name=f"{801 + i:04d}",
            height=1356,
            width=2040,
            psnr_y_db=psnr_y_db,
            psnr_rgb_db=psnr_rgb_db,
            runtime_ms=runtime_ms,
            runtime_samples_ms=tuple(runtime_ms + 0.001 * (k - (rounds - 1) / 2) for k in range(rounds)),
        )
        for i in range(images)
    )
    return SplitResult(
        dataset=f"DIV2K_LSDIR_{split}",
        dataset_sha256=dataset_sha256 or fake_sha256(f"images of {split}"),
        images=images,
        psnr_y_db=psnr_y_db,
        psnr_rgb_db=psnr_rgb_db,
        runtime_ms=runtime_ms,
        runtime_ci95_ms=(runtime_ms - 0.1, runtime_ms + 0.1),
        memory_mib=512.0,
        per_image=per_image,
    )


def make_submission(id: int, name: str, version: str = "1") -> SubmissionInfo:
    return SubmissionInfo(
        id=id,
        name=name,
        file=f"models/team{id:02d}_{name}.py",
        file_sha256=fake_sha256(f"{name} file {version}"),
        checkpoint=f"model_zoo/team{id:02d}_{name}.pth",
        checkpoint_sha256=fake_sha256(f"{name} checkpoint {version}"),
        model=name,
        data_range=1.0,
    )


def make_complexity(params: int = BASELINE_PARAMS, flops: int = BASELINE_FLOPS) -> Complexity:
    return Complexity(
        params=params, flops=flops, activations=80_050_000, convs=39, input_shape=(1, 3, 256, 256)
    )


def make_record(
    id: int = 7,
    name: str = "Example",
    *,
    psnr: dict[str, tuple[float | None, float | None]] | None = None,
    runtime_ms: dict[str, float] | None = None,
    params: int = 200_000,
    flops: int = 12_000_000_000,
    baseline: bool = True,
    protocol: str = "ntire2024",
    protocol_sha256: str | None = None,
    created_utc: str = "2026-11-20T10:53:31.123456Z",
    version: str = "1",
    datasets: dict[str, str] | None = None,
    environment: Environment | None = None,
    findings: tuple[Finding, ...] = (),
    images: int = IMAGES,
    rounds: int = 5,
    sample: bool = False,
    baseline_runtime_ms: dict[str, float] | None = None,
) -> Record:
    """A successful evaluation; `psnr` is {split: (Y, RGB)} and decides which splits there are."""
    psnr = psnr if psnr is not None else {"valid": (28.55, 26.93), "test": (28.66, 27.02)}
    runtime_ms = runtime_ms or dict.fromkeys(psnr, 10.0)
    baseline_ms = baseline_runtime_ms or BASELINE_RUNTIME_MS
    datasets = datasets or {}
    sizes: dict[str, Any] = {"images": images, "rounds": rounds}
    splits = {
        split: make_split(split, *psnr[split], runtime_ms[split], dataset_sha256=datasets.get(split), **sizes)
        for split in psnr
    }
    baseline_splits = {
        split: make_split(
            split,
            *BASELINE_PSNR.get(split, (32.0, 30.0)),
            baseline_ms.get(split, 11.0),
            dataset_sha256=datasets.get(split),
            **sizes,
        )
        for split in psnr
    }
    rules = protocols.load(protocol)
    own = make_submission(id, name, version)
    # What is divided by itself is measured once: both sides of such a record are the same files.
    is_baseline = (id, name.casefold()) == (0, rules.baseline.name.casefold())
    return Record(
        status="ok",
        created_utc=created_utc,
        protocol=ProtocolInfo(name=protocol, sha256=protocol_sha256 or rules.sha256),
        submission=own,
        rounds=rounds,
        psnr_channel="y",
        sample=sample,
        complexity=make_complexity(params, flops),
        splits=splits,
        baseline=Measurement(
            submission=own if is_baseline else make_submission(0, rules.baseline.name),
            complexity=make_complexity(),
            splits=baseline_splits,
        )
        if baseline
        else None,
        findings=findings,
        environment=environment or make_environment(),
        isolation=Isolation(level="L0", detail="a separate process"),
        wall_s={"load": 1.5, "run": 20.0},
    )


def make_failure(
    id: int = 7,
    name: str = "Example",
    *,
    phase: str = "load",
    message: str = "no class of the file loads the checkpoint",
    protocol: str = "ntire2024",
    created_utc: str = "2026-11-20T10:53:31.123456Z",
    version: str = "1",
) -> Record:
    """A failed evaluation: nothing was measured and no environment is known."""
    return Record(
        status="failed",
        created_utc=created_utc,
        error=ErrorInfo(type="SubmissionError", message=message, phase=phase),
        protocol=ProtocolInfo(name=protocol, sha256=protocols.load(protocol).sha256),
        submission=make_submission(id, name, version),
        rounds=5,
        psnr_channel="y",
    )
