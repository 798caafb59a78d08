// The page: which models there are, which panel is shown, and the key.
import { get, setKey } from "./api.js";
import { make } from "./dom.js";
import { explain } from "./panel.js";
import { open } from "./infill.js";
import { watch } from "./server.js";
import "./complete.js";
import "./tasks.js";

const EXAMPLES = {
  "complete-text": "def sum_of_even(numbers):\n    \"\"\"Return the sum of the even numbers in the list.\"\"\"\n",
  "mask-text": "def find(items, name):\n    for item in items:\n        if item.name == name:\n            return <mask>\n    return None",
  "classify-text": "func add(a int, b int) int {\n\treturn a + b\n}",
  "tag-text": "# maintainer: Olga Petrova <olga.petrova@example.org>\nDB_HOST = \"203.0.113.5\"\nDB_PASSWORD = \"tr0ub4dor&3\"",
  "compare-text": "Reads a file and returns its lines.\ndef read_lines(path): return open(path).read().splitlines()\n"
    + "def add(a, b): return a + b\nfunction sum(values) { return values.reduce((a, b) => a + b) }\nAdds two numbers.",
};
const GAP = ["def sum_of_even(numbers):\n    \"\"\"Return the sum of the even numbers in the list.\"\"\"\n    ", "\n\n\nprint(sum_of_even([1, 2, 3, 4]))\n"];

const find = id => document.getElementById(id);
const tabs = [...document.querySelectorAll("[role=tab]")], about = find("about"), failed = find("failed"), keyForm = find("key");

function select(tab) {
  for (const one of tabs) {
    const isSelected = one === tab;
    one.setAttribute("aria-selected", isSelected);
    one.tabIndex = isSelected ? 0 : -1;
    find(one.getAttribute("aria-controls")).hidden = !isSelected;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  watch();
}

find("tabs").addEventListener("click", event => event.target.role === "tab" && select(event.target));
find("tabs").addEventListener("keydown", event => {
  const here = tabs.indexOf(document.activeElement), last = tabs.length - 1;
  const next = { ArrowRight: here === last ? 0 : here + 1, ArrowLeft: here === 0 ? last : here - 1, Home: 0, End: last }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  select(tabs[next]);
  tabs[next].focus();
});

document.addEventListener("key-needed", event => {
  find("key-says").textContent = event.detail;
  if (!keyForm.hidden) return;
  keyForm.hidden = false;
  find("key-text").focus();
});
keyForm.addEventListener("submit", async event => {
  event.preventDefault();
  setKey(find("key-text").value.trim());
  if (await loadModels()) {
    keyForm.hidden = true;
    find("key-text").value = "";
    tabs.find(tab => tab.tabIndex === 0).focus();
  }
});

async function loadModels() {
  try {
    const [list, status] = await Promise.all([get("v1/models"), get("status")]);
    const tasks = new Map(status.models.map(model => [model.id, model.tasks]));
    for (const section of document.querySelectorAll("[data-task]")) {
      // First those that were made for it: one that fills masks gives vectors, too.
      const place = model => tasks.get(model.id)?.indexOf(section.dataset.task) ?? -1;
      offer(section, list.data.filter(model => place(model) >= 0).sort((a, b) => place(a) - place(b)));
    }
    about.textContent = `${list.data.length} model${list.data.length === 1 ? "" : "s"} at ${location.host}`;
    failed.hidden = true;
    watch();
    return true;
  } catch (error) {
    about.textContent = location.host;
    failed.textContent = explain(error);
    failed.hidden = error.status === 401;               // the form says it
    return false;
  }
}

function offer(section, models) {
  const choice = section.querySelector("select.model"), chosen = choice.value;
  choice.replaceChildren(...models.map(model => {
    const option = make("option", "", model.max_model_len ? `${model.id} (reads ${model.max_model_len} tokens)` : model.id);
    option.value = model.id;
    return option;
  }));
  if (models.some(model => model.id === chosen)) choice.value = chosen;
  section.querySelector(".none")?.remove();
  section.querySelector("form").hidden = models.length === 0;
  if (models.length === 0) section.prepend(make("p", "soft none", "No model of this server does that."));
}

for (const [id, text] of Object.entries(EXAMPLES)) find(id).value = text;
open(GAP.join(""), GAP[0].length);
select(tabs.find(tab => tab.getAttribute("aria-controls") === location.hash.slice(1)) ?? tabs[0]);
await loadModels();
document.documentElement.dataset.ready = "";
