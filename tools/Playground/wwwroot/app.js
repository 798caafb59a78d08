// The page: what the user changes becomes work for the model's worker, and its answers are drawn.
import * as engine from "./engine.js";
import * as link from "./link.js";
import * as switches from "./switches.js";
import { distribution, showDistribution, step, writing } from "./sampling.js";
import { state, change, reset, isExample, onChange } from "./state.js";
import { form, showForm } from "./form.js";
import { controls } from "./writing.js";
import { tour } from "./tour.js";
import "./answer.js";

const root = document.documentElement, notice = document.getElementById("notice"), status = document.getElementById("status");
const loads = new Map(), codes = new Map();
let data = null, stages = [], part = 0;

/** A message that stays; an empty one takes it away. */
function note(text) {
  notice.textContent = text;
  notice.hidden = text === "";
}

function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

/** Loads a model once. */
function load(model) {
  if (!loads.has(model)) loads.set(model, engine.call("Load", model));
  return loads.get(model);
}

// Work, the most urgent first. Each job is one short call of the worker; one that has more to do asks for itself again.
const jobs = { read, place, show: drawDistribution, write, lens, effects, code };
const pending = new Set();
let working = false;

async function work(...names) {
  names.forEach(name => pending.add(name));
  if (working) return;
  working = true;
  root.dataset.work = "busy";
  while (pending.size > 0) {
    const name = Object.keys(jobs).find(one => pending.has(one));
    pending.delete(name);
    try {
      await jobs[name]();
    } catch (error) {
      failed(error);
    }
  }
  working = false;
  root.dataset.work = "idle";
}

/** What is wrong with a text is said below it. A link that nothing can be read from leaves the page with its example. */
function failed(error) {
  say(error.message, true);
  const wrong = error instanceof engine.InputError;
  if (!wrong || data === null) note(error.message);
  if (wrong && data === null && !isExample()) {
    reset();
    showForm();
  }
}

/** Reads the text with its switches. */
async function read() {
  const { model, text, focus, off, second, copies } = state;
  await load(model);
  const start = performance.now();
  const answer = await engine.call("Read", JSON.stringify({ model, text, focus: focus ?? -1, off: [...off], second, copies: [...copies] }));
  const seconds = (performance.now() - start) / 1000, first = data === null;
  const same = data !== null && data.model.name === model && data.tokens.length === answer.tokens.length && data.tokens.every((token, i) => token.id === answer.tokens[i].id);
  data = { ...answer, vocabulary: [], steps: [], focus: answer.answer.position, distribution: same ? data.distribution : null };
  page.selected.token = same && page.selected.token < data.tokens.length && focus !== null ? page.selected.token : data.focus;
  page.selected.step = 0;
  page.wait(["lens", "prediction"]);
  document.querySelectorAll("#sampling, #generation").forEach(section => { section.hidden = !data.causal; });
  page.show(data, ["tokens", "answer", ...(same ? [] : ["switches"]), "attention", "residual", ...(same ? [] : ["sampling"]), "generation"]);
  frame.facts(data);
  say(`${data.tokens.length} tokens, read in ${seconds.toFixed(2)} s.`);
  status.dataset.seconds = seconds;
  [stages, part, writing.wanted] = [[], 0, 0];
  pending.add("lens").add("effects").add("code");
  if (data.causal) pending.add("show");
  if (first) opened();
}

/** The page has its first answer; now the other model comes, and then nothing more is loaded. */
function opened() {
  root.dataset.ready = "true";
  frame.contents();
  const all = [...document.getElementById("task").options].map(option => load(option.value));
  Promise.all(all).then(() => { root.dataset.loaded = "true"; }, error => note(error.message));
}

/** The answer at another place. */
async function place() {
  if (pending.has("read") || data === null) return;
  data.answer = await engine.call("Predict", state.focus ?? -1);
  page.show(data, ["answer"]);
  if (data.causal) pending.add("show");
}

async function drawDistribution() {
  if (!pending.has("read") && data?.causal) showDistribution(await distribution(data.answer.position));
}

/** One more token. */
async function write() {
  if (pending.has("read") || writing.wanted === 0) return;
  writing.wanted--;
  const start = performance.now();
  const answer = await step(data.steps.length === 0);
  if (data.steps.length > 0) writing.seconds = (performance.now() - start) / 1000;
  answer.vocabulary.forEach(page.learn);
  data.steps.push(answer.step);
  page.selected.step = data.steps.length - 1;
  page.show(data, ["generation"]);
  controls.tell(data, answer.ended);
  if (answer.ended) writing.wanted = 0;
  if (writing.wanted > 0) pending.add("write");
}

/** The logit lens of one layer, from the top. */
async function lens() {
  if (pending.has("read")) return;
  const stage = data.model.layers - stages.length;
  const answer = await engine.call("Lens", stage);
  answer.vocabulary.forEach(page.learn);
  stages.unshift(answer);
  if (stage > 0) return void pending.add("lens");
  data.logit_lens = { ids: stages.map(one => one.ids), probabilities: stages.map(one => one.probabilities) };
  if (!pending.has("read")) page.show(data, ["lens"]);
}

/** The effects of the parts, one after the other. */
async function effects() {
  if (pending.has("read")) return;
  const answer = await engine.call("Effects", part);
  part = answer.done;
  if (!answer.predictions) return void pending.add("effects");
  answer.vocabulary.forEach(page.learn);
  data.predictions = answer.predictions;
  if (pending.has("read")) return;
  page.show(data, ["prediction"]);
  if (!root.dataset.explained) page.select(page.strongestHead());
  root.dataset.explained = "true";
}

/** The code behind the panels, once for a model. */
async function code() {
  const { model } = state;
  if (!codes.has(model)) codes.set(model, await engine.call("Sources", model));
  if (root.dataset.code === model) return;
  frame.code(codes.get(model));
  root.dataset.code = model;
}

onChange(names => {
  const any = (...some) => some.some(name => names.includes(name));
  history.replaceState(null, "", link.encode(state));
  if (any("off", "copies")) switches.update();
  if (any("model", "text", "off", "copies") || (any("second") && state.copies.size > 0)) work("read");
  else if (any("focus")) work("place");
  else if (any("temperature", "topP")) work("show");
});

/** Takes over a link's state; what is wrong with it is said, and the page stays as it is. */
function follow(hash) {
  note("");
  if (!link.isState(hash)) return false;
  try {
    change(link.decode(hash));
  } catch (error) {
    note(error.message);
    return false;
  }
  showForm();
  return true;
}

// Links inside the page move the view and leave the state in the address alone.
document.addEventListener("click", event => {
  const target = event.target.closest?.("a[href^='#']");
  if (!target) return;
  event.preventDefault();
  const section = document.querySelector(target.getAttribute("href"));
  section.scrollIntoView();
  section.querySelector("textarea, button, a, [tabindex]")?.focus({ preventScroll: true });
});
addEventListener("hashchange", () => follow(location.hash));

frame.theme();
const missing = engine.missing();
if (missing !== null) {
  root.dataset.missing = "true";
  note(`${missing} A current Chrome, Edge, Firefox or Safari runs it.`);
  say("The model does not run here.", true);
  document.querySelectorAll("main section:not(#write)").forEach(section => { section.hidden = true; });
} else {
  engine.start(text => { if (!root.dataset.ready) say(text); });
  form(note);
  controls.start(count => { writing.wanted = count; work("write"); }, () => { data.steps = []; writing.wanted = 0; page.show(data, ["generation"]); });
  tour(document.getElementById("tour"));
  if (!follow(location.hash)) work("read");
}
