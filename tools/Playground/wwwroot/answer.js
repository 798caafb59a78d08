// The answer at the chosen place: the likeliest tokens, and how the switches changed them.
import { change, isChanged } from "./state.js";

const { el } = page;

/** A row of the chart: the bar is the probability now, the line across it that of the whole model. */
function row(one, first, compared) {
  const difference = 100 * (one.probability - one.whole_probability);
  return [
    el("span", { class: first ? "name first" : "name", "data-id": one.id }, page.piece(one)),
    el("span", { class: "track" },
      el("span", { class: "fill", style: { width: `${100 * one.probability}%` }, "data-probability": one.probability, "data-whole": one.whole_probability }),
      compared && el("span", { class: "was", style: { left: `${100 * one.whole_probability}%` }, title: `whole model: ${page.percent(one.whole_probability)}` })),
    el("span", { class: "number" }, page.percent(one.probability)),
    el("span", { class: `number ${!compared || Math.abs(difference) < 0.05 ? "" : difference > 0 ? "push-word" : "pull-word"}` },
      !compared ? page.number(one.logit) : Math.abs(difference) < 0.05 ? "0.0" : `${difference > 0 ? "+" : "−"}${Math.abs(difference).toFixed(1)}`),
  ];
}

/** Best of the whole model: where its own was best. */
const wholeBest = candidates => candidates.reduce((best, one) => one.whole_probability > best.whole_probability ? one : best);

/** A percentage that no line break takes apart. */
const percent = p => page.percent(p).replace(" ", "\u00A0");

function sentence(answer) {
  const now = answer.candidates[0], was = wholeBest(answer.candidates);
  if (!isChanged()) return ["The whole model answers ", page.piece(now), ` (${percent(now.probability)}).`];
  return [
    now.id === was.id ? ["The answer stays ", page.piece(now), `: ${percent(was.whole_probability)} became ${percent(now.probability)}`]
      : ["The answer was ", page.piece(was), ` (${percent(was.whole_probability)}) and is now `, page.piece(now), ` (${percent(now.probability)})`],
    "; ", el("b", { "data-moved": answer.moved }, percent(answer.moved)), " of the probability moved to other tokens.",
  ];
}

page.panel("answer", () => {
  page.onSelect((selected, changed) => { if (changed.token !== undefined) change({ focus: selected.token }); });
  const { data } = page, { answer } = data, compared = isChanged();
  page.says("answer", data.causal ? "The likeliest next tokens after the token that is chosen above." : "The likeliest tokens for the mask that is chosen above.");
  page.body("answer").append(
    el("p", { class: "sum", id: "outcome", "aria-live": "polite" }, sentence(answer)),
    el("div", { class: "bars with-logits", id: "answers", "data-position": answer.position },
      [[data.causal ? "after " : "at ", page.piece(data.tokens[answer.position])], "", "probability", compared ? "change, points" : "logit"].map(name => el("span", { class: "number" }, name)),
      answer.candidates.slice(0, 14).map((one, i) => row(one, i === 0, compared))),
    compared ? el("p", { class: "note" }, "The line across a bar is the whole model's probability.") : "");
});
