"use strict";

// The logit lens: what the model would answer if it ended after a layer.
page.panel("lens", () => {
  const { data, el } = page;
  const { ids, probabilities } = data.logit_lens;
  const stages = ids.length, size = data.tokens.length;
  page.says("lens", data.causal
    ? "If the model ended after a layer, which token would it predict next? Each cell has the likeliest one (final LayerNorm and head applied to the stream there), in the colour of its probability; the top row is the model's real answer."
    : "If the model ended after a layer, which token would it put at each place? Each cell has the likeliest one (the masked-LM head applied to the layer's output), in the colour of its probability; the top row is the model's real answer.");
  const name = stage => stage === 0 ? "embedding" : `layer ${stage - 1}`;
  const order = Array.from({ length: stages }, (_, i) => stages - 1 - i);
  const cells = [];
  const heads = data.tokens.map((token, i) => el("th", { scope: "col", title: `token ${i}` }, page.piece(token)));
  const rows = order.map(stage => el("tr", {}, el("th", { scope: "row" }, name(stage)), data.tokens.map((_, token) => {
    const best = page.word(ids[stage][token][0]), p = probabilities[stage][token][0];
    const cell = el("button", {
      type: "button", "data-stage": stage, "data-token": token, "data-id": best.id, "data-probability": p, title: `${page.visible(best)} ${page.percent(p)}`,
      "aria-label": `${name(stage)}, token ${token} ${page.visible(data.tokens[token])}: ${page.visible(best)}, ${page.percent(p)}`,
      onclick: () => choose(stage, token), onmouseenter: () => show(stage, token),
    }, page.visible(best, 12));
    cells.push(cell);
    return el("td", {}, cell);
  })));
  const table = el("table", { class: "lens" }, el("thead", {}, el("tr", {}, el("th", {}, data.causal ? "after" : "at"), heads)), el("tbody", { onmouseleave: () => show(stageNow, page.selected.token) }, rows));
  const detailTitle = el("h3", { "aria-live": "polite" }), bars = el("div", { class: "bars" });
  const scroller = el("div", { class: "scroll" }, table);
  let stageNow = stages - 1;

  /** Brings a column into the middle of the table's window; the page itself stays where it is. */
  function reveal(column) {
    const [box, head] = [scroller.getBoundingClientRect(), column.getBoundingClientRect()];
    if (head.left < box.left + 90 || head.right > box.right)
      scroller.scrollLeft += (head.left + head.right - box.left - box.right) / 2;
  }

  const index = (stage, token) => (stages - 1 - stage) * size + token;

  function choose(stage, token) {
    stageNow = stage;
    page.select({ token });
  }

  function show(stage, token) {
    page.replace(detailTitle, `${name(stage)}, ${data.causal ? "after" : "at"} `, page.piece(data.tokens[token]));
    const list = ids[stage][token], chances = probabilities[stage][token];
    page.replace(bars, list.map((id, i) => bar(page.word(id), chances[i], i === 0)));
  }

  page.keys(table, cells, size, i => choose(order[Math.floor(i / size)], i % size));
  page.body("lens").append(
    el("div", { class: "line" }, el("h3", {}, `The likeliest token, layer by layer`), paint.legend("probability")),
    scroller, el("div", { class: "lens-detail" }, detailTitle, bars));

  function colour() {
    cells.forEach(cell => {
      const shade = paint.weight(Number(cell.dataset.probability));
      [cell.style.background, cell.style.color] = [paint.css(shade), paint.inkOn(shade)];
    });
  }

  page.onSelect(({ token }) => {
    heads.forEach((head, i) => head.toggleAttribute("data-selected", i === token));
    cells.forEach((cell, i) => cell.setAttribute("aria-selected", i === index(stageNow, token)));
    page.tabStop(cells, index(stageNow, token));
    show(stageNow, token);
    reveal(heads[token]);
  });
  page.onTheme(colour);
  colour();
});
