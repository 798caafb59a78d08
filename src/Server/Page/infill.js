// An editor: what goes into the gap at the cursor is written there, and stays marked until the text is changed.
import { stream } from "./api.js";
import { make } from "./dom.js";
import { panel, settings } from "./panel.js";

const section = document.getElementById("infill");
const editor = section.querySelector("textarea"), mirror = section.querySelector(".mirror"), undo = section.querySelector(".undo");
let before = null;                      // the text, and the selection, before the gap was filled

panel("infill", async ({ signal, model }) => {
  const { value, selectionStart: start, selectionEnd: end } = editor;
  const prompt = value.slice(0, start), suffix = value.slice(end);
  let inserted = "", reason = "";
  before = { value, start, end };
  editor.readOnly = true;
  undo.hidden = true;
  try {
    await stream("v1/completions", { model, prompt, suffix, ...settings(section) }, signal, data => {
      for (const choice of data.choices) {
        inserted += choice.text;
        reason = choice.finish_reason ?? reason;
      }
      write(prompt, inserted, suffix);
    });
  } finally {
    editor.readOnly = false;
    undo.hidden = inserted === "";
    if (inserted !== "") select(start + inserted.length);
  }
  if (inserted === "") return "Nothing belongs into this gap";
  return reason === "length" ? "As many tokens as asked for" : "Ended by the model";
});

editor.addEventListener("input", () => {
  undo.hidden = true;
  reflect(editor.value);
});
undo.addEventListener("click", () => {
  undo.hidden = true;
  editor.value = before.value;
  reflect(before.value);
  select(before.start, before.end);
});

/** Puts a text into the editor, with the cursor in it. */
export function open(text, cursor) {
  editor.value = text;
  editor.setSelectionRange(cursor, cursor);
  reflect(text);
}

function write(prefix, inserted, suffix) {
  editor.value = prefix + inserted + suffix;
  reflect(prefix, make("mark", "", inserted), suffix);
}

// The same text lies behind the editor, where it can be marked, and makes it as high as it is long.
const reflect = (...parts) => mirror.replaceChildren(...parts, "\n");

function select(start, end = start) {
  editor.focus();
  editor.setSelectionRange(start, end);
}
