// Asks the tokenizers library which code points a class of its regular expressions has, and prints the tables for src/Tokenizers/Text/RegexData.cs:
// gap and length of every run, as variable-length numbers in base64.
//   npm install --prefix DIR @anush008/tokenizers @anush008/tokenizers-linux-x64-gnu
//   node tools/reference/regex_classes.mjs DIR
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { Tokenizer } = createRequire(join(process.argv[2], 'package.json'))('@anush008/tokenizers');
const all = Array.from({ length: 0x110000 }, (_, c) => c).filter(c => c < 0xD800 || c >= 0xE000);
const batch = 8192;

// Splits all code points at the class; what is not left over is in it.
async function members(regex) {
    const tokenizer = Tokenizer.fromString(JSON.stringify({
        version: '1.0', pre_tokenizer: { type: 'Split', pattern: { Regex: regex }, behavior: 'Removed', invert: false },
        model: { type: 'WordLevel', vocab: { '<unk>': 0 }, unk_token: '<unk>' },
    }));
    const found = new Set(all);
    for (let i = 0; i < all.length; i += batch) {
        const part = all.slice(i, i + batch);
        const encoding = await tokenizer.encode(String.fromCodePoint(...part), null, { addSpecialTokens: false });
        for (const [start, end] of encoding.getOffsets()) for (let k = start; k < end; k++) found.delete(part[k]);
    }
    return found;
}

function packed(set) {
    const bytes = [];
    const put = number => { for (; number > 127; number >>>= 7) bytes.push(number & 127 | 128); bytes.push(number); };
    const sorted = [...set].sort((a, b) => a - b);
    for (let i = 0, last = 0; i < sorted.length;) {
        let k = i + 1;
        while (k < sorted.length && sorted[k] === sorted[k - 1] + 1) k++;
        put(sorted[i] - last);
        put(k - i);
        last = sorted[k - 1] + 1;
        i = k;
    }
    return Buffer.from(bytes).toString('base64');
}

const lines = (base64, indent) => base64.match(/.{1,140}/g).map(line => `${indent}"${line}"`).join(' +\n');
for (const [name, regex] of [['OtherAlphabetic', '[\\p{Alphabetic}&&[^\\p{L}\\p{Nl}]]'], ['OtherLowercase', '[\\p{Lowercase}&&[^\\p{Ll}]]'],
    ['OtherUppercase', '[\\p{Uppercase}&&[^\\p{Lu}]]']])
    console.log(`    public static readonly CodePointSet ${name} = new(\n${lines(packed(await members(regex)), '        ')});\n`);
const scripts = 'Arabic Armenian Bengali Bopomofo Common Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Han Hangul Hebrew Hiragana Inherited ' +
    'Kannada Katakana Khmer Lao Latin Malayalam Mongolian Myanmar Sinhala Tamil Telugu Thai Tibetan';
for (const script of scripts.split(' '))
    console.log(`        ["${script.toLowerCase()}"] =\n${lines(packed(await members(`\\p{${script}}`)), '            ')},`);
