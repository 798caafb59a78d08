// What the page shows: the model, the text, what is switched. Whoever changes it calls `change`, and everyone who listens hears of it.

export const examples = {
  "demo-codegen": [
    ["the largest", "def largest(numbers):\n    \"\"\"Return the largest of the numbers.\"\"\"\n    return"],
    ["a sum", "def add(a, b):\n    \"\"\"Return the sum of a and b.\"\"\"\n    return a +"],
    ["a loop", "for i in range(10):\n    print("],
    ["copying a name", "def area(width, height):\n    return width *"],
  ],
  "demo-fill-mask": [
    ["PHP", "public static <mask> set(string $key, $value) {"],
    ["Go", "if err != <mask> {\n    return err\n}"],
    ["JavaScript", "const fs = <mask>('fs');"],
    ["Java", "public <mask> String toString() {"],
  ],
};

/** What the page opens with. */
const example = {
  model: "demo-codegen", text: examples["demo-codegen"][0][1], second: "def sum(numbers):\n    \"\"\"Return the sum of the numbers.\"\"\"\n    return",
  focus: null, off: new Set(), copies: new Set(), temperature: 1, topP: 1,
};

/** focus is a token, or null: the last one, or the first mask. off and copies name parts as Switches.cs reads them. */
export const state = { ...example };

const listeners = [];

/** Called with the names of what changed. */
export const onChange = listener => listeners.push(listener);

/** Changes the state. */
export function change(values) {
  Object.assign(state, values);
  listeners.forEach(listener => listener(Object.keys(values)));
}

/** Goes back to what the page opens with. */
export const reset = () => change(example);

/** Whether nothing was changed. */
export const isExample = () => Object.keys(example).every(name => state[name] === example[name]);

/** Switches a part off, or on again. */
export function toggle(kind, name) {
  const names = new Set(state[kind]);
  if (!names.delete(name)) names.add(name);
  change({ [kind]: names });
}

/** Whether anything differs from the whole model. */
export const isChanged = () => state.off.size + state.copies.size > 0;
