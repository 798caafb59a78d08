// What the models, the queue and the caches do, once a second while it is looked at.
import { get } from "./api.js";
import { bytes, count, make, percent, track } from "./dom.js";
import { show } from "./panel.js";

const INTERVAL = 1000;
const section = document.getElementById("server"), memory = document.getElementById("memory"), models = document.getElementById("models");
let last = new Map(), timer = 0, isAsking = false;

/** Looks now, and again, until the panel is hidden. */
export async function watch() {
  clearTimeout(timer);
  if (section.hidden || document.hidden || isAsking) return;
  isAsking = true;
  try {
    draw(await get("status"));
    show(section);
  } catch (error) {
    show(section, error);
  }
  isAsking = false;
  timer = setTimeout(watch, INTERVAL);
}
document.addEventListener("visibilitychange", watch);

function draw(status) {
  const now = performance.now(), seen = new Map();
  memory.textContent = `Models and caches take ${bytes(status.bytes)}${status.memory_bytes ? ` of ${bytes(status.memory_bytes)}` : ""}.`;
  models.replaceChildren(...status.models.map(model => {
    const stage = make("span", `stage ${model.stage}`, model.stage.replace("-", " "));
    const card = make("article", "", make("header", "line between", make("h2", "", model.id), stage), make("p", "soft", model.tasks.join(", ") || "nothing that is served"));
    card.dataset.model = model.id;
    if (model.problem) card.append(make("p", "error", model.problem));
    if (model.generation) card.append(...decoder(model, now, seen));
    if (model.encoder) card.append(encoder(model));
    return card;
  }), ...(status.silos ?? []).map(silo));
  last = seen;
}

// A machine of a fleet: what it has of each model, as far as it has reported.
function silo({ name, address, kernels, free_bytes: free, models: all }) {
  const card = make("article", "", make("header", "line between", make("h2", "", name), make("span", "soft", `${kernels}, ${bytes(free)} free`)));
  card.dataset.silo = address;
  for (const model of all) {
    card.append(make("h3", "", model.id));
    if (model.problem) card.append(make("p", "error", model.problem));
    card.append(facts({
      memory: model.loaded ? bytes(model.bytes) : "not loaded", waiting: count(model.waiting),
      running: model.max_rows ? `${model.running} of ${model.max_rows}` : count(model.running),
      "cached blocks": count(model.cached_blocks),
    }));
  }
  return card;
}

function decoder({ id, bytes: weights, generation: state }, now, seen) {
  const { totals } = state, earlier = last.get(id);
  seen.set(id, { now, tokens: totals.rows_of_passes });
  const speed = earlier ? Math.max(0, totals.rows_of_passes - earlier.tokens) / (now - earlier.now) * 1000 : 0;
  return [
    rows(state),
    facts({
      running: `${state.running} of ${state.max_rows}`, waiting: `${state.waiting} of ${count(state.max_queue)}`, "tokens a second": count(Math.round(speed)),
      memory: bytes(weights),
      cache: [`${bytes(state.cache_bytes)} of ${bytes(state.cache_limit)}`, track(state.cache_bytes / (state.cache_limit || 1))],
      "prompts in the cache": count(state.cached_prompts), "requests so far": count(totals.requests), "tokens written": count(totals.new_tokens),
      "prompt tokens read": `${count(totals.prompt_tokens)}, ${percent(totals.prompt_tokens ? totals.cached_tokens / totals.prompt_tokens : 0)} from the cache`,
      "texts a pass": totals.passes ? (totals.rows_of_passes / totals.passes).toFixed(1) : "–",
    }),
  ];
}

function encoder({ bytes: weights, encoder: state }) {
  const { totals } = state;
  return facts({
    running: `${count(state.running)} texts`, waiting: `${state.waiting} of ${count(state.max_queue)}`, memory: bytes(weights),
    "requests so far": count(totals.requests), "texts so far": count(totals.texts),
    "texts a batch": totals.batches ? (totals.texts / totals.batches).toFixed(1) : "–",
  });
}

// A square for each row; one that runs fills with the prompt that was read, and says how many tokens it wrote.
function rows(state) {
  const running = new Map(state.rows.map(row => [row.row, row]));
  const all = make("div", "rows");
  all.setAttribute("role", "img");
  all.setAttribute("aria-label", `${state.running} of ${state.max_rows} rows run`);
  for (let i = 0; i < state.max_rows; i++) {
    const row = running.get(i), square = make("span", row ? "row on" : "row", row?.new_tokens || "");
    if (row) {
      square.style.setProperty("--share", row.prompt_tokens ? row.prompt_tokens_read / row.prompt_tokens : 1);
      square.title = `Request ${row.request}: ${row.prompt_tokens_read} of ${row.prompt_tokens} prompt tokens read `
        + `(${row.cached_tokens} from the cache), ${row.new_tokens} written`;
    }
    all.append(square);
  }
  return all;
}

const facts = all => make("dl", "facts", ...Object.entries(all).map(([name, value]) =>
  make("div", "", make("dt", "", name), make("dd", "", ...[value].flat()))));
