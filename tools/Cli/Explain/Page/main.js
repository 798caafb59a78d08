"use strict";

// Head and foot of the page, the theme, the code behind each panel; then everything is drawn.
(() => {
  const { data, el } = page;
  document.getElementById("text").textContent = data.text;
  const facts = { model: data.model.name, class: data.model.architecture, layers: data.model.layers, heads: data.model.heads, "hidden size": data.model.hidden_size, vocabulary: data.model.vocab_size.toLocaleString("en"), tokens: data.tokens.length };
  page.replace(document.getElementById("model"), Object.entries(facts).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  document.getElementById("footer").append(
    el("p", {}, `Made by ${data.generator}. Every number is of a real pass of the model; weights of attention are rounded to 1/255.`),
    el("p", {}, "The page is one file and loads nothing."));

  for (const source of data.sources) {
    const section = document.getElementById(source.panel);
    let details = section.querySelector("details.code");
    if (!details) section.append(details = el("details", { class: "code" }, el("summary", {}, "The code that computes it")));
    details.append(
      el("p", { class: "where" }, el("a", { href: source.url, "data-path": source.path, "data-line": source.line, "data-method": source.method }, `${source.path}#L${source.line}`), el("span", {}, source.what)),
      el("pre", { tabindex: "0", "aria-label": `${source.method} of ${source.path}` }, source.code));
  }

  const contents = document.getElementById("contents");
  const links = [...document.querySelectorAll("main > section:not([hidden])")].map(section => {
    const link = el("a", { href: `#${section.id}` }, section.querySelector("h2").textContent.split(",")[0]);
    contents.append(el("li", {}, link));
    return [section, link];
  });
  const seen = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries)
      if (isIntersecting) links.forEach(([section, link]) => section === target ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
  }, { rootMargin: "-30% 0px -65% 0px" });
  links.forEach(([section]) => seen.observe(section));

  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.style.colorScheme || (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    document.documentElement.style.colorScheme = dark() ? "light" : "dark";
    nameTheme();
    paint.changed();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();
  page.select({});
  document.documentElement.dataset.ready = "true";
})();
