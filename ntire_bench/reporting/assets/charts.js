"use strict";
// Draws the plots of specs.js with the data of the page, as SVG whose colours are the style sheet's variables.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const axis = {
    labelColor: "var(--dim)", titleColor: "var(--ink)", tickColor: "var(--line)", domainColor: "var(--dim)",
    gridColor: "var(--line)", titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 13,
  };
  const config = {
    background: "transparent", font: "system-ui, sans-serif", view: {stroke: null}, axis,
    legend: {labelColor: "var(--ink)", labelFontSize: 12, symbolStrokeWidth: 0},
    text: {fill: "var(--ink)"}, title: {color: "var(--ink)"},
  };
  const inside = {prefix: "vg-tooltip-element", theme: "custom"};
  const draw = async place => {
    const spec = structuredClone(window.ntireCharts[place.dataset.chart]);
    spec.datasets = {...spec.datasets, ...data};
    const options = {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, config, tooltip: inside,
      loader: {target: "_self"},  // a click on a point opens the team's page here
    };
    await window.vegaEmbed(place, spec, options);
    place.dataset.drawn = "yes";
  };
  for (const place of document.querySelectorAll("[data-chart]")) {
    if (window.ntireCharts[place.dataset.chart]) draw(place);
    else place.hidden = true;
  }
})();
