"""Writes a board as a site: a folder of pages that work from a disk and ask no server for anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntire_bench import PACKAGE, __version__
from ntire_bench.errors import UsageError
from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name, remarks
from ntire_bench.ranking.ranks import Row
from ntire_bench.records import store
from ntire_bench.records.record import NO_ID, Record
from ntire_bench.records.store import Stored
from ntire_bench.reporting import captions, export, layout, ranking_table
from ntire_bench.reporting.among import Among, captions_of, title
from ntire_bench.reporting.among_formats import html_lines, render_among
from ntire_bench.reporting.page import asset, days_of, without_folders
from ntire_bench.reporting.site import charts, points, team
from ntire_bench.reporting.site.crops import Crops, SrImages, make_crops
from ntire_bench.reporting.site.folder import check_folder, slugs_of, write_files
from ntire_bench.text import one_line

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Site", "SrImages", "write_site"]

Progress = Callable[[str, int, int], None]
_NEEDED = {"jinja2": "Jinja2", "altair": "altair", "vl_convert": "vl-convert-python"}


@dataclass(frozen=True, kw_only=True)
class Site:
    """What was written.

    Attributes:
        index: The page to open.
        teams: How many pages of teams there are.
        images: How many images are compared.
        problems: SR images that are not shown, and why.
    """

    index: Path
    teams: int
    images: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Team:
    row: Row
    stored: Stored
    record: Record


def write_site(
    board: Board,
    folder: Path,
    *,
    made: datetime,
    images: SrImages | None = None,
    among: Among | None = None,
    progress: Progress,
) -> Site:
    """Write a board as a folder of pages.

    Args:
        board: The ranking; teams whose records it has get pages of their own.
        folder: A new or empty folder, or that of an earlier site, which is replaced.
        made: When, for the pages to say.
        images: SR images to compare; None for no comparison.
        among: The board's rows among those of a reference, for a page of their own; None for no such page.
        progress: Called with what is being done, how much is done, and how much there is in all.

    Raises:
        UsageError: Packages of the extra "site" are not installed, there is nothing to rank, the folder holds
            something else or cannot be written to, or there are no SR images.
        RecordError: A record cannot be read.
        DatasetError: An HR image cannot be read.
    """
    _see_that_it_can_draw()
    check_folder(folder)
    board = without_folders(board)
    if not board.rows:
        raise UsageError(
            f"no record of {board.protocol.name} can be ranked: a site would be empty",
            remedy="evaluate submissions first, with ntire-bench run, or name their folder with --results",
        )
    labels = [row.entry.label for row in board.rows if row.entry.competes]
    slugs = slugs_of(labels)
    teams = _teams(board, progress)
    crops = Crops()
    if images is not None:
        crops = make_crops(
            {label: one.record for label, one in teams.items()},
            slugs,
            images,
            scale=board.protocol.scale,
            noise=board.protocol.noise,
            border=board.protocol.border,
            channel=board.channel,
            progress=lambda done, total: progress("SR images", done, total),
        )
    files = _assets(board, crops)
    files |= crops.files
    files["data/leaderboard.csv"] = export.to_csv(board).encode()
    files["data/leaderboard.json"] = export.to_json(board).encode()
    pages = _environment()
    common = _common(board, made, crops, among)
    links = {label: f"teams/{slugs[label]}.html" for label in teams}
    files["index.html"] = _index(pages, board, common, links)
    if among is not None:
        files["among.html"] = _among(pages, common, among, links)
        files["data/among.csv"] = render_among(among, "csv").encode()
    order = list(teams)
    for number, (label, one) in enumerate(teams.items()):
        progress("pages", number, len(teams))
        files[f"records/{slugs[label]}.json"] = one.stored.path.read_bytes()
        beside = [order[at] if 0 <= at < len(order) else None for at in (number - 1, number + 1)]
        files[f"teams/{slugs[label]}.html"] = _team(pages, board, common, one, slugs, beside)
    progress("pages", len(teams), len(teams))
    write_files(folder, files)
    return Site(
        index=folder / "index.html",
        teams=len(teams),
        images=len(crops.images),
        problems=tuple(crops.problems),
    )


def _see_that_it_can_draw() -> None:
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise UsageError(
            f"a site needs packages that are not installed: {', '.join(missing)}",
            remedy="pip install 'ntire-bench[site]', or use --format html, a table that needs none of them",
        )


def _teams(board: Board, progress: Progress) -> dict[str, _Team]:
    """Return the teams whose records the board has, in its order, with their records read whole."""
    of_team = {
        (None if info.id == NO_ID else info.id, info.name): item
        for item in board.records
        for info in (item.record.submission,)
    }
    rows = [row for row in board.rows if row.entry.competes and (row.entry.id, row.entry.name) in of_team]
    found: dict[str, _Team] = {}
    for number, row in enumerate(rows):
        progress("records", number, len(rows))
        stored = of_team[row.entry.id, row.entry.name]
        found[row.entry.label] = _Team(row, stored, store.load(stored.path))
    progress("records", len(rows), len(rows))
    return found


def _assets(board: Board, crops: Crops) -> dict[str, bytes]:
    specs: dict[str, Any] = charts.team_charts()
    values, splits, _ = points.quality_points(board, {})
    if values:
        specs["quality"] = charts.quality_chart(values, splits, board.channel.upper())
    costs = points.cost_points(board, {})
    if costs:
        specs["costs"] = charts.costs_chart(costs)
    licence = next(path for path in metadata.files("vl-convert-python") or () if path.name == "LICENSE")
    files = {name: asset(name) for name in ("page.css", "site.css", "table.js", "charts.js", "slider.js")}
    files["vega.js"] = charts.javascript()
    files["NOTICE.txt"] = asset("NOTICE.txt") + "\n" + licence.read_text()
    files["specs.js"] = f"window.ntireCharts = {json.dumps(specs)};\n"
    if crops.images:
        files["crops.js"] = f"window.ntireCrops = {json.dumps(crops.images)};\n"
    return {f"assets/{name}": text.encode() for name, text in files.items()}


def _environment() -> Environment:
    import jinja2

    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PACKAGE / "reporting" / "site" / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Strangers' texts: marks that turn the direction of writing, and line breaks, stay out of the pages.
        finalize=lambda value: one_line(value) if type(value) is str else value,
    )
    pages.filters["number"] = _number
    return pages


def _number(value: float | None, decimals: int) -> str:
    """Return a number with so many decimals, or a dash.

    >>> _number(1.005, 1), _number(None, 2)
    ('1.0', '–')
    """
    return "–" if value is None else f"{value:.{decimals}f}"


def _common(board: Board, made: datetime, crops: Crops, among: Among | None) -> dict[str, Any]:
    """Return what every page shows."""
    heading, _, about = layout.title(board).partition(" · ")
    return {
        "heading": heading,
        "about": about,
        "measured": days_of(board),
        "made": f"{made:%Y-%m-%d}",
        "version": __version__,
        "protocol": board.protocol,
        "device": board.device_class,
        "channel": board.channel,
        "crops": bool(crops.images),
        "among": None if among is None else among.name,
    }


def _index(pages: Environment, board: Board, common: Mapping[str, Any], links: Mapping[str, str]) -> bytes:
    from markupsafe import Markup

    values, splits, beyond = points.quality_points(board, links)
    counts = {"ranked": 0, "other": 0}
    for row in board.rows:
        if row.entry.competes:
            counts["ranked" if row.rank is not None else "other"] += 1
    winner = next((row for row in board.rows if row.rank == 1), None)
    text = pages.get_template("index.html.j2").render(
        **common,
        root="",
        table=Markup("\n".join(ranking_table.lines(board, links))),
        data={"teams": values, "costs": points.cost_points(board, links)},
        beyond=beyond,
        counts=counts,
        winner=None if winner is None else display_name(winner.entry),
        notes=captions.captions(board, brief=True),
        records=bool(links),
    )
    return str(text).encode()


def _among(pages: Environment, common: Mapping[str, Any], among: Among, links: Mapping[str, str]) -> bytes:
    from markupsafe import Markup

    text = pages.get_template("among.html.j2").render(
        **{**common, "crops": False},
        root="",
        title=title(among),
        table=Markup("\n".join(html_lines(among, links))),
        notes=captions_of(among),
        data={},
    )
    return str(text).encode()


def _team(
    pages: Environment,
    board: Board,
    common: Mapping[str, Any],
    one: _Team,
    slugs: Mapping[str, str],
    beside: list[str | None],
) -> bytes:
    row, record = one.row, one.record
    images = team.images_of(record, board.channel)
    steady = team.steadiness(record)
    gains = [
        {"image": f"{image['split']} {image['name']}", "base": image["base"], "gain": round(image["gain"], 5)}
        for image in images
        if image["gain"] is not None and not row.entry.is_baseline
    ]
    data: dict[str, Any] = {"gain": gains}
    data |= {key: steady[key] for key in ("rounds", "launches", "calls") if key in steady}
    text = pages.get_template("team.html.j2").render(
        **common,
        root="../",
        label=row.entry.label,
        name=display_name(row.entry),
        row=row,
        entry=row.entry,
        record=record,
        score=row.score,
        score_text=layout.score_text,
        status=row.status,
        remarks=remarks(row),
        below=layout.below_threshold(row),
        resolved=team.resolved(record),
        findings=team.findings_of(record, row),
        costs=team.costs_of(row),
        which=board.which,
        images=images,
        extremes=team.extremes(images, board.channel),
        steady=steady,
        data=data,
        download=f"records/{slugs[row.entry.label]}.json",
        beside=[None if label is None else (label, f"{slugs[label]}.html") for label in beside],
    )
    return str(text).encode()
