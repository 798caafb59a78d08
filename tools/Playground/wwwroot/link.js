// The page's state as the end of its address, #v=1&m=…&n=…&t=…, and back. n is the text's length: mail programs cut long links.

const models = ["demo-codegen", "demo-fill-mask"];
const part = /^([hms]\d{1,5}(\.\d{1,5})?|p\d{1,5})$/, copy = /^[hms]\d{1,5}(\.\d{1,5})?@(all|\d{1,5})$/;
const advice = "The page opens with its example; ask for the link once more.";

/** The address's end of a state. */
export function encode({ model, text, second, focus, off, copies, temperature, topP }) {
  const parts = [["v", 1], ["m", model], ["n", text.length], ["t", text]];
  if (focus !== null) parts.push(["at", focus]);
  if (off.size > 0) parts.push(["off", [...off].join(",")]);
  if (copies.size > 0) parts.push(["b", second], ["copy", [...copies].join(",")]);
  if (temperature !== 1) parts.push(["temperature", temperature]);
  if (topP !== 1) parts.push(["top_p", topP]);
  return "#" + parts.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
}

/** Whether an address's end is meant to hold a state; others name a panel. */
export const isState = hash => hash.includes("=");

/** The state of an address's end. Throws an Error that says what is wrong with it. */
export function decode(hash) {
  const values = new Map(hash.replace(/^#/, "").split("&").map(field => {
    const at = field.indexOf("=");
    return [at < 0 ? field : field.slice(0, at), at < 0 ? "" : plain(field.slice(at + 1))];
  }));
  if (values.get("v") !== "1") throw new Error(`The link is of another version of this page (v=${values.get("v") ?? ""}; 1 is needed). ${advice}`);
  if (!models.includes(values.get("m"))) throw new Error(`The link names a model that is not here: "${values.get("m") ?? ""}". There are ${models.join(" and ")}. ${advice}`);
  const text = values.get("t") ?? "", length = Number(values.get("n"));
  if (text.length === 0 || text.length !== length)
    throw new Error(`The link's text is broken: ${text.length} of ${values.get("n") ?? "?"} characters came. ${advice}`);
  return {
    model: values.get("m"), text, second: values.get("b") ?? "", focus: values.has("at") ? number(values, "at", 0, 1e5) : null,
    off: names(values, "off", part), copies: names(values, "copy", copy),
    temperature: values.has("temperature") ? number(values, "temperature", 0.05, 2) : 1, topP: values.has("top_p") ? number(values, "top_p", 0.01, 1) : 1,
  };
}

function plain(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`The link's text is broken: it has a % that is followed by no character's code. ${advice}`);
  }
}

function number(values, key, least, most) {
  const value = Number(values.get(key));
  if (values.get(key) === "" || !(value >= least && value <= most)) throw new Error(`The link has ${key}=${values.get(key)}; a number from ${least} to ${most} is needed. ${advice}`);
  return value;
}

function names(values, key, form) {
  const all = (values.get(key) ?? "").split(",").filter(name => name !== "");
  const wrong = all.find(name => !form.test(name));
  if (wrong !== undefined) throw new Error(`The link has the switch "${wrong}", which names no part. ${advice}`);
  return new Set(all);
}
