"use strict";

// The prediction at the chosen token, and which heads and MLPs pushed it.
page.panel("prediction", () => {
  const { data, el } = page;
  const shownParts = 12;
  const direct = data.causal;
  page.says("prediction", direct
    ? "The likeliest next tokens, and what each head and each MLP added to the answer's lead over the runner-up: logit(answer) − logit(runner-up), which the parts sum up to exactly (direct logit attribution, the final LayerNorm's scale frozen)."
    : "The likeliest tokens for the mask, and what the answer's logit loses when one head or one MLP is switched off (ablation: its output is zero in a pass of its own); these effects do not sum up to anything.");
  const byPosition = new Map(data.predictions.map(prediction => [prediction.position, prediction]));
  const where = el("select", { id: "where", onchange: event => page.select({ token: Number(event.target.value) }) },
    data.predictions.map(({ position }) => el("option", { value: position }, `${position}: ${page.visible(data.tokens[position], 24)}`)));
  const bars = el("div", { class: "bars with-logits", id: "candidates" }), parts = el("div", { class: "bars", id: "parts" });
  const table = el("table", { class: "effects" }), sum = el("p", { class: "sum", id: "sum" }), strongest = el("h3");
  const heads = data.model.heads, layers = data.model.layers;
  let now = null;

  const open = (layer, head) => {
    page.select({ layer, head });
    document.getElementById("attention").scrollIntoView();
    document.querySelector(`.head[data-layer="${layer}"][data-head="${head}"]`).focus({ preventScroll: true });
  };

  function listOf({ effects }) {
    const list = [];
    if (effects.embedding !== null) list.push(["embedding", effects.embedding, null], ["biases", effects.bias, null]);
    for (let layer = 0; layer < layers; layer++) {
      effects.heads[layer].forEach((value, head) => list.push([`layer ${layer} head ${head}`, value, [layer, head]]));
      list.push([`layer ${layer} MLP`, effects.mlps[layer], null]);
    }
    return list;
  }

  function drawTable({ effects }, most) {
    const cell = (value, label, go) => {
      const colour = paint.effect(value, most);
      const text = heads > 16 ? "" : page.signed(value);
      const attributes = { "data-effect": value, title: `${label}: ${page.signed(value)}`, style: { background: paint.css(colour), color: paint.inkOn(colour) } };
      return el("td", {}, go ? el("button", { type: "button", "aria-label": `${label}: ${page.signed(value)}; show its attention`, onclick: go, ...attributes }, text) : el("span", attributes, text));
    };
    table.style.setProperty("--cell", heads > 16 ? "1.9rem" : "3.4rem");
    page.replace(table,
      el("thead", {}, el("tr", {}, el("th", {}, heads > 8 ? "head" : ""), Array.from({ length: heads }, (_, head) => el("th", { scope: "col" }, heads > 8 ? head : `head ${head}`)), el("th"), el("th", { scope: "col" }, "MLP"))),
      el("tbody", {}, Array.from({ length: layers }, (_, layer) => el("tr", {}, el("th", { scope: "row" }, `layer ${layer}`),
        effects.heads[layer].map((value, head) => cell(value, `layer ${layer} head ${head}`, () => open(layer, head))), el("td", { class: "gap" }), cell(effects.mlps[layer], `layer ${layer} MLP`)))));
    const items = [...table.querySelectorAll("button")];
    page.tabStop(items, 0);
    items.forEach((item, i) => item.addEventListener("focus", () => page.tabStop(items, i)));
    tableItems.splice(0, tableItems.length, ...items);
  }

  const tableItems = [];
  page.keys(table, tableItems, heads);

  function drawSum({ ids, attribution }, list) {
    const answer = page.piece(page.word(ids[0])), other = page.piece(page.word(ids[1]));
    if (!direct) {
      page.replace(sum, "logit(", answer, ") of the whole model is ", el("b", { "data-value": attribution.value }, page.number(attribution.value)), ". A part with ",
        el("span", { class: "push-word" }, "+2.00"), " holds up 2 of it: without that part the logit is 2 lower.");
      return;
    }
    const of = pick => list.filter(([name]) => pick(name)).reduce((total, [, value]) => total + value, 0);
    const [embedding, biases, mlps] = [of(name => name === "embedding"), of(name => name === "biases"), of(name => name.endsWith("MLP"))];
    const all = of(() => true);
    page.replace(sum, "logit(", answer, ") − logit(", other, ") = ", el("b", { "data-value": attribution.value }, page.number(attribution.value)), " = embedding ", page.signed(embedding), ", biases ", page.signed(biases),
      ", heads ", page.signed(all - embedding - biases - mlps), ", MLPs ", page.signed(mlps));
  }

  function draw() {
    const { ids, probabilities, logits, attribution } = now;
    where.value = now.position;
    page.replace(bars, ["", "", "probability", "logit"].map(name => el("span", { class: "number" }, name)), ids.map((id, i) => bar(page.word(id), probabilities[i], i === 0, el("span", { "data-logit": logits[i] }, page.number(logits[i])))));
    const list = listOf(attribution);
    const most = Math.max(...list.map(([, value]) => Math.abs(value)));
    const inTable = Math.max(...attribution.effects.heads.flat().map(Math.abs), ...attribution.effects.mlps.map(Math.abs));
    const top = [...list].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, shownParts);
    strongest.textContent = list.length > shownParts ? `The ${shownParts} strongest of ${list.length} parts` : "All parts, the strongest first";
    page.replace(parts, top.map(([name, value, head]) => effectBar(
      head ? el("button", { type: "button", class: "name", onclick: () => open(...head) }, name) : el("span", { class: "name" }, name), value, most)));
    drawTable(attribution, inTable);
    drawSum(now, list);
  }

  // Many heads need the panel's whole width.
  const wide = heads > 6, tableBox = el("div", { class: "scroll" }, table);
  page.body("prediction").append(
    el("div", { class: "picker" }, el("label", { for: "where" }, direct ? "What follows token" : "What stands at the mask"), where),
    el("div", { class: "sides" },
      el("div", {}, el("h3", {}, direct ? "The next token" : "The mask"), bars),
      el("div", { class: "stack" },
        sum,
        el("div", {}, strongest, parts),
        el("p", { class: "note" }, el("span", { class: "push-word" }, "Blue pushed the answer"), ", ", el("span", { class: "pull-word" }, "orange pushed against it"), ". A head opens in the attention panel."),
        wide ? null : tableBox)));
  if (wide) page.body("prediction").append(tableBox);
  page.onSelect(({ token }, change) => {
    // A mask stays where a token is chosen of which an encoder predicts nothing.
    const next = byPosition.get(token) ?? now ?? data.predictions[0];
    if (next === now && change.token === undefined) return;
    now = next;
    draw();
  });
  page.onTheme(draw);
});
