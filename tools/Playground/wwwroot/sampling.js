// Temperature and top-p: what they make of the distribution, and the controls of writing.
import { state, change } from "./state.js";
import * as engine from "./engine.js";

const { el, svg } = page;
export const writing = { sample: false, seed: 1 };
const request = (position, restart = false) => JSON.stringify({ position, restart, sample: writing.sample, temperature: state.temperature, top_p: state.topP, seed: writing.seed });

/** Asks for the distribution after a token. */
export const distribution = position => engine.call("Distribution", request(position));

/** Asks for one more token. */
export const step = restart => engine.call("Step", request(0, restart));

function slider(id, label, key, least, most) {
  const shown = el("output", { for: id });
  const input = el("input", { type: "range", id, min: least, max: most, step: 0.01, oninput: event => { shown.textContent = event.target.value; change({ [key]: Number(event.target.value) }); } });
  input.value = state[key];
  shown.textContent = state[key];
  return el("div", { class: "setting" }, el("label", { for: id }, label), input, shown);
}

/** Columns of the likeliest tokens: outlined as the model gives them, filled as they are drawn. */
function chart({ ids, probabilities, warped }) {
  const [width, height, bottom, top] = [Math.max(300, page.body("sampling").clientWidth), 250, 74, 14];
  const most = Math.max(...probabilities, ...warped), step = width / ids.length, bar = Math.min(34, step * 0.72);
  const y = p => height - bottom - (height - bottom - top) * p / most;
  return svg("svg", { class: "chart columns-chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `The ${ids.length} likeliest tokens before and after temperature and top-p` },
    svg("line", { class: "grid", x1: 0, x2: width, y1: height - bottom, y2: height - bottom }),
    ids.map((id, i) => {
      const x = i * step + (step - bar) / 2, word = page.word(id);
      return svg("g", { class: warped[i] > 0 ? "" : "cut", "data-id": id, "data-probability": probabilities[i], "data-warped": warped[i] },
        svg("title", {}, `${page.visible(word)}: ${page.percent(probabilities[i])}, drawn with ${page.percent(warped[i])}`),
        svg("rect", { class: "drawn", x, y: y(warped[i]), width: bar, height: height - bottom - y(warped[i]), rx: 2 }),
        svg("rect", { class: "given", x, y: y(probabilities[i]), width: bar, height: height - bottom - y(probabilities[i]), rx: 2 }),
        svg("text", { x: x + bar / 2, y: height - bottom + 12, transform: `rotate(-40 ${x + bar / 2} ${height - bottom + 12})`, "text-anchor": "end" }, page.visible(word, 9)));
    }));
}

/** Redraws the chart alone, so that a slider that is dragged stays where it is. */
export function showDistribution(answer) {
  answer.vocabulary.forEach(page.learn);
  page.data.distribution = answer;
  const place = document.getElementById("distribution");
  if (!place) return;
  page.replace(place, chart(answer), el("p", { class: "note" },
    el("b", { id: "left", "data-left": answer.left }, answer.left.toLocaleString("en")), ` of ${answer.total.toLocaleString("en")} tokens can be drawn. Outlined: as the model gives them; filled: as they are drawn.`));
}

page.panel("sampling", () => {
  page.body("sampling").append(
    el("div", { class: "settings" }, slider("temperature", "Temperature", "temperature", 0.05, 2), slider("top-p", "Top-p", "topP", 0.01, 1)),
    el("div", { id: "distribution" }));
  const draw = () => { if (page.data.distribution) showDistribution(page.data.distribution); };
  draw();
  page.onResize(draw);
});
