// The page's side of the worker.

/** What the user did wrong, in words of the model's code. */
export class InputError extends Error {}

const waiting = new Map();
let next = 0, worker = null;

/** Starts the worker. `told` is called with what it does while it loads. */
export function start(told) {
  worker = new Worker("worker.js", { type: "module" });
  worker.addEventListener("message", ({ data }) => {
    if (data.progress !== undefined) return told(data.progress);
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.failure !== undefined) reject(new Error(data.failure));
    else if (data.answer.error !== undefined) reject(new InputError(data.answer.error));
    else resolve(data.answer);
  });
  worker.addEventListener("error", event => {
    const error = new Error(event.message || "The model's worker could not be started.");
    waiting.forEach(({ reject }) => reject(error));
    waiting.clear();
  });
}

/** Calls a method of WorkerCalls; the worker does one after the other. */
export function call(name, ...args) {
  const id = next++;
  worker.postMessage({ id, call: name, args });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

/** Why this browser cannot run the page; null: it can. The runtime needs WebAssembly with 128-bit vectors. */
export function missing() {
  if (typeof WebAssembly !== "object") return "This browser has no WebAssembly, in which the model runs.";
  // A module with one function: v128.const 0, drop.
  const simd = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12, ...new Array(16).fill(0), 26, 11]);
  return WebAssembly.validate(simd) ? null : "This browser's WebAssembly has no vectors (SIMD), which the model's kernels compute with.";
}
