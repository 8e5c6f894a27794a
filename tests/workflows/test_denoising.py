"""A two-layer denoiser through everything: dropped in, in a checkout, run, gate, page."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from denoisers import BODY, weights, write_checkout, write_denoiser, write_noisy_pairs
from skimage.data import astronaut, chelsea
from skimage.metrics import peak_signal_noise_ratio

from ntire_bench.cli import group
from ntire_bench.data.images import read_png
from ntire_bench.data.noise import noisy
from ntire_bench.protocols import protocol as protocols
from ntire_bench.records import store
from ntire_bench.records.record import Record
from ntire_bench.reporting.factsheet import letter
from ntire_bench.submissions.models_folder import find
from ntire_bench.workflows.pack import remarks


def call(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(group.main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two denoisers dropped in, the same in a checkout, and noisy photographs."""
    place = tmp_path_factory.mktemp("denoising")
    write_denoiser(place, 0, "SGN", sigma=0.8)
    write_denoiser(place, 5, "Blur")
    write_checkout(place / "checkout")
    photographs = [astronaut()[:120, 200:360], chelsea()[100:220, 150:310]]
    write_noisy_pairs(place / "data", "valid", photographs, seed=7)
    call("data", "manifest", place / "data", "--protocol", "dn50", "--seed", 7)
    return place


def evaluated(place: Path, results: str, *arguments: object) -> Record:
    call(
        *("run", 5, "--protocol", "dn50", "--data-dir", place / "data", "--rounds", 1, "--json"),
        *("--results", place / results, "--save-dir", place / f"{results}_sr", *arguments),
    )
    (path,) = (place / results / "dn50" / "05_Blur").glob("*.json")
    return store.load(path)


@pytest.fixture(scope="module")
def dropped_in(place: Path) -> Record:
    return evaluated(place, "results", "--models", place / "models", "--model-zoo", place / "model_zoo")


def expected_psnr(place: Path, sigma: float = 1.2) -> float:
    """RGB PSNR of the blur, by torch and scikit-image alone."""
    module: dict[str, Any] = {"__name__": "denoiser"}
    exec(compile(BODY, "denoiser", "exec"), module)
    network = module["Denoiser"]()
    network.load_state_dict(weights(sigma))
    values = []
    for path in sorted((place / "data" / "DIV2K_valid_HR").glob("*.png")):
        hr = read_png(path)
        lr = torch.from_numpy(read_png(place / "data" / "DIV2K_valid_noise50" / path.name))
        with torch.inference_mode():
            output = network(lr.permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0).numpy()
        sr = np.round(output * 255).astype(np.uint8)
        values.append(peak_signal_noise_ratio(hr[4:-4, 4:-4], sr[4:-4, 4:-4], data_range=255))
    return float(np.mean(values))


@pytest.mark.slow
def test_check_resolves_it_and_counts_its_costs(place: Path) -> None:
    folders = ("--models", place / "models", "--model-zoo", place / "model_zoo")
    document = json.loads(call("check", 5, "--protocol", "dn50", "--json", *folders).stdout)
    assert document["ok"] and document["findings"] == []
    assert document["submission"]["model"] == "Denoiser" and document["submission"]["data_range"] == 1.0
    # 8 channels of 5x5x3 and 3 of 3x3x8, at each of 256x256 pixels, and their biases.
    assert document["complexity"]["params"] == 8 * 75 + 8 + 3 * 72 + 3
    assert document["complexity"]["flops"] == (8 * 75 + 3 * 72) * 256 * 256


@pytest.mark.slow
def test_a_run_measures_what_others_measure(place: Path, dropped_in: Record) -> None:
    assert dropped_in.status == "ok" and dropped_in.psnr_channel == "rgb"
    split = dropped_in.splits["valid"]
    assert split.psnr_rgb_db == pytest.approx(expected_psnr(place), abs=0.002)
    assert (split.per_image[0].height, split.per_image[0].width) == (120, 160)
    assert dropped_in.protocol.noise == 50 and dropped_in.protocol.scale == 1
    assert dropped_in.baseline is not None and dropped_in.baseline.submission.label == "00_SGN"
    assert dropped_in.baseline.splits["valid"].psnr_rgb_db == pytest.approx(
        expected_psnr(place, 0.8), abs=0.002
    )
    assert dropped_in.score is not None
    assert dropped_in.manifest is not None and dropped_in.manifest.file == "manifest.json"
    manifest = (place / "data" / "manifest.json").read_bytes()
    assert dropped_in.manifest.sha256 == hashlib.sha256(manifest).hexdigest()
    assert not [found for found in dropped_in.findings if found.severity == "reject"]
    assert dropped_in.timing is not None and dropped_in.timing.monitor["gain_over"] == "blur"
    assert (place / "results_sr" / "05_Blur" / "DIV2K_valid" / "0801.png").is_file()


@pytest.mark.slow
def test_a_checkout_gives_the_same_psnr(place: Path, dropped_in: Record) -> None:
    found = evaluated(place, "of_checkout", "--challenge-root", place / "checkout")
    assert found.splits["valid"].psnr_rgb_db == dropped_in.splits["valid"].psnr_rgb_db
    assert found.baseline is not None and found.baseline.submission.label == "00_RFDN_baseline"
    assert found.baseline.splits["valid"].psnr_rgb_db == pytest.approx(expected_psnr(place, 0.8), abs=0.002)
    forward = next(item.value for item in found.submission.inferred if item.key == "forward")
    assert forward == "forward(img_noisy, model, tile)"


@pytest.mark.slow
def test_the_gate_asks_for_a_threshold_and_then_judges(place: Path, dropped_in: Record) -> None:
    (path,) = (place / "results" / "dn50" / "05_Blur").glob("*.json")
    assert "asks for no PSNR" in call("gate", "--record", path, code=2).stdout
    psnr = dropped_in.splits["valid"].psnr_rgb_db or 0.0
    assert call("gate", "--record", path, "--threshold", f"valid={psnr - 0.1:.2f}").stdout.startswith("PASS")
    below = call("gate", "--record", path, "--threshold", f"valid={psnr + 0.1:.2f}", code=1)
    assert below.stdout.startswith("BELOW")
    assert "judges no split night" in call("gate", "--record", path, "--threshold", "night=1", code=2).stderr


@pytest.mark.slow
def test_it_is_ranked_without_a_threshold_and_has_its_page(place: Path, dropped_in: Record) -> None:
    results = ("--results", place / "results")
    document = json.loads(call("leaderboard", *results, "--format", "json").stdout)
    row = next(row for row in document["rows"] if row["name"] == "Blur")
    assert (row["status"], row["rank"], row["verdicts"]) == ("ranked", 1, [])
    page = call("leaderboard", *results, "--format", "html").stdout
    assert "NTIRE Image Denoising, sigma 50" in page
    assert f"{dropped_in.splits['valid'].psnr_rgb_db:.2f}" in page
    assert "below the threshold" not in page
    assert "dB on valid" not in page  # it has a column
    anew = json.loads(call("leaderboard", *results, "--threshold", "valid=40", "--format", "json").stdout)
    assert next(row for row in anew["rows"] if row["name"] == "Blur")["status"] == "below threshold"
    assert "No PSNR is asked for" in call("audit", 5, *results).stdout
    assert letter(dropped_in).startswith("Title: Image Denoising Challenge - ")
    item = find(place / "models", place / "model_zoo").get(5)
    assert not [text for text in remarks(item, dropped_in, protocols.load("dn50"), ()) if "gate" in text]


@pytest.mark.slow
def test_its_images_are_on_the_site(place: Path, dropped_in: Record) -> None:
    pytest.importorskip("altair")
    call(
        *("leaderboard", "--results", place / "results", "--format", "site", "-o", place / "site"),
        *("--sr-dir", place / "results_sr", "--data-dir", place / "data"),
    )
    assert len(list((place / "site" / "crops").glob("*.png"))) >= 2


@pytest.mark.slow
def test_a_denoiser_begun_by_new_is_the_noisy_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun = json.loads(call("new", 7, "MyDn", "--protocol", "dn50", "--json").stdout)
    assert begun["next"][0] == "ntire-bench check 7 --protocol dn50"
    assert begun["next"][-1] == "ntire-bench run 7 --baseline 7 --protocol dn50"  # SGN does not come along
    module: dict[str, Any] = {"__name__": "begun"}
    exec(compile((tmp_path / begun["model"]).read_text(), "begun", "exec"), module)
    network = module["MyDn"]()
    network.load_state_dict(torch.load(tmp_path / begun["checkpoint"], weights_only=True))
    image = torch.rand(1, 3, 24, 31)
    assert torch.equal(network(image), image)
    refused = call("new", 8, "Other", "--protocol", "dn50", "--reparam", code=2)
    assert "--reparam is there for networks that enlarge alone" in refused.stderr


def test_records_of_other_noise_are_not_ranked_together(tmp_path: Path) -> None:
    from ntire_bench.ranking.rules import differences

    text = (Path(protocols.__file__).parent / "dn50.toml").read_text()
    path = tmp_path / "dn25.toml"
    path.write_text(text.replace('name = "dn50"', 'name = "dn25"').replace("noise = 50", "noise = 25"))
    assert differences(protocols.load("dn50"), protocols.load(path)) == ["noise 50, not 25"]


@pytest.mark.parametrize("sigma", [25.0, 50.0])
def test_composed_images_have_the_noise_of_the_exact_ones(sigma: float) -> None:
    """An honest network may be made for one strength of noise; scaled values would change it."""
    from ntire_bench.data.dataset import Pair
    from ntire_bench.measuring.content import compose

    grey = np.full((200, 200, 3), 128, np.uint8)
    pairs = [Pair("grey", Path("lr"), Path("hr"), 200, 200)]
    for seed in range(6):
        composed = compose(150, 170, pairs, 1, seed)
        lr = composed.noisy(lambda _: grey, sigma).astype(float)
        spot = composed.spot(np.random.default_rng(seed), lambda *_: grey, 1)
        height, width = spot.hr.shape[:2]
        clean = float(spot.hr.mean())
        there = lr[spot.top : spot.top + height, spot.left : spot.left + width]
        if 100 < clean < 155:  # hardly clipped
            assert there.std() == pytest.approx(sigma, rel=0.05)
        # What clipping does to noise, by the images that prepare makes.
        made = noisy(np.full((200, 200, 3), round(clean), np.uint8), sigma, seed, "x").astype(float)
        assert there.mean() == pytest.approx(made.mean(), abs=8) and there.std() == pytest.approx(
            made.std(), rel=0.1
        )
