// ONNX Runtime on an encoder graph: node ort_encoder.mjs MODEL.onnx THREADS
//   prepare BATCH SEQUENCE FILE      FILE holds input_ids, then attention_mask, as int64 [batch, sequence]
import { readFileSync, writeFileSync } from 'node:fs';
import { requirePackage, serve } from './serve.mjs';

const [model, threads] = process.argv.slice(2);

await serve(async () => {
    const ort = requirePackage('onnxruntime-node');
    const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all', executionProviders: ['cpu'],
    });
    const name = session.outputNames[0];
    let feeds, fetches;
    return {
        async prepare(batch, sequence, file) {
            const shape = [Number(batch), Number(sequence)];
            const data = readFileSync(file);
            const numbers = new BigInt64Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
            const half = numbers.length / 2;
            feeds = {
                input_ids: new ort.Tensor('int64', numbers.slice(0, half), shape),
                attention_mask: new ort.Tensor('int64', numbers.slice(half), shape),
            };
            const first = await session.run(feeds);
            fetches = { [name]: new ort.Tensor('float32', new Float32Array(first[name].data.length), first[name].dims) };
        },
        run: () => session.run(feeds, fetches),
        output: async file => { await session.run(feeds, fetches); const d = fetches[name].data; writeFileSync(file, new Uint8Array(d.buffer, d.byteOffset, d.byteLength)); },
    };
});
