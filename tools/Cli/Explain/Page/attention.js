"use strict";

// Attention: all heads as small maps, one head large, as lines between tokens and as a matrix.
page.panel("attention", () => {
  const { data, el, svg } = page;
  const size = data.tokens.length, lower = data.attention.layout === "lower";
  const heads = data.attention.heads.map(layer => layer.map(page.bytesOf));

  /** The weight that `from` gives to `to`, 0 … 1. */
  function weight(layer, head, from, to) {
    if (lower && to > from) return 0;
    return heads[layer][head][lower ? from * (from + 1) / 2 + to : from * size + to] / 255;
  }

  /** The same, null where the token cannot look. */
  const at = (layer, head) => (from, to) => lower && to > from ? null : weight(layer, head, from, to);

  const { layers, heads: count } = data.model;
  const maps = [];
  const items = [];
  const mapSize = Math.max(26, Math.min(112, Math.floor(980 / count) - 16));
  const grid = el("div", { class: "heads", role: "listbox", "aria-label": "Heads; arrow keys move", style: { "grid-template-columns": `auto repeat(${count}, max-content)`, "--map": `max(26px, min(${mapSize}px, (100vw - 12.5rem) / ${count}))` } });
  grid.append(el("span"), ...Array.from({ length: count }, (_, head) => el("span", { class: "axis top", "aria-hidden": "true" }, mapSize < 44 ? head : `head ${head}`)));
  for (let layer = 0; layer < layers; layer++) {
    grid.append(el("span", { class: "axis side", "aria-hidden": "true" }, `layer ${layer}`));
    for (let head = 0; head < count; head++) {
      const map = el("canvas", { "aria-hidden": "true" });
      const item = el("button", { type: "button", class: "head", role: "option", "aria-label": `layer ${layer}, head ${head}`, "data-layer": layer, "data-head": head, onclick: () => page.select({ layer, head }) }, map);
      maps.push([map, layer, head]);
      items.push(item);
      grid.append(item);
    }
  }
  page.keys(grid, items, count, i => page.select({ layer: Math.floor(i / count), head: i % count }));

  // One head: lines.
  const title = el("h3", { id: "head-title", "aria-live": "polite" });
  const habits = el("div", { class: "habits" });
  const lines = svg("svg", { "aria-hidden": "true" });
  const from = data.tokens.map((token, i) => el("button", { type: "button", role: "option", "aria-label": `from token ${i}: ${page.visible(token)}`, onmouseenter: () => look(i), onfocus: () => look(i), onclick: () => page.select({ token: i }) }, page.piece(token)));
  const shares = data.tokens.map(() => el("span", { class: "share" }));
  const to = data.tokens.map((token, i) => el("div", { "data-to": i }, page.piece(token), shares[i]));
  const left = el("div", { class: "side from", role: "listbox", "aria-label": "The token that looks; arrow keys move" }, from);
  const columns = el("div", { class: "columns", style: { "--row": size > 40 ? "1.2rem" : "1.6rem" }, onmouseleave: () => look(page.selected.token) }, left, el("span"), el("div", { class: "side to" }, to), lines);
  page.keys(left, from, 1, i => page.select({ token: i }));

  // One head: matrix.
  const canvas = el("canvas", { tabindex: "0", role: "img" });
  const readout = el("p", { class: "readout", "aria-live": "polite" });
  let cell = 10, margin = 80, pointed = null;

  function look(token) {
    const { layer, head } = page.selected;
    from.forEach((item, i) => item.setAttribute("aria-selected", i === token));
    const paths = [];
    to.forEach((item, i) => {
      const p = weight(layer, head, token, i), hidden = lower && i > token;
      const colour = paint.weight(p);
      item.style.background = hidden ? "none" : paint.css(colour);
      item.style.color = hidden ? "" : paint.inkOn(colour);
      item.style.opacity = hidden ? 0.4 : 1;
      shares[i].textContent = p >= 0.005 ? page.percent(p) : "";
      shares[i].style.color = hidden ? "" : paint.inkOn(colour);
      item.dataset.weight = p;
      if (p >= 0.005) paths.push(line(token, i, p));
    });
    lines.replaceChildren(...paths);
  }

  function line(a, b, p) {
    const box = columns.getBoundingClientRect(), one = from[a].getBoundingClientRect(), other = to[b].getBoundingClientRect();
    const [x1, y1, x2, y2] = [one.right - box.left, one.top + one.height / 2 - box.top, other.left - box.left, other.top + other.height / 2 - box.top];
    const bend = (x2 - x1) / 2;
    return svg("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, "stroke-width": 0.75 + 5 * p, opacity: 0.15 + 0.8 * Math.sqrt(p), "data-to": b });
  }

  function drawMatrix() {
    const { layer, head, token } = page.selected;
    const names = data.tokens.map(one => page.visible(one, 10));
    // As large as there is room for: names beside the cells where these are large enough to read them, else numbers.
    const room = canvas.parentElement.clientWidth - 10;
    margin = (room - 84) / size < 10 ? 22 : 84;
    cell = Math.max(margin < 84 ? 6 : 10, Math.min(margin < 84 ? 9 : 28, Math.floor((room - margin) / size)));
    const side = margin + cell * size + 4, ratio = Math.max(1, devicePixelRatio);
    [canvas.width, canvas.height] = [side * ratio, side * ratio];
    [canvas.style.width, canvas.style.height] = [`${side}px`, `${side}px`];
    canvas.setAttribute("aria-label", `Matrix of layer ${layer}, head ${head}: rows look, columns are looked at. Arrow keys move through it.`);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const gap = cell > 9 ? 1 : 0;
    for (let row = 0; row < size; row++)
      for (let column = 0; column < size; column++) {
        const p = at(layer, head)(row, column);
        if (p === null) continue;
        context.fillStyle = paint.css(paint.weight(p));
        context.fillRect(margin + column * cell, margin + row * cell, cell - gap, cell - gap);
      }
    label(context, names, token);
    context.strokeStyle = paint.css(paint.colours.accent);
    context.lineWidth = 1.5;
    context.strokeRect(margin - 1, margin + token * cell - 1, cell * (lower ? token + 1 : size) + 1, cell + 1);
    if (pointed) {
      context.strokeStyle = paint.css(paint.colours.ink);
      context.lineWidth = 2;
      context.strokeRect(margin + pointed[1] * cell - 1, margin + pointed[0] * cell - 1, cell + 1, cell + 1);
    }
  }

  function label(context, names, token) {
    context.textBaseline = "middle";
    context.font = `${Math.min(12, Math.max(9, cell - 1))}px ${getComputedStyle(document.body).getPropertyValue("--mono")}`;
    for (let i = 0; i < size; i++) {
      context.fillStyle = paint.css(i === token ? paint.colours.accent : paint.colours.soft);
      if (margin < 84) {
        if (i % 10 === 0) {
          context.textAlign = "right";
          context.fillText(String(i), margin - 4, margin + (i + 0.5) * cell);
          context.textAlign = "center";
          context.fillText(String(i), margin + (i + 0.5) * cell, margin - 9);
        }
        continue;
      }
      context.textAlign = "right";
      context.fillText(names[i], margin - 6, margin + (i + 0.5) * cell);
      context.save();
      context.translate(margin + (i + 0.5) * cell, margin - 6);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.fillText(names[i], 0, 0);
      context.restore();
    }
  }

  function point(row, column) {
    const inside = row >= 0 && column >= 0 && row < size && column < size;
    pointed = inside ? [row, column] : null;
    const p = inside ? at(page.selected.layer, page.selected.head)(row, column) : null;
    page.replace(readout, !inside ? "Point at a cell, or move through the matrix with the arrow keys."
      : p === null ? [page.piece(data.tokens[row]), " cannot look ahead at ", page.piece(data.tokens[column])]
        : [page.piece(data.tokens[row]), ` (${row}) looks at `, page.piece(data.tokens[column]), ` (${column}): `, el("b", { "data-weight": p }, page.percent(p))]);
    drawMatrix();
  }

  function cellUnder(event) {
    const box = canvas.getBoundingClientRect();
    return [Math.floor((event.clientY - box.top - margin) / cell), Math.floor((event.clientX - box.left - margin) / cell)];
  }

  canvas.addEventListener("mousemove", event => point(...cellUnder(event)));
  canvas.addEventListener("mouseleave", () => point(-1, -1));
  canvas.addEventListener("click", event => { const [row] = cellUnder(event); if (row >= 0 && row < size) page.select({ token: row }); });
  canvas.addEventListener("keydown", event => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [row, column] = pointed ?? [page.selected.token, 0];
    const next = pointed ? [row + step[0], column + step[1]] : [row, column];
    point(Math.max(0, Math.min(size - 1, next[0])), Math.max(0, Math.min(size - 1, next[1])));
  });

  /** Where the head looks on the average: patterns that heads are known for. */
  function habitsOf(layer, head) {
    const mean = pick => {
      let sum = 0, rows = 0;
      for (let row = 0; row < size; row++) {
        const p = pick(row);
        if (p !== null) { sum += p; rows++; }
      }
      return rows ? sum / rows : 0;
    };
    const earlierSame = row => {
      let sum = null;
      for (let column = 0; column < row; column++)
        if (data.tokens[column].id === data.tokens[row].id) sum = (sum ?? 0) + weight(layer, head, row, column);
      return sum;
    };
    return [
      ["the first token", mean(row => row > 0 ? weight(layer, head, row, 0) : null)],
      ["itself", mean(row => row > 0 ? weight(layer, head, row, row) : null)],
      ["the token before", mean(row => row > 0 ? weight(layer, head, row, row - 1) : null)],
      ...(lower ? [] : [["the token after", mean(row => row < size - 1 ? weight(layer, head, row, row + 1) : null)]]),
      ["the same token earlier", mean(earlierSame)],
    ];
  }

  function show() {
    const { layer, head, token } = page.selected;
    items.forEach((item, i) => item.setAttribute("aria-selected", i === layer * count + head));
    page.tabStop(items, layer * count + head);
    page.tabStop(from, token);
    title.textContent = `Layer ${layer}, head ${head}`;
    page.replace(habits, habitsOf(layer, head).map(([name, p]) => el("div", { class: "habit" }, el("span", {}, name), el("span", { class: "track" }, el("span", { class: "fill", style: { width: `${100 * p}%` } })), el("b", {}, page.percent(p)))));
    look(token);
    drawMatrix();
  }

  function drawMaps() {
    maps.forEach(([map, layer, head]) => paint.map(map, size, at(layer, head)));
  }

  page.body("attention").append(
    el("div", { class: "overview" },
      el("div", { class: "scroll" }, grid),
      el("div", { class: "about" },
        el("div", {}, el("h3", {}, `${layers} layers × ${count} heads`), el("p", { class: "note" }, "Choose one to see it below: click it, or move with the arrow keys.")),
        el("div", {}, title, el("p", { class: "note" }, "On the average, its weight goes to"), habits),
        paint.legend("weight"))),
    el("div", { class: "sides" },
      el("div", {}, el("p", { class: "note" }, "The token on the left looks at those on the right: point at one, or move with the arrow keys."), columns),
      el("div", { class: "beside" }, el("p", { class: "note" }, "The same as a matrix: rows look, columns are looked at", lower ? "; nothing lies above the diagonal, since no token sees what comes after it." : "."), el("div", { class: "scroll matrix" }, canvas), readout)));
  drawMaps();
  point(-1, -1);
  page.onSelect(show);
  page.onTheme(() => { drawMaps(); show(); });
  page.onResize(() => { look(page.selected.token); drawMatrix(); });
});
