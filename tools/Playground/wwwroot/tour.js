// A tour of ten steps for somebody who has never looked into a transformer.
import { state, change } from "./state.js";

const { el } = page;
const steps = [
  ["write", "The text", "A transformer is asked one thing: which token comes next, or which one a mask hides. Type any code here; a small model of seven million numbers reads it in your browser."],
  ["tokens", "Tokens", "The model sees no letters. The text is cut into tokens, pieces that are in its vocabulary, each with a number. Click one to choose it: all panels then look at that token."],
  ["answer", "The answer", "For every token of its vocabulary the model gives a probability that it comes next. These are the likeliest."],
  ["attention", "Attention", "Inside a layer, heads decide which tokens to look at. Each small map is a head: a row is a token that looks. Choose a head and point at a token to see whom it looks at."],
  ["switches", "Take a head out", "Now the experiment: a head is switched off, and the whole model runs again. A line across each bar of the answer shows what it was before.", switchOff],
  ["switches", "Take more out", "Try others, or an MLP, or hide a token from the rest. Some change nothing, some everything: that is how one finds out what a part is for. The button above the board switches everything on again."],
  ["residual", "The residual stream", "A token is a vector that every layer adds to. Its length tells how much was added; what it means, the next panel reads.", () => change({ off: new Set(), copies: new Set() })],
  ["lens", "The logit lens", "What would the model answer if it ended after this layer? Read a column from below and see where the answer appears."],
  ["sampling", "Choose by chance", "Always the likeliest token makes dull texts. Lower the temperature and the likely ones win; lower top-p and the unlikely ones go. The columns show what is left."],
  ["generation", "Write", "The token that is chosen is read in its turn, and so on: that is all that writing is. What was read before stays in the KV cache and is not computed again. Copy the link at the top to show somebody what you found."],
];

/** The head that the answer needs most where it is known, else some head. */
function switchOff() {
  const { layer, head } = page.data?.predictions ? page.strongestHead() : { layer: state.model === "demo-codegen" ? 3 : 0, head: 0 };
  change({ off: new Set([`h${layer}.${head}`]) });
}

/** The tour begins with a click on a button. */
export function tour(button) {
  const title = el("h2", { id: "tour-title" }), text = el("p"), count = el("span", { class: "count" });
  const back = el("button", { type: "button", class: "quiet", onclick: () => go(at - 1) }, "Back"), next = el("button", { type: "button", class: "quiet", onclick: () => go(at + 1) }, "Next");
  const card = el("div", { class: "tour", role: "dialog", "aria-labelledby": "tour-title", hidden: true },
    title, text, el("div", { class: "line" }, count, el("div", { class: "buttons" }, el("button", { type: "button", class: "quiet", onclick: end }, "End"), back, next)));
  let at = 0;
  document.body.append(card);

  function go(step) {
    if (step >= steps.length) return end();
    at = Math.max(0, step);
    const [section, heading, words, action] = steps[at];
    mark(section);
    action?.();
    page.replace(title, heading);
    page.replace(text, words);
    page.replace(count, `${at + 1} of ${steps.length}`);
    back.disabled = at === 0;
    page.replace(next, at === steps.length - 1 ? "Done" : "Next");
    card.hidden = false;
    next.focus({ preventScroll: true });
  }

  function mark(id) {
    document.querySelectorAll("section.toured").forEach(section => section.classList.remove("toured"));
    const section = document.getElementById(id);
    section?.classList.add("toured");
    card.classList.toggle("left", id === "switches");          // the board is on the right
    section?.scrollIntoView({ block: "start" });
  }

  function end() {
    mark(null);
    card.hidden = true;
    button.focus();
  }

  card.addEventListener("keydown", event => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") end();
    else if (move) go(at + move);
  });
  button.addEventListener("click", () => go(0));
}
