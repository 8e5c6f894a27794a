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
    const {view} = await window.vegaEmbed(place, spec, options);
    walk(place, view);
    place.dataset.drawn = "yes";
  };
  // By keyboard a plot is one stop; arrow keys go from point to point, and Enter does what a click does.
  const walk = (place, view) => {
    // Another split draws other elements, so that they are looked for at each key.
    const points = () => [...place.querySelectorAll(".mark-symbol.role-mark path, .mark-rect.role-mark path")]
      .filter(element => element.__data__?.tooltip)
      .sort((one, two) => one.__data__.x - two.__data__.x || one.__data__.y - two.__data__.y);
    const tell = (element, item) => {
      const box = element.getBoundingClientRect();
      view.tooltip()(null, {clientX: box.right, clientY: box.bottom}, item, item?.tooltip);
    };
    const go = element => {
      const {tooltip, href} = element.__data__;
      element.tabIndex = -1;
      element.setAttribute("role", href ? "link" : "img");
      const told = typeof tooltip === "object" ? Object.entries(tooltip).map(pair => pair.join(": ")).join(", ") : tooltip;
      element.setAttribute("aria-label", told);
      element.focus();
      tell(element, element.__data__);
    };
    place.tabIndex = 0;
    place.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
      const all = points(), at = all.indexOf(event.target), last = all.length - 1;
      const to = {
        ArrowRight: Math.min(at + 1, last), ArrowDown: Math.min(at + 1, last),
        ArrowLeft: Math.max(at - 1, 0), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last,
      }[event.key];
      if (to !== undefined && all.length) go(all[to]);
      else if (event.key === "Enter" && at >= 0) event.target.dispatchEvent(new MouseEvent("click", {bubbles: true}));
      else if (event.key === "Escape" && at >= 0) place.focus();
      else return;
      event.preventDefault();
    });
    place.addEventListener("focusout", event => tell(event.target, null));
  };
  for (const place of document.querySelectorAll("[data-chart]")) {
    if (window.ntireCharts[place.dataset.chart]) draw(place);
    else place.hidden = true;
  }
})();
