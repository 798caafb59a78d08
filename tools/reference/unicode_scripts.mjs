// Asks the tokenizers library which script each code point has to its UnicodeScripts pre-tokenizer, and prints the table for
// src/Tokenizers/Unicode/ScriptData.cs: runs over all code points, each a length and a script (0: any), as variable-length numbers in base64.
//   npm install --prefix DIR @anush008/tokenizers @anush008/tokenizers-linux-x64-gnu
//   node tools/reference/unicode_scripts.mjs DIR
// Numbers of scripts are in the order of their first code point. Hiragana, Katakana and U+30FC are Han's there, a space is any script's.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { Tokenizer } = createRequire(join(process.argv[2], 'package.json'))('@anush008/tokenizers');
const tokenizer = Tokenizer.fromString(JSON.stringify({
    version: '1.0', pre_tokenizer: { type: 'UnicodeScripts' }, model: { type: 'WordLevel', vocab: { '<unk>': 0 }, unk_token: '<unk>' },
}));

const count = 0x110000, batch = 1000;
const text = codePoint => String.fromCodePoint(codePoint);
const isSurrogate = codePoint => codePoint >= 0xD800 && codePoint < 0xE000;
const words = async texts => (await tokenizer.encodeBatch(texts)).map(encoding => encoding.getIds().length);

// Any script's: neither beside a Latin nor beside a Han character is a new word begun.
async function isAny(codePoints) {
    const latin = await words(codePoints.map(c => `a${text(c)}a`)), han = await words(codePoints.map(c => `京${text(c)}京`));
    return codePoints.map((_, i) => latin[i] === 1 && han[i] === 1);
}

async function inBatches(all, ask) {
    const answers = [];
    for (let i = 0; i < all.length; i += batch) answers.push(...await ask(all.slice(i, i + batch)));
    return answers;
}

const valid = Array.from({ length: count }, (_, c) => c).filter(c => !isSurrogate(c));
const any = new Set();
(await inBatches(valid, isAny)).forEach((is, i) => { if (is) any.add(valid[i]); });

const named = valid.filter(c => !any.has(c));
const begins = await inBatches(named.slice(1).map((c, i) => [named[i], c]), async pairs => (await words(pairs.map(([a, b]) => text(a) + text(b)))).map(n => n === 2));
const scripts = new Uint8Array(count), first = [];
for (let i = 0, script = 0; i < named.length; i++) {
    if (i === 0 || begins[i - 1]) {
        const same = (await words(first.map(c => text(c) + text(named[i])))).indexOf(1);
        script = same < 0 ? first.push(named[i]) : same + 1;
    }
    scripts[named[i]] = script;
}

const bytes = [];
const put = number => { for (; number > 127; number >>>= 7) bytes.push(number & 127 | 128); bytes.push(number); };
for (let start = 0, end; start < count; start = end) {
    for (end = start; end < count && scripts[end] === scripts[start];) end++;
    put(end - start);
    put(scripts[start]);
}
console.error(`${first.length} scripts, ${bytes.length} bytes`);
const base64 = Buffer.from(bytes).toString('base64').match(/.{1,144}/g);
console.log(base64.map(line => `        "${line}"`).join(' +\n') + ';');
