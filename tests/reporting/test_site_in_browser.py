"""The pages in a browser: sorting, search, plots, images side by side; by keyboard; nothing is requested."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from site_records import NASTY, board_in, records, site_record, write_sr_images

from ntire_bench.ranking.board import board_from_reference
from ntire_bench.reporting import render
from ntire_bench.reporting.among import Among
from ntire_bench.reporting.site.crops import SrImages
from ntire_bench.reporting.site.site import write_site

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
_LONG_MS = 60_000  # nothing is waited for that long but on a very busy machine


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A site of four teams with a comparison, and the page of one file."""
    place = tmp_path_factory.mktemp("place")
    of = write_sr_images(place, [*records(), site_record(4, "Zed", 6.0)])
    board = board_in(place / "results", of)
    images = SrImages(sr_dir=place / "sr", data_dir=place / "data", most=2)
    among = Among(name="ntire2024", own=board, reference=board_from_reference("ntire2024"))
    options: dict[str, Any] = {"images": images, "among": among, "progress": lambda *_: None}
    write_site(board, place / "site", made=datetime(2026, 11, 28), **options)
    (place / "one.html").write_text(render.render(board, "html"), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if root else [], timeout=2 * _LONG_MS
        )
        yield browser
        browser.close()


@pytest.fixture
def show(browser, place) -> Iterator[Callable[..., Any]]:
    """Open a page; at the end of the test, it must have logged nothing and asked for nothing but files."""
    said: list[str] = []
    contexts = []

    def show(name: str, *, width: int = 1300, theme: str = "light", scripts: bool = True) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, java_script_enabled=scripts
        )
        contexts.append(context)
        context.set_default_timeout(_LONG_MS)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: _note(said, request.url, place))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.goto((place / name).as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert said == []


def _note(said: list[str], url: str, place: Path) -> None:
    if not url.startswith((place.as_uri() + "/", "data:")):
        said.append(f"request: {url}")


def ranks(page: Any) -> list[str]:
    names: list[str] = page.locator("tbody tr:not(.group):visible td.team").all_inner_texts()
    return [name.rstrip("†") for name in names]


RANKED = ["01_Ann", "04_Zed", f"02_{NASTY}"]


@pytest.mark.parametrize("name", ["one.html", "site/index.html"])
def test_columns_sort_best_first_and_the_other_way_at_the_next_click(show, name):
    page = show(name)
    assert ranks(page)[:3] == RANKED
    heading = page.get_by_role("button", name=re.compile("Params"))
    if not heading.first.is_visible():
        page.get_by_label("all columns").check()
    heading.first.click()
    # 200,000 parameters each, and 250,000 of Ann's; what is tied stays in the order of the ranking.
    assert ranks(page)[:3] == ["04_Zed", f"02_{NASTY}", "01_Ann"]
    assert page.locator("th[aria-sort]").all_inner_texts()[0].startswith("Params")
    heading.first.click()
    assert ranks(page)[:2] == ["00_RLFN (baseline)", "01_Ann"]
    team = page.get_by_role("button", name="Team")
    team.focus()
    page.keyboard.press("Enter")
    assert ranks(page)[:4] == ["00_RLFN (baseline)", "01_Ann", f"02_{NASTY}", "04_Zed"]
    assert ranks(page)[4] == "03_Low"  # below the threshold, whatever is sorted by


@pytest.mark.parametrize("name", ["one.html", "site/index.html"])
def test_search_by_keyboard(show, name):
    page = show(name)
    page.keyboard.press("/")
    page.keyboard.type("LOW")
    assert ranks(page) == ["03_Low"] and page.locator("output").inner_text() == "1 of 5"
    page.keyboard.press("Control+A")
    page.keyboard.type("nobody")
    assert ranks(page) == [] and page.locator("tr.group:visible").count() == 0
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    assert len(ranks(page)) == 5


def test_the_first_columns_stay_while_the_table_is_scrolled(show):
    page = show("site/index.html", width=600)
    page.get_by_label("all columns").check()
    region = page.get_by_role("region", name="Ranking")
    first = page.locator("tbody td.team").first
    before = first.bounding_box()["x"]
    region.evaluate("box => { box.scrollLeft = 400; }")
    assert region.evaluate("box => box.scrollLeft") > 100
    assert first.bounding_box()["x"] == pytest.approx(before, abs=2)


def drawn(page: Any) -> None:
    page.wait_for_function("[...document.querySelectorAll('[data-chart]')].every(p => p.dataset.drawn)")


def test_plots_are_drawn_and_a_point_leads_to_its_team(show):
    page = show("site/index.html")
    drawn(page)
    # A point a team; the PSNR of one would press the others into a line, and is told in words.
    for chart, points in (("quality", 4), ("costs", 5)):
        assert page.locator(f"[data-chart={chart}] .mark-symbol.role-mark path").count() == points
    assert "not drawn: 03_Low (26.50 dB on valid, 26.60 dB on test)" in page.locator("#plots").inner_text()
    page.locator("[data-chart=costs] .mark-symbol.role-mark path").first.click(force=True)
    page.wait_for_url(re.compile(r"/teams/[^/]+\.html$"))
    drawn(page)
    assert page.locator("[data-chart=rounds] .mark-line path").count() >= 2


def test_points_are_reached_by_keyboard(show):
    page = show("site/index.html")
    drawn(page)
    page.locator("[data-chart=quality]").focus()
    told = []
    for key in ("ArrowRight", "ArrowRight", "End", "Home"):
        page.keyboard.press(key)
        told.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    # Runtimes on valid: 5, 6, 8 and the baseline's 10, each 1.4 times.
    assert ["01_Ann", "04_Zed", "RLFN", "01_Ann"] == [
        next(name for name in ("01_Ann", "04_Zed", "RLFN") if f"Team: {name}" in text.replace("00_", ""))
        for text in told
    ]
    tooltip = page.locator("#vg-tooltip-element")
    assert "7.000" in tooltip.inner_text() and "visible" in tooltip.get_attribute("class")
    page.keyboard.press("Escape")
    assert "visible" not in tooltip.get_attribute("class")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/teams/01_Ann\.html$"))


def test_the_split_of_a_plot_can_be_chosen(show):
    page = show("site/index.html")
    drawn(page)
    axis = page.locator("[data-chart=quality] .role-axis-label").first
    before = page.locator("[data-chart=quality] svg").inner_html()
    page.locator("[data-chart=quality] select").select_option("test")
    page.wait_for_function(
        "before => document.querySelector('[data-chart=quality] svg').innerHTML !== before", arg=before
    )
    assert axis.count() == 1


@pytest.mark.parametrize("name", ["site/index.html", "site/teams/01_Ann.html"])
def test_the_line_between_two_images_moves_by_keyboard(show, name):
    page = show(name)
    slider = page.get_by_role("slider")
    over = page.locator(".slider img.over")
    slider.focus()
    before = slider.input_value(), over.evaluate("image => getComputedStyle(image).clipPath")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    after = slider.input_value(), over.evaluate("image => getComputedStyle(image).clipPath")
    assert int(after[0]) == int(before[0]) + 5 and after[1] != before[1]
    page.keyboard.press("End")
    assert slider.input_value() == "100"


def test_sides_are_chosen_and_kept_for_the_next_image(show):
    page = show("site/index.html")
    over, under = page.locator(".slider img.over"), page.locator(".slider img:not(.over)")
    page.get_by_label("Left").select_option(label="04_Zed")
    page.get_by_label("Right").select_option(label="HR")
    assert over.get_attribute("src").endswith("_04_Zed.png") and under.get_attribute("src").endswith(
        "_HR.png"
    )
    page.wait_for_function("[...document.querySelectorAll('.slider img')].every(i => i.naturalWidth === 360)")
    first = over.get_attribute("src")
    page.get_by_label("Image").select_option(index=1)
    assert over.get_attribute("src").endswith("_04_Zed.png") and over.get_attribute("src") != first
    page.get_by_role("button", name="Swap").click()
    assert under.get_attribute("src").endswith("_04_Zed.png")
    assert re.fullmatch(r"04_Zed · \d\d\.\d\d dB", page.locator(".slider .two").inner_text())


@pytest.mark.parametrize("width", [360, 800])
@pytest.mark.parametrize("name", ["one.html", "site/index.html", "site/among.html", "site/teams/01_Ann.html"])
def test_a_narrow_window_is_not_scrolled_sideways(show, name, width):
    page = show(name, width=width)
    if name != "one.html":
        drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_own_rows_among_a_reference_sort_by_either_machine(show):
    page = show("site/among.html")
    assert ranks(page)[0] == "XJU_100th Ann"  # the fewest FLOPs of the report's table
    for heading, first in (("ntire2024 Rank", "XiaomiMM"), ("here Rank", "01_Ann")):
        page.get_by_role("button", name=re.compile(heading.replace(" ", r"\s+"))).click()
        assert ranks(page)[0] == first
    page.get_by_role("link", name="01_Ann").click()
    page.wait_for_url(re.compile(r"/teams/01_Ann\.html$"))


def brightness(page: Any, of: str, what: str) -> float:
    text = page.locator(of).first.evaluate(f"element => getComputedStyle(element).{what}")
    red, green, blue = map(float, re.findall(r"[\d.]+", text)[:3])
    return red + green + blue


@pytest.mark.parametrize("name", ["one.html", "site/index.html"])
def test_a_dark_theme_is_dark_in_tables_and_plots(show, name):
    light, dark = show(name), show(name, theme="dark")
    for part in ("body", "td.team", "thead th"):
        assert (
            brightness(dark, part, "backgroundColor") < 200 < 600 < brightness(light, part, "backgroundColor")
        )
    if name != "one.html":
        for page in (light, dark):
            drawn(page)
        label = "[data-chart=costs] .role-axis-title text"
        assert brightness(light, label, "fill") < 200 < 600 < brightness(dark, label, "fill")


def test_without_scripts_the_table_is_there(show):
    page = show("site/index.html", scripts=False)
    assert ranks(page)[:3] == RANKED and not page.get_by_placeholder("team").is_visible()
