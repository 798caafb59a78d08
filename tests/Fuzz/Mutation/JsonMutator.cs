using System.Globalization;

namespace ManagedTransformers.Fuzz;

/// <summary>Changes JSON as a tree: values, keys, order, depth. What does not parse is changed as bytes.</summary>
/// <param name="words">Keys and values of the format, as they stand in JSON.</param>
internal sealed class JsonMutator(params string[] words) : Mutator
{
    private const int MostValues = 5000;

    private static readonly string[] s_values =
    [
        "null", "true", "false", "0", "-0", "1", "-1", "2", "255", "256", "65536", "2147483647", "2147483648", "-2147483648", "4294967296",
        "9223372036854775807", "9223372036854775808", "1e308", "1e999", "-1e999", "1.5", "1e-400", "0.1", "1.0", "1E2", "NaN", "Infinity", "-Infinity",
        "123456789012345678901234567890", "\"\"", "\" \"", "\"a\"", "\"0\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\ude00\"",
        "\"\\n\"", "\"\\\\\"", "\"..\"", "\"/\"", "\"../x\"", "\"\u00c3\u00a9\"", "\"\u00e2\u0096\u0081\"", "\"\u00f0\u009f\u0098\u0080\"", "\"\u00ff\"",
        "[]", "{}", "[[]]", "[null]", "{\"\":null}", "[0,0]", "[-1]", "[1e99]",
    ];

    private readonly ByteMutator _bytes = new([.. words, "\"", "\\u", "{", "}", "[", "]", ",", ":", "null"]);

    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        if (random.Next(8) == 0 || JsonTree.Parse(input) is not JsonTree tree)
            return _bytes.Change(random, input, other);
        JsonTree? donor = random.Next(3) == 0 ? JsonTree.Parse(other) : null;
        for (int i = Changes(random); i > 0; i--)
        {
            List<JsonTree> all = tree.All();
            if (all.Count > MostValues)
                break;
            ChangeOnce(random, all[random.Next(all.Count)], donor is null ? all : donor.All());
        }
        return tree.ToBytes();
    }

    /// <summary>A part of an object or array many times, its keys and ids numbered.</summary>
    public override byte[] Grow(Random random, byte[] input, int length)
    {
        if (random.Next(3) == 0 || JsonTree.Parse(input) is not JsonTree tree
            || tree.All().Where(one => one.Parts.Count > 0).ToArray() is not { Length: > 0 } wholes)
            return base.Grow(random, input, length);
        JsonTree whole = wholes[random.Next(wholes.Length)];
        (string? key, JsonTree value) = whole.Parts[random.Next(whole.Parts.Count)];
        int count = length / ((key?.Length ?? 0) + value.ToBytes().Length + 8);
        bool isNumber = value.Leaf?.All(char.IsAsciiDigit) == true, isText = value.Leaf?.StartsWith('"') == true && random.Next(2) == 0;
        for (int i = 0; i < count; i++)
        {
            JsonTree next = isNumber ? JsonTree.OfLeaf($"{i}") : isText ? JsonTree.OfLeaf($"{value.Leaf![..^1]}{i}\"") : value;
            whole.Parts.Add((key is null ? null : $"{key[..^1]}{i}\"", next));
        }
        return tree.ToBytes();
    }

    private void ChangeOnce(Random random, JsonTree tree, List<JsonTree> donors)
    {
        if (tree.Leaf is null && tree.Parts.Count > 0 && random.Next(3) > 0)
            ChangeParts(random, tree, donors);
        else if (random.Next(12) == 0)
            Nest(random, tree);
        else if (random.Next(4) == 0)
            tree.Become(donors[random.Next(donors.Count)].Clone());
        else if (tree.Leaf is string leaf && random.Next(2) == 0)
            tree.Leaf = leaf.StartsWith('"') ? Text(random, leaf[1..^1]) : Number(random, leaf);
        else
            tree.Become(Value(random));
    }

    private void ChangeParts(Random random, JsonTree tree, List<JsonTree> donors)
    {
        int at = random.Next(tree.Parts.Count);
        (string? key, JsonTree value) = tree.Parts[at];
        switch (random.Next(8))
        {
            case 0: tree.Parts.RemoveAt(at); break;
            case 1: tree.Parts.Insert(random.Next(tree.Parts.Count + 1), (key, value.Clone())); break;
            case 2: tree.Parts[at] = (key, Value(random)); break;
            case 3: tree.Parts[at] = (key, donors[random.Next(donors.Count)].Clone()); break;
            case 4: tree.Parts[at] = (Key(random, donors) ?? key, value); break;
            case 5: tree.Parts.Add((Key(random, donors) ?? key, donors[random.Next(donors.Count)].Clone())); break;
            case 6:
                int to = random.Next(tree.Parts.Count);
                (tree.Parts[at], tree.Parts[to]) = (tree.Parts[to], tree.Parts[at]);
                break;
            default:
                for (int i = Math.Min(1 << random.Next(8), MostValues / value.All().Count); i > 0; i--)
                    tree.Parts.Add((key is null ? null : $"\"{key.Trim('"')}{i}\"", value.Clone()));
                break;
        }
    }

    private string? Key(Random random, List<JsonTree> donors)
    {
        if (words.Length > 0 && random.Next(2) == 0)
            return words[random.Next(words.Length)] is var word && word.StartsWith('"') ? word : $"\"{word}\"";
        JsonTree donor = donors[random.Next(donors.Count)];
        return donor.Parts.Count > 0 ? donor.Parts[random.Next(donor.Parts.Count)].Key : null;
    }

    private JsonTree Value(Random random) => JsonTree.OfLeaf(words.Length > 0 && random.Next(3) == 0
        ? words[random.Next(words.Length)] is var word && (word.StartsWith('"') || word.StartsWith('{')) ? word : $"\"{word}\""
        : s_values[random.Next(s_values.Length)]);

    private static void Nest(Random random, JsonTree tree)
    {
        int depth = random.Next(40) == 0 ? 2000 : 1 + random.Next(70);
        bool isObject = random.Next(2) == 0;
        string? key = isObject && tree.Parts.Count > 0 ? tree.Parts[0].Key : null;
        for (; depth > 0; depth--)
        {
            JsonTree inner = new() { Leaf = tree.Leaf, IsObject = tree.IsObject };
            inner.Parts.AddRange(tree.Parts);
            tree.Parts.Clear();
            (tree.Leaf, tree.IsObject) = (null, isObject);
            tree.Parts.Add((key, inner));
        }
    }

    private static string Number(Random random, string number) =>
        long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && random.Next(2) == 0
            ? (random.Next(3) switch { 0 => value + 1, 1 => value - 1, _ => unchecked(value * 2) }).ToString(CultureInfo.InvariantCulture)
            : ByteMutator.Edge(random).ToString(CultureInfo.InvariantCulture);

    private static string Text(Random random, string text)
    {
        int at = random.Next(text.Length + 1);
        return random.Next(6) switch
        {
            0 => $"\"{text[..at]}\"",
            1 => $"\"{text}{text}\"",
            2 => $"\"{Repeated(text.Length == 0 ? "a" : text, 1 << random.Next(12))}\"",
            3 => $"\"{text[at..]}{text[..at]}\"",
            4 => $"\"{text[..at]}{(char)random.Next(32, 256)}{text[at..]}\"",
            _ => $"\"{text[..at]}{s_values[random.Next(s_values.Length)].Trim('"')}{text[at..]}\"",
        };
    }

    private static string Repeated(string text, int times) => string.Concat(Enumerable.Repeat(text, Math.Min(times, 1 + (4096 / text.Length))));
}
