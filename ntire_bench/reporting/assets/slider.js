"use strict";
// Two crops of one place over each other, and a line between them that a pointer or the arrow keys move.
for (const place of document.querySelectorAll("[data-slider]")) (() => {
  const crops = window.ntireCrops, {root, team, channel} = place.dataset;
  const make = (tag, set = {}, ...inside) => {
    const element = Object.assign(document.createElement(tag), set);
    element.append(...inside);
    return element;
  };
  const choice = (label, values) => {
    const select = make("select");
    values.forEach(([value, text]) => select.append(make("option", {value, textContent: text})));
    return [make("label", {}, label, select), select];
  };
  const mine = crop => !team || crop.sides.some(side => side.team === team);
  const shown = crops.map((crop, number) => [number, crop]).filter(([, crop]) => mine(crop));
  if (!shown.length) {
    place.append(make("p", {className: "hint", textContent: "No SR image of this team was kept."}));
    return;
  }
  const [imageLabel, image] = choice("Image ", shown.map(([n, crop]) => [n, `${crop.split} ${crop.name}`]));
  const [leftLabel, left] = choice("Left ", []);
  const [rightLabel, right] = choice("Right ", []);
  const swap = make("button", {type: "button", textContent: "Swap"});
  const tools = make("div", {className: "tools"}, imageLabel, leftLabel, rightLabel, swap);
  const under = make("img", {draggable: false}), over = make("img", {className: "over", draggable: false});
  const line = make("span", {className: "line"});
  const one = make("span", {className: "name one"}), two = make("span", {className: "name two"});
  const range = make("input", {type: "range", min: 0, max: 100, step: 1, value: 50});
  range.setAttribute("aria-label", "Position of the line, in percent");
  const stage = make("div", {className: "slider"}, under, over, line, one, two, range);
  const told = make("p", {className: "hint"});
  place.append(tools, stage, told);

  const sides = () => [{team: "HR", file: crops[image.value].hr}, ...crops[image.value].sides];
  const fill = () => {
    const names = sides().map(side => side.team), before = [left.value, right.value];
    for (const select of [left, right]) {
      select.replaceChildren(...names.map((name, n) => make("option", {value: n, textContent: name})));
    }
    const at = (text, otherwise) => Math.max(0, text === undefined ? otherwise : names.indexOf(text));
    left.value = at(place.dataset.left, team ? names.indexOf(team) : Math.min(1, names.length - 1));
    right.value = at(place.dataset.right, team || names.length < 3 ? 0 : names.length - 1);
    return before;
  };
  const text = side => side.psnr == null ? side.team : `${side.team} · ${side.psnr.toFixed(2)} dB`;
  const show = () => {
    const all = sides(), first = all[left.value], second = all[right.value], crop = crops[image.value];
    [place.dataset.left, place.dataset.right] = [first.team, second.team];
    for (const [picture, side, name] of [[over, first, one], [under, second, two]]) {
      picture.src = root + side.file;
      picture.alt = `crop of ${crop.name} by ${side.team}`;
      name.textContent = text(side);
    }
    under.width = crop.width;
    under.height = crop.height;
    told.textContent = `${crop.width} x ${crop.height} pixels at x ${crop.x}, y ${crop.y}; PSNR on ${channel} is of `
      + "the whole image. Drag the line, or move it with the arrow keys.";
  };
  const move = () => stage.style.setProperty("--at", `${range.value}%`);
  range.addEventListener("input", move);
  image.addEventListener("change", () => { fill(); show(); });
  for (const select of [left, right]) select.addEventListener("change", show);
  swap.addEventListener("click", () => { [left.value, right.value] = [right.value, left.value]; show(); });
  fill();
  show();
  move();
})();
