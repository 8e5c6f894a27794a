"""Everything that is stored about an evaluation, as frozen dataclasses. Units are in the names.

One `Record` is one JSON document; its keys are a contract with other programs. Fields are only ever added:
a reader ignores keys it does not know, and a field added later has a default.

What a key means may depend on `schema_version` (docs/RECORDS.md): in version 1 the runtimes of an image are
corrected for drifts that it shares with the baseline, or hold the parent's clock; from version 2 on they are
the calls as the worker's clock had them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET, UnsetType

__all__ = [
    "NO_ID",
    "SLOW",
    "SCHEMA_VERSION",
    "Audit",
    "Complexity",
    "Environment",
    "ErrorInfo",
    "Finding",
    "ImageResult",
    "Imported",
    "Inference",
    "Isolation",
    "Launch",
    "ManifestInfo",
    "Measurement",
    "ProtocolInfo",
    "Record",
    "Score",
    "SlowCall",
    "SlowCause",
    "SplitResult",
    "SubmissionInfo",
    "Timing",
]

SCHEMA_VERSION = 2
NO_ID = -1  # the number of a team whose imported results give none


@dataclass(frozen=True, kw_only=True)
class ErrorInfo:
    """Why an evaluation failed.

    Attributes:
        type: Name of the exception class.
        message: The message a user reads.
        phase: "find", "load", "warm-up", "complexity", "run", "baseline"; "job" where a campaign's jobs were
            lost; of imported results "import".
    """

    type: str
    message: str
    phase: str


@dataclass(frozen=True, kw_only=True)
class ProtocolInfo:
    """The rules an evaluation followed, and what must be the same to rank it by others.

    Attributes:
        name: Of the rules.
        sha256: Of their TOML file.
        scale: Enlargement factor; None in records of versions that did not store it.
        border: Pixels cropped off every side before PSNR and SSIM; None alike.
        rules: Text of the TOML file; None where it comes with this program.
        noise: At scale 1, standard deviation of the noise on the input [8-bit levels]; None for other scales.
    """

    name: str
    sha256: str
    scale: int | None = None
    border: int | None = None
    rules: str | None = None
    noise: float | None = None


@dataclass(frozen=True, kw_only=True)
class ManifestInfo:
    """The manifest that the images were compared with: all are its own.

    Attributes:
        file: Its name, in the folder of the images.
        sha256: Of the file.
    """

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Inference:
    """One fact about a submission that was found out, not declared: its name, its value, and how."""

    key: str
    value: str
    how: str


@dataclass(frozen=True, kw_only=True)
class SubmissionInfo:
    """What was evaluated.

    Attributes:
        id: The team's number; NO_ID where imported results give none.
        name: The team's or network's name, from the file name.
        file: Model file, relative to the working directory.
        file_sha256: Of the model file.
        checkpoint: Checkpoint file, relative to the working directory; None if the model has none.
        checkpoint_sha256: Of the checkpoint file.
        model: The class or function that built the network; None if it was not built.
        data_range: 1.0 or 255.0, the value of white in the network's input and output.
        pad_to: The input is padded to a multiple of this; None if it is not padded, or only images of
            some sizes are, which `inferred` names.
        tile: Side [LR pixels] of the tiles the image is run in; None if it is run whole.
        inferred: Everything that was found out rather than declared.
        sources_sha256: Of all files of a challenge's checkout that the branch may need, or of all files of a
            package; None for a single file.
        declaration_sha256: Of the TOML file beside the model file; None where there is none.
    """

    id: int
    name: str
    file: str
    file_sha256: str
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    model: str | None = None
    data_range: float | None = None
    pad_to: int | None = None
    tile: int | None = None
    inferred: tuple[Inference, ...] = ()
    sources_sha256: str | None = None
    declaration_sha256: str | None = None

    @property
    def files(self) -> tuple[str, str | None, str | None, str | None]:
        """What tells a submission from an earlier one of the same name: the hashes of all its files."""
        return self.file_sha256, self.checkpoint_sha256, self.sources_sha256, self.declaration_sha256

    @property
    def label(self) -> str:
        """How a team's files begin, "07_Example"; the name alone where there is no number."""
        return self.name if self.id == NO_ID else f"{self.id:02d}_{self.name}"


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the audit of one submission's costs has found; a key that is UNSET is not in the document.

    None is set where costs were not counted here, as in imported results. Where they were counted and not
    audited, as the baseline's are, `counter` alone is.

    Attributes:
        counter: "fvcore", or "operators" where fvcore could not trace the network.
        not_traced: Why it could not; None otherwise.
        traced_products: Multiply-accumulates of convolutions and matrix products in `Complexity.flops`.
        products: The same as the audit counted them, operator by operator, on the same input.
        by_hand: Work of the same kind in other operators.
        uncounted: Estimated cost of every other operator, by name.
        sizes: (height, width, multiply-accumulates per LR pixel) of the undisclosed sizes.
        flops: The audit's FLOPs on the same input, at least `Complexity.flops`.
        params: The audit's parameters, at least `Complexity.params`.
        undeclared: Elements of weights in buffers, attributes and globals.
        generated: Elements of weights that forward makes of random numbers, ranges or nothing.
        packed: Elements of weights that forward unpacks, less the elements they are unpacked from.
        expanded: Elements of weights that forward computes, less the elements they are computed from.
        wide: Values of parameters beyond their elements: of complex ones, and of 64 bits that are all used.
        hidden: Weights that are used where no operator is seen.
        uncountable: Operators that no cost is stated for: with any, `flops` is not all that is computed.
        kernels: Kernels outside of torch's operators that were built, or are declared.
        twin: The method or function that costs were counted on in their place, or "twin_args"; UNSET where
            there is none, so that with kernels costs are not known.
        twin_difference: How far the network is from it on crops: the most, and the root of the mean square
            [grey levels, 0 to 255], and what the kernel computes in, which says how far it may be.
        bound: Parameters times LR pixels: FLOPs of a network that uses each weight once for every pixel.
        agreement: Share of SR values within one grey level of an ordinary call's; None if none was compared.
        seconds: What the audit took [s].
    """

    counter: str | UnsetType = UNSET
    not_traced: str | None | UnsetType = UNSET
    traced_products: int | UnsetType = UNSET
    products: int | UnsetType = UNSET
    by_hand: int | UnsetType = UNSET
    uncounted: dict[str, int] | UnsetType = UNSET
    sizes: tuple[tuple[int, int, float], ...] | UnsetType = UNSET
    flops: int | UnsetType = UNSET
    params: int | UnsetType = UNSET
    undeclared: int | UnsetType = UNSET
    generated: int | UnsetType = UNSET
    packed: int | UnsetType = UNSET
    expanded: int | UnsetType = UNSET
    wide: int | UnsetType = UNSET
    hidden: tuple[str, ...] | UnsetType = UNSET
    uncountable: tuple[str, ...] | UnsetType = UNSET
    kernels: tuple[str, ...] | UnsetType = UNSET
    twin: str | UnsetType = UNSET
    twin_difference: tuple[float, float, str] | UnsetType = UNSET
    bound: int | UnsetType = UNSET
    agreement: float | None | UnsetType = UNSET
    seconds: float | UnsetType = UNSET


@dataclass(frozen=True, kw_only=True)
class Complexity:
    """Costs that do not depend on the machine.

    Attributes:
        params: Sum of numel over parameters().
        flops: fvcore's total (multiply-accumulates) on `input_shape` in eval mode.
        activations: Elements of all convolution outputs on the same input.
        convs: Number of convolutions executed on the same input.
        input_shape: (N, C, H, W).
        uncounted_ops: Operators that fvcore met and gives no cost, with how often.
        uncalled_modules: Modules that were never called while fvcore traced the network.
        audit: What an independent count found.
    """

    params: int
    flops: int
    activations: int
    convs: int
    input_shape: tuple[int, int, int, int]
    uncounted_ops: dict[str, int] = field(default_factory=dict)
    uncalled_modules: tuple[str, ...] = ()
    audit: Audit = field(default_factory=Audit)


SlowCause = Literal["allocation", "context-switches", "clock", "other-process", "load", "unknown"]
"""What was seen of a slow call: GPU memory was allocated in it; its thread was interrupted; the GPU's clock
was below the usual; another process computed on the GPU; other programs used the CPU; nothing of this."""


SLOW = 1.2
"""Times its image's median, from which on a call is slow."""


@dataclass(frozen=True, kw_only=True)
class SlowCall:
    """A call that took over `SLOW` times its image's median.

    Attributes:
        call: Its place in `ImageResult.runtime_samples_ms`.
        cause: What was seen of it.
    """

    call: int
    cause: SlowCause


@dataclass(frozen=True, kw_only=True)
class ImageResult:
    """One image of a split.

    Attributes:
        name: Stem of the HR file.
        height: Of the mod-cropped HR image [pixels].
        width: Of the mod-cropped HR image [pixels].
        psnr_y_db: PSNR on luma; None where SR equals HR (infinite, a finding).
        psnr_rgb_db: PSNR on R, G and B together; None where SR equals HR.
        ssim_y: SSIM on luma; None where it was not asked for.
        runtime_ms: Median of `runtime_samples_ms`.
        runtime_samples_ms: One per round: a timed forward pass by the worker's clock, to the microsecond. In
            version 1 it is corrected for drifts that it shares with the baseline's next to it, and holds the
            parent's clock where `Timing.attested` is false.
        calls_ms: Version 1 only: the timed forward passes, not corrected; empty where the samples are.
        brackets_ms: The same calls by the parent's clock, from sending LR to holding SR; empty in version 1.
        overhead_ms: What such a call takes beside the forward pass, of each launch; measured before the
            submission's code is there.
        overhead_spread_ms: By how much that scattered, of each launch.
        host_ms: Median time of a call until its last kernel was queued; None on a CPU.
        slow_calls: Those that took too long, in order.
    """

    name: str
    height: int
    width: int
    psnr_y_db: float | None
    psnr_rgb_db: float | None
    ssim_y: float | None = None
    runtime_ms: float
    runtime_samples_ms: tuple[float, ...]
    calls_ms: tuple[float, ...] = ()
    brackets_ms: tuple[float, ...] = ()
    overhead_ms: tuple[float, ...] = ()
    overhead_spread_ms: tuple[float, ...] = ()
    host_ms: float | None = None
    slow_calls: tuple[SlowCall, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SplitResult:
    """All images of a split.

    Attributes:
        dataset: Name of the folder pair, without _HR / _LR.
        dataset_sha256: Fingerprint of its files.
        images: How many.
        psnr_y_db: Mean over images; None if any image has none.
        psnr_rgb_db: Mean over images; None if any image has none.
        ssim_y: Mean over images; None if any image has none.
        runtime_ms: Mean over images of the image's median over rounds.
        runtime_ci95_ms: 95 % interval of `runtime_ms`; None where it was not estimated.
        memory_mib: Peak memory of the split [MiB]; what it counts is in `Environment.memory_source`.
        per_image: In the order of the names.
    """

    dataset: str
    dataset_sha256: str
    images: int
    psnr_y_db: float | None
    psnr_rgb_db: float | None
    ssim_y: float | None = None
    runtime_ms: float
    runtime_ci95_ms: tuple[float, float] | None = None
    memory_mib: float | None = None
    per_image: tuple[ImageResult, ...]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A submission's costs and results in one session; a record holds the baseline's too."""

    submission: SubmissionInfo
    complexity: Complexity
    splits: dict[str, SplitResult]


@dataclass(frozen=True, kw_only=True)
class Score:
    """exp(2 * team / baseline) per cost, and their weighted sum; lower is better, None where it overflows."""

    runtime: float | None
    flops: float | None
    params: float | None
    final: float | None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a reader of the result must know.

    Attributes:
        code: Stable, for programs ("flops-uncalled-modules").
        severity: "info", "warning", or "reject" (an organizer would not accept the result).
        message: For people: what was seen, and what to change.
    """

    code: str
    severity: Literal["info", "warning", "reject"]
    message: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and its settings; no host name, no user name.

    Attributes:
        device: "cuda" or "cpu".
        device_name: Model of the GPU, or of the CPU.
        threads: CPU threads torch computes with.
        cpu: Model of the CPU.
        cpu_cores: Cores this process may use.
        driver: GPU driver version.
        cuda: CUDA version torch was built for.
        cudnn: cuDNN version.
        torch: torch version.
        fvcore: fvcore version.
        python: Python version.
        os: Kernel name and release.
        flags: Settings of torch that change runtime or rounding, as read back.
        clock: What runtimes were measured with.
        memory_source: What memory_mib counts; None where memory could not be measured.
        ntire_bench: Version of this program.
        commit: Commit of the checkout, "+dirty" appended if it had changes; None outside a checkout.
    """

    device: str
    device_name: str
    threads: int
    cpu: str
    cpu_cores: int
    driver: str | None = None
    cuda: str | None = None
    cudnn: str | None = None
    torch: str
    fvcore: str
    python: str
    os: str
    flags: dict[str, bool | int | str] = field(default_factory=dict)
    clock: str
    memory_source: str | None = None
    ntire_bench: str
    commit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """How the submission was isolated from the rest of the machine.

    Attributes:
        level: "L0" (separate process) up to "L3".
        detail: What that means, in one line.
        held: What a test program (the canary) tried at this level and could not do.
        broken: What it could do although it must not, and what it reached.
        refused: Why no higher level was taken.
        allow_pickle: Whether a checkpoint could run code as it was loaded.
    """

    level: str
    detail: str
    held: tuple[str, ...] = ()
    broken: dict[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    allow_pickle: bool = False


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Where a record comes from that was not measured here: one row of a challenge's own results file.

    Attributes:
        file: Name of the file, without its folder.
        file_sha256: Of the file when the row was imported.
        format: "json" or "text".
        model: The row's name, as the file has it.
        session: Hash of the baseline's row. Rows are ranked together if file name and session are equal.
        values: All that the row gives, by the challenge's keys; a number that is not finite is a text.
        unknown: Fields of the record that the file says nothing about: their values are to be ignored.
        no_psnr: Why a split has no RGB PSNR, where that is not because SR equals HR.
        runtime_ms: Average over valid and test as the file gives it; None where their mean is taken.
        baseline_runtime_ms: The same of the baseline.
    """

    file: str
    file_sha256: str
    format: Literal["json", "text"]
    model: str
    session: str
    values: dict[str, Any]
    unknown: tuple[str, ...] = ()
    no_psnr: dict[str, str] = field(default_factory=dict)
    runtime_ms: float | None = None
    baseline_runtime_ms: float | None = None

    @property
    def device_name(self) -> str:
        """A name in place of the unknown device's: one per session, so that no others are ranked with it."""
        return f"unknown, imported from {self.file} (session {self.session[:8]})"


LAUNCHES = 3
"""Fewest launches of a runtime that can be relied on: memory layout, and so speed, differs between them."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One start of the workers, which gives both sides a new memory layout; with times not in the runtime.

    Attributes:
        rounds: Timed rounds in it; samples of all launches lie one after the other.
        load_s: How long it took to build the submission's network, load its checkpoint and find out what was
            not declared, for which it may be run on a crop [s]; other workers may have started meanwhile.
        first_call_ms: Its first forward pass on an image of the data set, by the worker's clock [ms]; what a
            network compiles as it is called is part of it.
    """

    rounds: int
    load_s: float
    first_call_ms: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How well the runtime is known.

    Attributes:
        launches: In order.
        stopped: Why no more rounds were made: "precision" was reached, "max-rounds", "max-time", or "rounds",
            the number that was asked for.
        precision: The target: half of the 95 % interval, divided by the estimate.
        max_time_s: The limit on the time for rounds [s]; None where their number was given, and in records of
            versions that did not store it.
        half_width: The precision that was reached; None where there was one round.
        ratio: Runtime over the baseline's in this session; 1 where the submission is the baseline.
        ratio_ci95: 95 % interval of `ratio`; None where there was one round.
        score_ci95: 95 % interval of the final score; None where there was one round.
        ratio_resamples: `ratio` of every bootstrap resample, to tell how often a team takes each rank.
        unstable: Why the runtime cannot be ranked against stable ones; empty where it is stable.
        attested: Whether the parent's own clock agreed with the runtimes that the workers reported; where it
            did not, `unstable` says so. None in records of versions that did not check.
        monitor: What was sampled during the rounds: clocks, temperatures, power, load by other programs; and
            how many windows and squares of SR images were compared.
        split_ratios: `ratio` of each split alone; empty in version 1.
        turn_calls: Calls of one side on images of one size, one after the other, of which the first does not
            count; 1 where each call is a turn and counts.
        slow_calls: How many of the submission's calls were slow, by cause.
        baseline_slow_calls: The same of the baseline.
        repeated: Pairs of calls that were made again, by why; what they had given does not count.
        exact_over_composed: Runtime of the submission on the LR images of the data set over that on composed
            ones of the same size, each over the baseline's; None where that cannot be told.
        runtime_per_work: Time by the parent's clock for the work that was counted (FLOPs, and 300 for each
            activation), over the baseline's; None where there is no baseline beside, and in records of
            versions that did not compute it.
    """

    launches: tuple[Launch, ...]
    stopped: Literal["precision", "max-rounds", "max-time", "rounds"]
    precision: float
    half_width: float | None
    ratio: float
    ratio_ci95: tuple[float, float] | None
    score_ci95: tuple[float, float] | None
    ratio_resamples: tuple[float, ...] = ()
    unstable: tuple[str, ...] = ()
    attested: bool | None = None
    monitor: dict[str, Any] = field(default_factory=dict)
    max_time_s: float | None = None
    split_ratios: dict[str, float] = field(default_factory=dict)
    turn_calls: int = 1
    slow_calls: dict[str, int] = field(default_factory=dict)
    baseline_slow_calls: dict[str, int] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)
    exact_over_composed: float | None = None
    runtime_per_work: float | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One evaluation, whether it succeeded or failed.

    Attributes:
        schema_version: Of this layout.
        status: "ok" or "failed".
        created_utc: ISO 8601, UTC; of imported results, when they were imported.
        error: Set where status is "failed".
        protocol: The rules.
        submission: What was evaluated.
        rounds: Timed passes over all images that were made.
        psnr_channel: Channel the thresholds are compared in.
        sample: True where the embedded sample set was used: not comparable with the challenge.
        complexity: None where it was not reached.
        splits: By name ("valid", "test", or the name of a folder pair).
        baseline: The baseline's measurement in the same session; None where it was not reached.
        score: None where there are not both a measurement and a baseline.
        findings: In the order they were made.
        environment: None where no worker started, and of imported results.
        isolation: None where no worker started.
        wall_s: Seconds per phase, by name.
        timing: How well the runtime is known; None in records of versions that did not store it.
        imported: Set where the numbers are from a results file and were not measured here.
        manifest: What the images of all splits were compared with; None where there was no manifest for one
            of them, and in records of versions that knew none.
    """

    schema_version: int = SCHEMA_VERSION
    status: Literal["ok", "failed"]
    created_utc: str
    error: ErrorInfo | None = None
    protocol: ProtocolInfo
    submission: SubmissionInfo
    rounds: int
    psnr_channel: Literal["y", "rgb"]
    sample: bool = False
    complexity: Complexity | None = None
    splits: dict[str, SplitResult] = field(default_factory=dict)
    baseline: Measurement | None = None
    score: Score | None = None
    findings: tuple[Finding, ...] = ()
    environment: Environment | None = None
    isolation: Isolation | None = None
    wall_s: dict[str, float] = field(default_factory=dict)
    timing: Timing | None = None
    imported: Imported | None = None
    manifest: ManifestInfo | None = None
