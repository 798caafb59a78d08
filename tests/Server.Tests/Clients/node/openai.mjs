import OpenAI from "openai";
import { address, all, key, print } from "./calls.mjs";

const options = { baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 };
const client = new OpenAI(options);
const complete = (more) =>
  client.completions.create({ model: "demo-codegen", prompt: "def add(a, b):\n", temperature: 0, ...more });
const embed = (more) => client.embeddings.create({ model: "demo-embed", input: ["Sort a list.", "Read a file."], ...more });
const slots = async () =>
  (await (await fetch(`${address}/slots`, { headers: { Authorization: `Bearer ${key}` } })).json()).filter((slot) => slot.is_processing).length;

await print({
  whole: () => complete({ max_tokens: 12 }),
  several: () => complete({ prompt: ["x = 1", "def f("], n: 2, max_tokens: 4 }),
  stopped: () => complete({ max_tokens: 24, stop: ["\n"] }),
  probabilities: () => complete({ max_tokens: 2, logprobs: 2, echo: true }),
  streamed: async () => all(await complete({ max_tokens: 24, stream: true, stream_options: { include_usage: true } })),
  infilled: () => complete({ prompt: "def add(a, b):\n    return ", suffix: "\n\nprint(add(1, 2))\n", max_tokens: 12 }),
  base64: () => embed(),
  float: () => embed({ encoding_format: "float" }),
  shorter: () => embed({ dimensions: 64 }),
  models: async () => (await client.models.list()).data,
  model: () => client.models.retrieve("demo-codegen"),
  wrongKey: () => new OpenAI({ ...options, apiKey: "wrong" }).models.list(),
  unknownModel: () => complete({ model: "demo-codegem" }),
  unknownModelOfPath: () => client.models.retrieve("demo-codegem"),
  wrongValue: () => complete({ temperature: 3 }),
  tooLong: () => complete({ max_tokens: 100000 }),
  chat: () => client.chat.completions.create({ model: "demo-codegen", messages: [{ role: "user", content: "hello" }] }),
  aborted: async () => {
    const prompt = Array(64).fill("x = 1");
    const stream = await complete({ prompt, max_tokens: 500, n: 16, ignore_eos: true, stream: true });
    let during = 0;
    for await (const _ of stream) {
      during = await slots();
      break; // which ends the request
    }
    while ((await slots()) > 0) await new Promise((done) => setTimeout(done, 5));
    return { during };
  },
});
