"use strict";
// Sorting, search and fewer columns. Rows are sorted within each body: those without a rank stay below the ranked.
for (const table of document.querySelectorAll("table[data-sortable]")) (() => {
  const heads = [...table.tHead.rows[0].cells];
  const rowsOf = body => [...body.rows].filter(row => !row.classList.contains("group"));
  const key = (row, at, text) => {
    const {value} = row.cells[at].dataset;
    return value === undefined || value === "" ? null : text ? value : Number(value);
  };
  const sort = (head, up) => {
    const at = head.cellIndex, text = head.dataset.kind === "text";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    for (const body of table.tBodies) {
      const rows = rowsOf(body).map(row => [key(row, at, text), row]);
      rows.sort(([one, first], [two, second]) => {
        if (one === null || two === null) return (one === null) - (two === null);
        const order = text ? one.localeCompare(two, undefined, {numeric: true}) : one < two ? -1 : Number(one > two);
        return (up ? order : -order) || first.dataset.place - second.dataset.place;
      });
      body.append(...rows.map(([, row]) => row));
    }
  };
  for (const head of heads) {
    // The first click puts the best first: the highest PSNR, the lowest cost.
    head.querySelector("button")?.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort"), best = head.dataset.best ?? "ascending";
      sort(head, now === null ? best === "ascending" : now === "descending");
    });
  }
  const tools = document.getElementById(table.dataset.tools ?? "");
  if (!tools) return;
  tools.hidden = false;
  const search = tools.querySelector("input[type=search]"), count = tools.querySelector("output");
  const find = () => {
    const words = search.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const body of table.tBodies) {
      let here = 0;
      for (const row of rowsOf(body)) {
        const name = row.dataset.name.toLocaleLowerCase();
        row.hidden = !words.every(word => name.includes(word));
        all += 1;
        here += !row.hidden;
      }
      for (const row of body.querySelectorAll("tr.group")) row.hidden = here === 0;
      shown += here;
    }
    count.textContent = words.length ? `${shown} of ${all}` : "";
  };
  search?.addEventListener("input", find);
  if (search?.value) find();  // what a browser has kept over a reload
  const all = tools.querySelector("input[type=checkbox]");
  if (!all) return;
  const narrow = matchMedia("(max-width: 75rem)");
  const fit = () => table.classList.toggle("brief", !all.checked);
  all.checked = !narrow.matches;
  narrow.addEventListener("change", () => { all.checked = !narrow.matches; fit(); });
  all.addEventListener("change", fit);
  fit();
})();
document.addEventListener("keydown", event => {
  const field = document.querySelector(".tools:not([hidden]) input[type=search]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
  if (event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  field.focus();
});
