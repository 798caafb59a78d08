// HF's tokenizers library on a tokenizer.json: node hf_tokenizer.mjs tokenizer.json THREADS
//   prepare FILE      FILE holds the texts, a JSON array of strings
import { readFileSync, writeFileSync } from 'node:fs';
import { requirePackage, serve } from './serve.mjs';

const [model, threads] = process.argv.slice(2);
process.env.RAYON_NUM_THREADS = threads;
process.env.TOKENIZERS_PARALLELISM = Number(threads) > 1 ? 'true' : 'false';

await serve(async () => {
    const { Tokenizer } = requirePackage('@anush008/tokenizers');
    const tokenizer = Tokenizer.fromString(readFileSync(model, 'utf8'));
    let texts;
    const ids = async () => (await tokenizer.encodeBatch(texts, { addSpecialTokens: false })).map(encoding => encoding.getIds());
    return {
        prepare: file => { texts = JSON.parse(readFileSync(file, 'utf8')); },
        run: ids,
        output: async file => writeFileSync(file, new Uint8Array(Float32Array.from((await ids()).flat()).buffer)),
    };
});
