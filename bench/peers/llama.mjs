// llama.cpp on a GGUF file: node llama.mjs MODEL.gguf THREADS
//   prepare prefill|decode CONTEXT FILE      FILE holds the prompt's ids as int64; decode continues it one token per run
//   prepare serve STREAMS NEW LEAST FILE     as many sequences in one batch: NEW tokens after the first LEAST, LEAST + 1, … ids of FILE
import { readFileSync, writeFileSync } from 'node:fs';
import { importModule, serve } from './serve.mjs';

const [model, threads] = process.argv.slice(2);
const growth = 32;

await serve(async () => {
    const { getLlama, LlamaLogLevel } = await importModule('node-llama-cpp/dist/index.js');
    const llama = await getLlama({ gpu: false, build: 'never', maxThreads: Number(threads), logLevel: LlamaLogLevel.error, progressLogs: false });
    const loaded = await llama.loadModel({ modelPath: model });
    const context = await loaded.createContext({ contextSize: 1280, batchSize: 512, threads: Number(threads), sequences: 1 });
    const sequence = context.getSequence();
    let prompt, decoding, tokens, streams;

    const idsOf = file => {
        const data = readFileSync(file);
        return Array.from(new BigInt64Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length)), Number);
    };

    async function prepareServe(count, newTokens, least, file) {
        const ids = idsOf(file);
        const shared = await loaded.createContext({ contextSize: ids.length + newTokens + 8, batchSize: 512, threads: Number(threads), sequences: count });
        streams = Array.from({ length: count }, (_, i) => ({ sequence: shared.getSequence(), prompt: ids.slice(0, least + i), newTokens }));
    }

    async function runStream({ sequence, prompt, newTokens }) {
        await sequence.clearHistory();
        let left = newTokens;
        for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true }))
            if (--left === 0) break;
    }

    async function rewind() {
        await tokens?.return();
        if (sequence.nextTokenIndex > prompt.length - 1)
            await sequence.eraseContextTokenRanges([{ start: prompt.length - 1, end: sequence.nextTokenIndex }]);
        tokens = sequence.evaluate([prompt[prompt.length - 1]], { temperature: 0, yieldEogToken: true });
        await tokens.next();
    }

    return {
        async prepare(kind, length, file, least, ids) {
            if (kind === 'serve') return prepareServe(Number(length), Number(file), Number(least), ids);
            prompt = idsOf(file);
            decoding = kind === 'decode';
            await tokens?.return();
            tokens = undefined;
            await sequence.clearHistory();
            if (!decoding) return;
            await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(0, -1));
            await rewind();
        },
        async beforeRun() {
            if (streams) return;
            if (!decoding) await sequence.clearHistory();
            else if (sequence.nextTokenIndex >= prompt.length + growth) await rewind();
        },
        run: () => streams ? Promise.all(streams.map(runStream)) : decoding ? tokens.next() : sequence.evaluateWithoutGeneratingNewTokens(prompt),
        // Scores after the prompt's last token.
        async output(file) {
            await sequence.clearHistory();
            const last = prompt.length - 1;
            const results = await sequence.controlledEvaluate([...prompt.slice(0, last), [prompt[last], { generateNext: { logits: true } }]]);
            const scores = results[last].next.logits, logits = new Float32Array(scores.size);
            for (const [token, score] of scores) logits[token] = score;
            writeFileSync(file, new Uint8Array(logits.buffer));
        },
    };
});
