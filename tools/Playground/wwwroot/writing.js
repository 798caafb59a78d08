// The controls of generation: one token or several, the likeliest or drawn.
import { writing } from "./sampling.js";

const { el } = page;
const place = document.getElementById("writing"), told = el("p", { class: "note", id: "written", role: "status" });

function start(write, forget) {
  const again = el("button", { type: "button", class: "quiet", onclick: () => { told.textContent = ""; forget(); } }, "Start again");
  const seed = el("input", { type: "number", id: "seed", min: 0, max: 999999, value: writing.seed, onchange: event => { writing.seed = Math.max(0, Math.round(Number(event.target.value)) || 0); event.target.value = writing.seed; } });
  const how = el("select", { id: "how", onchange: event => { writing.sample = event.target.value === "drawn"; } },
    el("option", { value: "likeliest" }, "the likeliest token"), el("option", { value: "drawn" }, "a token drawn with temperature and top-p"));
  page.replace(place,
    el("div", { class: "buttons" },
      el("button", { type: "button", class: "quiet", id: "write-one", onclick: () => write(1) }, "Write a token"),
      el("button", { type: "button", class: "quiet", id: "write-many", onclick: () => write(12) }, "Write 12"), again),
    el("div", { class: "picker" }, el("label", { for: "how" }, "Choose"), how, el("label", { for: "seed" }, "seed"), seed),
    told);
}

/** Says how fast it went, and why it ended. */
function tell({ steps }, ended) {
  const speed = writing.seconds ? `${(1 / writing.seconds).toFixed(1)} tokens/s` : "";
  page.replace(told, [`${steps.length} written`, speed, ended ?? ""].filter(text => text !== "").join(" · "));
  told.dataset.seconds = writing.seconds ?? "";
}

export const controls = { start, tell };
