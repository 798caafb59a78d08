// The bench's side of the conversation: one line in, one line out.
//   prepare WORDS…   make ready for a piece of work       → ready
//   run              do it once                           → milliseconds
//   output FILE      write the last result as float32     → ready
// An error is answered with "error MESSAGE" and ends the process.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const packages = process.env.BENCH_PEERS;

export const requirePackage = name => createRequire(join(packages, 'package.json'))(name);
export const importModule = path => import(pathToFileURL(join(packages, 'node_modules', path)));

export async function serve(start) {
    const say = line => process.stdout.write(line + '\n');
    try {
        const work = await start();
        say('ready');
        for await (const line of createInterface({ input: process.stdin })) {
            const [command, ...words] = line.trim().split(' ');
            if (command === 'run') {
                await work.beforeRun?.();
                const begin = process.hrtime.bigint();
                await work.run();
                say((Number(process.hrtime.bigint() - begin) / 1e6).toFixed(4));
            } else {
                await work[command](...words);
                say('ready');
            }
        }
    } catch (error) {
        say('error ' + String(error?.stack ?? error).replaceAll('\n', ' | '));
        process.exitCode = 1;
    }
    process.exit();
}
