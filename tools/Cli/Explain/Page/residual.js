"use strict";

// The residual stream: how long each token's vector is after the embeddings and after each layer.
page.panel("residual", () => {
  const { data, el, svg } = page;
  const norms = data.residual_norms, stages = norms.length;
  page.says("residual", data.causal
    ? "Each token is a vector that every layer adds to; this is its length (Euclidean norm) after the embedding and after each layer, one line per token (click one to choose its token)."
    : "Each token is a vector that every layer changes and normalises (post-LayerNorm, so the lengths stay alike); this is its length (Euclidean norm) after the embeddings and after each layer, one line per token.");
  // As wide as there is room for, so that its text has the page's size.
  const [width, height, left, right, top, bottom] = [Math.max(280, page.body("residual").clientWidth), 310, 44, 16, 28, 34];
  const most = Math.max(...norms.flat());
  const step = niceStep(most / 4);
  const ceiling = step * Math.ceil(most / step);
  const x = stage => left + (width - left - right) * (stages > 1 ? stage / (stages - 1) : 0.5);
  const y = value => height - bottom - (height - top - bottom) * value / ceiling;
  const name = stage => stage === 0 ? "embedding" : `layer ${stage - 1}`;
  const path = token => norms.map((row, stage) => `${stage ? "L" : "M"}${x(stage).toFixed(1)} ${y(row[token]).toFixed(1)}`).join("");
  const chosen = svg("g");
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img" });
  const caption = el("p", { class: "readout", "aria-live": "polite" });

  function niceStep(raw) {
    const power = 10 ** Math.floor(Math.log10(raw || 1));
    return power * [1, 2, 5, 10].find(factor => factor * power >= raw);
  }

  for (let value = 0; value <= ceiling + step / 2; value += step)
    chart.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 10, y: y(value) + 4, "text-anchor": "end" }, step < 1 ? value.toFixed(1) : Math.round(value)));
  const every = Math.ceil(stages * 82 / (width - left - right));
  for (let stage = 0; stage < stages; stage++)
    if (stage === stages - 1 || (stage % every === 0 && stage + every < stages))
      chart.append(svg("text", { x: x(stage), y: height - 8, "text-anchor": stage === 0 ? "start" : stage === stages - 1 ? "end" : "middle" }, name(stage)));
  chart.append(svg("text", { x: left, y: 10 }, "Euclidean norm"));
  data.tokens.forEach((_, token) => chart.append(svg("path", { class: "each", d: path(token) })));
  data.tokens.forEach((one, token) => chart.append(svg("path", { class: "hit", d: path(token), onclick: () => page.select({ token }) }, svg("title", {}, `token ${token}: ${page.visible(one)}`))));
  chart.append(chosen);

  page.body("residual").append(el("div", { class: "scroll" }, chart), caption);
  page.onSelect(({ token }) => {
    chosen.replaceChildren(svg("path", { class: "chosen", d: path(token) }), ...norms.map((row, stage) => svg("circle", { class: "dot", cx: x(stage), cy: y(row[token]), r: 4 },
      svg("title", {}, `${name(stage)}: ${row[token]}`))));
    const all = norms.map((row, stage) => `${name(stage)} ${page.number(row[token], 1)}`);
    chart.setAttribute("aria-label", `Norm of token ${token} by layer: ${all.join(", ")}`);
    page.replace(caption, page.piece(data.tokens[token]), ` (token ${token}): `, all.map((text, stage) => [stage ? " · " : "", el("span", { "data-stage": stage, "data-norm": norms[stage][token] }, text)]));
  });
});
