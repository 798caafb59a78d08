// A completion that streams, each token with its probability and what it could have been.
import { stream } from "./api.js";
import { bars, make, percent, visible } from "./dom.js";
import { panel, settings } from "./panel.js";

const tokens = document.getElementById("tokens"), card = document.getElementById("token-card");
const known = new WeakMap();            // of a piece of text: its tokens

panel("complete", async ({ section, find, signal, model, text }) => {
  let pending = [], number = 0, reason = "";
  hideCard();
  tokens.replaceChildren();
  find(".prompt").textContent = text;
  find(".answer").hidden = false;
  await stream("v1/completions", { model, prompt: text, logprobs: 5, ...settings(section) }, signal, data => {
    for (const choice of data.choices) {
      const heard = tokensOf(choice.logprobs);
      number += heard.length;
      pending.push(...heard);
      if (choice.text) pending = add(choice.text, pending);
      reason = choice.finish_reason ?? reason;
    }
  });
  if (pending.length) addPiece(pending.map(one => one.token).join(""), pending, "token end");
  return `${number} token${number === 1 ? "" : "s"}, ${reason === "length" ? "as many as asked for" : "ended by the model"}`;
});

function tokensOf(logprobs) {
  return (logprobs?.tokens ?? []).map((token, i) => ({
    token, probability: Math.exp(logprobs.token_logprobs[i]),           // it is among the others, too
    others: Object.entries(logprobs.top_logprobs[i] ?? {}).map(([name, value]) => ({ name, share: Math.exp(value) })).sort((a, b) => b.share - a.share),
  }));
}

// A piece for each token; one for all of them where tokens are parts of characters.
function add(text, heard) {
  if (heard.map(one => one.token).join("") === text) heard.forEach(one => addPiece(one.token, [one]));
  else addPiece(text, heard);
  return [];
}

function addPiece(text, heard, className = "token") {
  const piece = make("span", className, text), probability = heard.reduce((all, one) => all * one.probability, 1);
  piece.style.setProperty("--p", probability);
  piece.setAttribute("role", "option");
  piece.setAttribute("aria-label", `${visible(text)}, ${percent(probability)}`);
  piece.setAttribute("aria-describedby", "token-card");
  piece.tabIndex = tokens.childElementCount === 0 ? 0 : -1;
  if (text.includes("\n")) piece.dataset.line = "";
  known.set(piece, heard);
  tokens.append(piece);
}

const pieceOf = event => event.target.closest?.(".token");
tokens.addEventListener("pointerover", event => pieceOf(event) && showCard(pieceOf(event)));
tokens.addEventListener("pointerleave", () => showCard(tokens.contains(document.activeElement) ? document.activeElement : null));
tokens.addEventListener("click", event => pieceOf(event)?.focus());
tokens.addEventListener("focusin", event => {
  for (const one of tokens.querySelectorAll("[tabindex='0']")) one.tabIndex = -1;
  event.target.tabIndex = 0;
  showCard(pieceOf(event));
});
tokens.addEventListener("focusout", hideCard);
tokens.addEventListener("keydown", event => {
  const here = document.activeElement, all = tokens.children;
  const next = { ArrowRight: here.nextElementSibling, ArrowLeft: here.previousElementSibling, Home: all[0], End: all[all.length - 1] }[event.key];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});
addEventListener("keydown", event => event.key === "Escape" && hideCard());
addEventListener("scroll", hideCard, { passive: true });

function showCard(piece) {
  if (!piece) return hideCard();
  card.replaceChildren(...known.get(piece).map(one =>
    bars(one.others.map(other => ({ name: visible(other.name), share: other.share, isChosen: other.name === one.token })))));
  card.hidden = false;
  const at = piece.getClientRects(), first = at[0], room = document.documentElement.clientWidth - card.offsetWidth - 8;
  const below = at[at.length - 1].bottom + 8, above = first.top - card.offsetHeight - 8;
  card.style.left = `${Math.max(8, Math.min(first.left, room))}px`;
  card.style.top = `${below + card.offsetHeight > innerHeight && above > 0 ? above : below}px`;
}

function hideCard() {
  card.hidden = true;
}
