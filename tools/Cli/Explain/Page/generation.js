"use strict";

// Generation, step by step: what the KV cache holds, whom the new token looks at, what it chooses.
page.panel("generation", () => {
  const { data, el } = page;
  if (data.steps.length === 0) return;
  const steps = data.steps.map(step => ({ ...step, weights: step.attention.map(page.bytesOf) }));
  const { layers, heads } = data.model;
  const shownCandidates = 10;
  const held = [...data.tokens, ...steps.map(step => step.chosen)];
  const most = steps[steps.length - 1].keys;
  const slider = el("input", { type: "range", id: "step", min: 1, max: steps.length, value: 1, "aria-label": "Step", oninput: event => page.select({ step: Number(event.target.value) - 1 }) });
  const move = by => page.select({ step: Math.max(0, Math.min(steps.length - 1, page.selected.step + by)) });
  const head = el("select", { id: "step-head", onchange: show },
    el("option", { value: "" }, "all heads, averaged"), el("option", { value: "chosen" }, "the head chosen above"),
    Array.from({ length: layers }, (_, layer) => el("option", { value: layer }, `layer ${layer}, averaged`)));
  const title = el("h3", { "aria-live": "polite" }), facts = el("div", { class: "chips" }), cache = el("div", { class: "cache", id: "cache" });
  const written = el("div", { class: "written" }), bars = el("div", { class: "bars", id: "step-candidates" }), looking = el("p", { class: "note" });

  /** The weight of a key, averaged over the heads that are looked at. */
  function weightOf(step, key) {
    const choice = head.value;
    const pairs = choice === "chosen" ? [[page.selected.layer, page.selected.head]]
      : Array.from({ length: layers * heads }, (_, i) => [Math.floor(i / heads), i % heads]).filter(([layer]) => choice === "" || layer === Number(choice));
    return pairs.reduce((sum, [layer, one]) => sum + step.weights[layer][one * step.keys + key] / 255, 0) / pairs.length;
  }

  function drawCache(step) {
    page.replace(cache, Array.from({ length: most }, (_, key) => {
      if (key >= step.keys) return el("span", { class: "held empty", "aria-hidden": "true" }, " ");
      const p = weightOf(step, key), colour = paint.weight(p), fresh = key >= step.keys - step.read;
      return el("span", { class: fresh ? "held new" : "held", "data-weight": p, title: `token ${key}: ${page.percent(p)}`, style: { background: paint.css(colour), color: paint.inkOn(colour) } }, page.piece(held[key]));
    }));
  }

  function drawWritten(index) {
    const text = data.tokens.map(token => token.text).join("");
    page.replace(written, text, steps.slice(0, index + 1).map((step, i) => el("mark", { class: i === index ? "now" : null }, step.chosen.text)));
  }

  function show() {
    const index = page.selected.step, step = steps[index];
    slider.value = index + 1;
    slider.setAttribute("aria-valuetext", `step ${index + 1} of ${steps.length}`);
    page.replace(title, `Step ${index + 1} of ${steps.length}: writes `, page.piece(step.chosen));
    page.replace(facts,
      el("span", { class: "chip" }, "read ", el("b", {}, step.read === 1 ? "1 token" : `${step.read} tokens`)),
      el("span", { class: "chip" }, "the cache holds ", el("b", { "data-keys": step.keys }, step.keys === 1 ? "1 token" : `${step.keys} tokens`)),
      el("span", { class: "chip" }, "which are ", el("b", { "data-bytes": step.bytes }, page.bytes(step.bytes)), ` (${page.bytes(data.key_value_bytes_per_token)} each: key and value, ${layers} layers)`));
    page.replace(looking, "Keys in the cache, in the colour of the weight that ", page.piece(held[step.keys - 1]), " (the last token read) gives them; outlined are those of this step.");
    drawCache(step);
    drawWritten(index);
    page.replace(bars, step.ids.slice(0, shownCandidates).map((id, i) => bar(page.word(id), step.probabilities[i], id === step.chosen.id)));
  }

  page.body("generation").append(
    el("div", { class: "slider" },
      el("button", { type: "button", class: "quiet", "aria-label": "Step before", onclick: () => move(-1) }, "←"), slider,
      el("button", { type: "button", class: "quiet", "aria-label": "Next step", onclick: () => move(1) }, "→")),
    el("div", {}, title, facts),
    el("div", { class: "line" }, el("div", { class: "picker" }, el("label", { for: "step-head" }, "Attention of"), head), paint.legend("weight")),
    el("div", {}, looking, cache),
    el("div", { class: "sides" }, el("div", {}, el("h3", {}, "The text so far"), written), el("div", {}, el("h3", {}, "What could follow"), bars)));
  page.onSelect(show);
  page.onTheme(show);
});
