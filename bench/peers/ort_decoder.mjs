// ONNX Runtime on the graph of decoder_onnx.py: node ort_decoder.mjs MODEL.onnx THREADS
//   prepare prefill|decode CONTEXT FILE      FILE holds the prompt's ids as int64; decode continues it one token per run
import { readFileSync, writeFileSync } from 'node:fs';
import { requirePackage, serve } from './serve.mjs';

const [model, threads] = process.argv.slice(2);
const layers = 20, heads = 16, headDim = 64, vocabulary = 51200, growth = 32;

await serve(async () => {
    const ort = requirePackage('onnxruntime-node');
    const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all', executionProviders: ['cpu'],
    });
    let feeds, fetches, prompt, decoding, past;

    // Attention works in place on one buffer per layer; it is slower the longer the buffer is, so it is no longer than needed.
    function allocate(length) {
        [feeds, fetches] = [{}, {}];
        for (let i = 0; i < layers; i++) {
            for (const part of ['key', 'value']) {
                const cache = new ort.Tensor('float32', new Float32Array(heads * length * headDim), [1, heads, length, headDim]);
                feeds[`past_${part}_${i}`] = fetches[`present_${part}_${i}`] = cache;
            }
        }
        fetches.logits = new ort.Tensor('float32', new Float32Array(vocabulary), [1, 1, vocabulary]);
    }

    function forward(ids, before) {
        feeds.input_ids = new ort.Tensor('int64', ids, [1, ids.length]);
        feeds.seqlens_k = new ort.Tensor('int32', Int32Array.of(before + ids.length - 1), [1]);
        feeds.total_sequence_length = new ort.Tensor('int32', Int32Array.of(before + ids.length), [1]);
        return session.run(feeds, fetches);
    }

    return {
        async prepare(kind, context, file) {
            const data = readFileSync(file);
            prompt = new BigInt64Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
            decoding = kind === 'decode';
            allocate(decoding ? prompt.length + 2 * growth : prompt.length);
            await forward(prompt, 0);
            past = prompt.length;
        },
        run() {
            if (!decoding) return forward(prompt, 0);
            if (past >= prompt.length + growth) past = prompt.length;
            return forward(BigInt64Array.of(prompt[past % prompt.length]), past++);
        },
        output: async file => { await forward(prompt, 0); const d = fetches.logits.data; writeFileSync(file, new Uint8Array(d.buffer, d.byteOffset, d.byteLength)); },
    };
});
