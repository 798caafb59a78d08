import { InferenceClient } from "@huggingface/inference";
import { address, all, key, print } from "./calls.mjs";

const at = (path) => new InferenceClient(key).endpoint(`${address}${path}`);
const code = { inputs: "def add(a, b):\n", parameters: { max_new_tokens: 12, temperature: 0 } };
const masked = { inputs: "import <mask>" };

await print({
  fillMask: () => at("/models/demo-fill-mask").fillMask({ ...masked, parameters: { top_k: 3 } }),
  fillMaskAtRoot: () => at("").fillMask({ ...masked, parameters: { targets: ["os", "sys"] } }),
  tokenClassification: () =>
    at("/models/demo-tag").tokenClassification({ inputs: "mail ada@example.org to Ada", parameters: { aggregation_strategy: "simple" } }),
  textClassification: () => at("/models/demo-language-id").textClassification({ inputs: "def add(a, b): return a", parameters: { top_k: 2 } }),
  featureExtraction: () => at("/models/demo-embed").featureExtraction({ inputs: "Sort a list." }),
  featureExtractionOfList: () => at("/models/demo-embed").featureExtraction({ inputs: ["Sort a list.", "Read a file."] }),
  sentenceSimilarity: () =>
    at("/models/demo-embed").sentenceSimilarity({ inputs: { source_sentence: "Sort a list.", sentences: ["Order items.", "Read a file."] } }),
  textGeneration: () => at("").textGeneration(code),
  textGenerationOfModel: () => at("/models/demo-codegen").textGeneration(code),
  textGenerationStream: () => all(at("/models/demo-codegen").textGenerationStream(code)),
  wrongValue: () => at("/models/demo-fill-mask").fillMask({ ...masked, parameters: { top_k: 0 } }),
  unknownModel: () => at("/models/demo-fill-mas").fillMask(masked),
  wrongKey: () => new InferenceClient("wrong").endpoint(`${address}/models/demo-fill-mask`).fillMask(masked),
});
