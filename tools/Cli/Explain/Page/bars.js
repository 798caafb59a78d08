"use strict";

// Rows of a chart of bars: a name, a bar, a number.

/** A token and its probability, with one more number where the chart has a column for it. */
function bar(word, probability, first, extra) {
  const { el } = page;
  return [
    el("span", { class: first ? "name first" : "name", "data-id": word.id }, page.piece(word)),
    el("span", { class: "track" }, el("span", { class: "fill", style: { width: `${100 * probability}%` }, "data-probability": probability })),
    el("span", { class: "number" }, page.percent(probability)),
    ...(extra === undefined ? [] : [el("span", { class: "number" }, extra)]),
  ];
}

/** A part and its effect, to the right where it pushed the answer. */
function effectBar(name, value, most) {
  const { el } = page;
  return [
    name,
    el("span", { class: "track two" }, el("span", { class: `fill ${value < 0 ? "pull" : "push"}`, style: { width: `${most > 0 ? 50 * Math.abs(value) / most : 0}%` } })),
    el("span", { class: "number", "data-effect": value }, page.signed(value)),
  ];
}
