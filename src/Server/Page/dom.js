// Elements. Texts go in as text alone.
export function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content.map(one => typeof one === "number" ? String(one) : one));
  return element;
}

/** 0.834 is 83 %; what is above nothing and below all is never shown as either. */
export function percent(share) {
  const value = share * 100;
  if (value > 99 && value < 99.95) return `${Math.floor(value * 10) / 10} %`;
  return value > 0 && value < 0.1 ? "< 0.1 %" : `${value < 1 ? value.toFixed(1) : Math.round(value)} %`;
}

export const count = new Intl.NumberFormat("en").format;

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(power && value / 1024 ** power < 100 ? 1 : 0)} ${units[power]}`;
}

/** A text whose blanks are seen. */
export const visible = text => text.replaceAll(" ", "·").replaceAll("\n", "↵").replaceAll("\t", "⇥") || "(nothing)";

/** A part of a whole. */
export function track(share) {
  const fill = make("i");
  fill.style.setProperty("--share", Math.min(1, Math.max(0, share)));
  return make("span", "track", fill);
}

/** Names with their shares, the largest first as they come. */
export function bars(list) {
  return make("ul", "bars", ...list.map(({ name, share, isChosen }) => {
    const row = make("li", isChosen ? "chosen" : "", make("span", "name", name), track(share), make("span", "value", percent(share)));
    return row;
  }));
}
