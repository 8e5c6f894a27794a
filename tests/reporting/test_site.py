"""A site as files: complete, safe whatever teams call themselves, and no other file is touched."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from html_pages import Page
from hypothesis import given, settings
from hypothesis import strategies as st
from imported_results import imported, published_text
from PIL import Image
from site_records import NASTY, RULES, board_in, records, site_record, write_sr_images

from ntire_bench.data.images import read_png, write_png
from ntire_bench.data.sample import sample_dir
from ntire_bench.errors import DatasetError, UsageError
from ntire_bench.metrics.psnr import psnr
from ntire_bench.ranking.board import board_from_reference, build
from ntire_bench.ranking.left_out import unreadable
from ntire_bench.records import store
from ntire_bench.records.record import Audit, Finding, ImageResult
from ntire_bench.reporting import render
from ntire_bench.reporting.among import Among
from ntire_bench.reporting.site import charts, points, team
from ntire_bench.reporting.site import site as sites
from ntire_bench.reporting.site.crops import SrImages, make_crops
from ntire_bench.reporting.site.folder import slugs_of
from ntire_bench.reporting.site.telling import window_at

pytest.importorskip("altair", reason="the packages of the extra 'site' are not installed")
DAY = datetime(2026, 11, 28)


@pytest.fixture(autouse=True, scope="module")
def without_vega():
    """Vega takes seconds to be bundled; the tests in a browser have it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts, "javascript", lambda: "// Vega\n")
        yield


def write(board, folder: Path, **options) -> sites.Site:
    return sites.write_site(board, folder, made=DAY, progress=lambda *_: None, **options)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("site")
    of = write_sr_images(place, records())
    images = SrImages(sr_dir=place / "sr", data_dir=place / "data", most=2)
    write(board_in(place / "results", of), place / "out", images=images)
    return place / "out"


def pages(folder: Path) -> dict[str, Page]:
    return {
        path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
    }


def data_of(page: Page) -> dict:
    (text,) = (script for script in page.scripts if script.strip())
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_there_is_a_page_a_team_and_every_link_leads_to_a_file_of_the_site(site):
    found = pages(site)
    assert len(found) == 5 and "teams/01_Ann.html" in found
    for name, page in found.items():
        links = [
            *page.attributes("a", "href"),
            *page.attributes("script", "src"),
            *page.attributes("link", "href"),
        ]
        assert len(links) > 5
        for link in links:
            if not link.startswith("#"):
                assert ((site / name).parent / link).resolve().is_file(), (name, link)


def test_nothing_is_asked_of_any_server(site):
    for path in site.rglob("*"):
        if path.suffix in (".html", ".css", ".js") and path.name != "specs.js":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"https?:|url\(|@import|\bfetch\(|XMLHttpRequest|WebSocket", text), path
    for page in pages(site).values():
        (policy,) = (v for v in page.attributes("meta", "content") if v and "default-src" in v)
        assert "default-src 'none'" in policy and "connect-src" not in policy and "*" not in policy


def test_names_and_findings_are_text_whatever_they_hold(site):
    for name, page in pages(site).items():
        assert not [tag for tag, held in page.seen if "onerror" in held or (tag == "img" and held)], name
        assert len([tag for tag, _ in page.seen if tag == "script"]) <= 8
    index = pages(site)["index.html"]
    assert f"02_{NASTY}" in index.text
    assert f"02_{NASTY}" in {point["team"] for point in data_of(index)["teams"]}
    nasty = next(page for name, page in pages(site).items() if name.startswith("teams/02_"))
    assert f"something odd: {NASTY}" in nasty.text and f"PSNR is higher so {NASTY}" in nasty.text


def test_a_team_page_holds_what_its_record_does(site):
    page = pages(site)["teams/01_Ann.html"]
    table = [row for row in page.rows if row[:1] in (["valid"], ["test"])]
    assert [row[:2] for row in table] == [
        [split, f"080{n}"] for split, n in product(("valid", "test"), (1, 2, 3))
    ]
    assert {row[-2] for row in table} == {"7.00", "5.00"}  # ms, as the record was made
    assert "models/team01_Ann.py" in page.text and "0.500 times the baseline's, ±2.0 %" in page.text
    (record,) = (link for link in page.attributes("a", "href") if link and link.endswith(".json"))
    stored = json.loads((site / "teams" / record).read_bytes())
    assert stored["submission"]["name"] == "Ann"


def test_readers_are_not_told_what_an_organizer_could_do(tmp_path):
    rejected = Finding(code="memorized", severity="reject", message="gain on exact images")
    board = board_in(tmp_path / "results", [*records(), site_record(5, "Thumbs", findings=(rejected,))])
    write(board, tmp_path / "out")
    text = pages(tmp_path / "out")["index.html"].text
    assert "No rank, rejected: 05_Thumbs (memorized)." in text and "ntire-bench" not in text
    assert "ntire-bench accept" in render.render(board, "html")


def test_the_downloads_are_those_of_the_other_formats(site):
    rows = json.loads((site / "data" / "leaderboard.json").read_bytes())["rows"]
    assert [row["name"] for row in rows][:2] == ["Ann", NASTY]
    assert len((site / "data" / "leaderboard.csv").read_text().splitlines()) == 5


def test_where_records_lie_is_not_told(tmp_path):
    of = [*records(), dataclasses.replace(site_record(9, "Broken"), splits={})]
    board_in(tmp_path / "secret_place", of)
    bad = tmp_path / "secret_place" / "ntire2024" / "10_Bad" / "20261128T100000.000000Z.json"
    bad.parent.mkdir()
    bad.write_text("{")
    board = build(*store.load_all(tmp_path / "secret_place")[:1], RULES)
    board = dataclasses.replace(
        board, left_out=(*board.left_out, *map(unreadable, store.load_all(tmp_path / "secret_place")[1]))
    )
    assert any("secret_place" in item.reason for item in board.left_out)
    write(board, tmp_path / "out")
    assert "secret_place" not in render.render(board, "html")
    told = [
        path
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and b"secret_place" in path.read_bytes()
    ]
    assert told == [] and b"09_Broken" in (tmp_path / "out" / "index.html").read_bytes()


def test_a_published_table_has_plots_and_no_pages_of_teams(tmp_path):
    done = write(board_from_reference("ntire2024"), tmp_path / "out")
    assert done.teams == 0 and list(pages(tmp_path / "out")) == ["index.html"]
    shown = data_of(pages(tmp_path / "out")["index.html"])
    assert len(shown["costs"]) == 35 and {point["href"] for point in shown["costs"]} == {None}
    assert (
        "KLETech-CEVI_Lowlight_Hypnotise (24.53 dB on valid, 24.75 dB on test)"
        in pages(tmp_path / "out")["index.html"].text
    )


def test_own_rows_among_a_reference_have_a_page(tmp_path):
    board = board_in(tmp_path / "results", records())
    both = Among(name="ntire2024", own=board, reference=board_from_reference("ntire2024"))
    write(board, tmp_path / "out", among=both)
    found = pages(tmp_path / "out")
    assert "among.html" in found["index.html"].attributes("a", "href")
    page = found["among.html"]
    assert "teams/01_Ann.html" in page.attributes("a", "href") and len(page.rows) == 1 + 35 + 4
    assert not [link for link in page.attributes("script", "src") if link and "vega" in link]
    assert (tmp_path / "out" / "data" / "among.csv").is_file()
    write(board, tmp_path / "out")
    assert not (tmp_path / "out" / "among.html").exists()


def test_imported_results_have_pages_that_say_what_is_not_known(tmp_path, root):
    results = tmp_path / "results.txt"
    results.write_text(published_text(root), encoding="utf-8")
    write(imported(results, tmp_path / "records"), tmp_path / "out")
    page = pages(tmp_path / "out")["teams/01_XiaomiMM.html"]
    assert "the record does not hold how the runtime was measured" in page.text
    assert "26.94" in page.text and "device unknown, imported from results.txt" in page.text
    assert data_of(page) == {"gain": []} and not page.attributes("div", "data-chart")


# The folder


def test_another_folder_is_not_written_into(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="something other than a site; found 1 other files"):
        write(board_from_reference("ntire2024"), tmp_path)
    with pytest.raises(UsageError, match="a site needs a folder"):
        write(board_from_reference("ntire2024"), tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_site_is_replaced_and_files_that_are_not_its_own_stay(tmp_path):
    out = tmp_path / "out"
    write(board_in(tmp_path / "a", records()), out)
    (out / "CNAME").write_text("example")
    (tmp_path / "outside").write_text("stays")
    kept = json.loads((out / "site.json").read_text())
    kept["files"].append("../outside")
    (out / "site.json").write_text(json.dumps(kept))
    write(board_in(tmp_path / "b", records()[:2]), out)
    assert sorted(path.name for path in (out / "teams").iterdir()) == ["00_RLFN.html", "01_Ann.html"]
    assert (out / "CNAME").is_file() and (tmp_path / "outside").is_file()


@settings(max_examples=40)
@given(st.lists(st.text(max_size=8), max_size=5, unique=True))
def test_file_names_differ_and_any_system_takes_them(labels):
    slugs = slugs_of(labels)
    assert list(slugs) == labels and len({slug.casefold() for slug in slugs.values()}) == len(labels)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|-[0-9]+", slug) for slug in slugs.values())


def test_without_the_packages_the_message_names_them_and_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(sites, "find_spec", lambda name: None if name == "altair" else object())
    with pytest.raises(UsageError, match=r"not installed: altair.*ntire-bench\[site\].*--format html"):
        write(board_from_reference("ntire2024"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Plots


def names_in(spec: object) -> set[str]:
    if isinstance(spec, dict):
        named = (
            {spec["data"]["name"]} if isinstance(spec.get("data"), dict) and "name" in spec["data"] else set()
        )
        return named.union(*map(names_in, spec.values()))
    return set().union(*map(names_in, spec)) if isinstance(spec, list) else set()


def test_pages_bring_the_data_that_plots_ask_for(site):
    text = (site / "assets" / "specs.js").read_text()
    specs = json.loads(text.removeprefix("window.ntireCharts = ").removesuffix(";\n"))
    assert set(specs) == {"quality", "costs", "gain", "rounds", "calls"}
    index, ann = (data_of(pages(site)[name]) for name in ("index.html", "teams/01_Ann.html"))
    assert {name for key in ("quality", "costs") for name in names_in(specs[key])} <= set(index)
    # The embedded rule at zero has data of its own, which altair names by its content.
    asked = {name for key in ("gain", "rounds", "calls") for name in names_in(specs[key])}
    assert {name for name in asked if not name.startswith("data-")} <= set(ann)
    assert sum(bar["count"] for bar in ann["calls"]) == 2 * 3 * 6
    for page in pages(site).values():
        shown = {chart for chart in page.attributes("div", "data-chart")}
        assert shown <= set(specs)


def test_points_are_the_figures_of_the_rows():
    board = board_from_reference("ntire2024")
    values, splits, beyond = points.quality_points(board, {"XiaomiMM": "x.html"})
    assert splits == ["valid", "test"]
    # Those of the table that are over 0.3 dB below the lowest that is ranked, each once.
    far = ["DIRN", "ACVLAB", "KLETech-CEVI_Lowlight_Hypnotise"]
    assert [text.split(" (")[0] for text in beyond] == far
    (first,) = (p for p in values if p["team"] == "XiaomiMM" and p["split"] == "valid")
    # The first line of the NTIRE 2024 ESR report's Table 1, with the shortest runtime: on the front.
    assert (first["psnr"], first["runtime"], first["rank"], first["href"]) == (26.94, 5.62, 1, "x.html")
    assert first["front"] and first["low"] is None and first["threshold"] == 26.9
    assert not any(point["front"] for point in values if point["kind"] == "no rank")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_front_is_where_the_best_so_far_gets_better(found):
    """Beside a sweep from the left, which is how fronts are usually found."""
    best, front = 99, set()
    for x in sorted({x for x, _ in found}):
        least = min(y for a, y in found if a == x)
        if least < best:
            best = least
            front.add((x, least))
    assert points.front_of(found) == [point in front for point in found]


def test_gains_are_over_the_baseline_and_spread_is_of_the_calls():
    record = site_record(1, "Ann", 5.0)
    image = dataclasses.replace(
        record.splits["valid"].per_image[0],
        runtime_ms=10.0,
        runtime_samples_ms=(9.0, 10.0, 10.0, 10.0, 10.0, 12.0),
    )
    splits = {"valid": dataclasses.replace(record.splits["valid"], per_image=(image,))}
    (line,) = team.images_of(dataclasses.replace(record, splits=splits), "y")
    assert line["gain"] == pytest.approx(28.55 - 28.60) and line["base"] == 28.60
    assert line["spread"] == pytest.approx(100 * (10.0 - 9.0) / 2 / 10.0)  # 10th percentile: the first of six


@pytest.mark.parametrize(("which", "scored"), [("audited", "second"), ("official", "first")])
def test_where_two_counts_differ_both_are_told_and_which_one_is_scored(tmp_path, which, scored):
    record = site_record(1, "Ann", flops=12_000_000_000)
    audited = dataclasses.replace(
        record.complexity, audit=Audit(flops=15_000_000_000, params=record.complexity.params)
    )
    store.save(dataclasses.replace(record, complexity=audited), tmp_path / "results")
    board = build(store.load_all(tmp_path / "results")[0], RULES, which=which)
    write(board, tmp_path / "out")
    text = pages(tmp_path / "out")["teams/01_Ann.html"].text
    said = "12.000 G by the challenge's own count, 15.000 G by what the audit found"
    assert f"FLOPs: {said}; the {scored} is scored." in text and "Parameters: " not in text


def image(name: str, runtime: float, psnr: float | None, side: int = 1000) -> ImageResult:
    return ImageResult(
        name=name,
        height=side,
        width=1000,
        psnr_y_db=psnr,
        psnr_rgb_db=psnr,
        runtime_ms=runtime,
        runtime_samples_ms=(runtime,),
    )


def test_extremes_are_the_slowest_and_the_hardest():
    record = site_record(1, "Ann")
    three = (image("a", 3.0, 30.0), image("b", 9.0, None, 9000), image("c", 5.0, 20.0))
    splits = {"valid": dataclasses.replace(record.splits["valid"], per_image=three)}
    lists = team.extremes(team.images_of(dataclasses.replace(record, splits=splits), "y"), "y")
    named = {one["title"]: [name for _, name, _ in one["images"]] for one in lists}
    assert named["Slowest"] == ["b", "c", "a"] and named["Slowest per megapixel"] == ["c", "a", "b"]
    assert named["Hardest, lowest PSNR"] == ["c", "a"]


def test_of_a_runtime_that_cannot_be_drawn_the_reason_is_told():
    record = site_record(1, "Ann")
    assert "one round" in team.steadiness(dataclasses.replace(record, rounds=1))["unknown"]
    assert "does not hold" in team.steadiness(dataclasses.replace(record, timing=None))["unknown"]
    one = dataclasses.replace(record.timing, launches=record.timing.launches[:1])
    assert "number of rounds" in team.steadiness(dataclasses.replace(record, timing=one))["unknown"]


# SR images


def crops_of(site: Path) -> list[dict]:
    text = (site / "assets" / "crops.js").read_text()
    found = json.loads(text.removeprefix("window.ntireCrops = ").removesuffix(";\n"))
    assert isinstance(found, list)
    return found


def test_crops_are_cut_where_teams_differ_out_of_the_images_themselves(site):
    crops = crops_of(site)
    assert len(crops) == 2
    for crop in crops:
        y, x = crop["y"], crop["x"]
        assert y <= 200 and 232 <= y + crop["height"] and x <= 300 and 332 <= x + crop["width"]
        hr = np.asarray(Image.open(site.parent / "data" / "DIV2K_LSDIR_valid_HR" / f"{crop['name']}.png"))
        cut = np.asarray(Image.open(site / crop["hr"]))
        assert np.array_equal(cut, hr[y : y + crop["height"], x : x + crop["width"]])
        assert [side["team"] for side in crop["sides"]] == ["01_Ann", "00_RLFN", "03_Low"]
        own = np.asarray(Image.open(site / crop["sides"][0]["file"]))
        assert own.shape == cut.shape and not np.array_equal(own, cut)


def test_an_sr_image_of_another_run_is_not_shown(tmp_path):
    of = write_sr_images(tmp_path, records()[:2])
    path = tmp_path / "sr" / "01_Ann" / "DIV2K_LSDIR_valid" / "0801.png"
    pixels = np.array(Image.open(path))
    pixels[100:140, 100:140] = 0
    Image.fromarray(pixels).save(path)
    Image.fromarray(pixels[:-4]).save(path.with_name("0802.png"))
    path.with_name("0803.png").write_bytes(b"no image")
    images = SrImages(sr_dir=tmp_path / "sr", data_dir=tmp_path / "data")
    done = write(board_in(tmp_path / "results", of), tmp_path / "out", images=images)
    assert [[side["team"] for side in crop["sides"]] for crop in crops_of(tmp_path / "out")] == [
        ["00_RLFN"]
    ] * 3
    problems = sorted(done.problems)
    assert len(problems) == 3 and "it is of another run" in problems[0]
    assert "420x276 pixels, and HR has 420x280" in problems[1] and "0803.png" in problems[2]


def test_a_record_cannot_name_images_elsewhere(tmp_path):
    of = write_sr_images(tmp_path, records()[:1])
    split = of[0].splits["valid"]
    away = tuple(
        dataclasses.replace(one, name=f"../../../sr/00_RLFN/{split.dataset}/{one.name}")
        for one in split.per_image
    )
    sly = dataclasses.replace(
        of[0],
        submission=dataclasses.replace(of[0].submission, id=1, name="Sly"),
        splits={**of[0].splits, "valid": dataclasses.replace(split, per_image=away)},
    )
    (tmp_path / "sr" / "01_Sly" / split.dataset).mkdir(parents=True)
    images = SrImages(sr_dir=tmp_path / "sr", data_dir=tmp_path / "data")
    write(board_in(tmp_path / "results", [of[0], sly]), tmp_path / "out", images=images)
    assert {side["team"] for crop in crops_of(tmp_path / "out") for side in crop["sides"]} == {"00_RLFN"}


def test_of_the_sample_set_no_folder_need_be_named(tmp_path):
    hr = read_png(sample_dir() / "valid_HR" / "astronaut.png")
    sr = np.clip(hr.astype(np.int16) + 2, 0, 255).astype(np.uint8)
    write_png(tmp_path / "01_Ann" / "valid" / "astronaut.png", sr)
    record = site_record(1, "Ann", sample=True)
    split, quality = record.splits["valid"], psnr(sr, hr, 4)
    only = dataclasses.replace(
        split.per_image[0], name="astronaut", psnr_y_db=quality.y_db, psnr_rgb_db=quality.rgb_db
    )
    splits = {"valid": dataclasses.replace(split, dataset="valid", per_image=(only,))}
    found = make_crops(
        {"01_Ann": dataclasses.replace(record, splits=splits)},
        {"01_Ann": "01_Ann"},
        SrImages(sr_dir=tmp_path, data_dir=None),
        scale=4,
        border=4,
        channel="y",
        progress=lambda *_: None,
    )
    assert found.problems == [] and [crop["name"] for crop in found.images] == ["astronaut"]
    assert sorted(found.files) == ["crops/01_01_Ann.png", "crops/01_HR.png"]


@pytest.mark.parametrize(
    ("sr", "data", "message"),
    [
        ("nowhere", "data", "no such folder of SR images"),
        ("data", "data", "no SR image of these records"),
        ("sr", "nowhere", "no folder of HR images"),
    ],
)
def test_folders_that_hold_no_images_are_told(tmp_path, sr, data, message):
    board = board_in(tmp_path / "results", write_sr_images(tmp_path, records()[:1]))
    images = SrImages(sr_dir=tmp_path / sr, data_dir=tmp_path / data)
    with pytest.raises((UsageError, DatasetError), match=message):
        write(board, tmp_path / "out", images=images)
    assert not (tmp_path / "out").exists()


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_the_window_holds_as_much_as_any_other(rows, columns, seed):
    weight = np.random.default_rng(seed).integers(0, 9, (5, 5)).astype(float)
    y, x = window_at(weight, rows, columns)
    sums = [weight[a : a + rows, b : b + columns].sum() for a in range(6 - rows) for b in range(6 - columns)]
    assert weight[y : y + rows, x : x + columns].sum() == max(sums)
