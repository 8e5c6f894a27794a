"""The plots of a site, as Vega-Lite documents; each page brings the data, and assets/charts.js joins both.

Colours are the variables of assets/page.css: plots are SVG, and so follow a light or dark theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["costs_chart", "javascript", "quality_chart", "team_charts"]

_WIDE = 8.0  # times the lowest value, from which on an axis is logarithmic
_KINDS = {
    "ranked": "var(--runtime)",
    "no rank": "var(--dim)",
    "baseline": "var(--flops)",
}
_OWN, _BASE = "var(--runtime)", "var(--flops)"
_HEIGHT = 380


def _altair() -> Any:  # noqa: ANN401 - a module that may be absent
    import altair

    return altair


def quality_chart(values: Sequence[Mapping[str, Any]], splits: Sequence[str], channel: str) -> dict[str, Any]:
    """Return PSNR over runtime, with intervals, the Pareto front and the threshold, for one split at a time.

    Args:
        values: What the page's data "teams" will hold (see `points.quality_points`); for the axes.
        splits: Those to choose from, the first shown first.
        channel: "Y" or "RGB".
    """
    alt = _altair()
    if len(splits) > 1:
        split = alt.param(
            "split", value=splits[0], bind=alt.binding_select(options=list(splits), name="Split ")
        )
    else:
        split = alt.param("split", value=splits[0])
    runtime = [value["runtime"] for value in values]
    x = alt.X("runtime:Q", title="Runtime [ms], less is better", scale=_scale(runtime))
    y = alt.Y("psnr:Q", title=f"PSNR on {channel} [dB]", scale=alt.Scale(zero=False, padding=12))
    chart = alt.Chart(alt.NamedData("teams")).transform_filter("datum.split == split")
    threshold = (
        chart.transform_filter("isValid(datum.threshold)")
        .transform_aggregate(threshold="min(threshold)")
        .mark_rule(strokeDash=[5, 4], color="var(--bad)")
        .encode(y=alt.Y("threshold:Q"), tooltip=alt.value("threshold"))
    )
    interval = chart.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5, opacity=0.7)
    interval = interval.encode(x=alt.X("low:Q"), x2="high:Q", y="psnr:Q", color=_color())
    tooltip = [
        alt.Tooltip("team:N", title="Team"),
        alt.Tooltip("kind:N", title="Kind"),
        alt.Tooltip("rank:Q", title="Rank"),
        alt.Tooltip("runtime:Q", title="Runtime [ms]", format=".3f"),
        alt.Tooltip("half:Q", title="± [%]", format=".2f"),
        alt.Tooltip("psnr:Q", title="PSNR [dB]", format=".3f"),
    ]
    layers = [_front(chart, x, y), _points(chart, x, y, tooltip), *_labels(chart, x, y, values)]
    if any(value["low"] is not None for value in values):
        layers.insert(1, interval)
    if any(value["threshold"] is not None for value in values):
        layers.insert(1, threshold)
    return _whole(alt.layer(*layers).add_params(split), "PSNR over runtime, one point a team")


def costs_chart(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return FLOPs over parameters with the Pareto front.

    Args:
        values: What the page's data "costs" will hold (see `points.cost_points`); for the axes.
    """
    alt = _altair()
    scales = [_scale([value[key] for value in values]) for key in ("params", "flops")]
    x = alt.X("params:Q", title="Parameters [M], less is better", scale=scales[0])
    y = alt.Y("flops:Q", title="FLOPs [G], less is better", scale=scales[1])
    tooltip = [
        alt.Tooltip("team:N", title="Team"),
        alt.Tooltip("kind:N", title="Kind"),
        alt.Tooltip("rank:Q", title="Rank"),
        alt.Tooltip("params:Q", title="Parameters [M]", format=".4f"),
        alt.Tooltip("flops:Q", title="FLOPs [G]", format=".3f"),
    ]
    chart = alt.Chart(alt.NamedData("costs"))
    layers = [_front(chart, x, y), _points(chart, x, y, tooltip), *_labels(chart, x, y, values)]
    return _whole(alt.layer(*layers), "FLOPs over parameters, one point a team")


def team_charts() -> dict[str, dict[str, Any]]:
    """Return the plots of a team's page by name: "gain", "rounds" and "calls"."""
    alt = _altair()
    sides = alt.Color(
        "side:N",
        scale=alt.Scale(domain=["team", "baseline", "ratio"], range=[_OWN, _BASE, "var(--ink)"]),
        legend=alt.Legend(title=None, orient="top"),
    )
    data = alt.Chart(alt.NamedData("gain"))
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(color="var(--dim)").encode(y=alt.datum(0))
    gain = data.mark_circle(size=45, opacity=0.75, color=_OWN).encode(
        x=alt.X("base:Q", title="PSNR of the baseline [dB]", scale=alt.Scale(zero=False)),
        y=alt.Y("gain:Q", title="Gain over the baseline [dB]"),
        tooltip=[
            alt.Tooltip("image:N", title="Image"),
            alt.Tooltip("base:Q", title="Baseline [dB]", format=".2f"),
            alt.Tooltip("gain:Q", title="Gain [dB]", format="+.3f"),
        ],
    )
    rounds = alt.Chart(alt.NamedData("rounds"))
    lines = rounds.mark_line(point=alt.OverlayMarkDef(size=18), strokeWidth=1.4).encode(
        x=alt.X(
            "round:Q", title="round", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(nice=False, zero=False)
        ),
        y=alt.Y("value:Q", title="over its median", scale=alt.Scale(zero=False)),
        color=sides,
        tooltip=[
            alt.Tooltip("side:N", title="Of"),
            alt.Tooltip("round:Q", title="Round"),
            alt.Tooltip("value:Q", title="Over its median", format=".4f"),
        ],
    )
    parts = alt.Chart(alt.NamedData("launches")).mark_rule(color="var(--line)").encode(x="begin:Q")
    calls = (
        alt.Chart(alt.NamedData("calls"))
        .mark_bar(color=_OWN)
        .encode(
            x=alt.X("from:Q", bin="binned", title="off its image's median [%]"),
            x2="to:Q",
            y=alt.Y("count:Q", title="calls"),
            tooltip=[
                alt.Tooltip("from:Q", title="From [%]", format=".1f"),
                alt.Tooltip("to:Q", title="To [%]", format=".1f"),
                alt.Tooltip("count:Q", title="Calls"),
            ],
        )
    )
    return {
        "gain": _whole(alt.layer(zero, gain), "Gain in PSNR over the baseline by image", 260),
        "rounds": _whole(alt.layer(parts, lines), "Runtime by round, over its median", 220),
        "calls": _whole(calls, "How far calls are from their image's median", 220),
    }


def javascript() -> str:
    """Return Vega, Vega-Lite and Vega-Embed, as they are in the package vl-convert-python, as one script.

    Its licence asks for the notice.
    """
    import vl_convert

    notice = (
        "/* Vega, Vega-Lite and Vega-Embed, of the package vl-convert-python. Copyright (c) University of "
        "Washington Interactive Data Lab and contributors. All rights reserved. BSD-3-Clause licence; "
        "its text is in NOTICE.txt beside this file. */"
    )
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"{notice}\n(() => {{{script}\n}})();\n"


def _scale(values: Sequence[float]) -> Any:  # noqa: ANN401
    """Return a scale that is logarithmic where the largest value is many times the smallest."""
    alt = _altair()
    positive = [value for value in values if value > 0]
    wide = len(positive) == len(values) > 0 and max(positive) > _WIDE * min(positive)
    return alt.Scale(type="log", nice=False, padding=16) if wide else alt.Scale(zero=False, padding=16)


def _color() -> Any:  # noqa: ANN401
    alt = _altair()
    scale = alt.Scale(domain=list(_KINDS), range=list(_KINDS.values()))
    return alt.Color("kind:N", scale=scale, legend=alt.Legend(title=None, orient="top"))


def _points(chart: Any, x: Any, y: Any, tooltip: Sequence[Any]) -> Any:  # noqa: ANN401
    alt = _altair()
    points = chart.mark_point(size=70, filled=True, opacity=0.9, cursor="pointer")
    return points.encode(
        x=x,
        y=y,
        color=_color(),
        shape=alt.Shape(
            "kind:N",
            scale=alt.Scale(domain=list(_KINDS), range=["circle", "cross", "diamond"]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        href=alt.Href("href:N"),
        tooltip=list(tooltip),
    )


def _front(chart: Any, x: Any, y: Any) -> Any:  # noqa: ANN401
    """Return the line through those of which no other is better in both."""
    line = chart.transform_filter("datum.front").mark_line(
        interpolate="step-after", strokeWidth=1, opacity=0.6
    )
    return line.encode(x=x, y=y, color=_altair().value("var(--ink)"))


def _labels(chart: Any, x: Any, y: Any, values: Sequence[Mapping[str, Any]]) -> list[Any]:  # noqa: ANN401
    """Return the names beside points, on the side where there is room."""
    layers = []
    known = {value["label"] for value in values}
    for side, align, dx in (("right", "left", 8), ("left", "right", -8)):
        if side not in known:
            continue
        text = chart.transform_filter(f"datum.label == '{side}'").mark_text(
            align=align, dx=dx, dy=-8, fontSize=11
        )
        layers.append(text.encode(x=x, y=y, text="team:N", color=_altair().value("var(--ink)")))
    return layers


def _whole(chart: Any, description: str, height: int = _HEIGHT) -> dict[str, Any]:  # noqa: ANN401
    chart = chart.properties(width="container", height=height, description=description)
    document: dict[str, Any] = chart.to_dict()
    document.pop("config", None)  # the theme of the page decides
    return document
