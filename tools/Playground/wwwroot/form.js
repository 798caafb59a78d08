// The text, the model and the examples, and the link.
import { state, change, examples } from "./state.js";

const task = document.getElementById("task"), text = document.getElementById("text"), example = document.getElementById("example");
const texts = new Map(), seconds = new Map([["demo-fill-mask", "public static <mask> get(string $key, $value) {"]]);
const pause = 150;              // ms without a key before the text is read
let timer = 0;

/** Another text: the model's parts stay switched, positions and copies do not mean the same there. */
const read = value => change({ text: value, focus: null, off: new Set([...state.off].filter(name => !name.startsWith("p"))), copies: new Set() });

function choose(model) {
  texts.set(state.model, state.text);
  seconds.set(state.model, state.second);
  change({ model, text: texts.get(model) ?? examples[model][0][1], second: seconds.get(model), focus: null, off: new Set(), copies: new Set() });
  showForm();
}

/** Shows the state in the fields. */
export function showForm() {
  task.value = state.model;
  text.value = state.text;
  text.rows = Math.min(12, Math.max(3, state.text.split("\n").length + 1));
  page.replace(example, page.el("option", { value: "" }, "choose …"), examples[state.model].map(([name], i) => page.el("option", { value: i }, name)));
}

async function share(button, note) {
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  } catch {
    note(`The browser does not let the page copy. The link is ${location.href}`);
  }
}

/** Wires the fields. */
export function form(note) {
  task.addEventListener("change", () => choose(task.value));
  example.addEventListener("change", () => {
    if (example.value === "") return;
    read(examples[state.model][Number(example.value)][1]);
    showForm();
  });
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => read(text.value), pause);
  });
  const button = document.getElementById("share");
  button.addEventListener("click", () => share(button, note));
  showForm();
}
