// The worker: the .NET runtime and the models live here, so that the page stays responsive. It answers { id, call, args } with { id, answer }.
import { dotnet } from "./_framework/dotnet.js";

const files = {
  "demo-codegen": ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"],
  "demo-fill-mask": ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"],
};
const tell = message => self.postMessage({ progress: message });

const ready = (async () => {
  tell("Loading the runtime …");
  const runtime = await dotnet.create();
  return (await runtime.getAssemblyExports(runtime.getConfig().mainAssemblyName)).ManagedTransformers.Playground.WorkerCalls;
})();

/** The bytes of a file; how many have come is told meanwhile. */
async function bytesOf(url, loaded) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} could not be loaded: ${response.status} ${response.statusText}`);
  const parts = [];
  let size = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    loaded(value.length);
  }
  const whole = new Uint8Array(size);
  parts.reduce((at, part) => { whole.set(part, at); return at + part.length; }, 0);
  return whole;
}

/** Loads a model; the answer is what it is. */
async function load(model) {
  let size = 0;
  const loaded = bytes => { size += bytes; tell(`Loading ${model}: ${(size / 1e6).toFixed(1)} MB …`); };
  const contents = await Promise.all(files[model].map(file => bytesOf(`models/${model}/${file}`, loaded)));
  const calls = await ready;
  tell(`Opening ${model} …`);
  files[model].forEach((file, i) => calls.AddFile(model, file, contents[i]));
  return JSON.parse(calls.Open(model));
}

self.addEventListener("message", async ({ data: { id, call, args } }) => {
  try {
    const answer = call === "Load" ? await load(...args) : JSON.parse((await ready)[call](...args));
    self.postMessage({ id, answer });
  } catch (error) {
    self.postMessage({ id, failure: String(error?.message ?? error) });
  }
});
