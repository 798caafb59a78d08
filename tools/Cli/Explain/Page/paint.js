"use strict";

// Colours of numbers: one scale for weights and probabilities, one for effects. They follow the theme.
const paint = (() => {
  const probe = document.body.appendChild(page.el("i", { hidden: true }));
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  let colours;

  /** The red, green and blue of a style sheet's variable in the theme that holds. */
  function rgb(variable) {
    probe.style.color = `var(${variable})`;
    canvas.fillStyle = getComputedStyle(probe).color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));
  const css = colour => `rgb(${colour.join(" ")})`;
  const luminance = ([r, g, b]) => 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2;

  function read() {
    const scale = [rgb("--scale-0"), rgb("--scale-1"), rgb("--scale-2")];
    // By the square root, so that small weights stay visible; the legends say where the numbers lie.
    const shades = Array.from({ length: 256 }, (_, i) => {
      const t = 2 * Math.sqrt(i / 255);
      return t < 1 ? mix(scale[0], scale[1], t) : mix(scale[1], scale[2], t - 1);
    });
    colours = { shades, push: rgb("--push"), pull: rgb("--pull"), none: rgb("--sunk"), ink: rgb("--ink"), card: rgb("--card"), accent: rgb("--accent"), soft: rgb("--soft") };
  }

  /** The colour of a weight or probability, 0 … 1, as red, green, blue. */
  const weight = p => colours.shades[Math.max(0, Math.min(255, Math.round(255 * p)))];

  /** The colour of an effect where `most` is the largest. */
  const effect = (value, most) => mix(colours.none, value < 0 ? colours.pull : colours.push, most > 0 ? Math.min(1, Math.abs(value) / most) : 0);

  /** Black or white, whichever reads better on a colour. */
  const inkOn = colour => luminance(colour) > 0.3 ? "#14161b" : "#ffffff";

  /** A square image of weights, one pixel each; where `at` gives null nothing is drawn. */
  function map(target, size, at) {
    target.width = target.height = size;
    const context = target.getContext("2d"), image = context.createImageData(size, size);
    for (let row = 0; row < size; row++)
      for (let column = 0; column < size; column++) {
        const p = at(row, column);
        if (p !== null) image.data.set([...weight(p), 255], 4 * (row * size + column));
      }
    context.putImageData(image, 0, 0);
  }

  /** The scale of weights with its numbers. */
  function legend(label) {
    const bar = page.el("div", { class: "bar", "aria-hidden": "true" });
    const draw = () => { bar.style.background = `linear-gradient(90deg, ${Array.from({ length: 17 }, (_, i) => css(weight((i / 16) ** 2))).join(", ")})`; };
    page.onTheme(draw);
    draw();
    return page.el("div", { class: "legend" }, label, bar,
      page.el("div", { class: "ticks" }, [0, 0.05, 0.25, 0.5, 1].map(p => page.el("span", { style: { left: `${100 * Math.sqrt(p)}%` } }, `${100 * p} %`))));
  }

  /** To be called when the colours have changed. */
  function changed() {
    read();
    page.tell("theme");
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  read();
  return { weight, effect, inkOn, css, map, legend, changed, get colours() { return colours; } };
})();
