import { constructLlmApi } from "@continuedev/openai-adapters";
import { address, all, key, print } from "./calls.mjs";

const openai = constructLlmApi({ provider: "openai", apiBase: `${address}/v1/`, apiKey: key });
const vllm = constructLlmApi({ provider: "vllm", apiBase: `${address}/v1/`, apiKey: key });
const llamaCpp = constructLlmApi({ provider: "llama.cpp", apiBase: `${address}/`, apiKey: key });
const { signal } = new AbortController();
const completion = { model: "demo-codegen", prompt: "def add(a, b):\n", max_tokens: 12, temperature: 0 };
const gap = { model: "demo-codegen", prompt: "def add(a, b):\n    return ", suffix: "\n\nprint(add(1, 2))\n", max_tokens: 12, temperature: 0 };
const texts = { model: "demo-embed", input: ["Sort a list.", "Read a file."] };
const ranked = { model: "demo-rerank", query: "sort a list", documents: ["read a file", "order the items"] };

await print({
  whole: () => openai.completionNonStream(completion, signal),
  streamed: () => all(openai.completionStream({ ...completion, stream: true, stop: ["\n\n\n"], frequency_penalty: 0, presence_penalty: 0, top_p: 1 }, signal)),
  fim: () => all(openai.fimStream({ ...gap, stream: true, stop: ["\n\n\n"] }, signal)),
  embed: () => openai.embed(texts),
  list: () => vllm.list(),
  rerank: () => vllm.rerank(ranked),
  llamaCppWhole: () => llamaCpp.completionNonStream(completion, signal),
  llamaCppStreamed: () => all(llamaCpp.completionStream({ ...completion, stream: true }, signal)),
  llamaCppEmbed: () => llamaCpp.embed(texts),
  llamaCppList: () => llamaCpp.list(),
  llamaCppRerank: () => llamaCpp.rerank(ranked),
});
