"use strict";

// The page of one text: everything is drawn once.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.getElementById("text").textContent = data.text;
  document.getElementById("footer").append(
    page.el("p", {}, `Made by ${data.generator}. Every number is of a real pass of the model; weights of attention are rounded to 1/255.`),
    page.el("p", {}, "The page is one file and loads nothing."));
  document.getElementById("generation").hidden = data.steps.length === 0;
  page.selected.token = data.focus;
  frame.facts(data);
  frame.theme();
  page.show(data);
  page.select(page.strongestHead());
  frame.code(data.sources);
  frame.contents();
  document.documentElement.dataset.ready = "true";
})();
