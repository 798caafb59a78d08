// The board of switches: heads, MLPs and positions, and copies from a second text.
import { state, change, toggle, isChanged } from "./state.js";

const { el } = page;
let mode = "off", where = "all";

const copyName = part => `${part}@${where === "all" ? "all" : page.selected.token}`;

/** The copies of a part, whatever their token. */
const copiesOf = part => [...state.copies].filter(name => name.startsWith(`${part}@`));

function press(part) {
  if (mode === "off" && !part.startsWith("s")) return toggle("off", part);
  const copies = copiesOf(part);
  if (copies.length > 0) return change({ copies: new Set([...state.copies].filter(name => !copies.includes(name))) });
  toggle("copies", copyName(part));
}

/** A switch; `draw` is called again when the state changes. */
function button(part, label) {
  const node = el("button", { type: "button", class: "switch", role: "switch", "data-part": part, onclick: () => press(part) });
  const draw = () => {
    const off = state.off.has(part), copies = copiesOf(part), words = off ? "off" : copies.length > 0 ? "copied" : "on";
    node.className = `switch ${words}`;
    node.setAttribute("aria-checked", words === "on");
    node.setAttribute("aria-label", `${label}: ${copies.length > 0 ? `copied from the second text at ${copies.map(name => name.split("@")[1]).join(", ")}` : words}`);
    node.textContent = words;
  };
  return { node, draw };
}

function board({ layers, heads }, buttons) {
  const add = (part, label) => { const one = button(part, label); buttons.push(one); return el("td", {}, one.node); };
  return el("table", { class: "effects board" },
    el("thead", {}, el("tr", {}, el("th"), Array.from({ length: heads }, (_, head) => el("th", { scope: "col" }, `head ${head}`)), el("th", { scope: "col" }, "MLP"),
      mode === "copy" && el("th", { scope: "col" }, "stream"))),
    el("tbody", {}, Array.from({ length: layers }, (_, layer) => el("tr", {}, el("th", { scope: "row" }, `layer ${layer}`),
      Array.from({ length: heads }, (_, head) => add(`h${layer}.${head}`, `layer ${layer} head ${head}`)), add(`m${layer}`, `layer ${layer} MLP`),
      mode === "copy" && add(`s${layer}`, `stream after layer ${layer}`)))));
}

function positions(buttons) {
  return el("div", { class: "positions", role: "group", "aria-label": "Positions" }, page.data.tokens.map((token, i) => {
    const node = el("button", { type: "button", class: "position", role: "switch", "data-part": `p${i}`, onclick: () => toggle("off", `p${i}`) }, page.piece(token));
    buttons.push({ node, draw: () => {
      const off = state.off.has(`p${i}`);
      node.setAttribute("aria-checked", !off);
      node.setAttribute("aria-label", `position ${i}, ${page.visible(token)}: ${off ? "hidden from the others" : "on"}`);
    } });
    return node;
  }));
}

/** The second text, and where it is copied. */
function copying() {
  const second = el("textarea", { id: "second", rows: "3", spellcheck: "false", "aria-label": "The second text", onchange: event => change({ second: event.target.value }) });
  second.value = state.second;
  const place = el("select", { id: "where-to", onchange: event => { where = event.target.value; } },
    el("option", { value: "all" }, "at all tokens"), el("option", { value: "one" }, "at the token that is chosen"));
  place.value = where;
  return el("div", { class: "stack tight" },
    el("p", { class: "note" }, "Choose a part: its activation in this text is put in the place of the one above. Both texts need equally many tokens."),
    second, el("div", { class: "picker" }, el("label", { for: "where-to" }, "Copy"), place));
}

function drawBoard() {
  const buttons = [], body = page.body("switches");
  const choice = (value, label) => el("label", {}, el("input", { type: "radio", name: "mode", value, checked: mode === value, onchange: () => { mode = value; drawBoard(); body.querySelector("input:checked").focus(); } }), ` ${label}`);
  const clear = el("button", { type: "button", class: "quiet", id: "all-on", onclick: () => change({ off: new Set(), copies: new Set() }) }, "Everything on again");
  const table = board(page.data.model, buttons), keyed = buttons.map(one => one.node), columns = page.data.model.heads + (mode === "copy" ? 2 : 1);
  page.replace(body,
    el("div", { class: "line" }, el("fieldset", { class: "modes" }, el("legend", {}, "A click"), choice("off", "switches off"), choice("copy", "copies from a second text")), clear),
    mode === "copy" && copying(),
    el("div", { class: "scroll" }, table),
    el("div", {}, el("h3", {}, "Positions"), el("p", { class: "note" }, "A click hides a token from all others."), positions(buttons)));
  page.keys(table, keyed, columns);
  page.tabStop(keyed, 0);
  keyed.forEach((node, i) => node.addEventListener("focus", () => page.tabStop(keyed, i)));
  const tokens = [...body.querySelectorAll(".position")];
  page.keys(body.querySelector(".positions"), tokens, tokens.length);
  page.tabStop(tokens, 0);
  redraw = () => { buttons.forEach(one => one.draw()); clear.disabled = !isChanged(); };
  redraw();
}

let redraw = () => {};

/** To be called when switches have changed. */
export const update = () => redraw();

page.panel("switches", drawBoard);
