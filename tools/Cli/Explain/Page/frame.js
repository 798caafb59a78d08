"use strict";

// What stands around the panels: facts of the model, the code behind each panel, the contents, the theme.
const frame = (() => {
  const { el } = page;

  /** The model's sizes. */
  function facts(data) {
    const all = { model: data.model.name, class: data.model.architecture, layers: data.model.layers, heads: data.model.heads, "hidden size": data.model.hidden_size, vocabulary: data.model.vocab_size.toLocaleString("en"), tokens: data.tokens.length };
    page.replace(document.getElementById("model"), Object.entries(all).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  /** The code that computes what a panel shows, at the panel's end. */
  function code(sources) {
    document.querySelectorAll("details.code").forEach(details => details.remove());
    for (const source of sources) {
      const section = document.getElementById(source.panel);
      let details = section.querySelector("details.code");
      if (!details) section.append(details = el("details", { class: "code" }, el("summary", {}, "The code that computes it")));
      details.append(
        el("p", { class: "where" }, el("a", { href: source.url, "data-path": source.path, "data-line": source.line, "data-method": source.method }, `${source.path}#L${source.line}`), el("span", {}, source.what)),
        el("pre", { tabindex: "0", "aria-label": `${source.method} of ${source.path}` }, source.code));
    }
  }

  /** A link to every panel; the one that is read is marked. */
  function contents() {
    const list = document.getElementById("contents");
    const links = [...document.querySelectorAll("main section:not([hidden])")].map(section => {
      const link = el("a", { href: `#${section.id}` }, section.querySelector("h2").textContent.split(",")[0]);
      list.append(el("li", {}, link));
      return [section, link];
    });
    const seen = new IntersectionObserver(entries => {
      for (const { target, isIntersecting } of entries)
        if (isIntersecting) links.forEach(([section, link]) => section === target ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
    }, { rootMargin: "-30% 0px -65% 0px" });
    links.forEach(([section]) => seen.observe(section));
  }

  /** The button that switches between light and dark. */
  function theme() {
    const button = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const dark = () => (document.documentElement.style.colorScheme || (system.matches ? "dark" : "light")) === "dark";
    const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
    button.addEventListener("click", () => {
      document.documentElement.style.colorScheme = dark() ? "light" : "dark";
      name();
      paint.changed();
    });
    system.addEventListener("change", name);
    name();
  }

  return { facts, code, contents, theme };
})();
