// What encoders do: masks, labels, spans, and texts compared.
import { post, taskOf } from "./api.js";
import { bars, make, percent, visible } from "./dom.js";
import { panel } from "./panel.js";

const HUES = 6;

panel("mask", async ({ find, signal, model, text }) => {
  const answer = await post(taskOf(model), { inputs: text }, signal);
  const masks = Array.isArray(answer[0]) ? answer : [answer];          // of one mask its candidates, of several a list for each
  reveal(find(".answer"), masks.flatMap((candidates, i) => [
    ...(masks.length > 1 ? [make("h2", "", `Mask ${i + 1}`)] : []),
    bars(candidates.map(one => ({ name: visible(one.token_str), share: one.score }))),
  ]));
});

panel("classify", async ({ find, signal, model, text }) => {
  const [labels] = await post(taskOf(model), { inputs: text }, signal);
  reveal(find(".answer"), [bars(labels.map(one => ({ name: one.label, share: one.score })).sort((a, b) => b.share - a.share))]);
});

panel("tag", async ({ find, signal, model, text }) => {
  const entities = await post(taskOf(model), { inputs: text, parameters: { aggregation_strategy: "simple" } }, signal);
  const points = Array.from(text), hues = new Map();
  const marked = make("div", "code spans");
  let at = 0;
  for (const entity of entities.sort((a, b) => a.start - b.start)) {
    if (!hues.has(entity.entity_group)) hues.set(entity.entity_group, hues.size % HUES);
    entity.text = points.slice(entity.start, entity.end).join("");     // offsets count code points
    const mark = make("mark", "", make("span", "text", entity.text), make("small", "", entity.entity_group));
    marked.append(points.slice(at, entity.start).join(""), hued(mark, entity));
    at = entity.end;
  }
  marked.append(points.slice(at).join(""));
  const list = entities.length === 0 ? make("p", "soft", "Nothing is marked in this text.") : make("table", "list", ...entities.map(rowOf));
  reveal(find(".answer"), [marked, list]);

  function hued(element, entity) {
    element.dataset.hue = hues.get(entity.entity_group);
    return element;
  }
  function rowOf(entity) {
    return make("tr", "", make("td", "", hued(make("span", "label", entity.entity_group), entity)), make("td", "code", entity.text),
      make("td", "value", percent(entity.score)));
  }
});

panel("compare", async ({ find, signal, model, text }) => {
  const texts = text.split("\n").filter(line => line.trim() !== "");
  const { data } = await post("v1/embeddings", { model, input: texts }, signal);
  const vectors = data.map(one => unit(one.embedding));
  const table = make("table", "similarity");
  table.append(
    make("caption", "sr", "Cosine of each pair of texts"),
    make("thead", "", make("tr", "", make("td"), ...texts.map((_, i) => heading(i + 1, "col")))),
    make("tbody", "", ...vectors.map((one, i) => make("tr", "", heading(i + 1, "row", texts[i]), ...vectors.map(other => cell(dot(one, other)))))));
  reveal(find(".answer"), [make("div", "scroll", table), make("p", "soft", "Cosines of the texts' vectors: 1 is the same direction.")]);
  return `${data[0].embedding.length} numbers a text`;
});

function heading(number, scope, text) {
  const head = make("th", "", make("b", "", number), ...(text ? [make("span", "code", text)] : []));
  head.scope = scope;
  return head;
}

function cell(cosine) {
  const one = make("td", "", cosine.toFixed(2));
  one.style.setProperty("--share", Math.max(0, cosine));
  return one;
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

const unit = vector => {
  const norm = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map(value => value / norm);
};

function reveal(place, content) {
  place.replaceChildren(...content);
  place.hidden = false;
}
