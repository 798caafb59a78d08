"use strict";

// The tokens: pieces, ids, places in the text. Choosing one chooses it in all panels.
page.panel("tokens", () => {
  const { data, el } = page;
  const items = data.tokens.map((token, i) => el("button", {
    type: "button", class: token.start < 0 ? "token outside" : "token", "data-id": token.id,
    "aria-label": `token ${i}: ${page.visible(token)}, id ${token.id}, ${token.start < 0 ? "not in the text" : `characters ${token.start} to ${token.end}`}`,
    onclick: () => page.select({ token: i }),
  }, page.piece(token), el("small", {}, `id ${token.id}`), el("small", {}, token.start < 0 ? "special" : `${token.start}–${token.end}`)));
  const list = el("div", { class: "tokens", role: "group", "aria-label": "Tokens of the text" }, items);
  page.body("tokens").append(list, el("p", { class: "note" },
    "· is a blank, ⏎ a line break, ⇥ a tab. The token that you choose here is the one that the other panels look at."));
  page.keys(list, items, items.length, i => page.select({ token: i }));
  page.onSelect(({ token }) => {
    items.forEach((item, i) => item.setAttribute("aria-pressed", i === token));
    page.tabStop(items, token);
  });
});
