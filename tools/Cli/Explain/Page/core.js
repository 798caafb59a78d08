"use strict";

// What every panel needs: the data, what is selected, and a few ways to make elements. Text of the user only ever becomes text nodes.
// A panel is a function that draws itself from the data; it is called again where there are other data.
const page = (() => {
  const panels = new Map(), listeners = new Map(), words = new Map();
  const selected = { token: 0, layer: 0, head: 0, step: 0 };
  let data = null, drawing = null;

  /** Adds a panel: the section of that id, and what draws its body. */
  const panel = (id, draw) => panels.set(id, draw);

  /** Draws panels from data, all of them where none are named. What they listened to before is forgotten. */
  function show(next, ids = [...panels.keys()]) {
    data = next;
    data.vocabulary.forEach(learn);
    for (const id of ids) {
      const focused = focusables(id).indexOf(document.activeElement);
      replace(body(id));
      body(id).inert = false;
      listeners.set(id, { select: [], theme: [], resize: [] });
      drawing = id;
      panels.get(id)();
      listeners.get(id).select.forEach(listener => listener(selected, {}));
      if (focused >= 0) focusables(id)[focused]?.focus({ preventScroll: true });
    }
    drawing = null;
  }

  /** What was drawn is old, and what is to be drawn is not there yet: panels stand still until they are shown again. */
  function wait(ids) {
    for (const id of ids) {
      listeners.delete(id);
      body(id).inert = true;
    }
  }

  const focusables = id => [...body(id).querySelectorAll("button, input, select, textarea, [tabindex]")];

  /** Takes a token that candidates name by its id. */
  const learn = word => words.set(word.id, word);

  /** Calls all that listen to a kind of event: "select", "theme" or "resize". */
  const tell = (kind, ...args) => [...listeners.values()].flatMap(one => one[kind]).forEach(listener => listener(...args));

  const on = kind => listener => listeners.get(drawing)[kind].push(listener);

  /** The head that pushed the answer most where the page opens: a good one to begin with. */
  function strongestHead() {
    const heads = data.predictions.find(one => one.position === data.focus).attribution.effects.heads;
    const most = Math.max(...heads.flat());
    const layer = heads.findIndex(row => row.includes(most));
    return { layer, head: heads[layer].indexOf(most) };
  }

  function add(node, children) {
    for (const child of children.flat(Infinity))
      if (child !== null && child !== undefined && child !== false)
        node.append(child instanceof Node ? child : String(child));
    return node;
  }

  function make(namespace, name, attributes, children) {
    const node = document.createElementNS(namespace, name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (key === "style") Object.entries(value).forEach(([property, setting]) => node.style.setProperty(property, setting));
      else node.setAttribute(key, value === true ? "" : value);
    }
    return add(node, children);
  }

  /** An HTML element: el("p", { class: "note" }, "text", otherElement). */
  const el = (name, attributes, ...children) => make("http://www.w3.org/1999/xhtml", name, attributes, children);

  /** The same for SVG. */
  const svg = (name, attributes, ...children) => make("http://www.w3.org/2000/svg", name, attributes, children);

  const replace = (node, ...children) => { node.replaceChildren(); return add(node, children); };

  /** The characters of a token so that all of them are seen: blanks, line breaks, controls. Parts are [text, is it a sign for a blank]. */
  function visibleParts(token) {
    const text = token.text === "" || token.text.includes("\uFFFD") ? token.token : token.text;
    const parts = [];
    for (const match of text.matchAll(/ +|\n|\t|\r|[\u0000-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]|[^ \n\t\r\u0000-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]+/g)) {
      const part = match[0], code = part.codePointAt(0);
      if (part[0] === " ") parts.push([part.length > 4 ? `·×${part.length}` : "·".repeat(part.length), true]);
      else if (part === "\n") parts.push(["⏎", true]);
      else if (part === "\t") parts.push(["⇥", true]);
      else if (code < 32 || (code >= 127 && code < 160) || /[\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/.test(part)) parts.push([`U+${code.toString(16).toUpperCase().padStart(4, "0")}`, true]);
      else parts.push([part, false]);
    }
    return parts;
  }

  /** The same as one string, shortened for narrow places. */
  function visible(token, most = Infinity) {
    const letters = [...visibleParts(token).map(part => part[0]).join("")];
    return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : letters.join("");
  }

  /** The same as an element. */
  const piece = token => el("span", { class: "piece", title: token.token }, visibleParts(token).map(([text, blank]) => blank ? el("span", { class: "blank" }, text) : text));

  const word = id => words.get(id) ?? { id, token: `#${id}`, text: `#${id}` };

  function bytesOf(base64) {
    const raw = atob(base64), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  }

  /** A probability for people: 99.97 %, 12.3 %, 0.042 %. */
  function percent(p) {
    const hundred = 100 * p;
    if (p <= 0 || p >= 1) return `${hundred} %`;
    if (hundred < 0.001) return "<0.001 %";
    if (hundred > 99.99) return ">99.99 %";
    return `${hundred.toFixed(hundred > 99.9 ? 2 : hundred >= 0.1 ? 1 : hundred >= 0.01 ? 2 : 3)} %`;
  }

  const signed = value => Math.abs(value) < 0.005 ? "0.00" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
  const number = (value, digits = 2) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(digits);

  function bytes(count) {
    const units = ["B", "kB", "MB", "GB"];
    let unit = 0;
    while (count >= 1000 && unit < units.length - 1) { count /= 1000; unit++; }
    return `${unit === 0 ? count : count.toFixed(1)} ${units[unit]}`;
  }

  /** Changes what is selected, and tells every panel that shows it. */
  function select(change) {
    Object.assign(selected, change);
    tell("select", selected, change);
  }

  addEventListener("resize", () => tell("resize"));

  /**
   * Arrow keys, Home and End among items that lie in rows of `columns`; Tab enters and leaves the whole. The item in `current` has the tab stop.
   * `enter` is called with the number of the item that the keys moved to.
   */
  function keys(container, items, columns, enter) {
    container.addEventListener("keydown", event => {
      const at = items.indexOf(event.target);
      if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -(at % columns), End: columns - 1 - at % columns }[event.key];
      const next = at + step;
      if (step === undefined || !items[next]) return;
      event.preventDefault();
      tabStop(items, next);
      items[next].focus();
      enter?.(next);
    });
  }

  const tabStop = (items, current) => items.forEach((item, i) => { item.tabIndex = i === current ? 0 : -1; });

  const body = id => document.querySelector(`#${id} .body`);
  const says = (id, sentence) => { document.querySelector(`#${id} .says`).textContent = sentence; };

  return {
    get data() { return data; },
    selected, panel, show, wait, learn, tell, onSelect: on("select"), onTheme: on("theme"), onResize: on("resize"), strongestHead,
    el, svg, replace, visible, piece, word, bytesOf, percent, signed, number, bytes, select, keys, tabStop, body, says,
  };
})();
