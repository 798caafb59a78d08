namespace ManagedTransformers.Tokenizers;

/// <summary>
/// What the parts of tokenizer.json may make of a text. Parts that each double it make 2ⁿ of it: a file of a few lines, and no text ever ends. What
/// tokenizers in use do is far below these limits: they put one character in place of one, add some special tokens, and name a text once.
/// </summary>
internal static class TextGrowth
{
    /// <summary>Characters that stand before or behind every symbol of a BPE; in use are ## and &lt;/w&gt;.</summary>
    public const int MostAffix = 16;

    private const int MostParts = 64;
    private const int MostGrowth = 64;
    private const int MostTexts = 8;
    private const int MostSpecialTokens = 256;
    private const int BytesOfUnit = 3;          // of a UTF-16 unit in UTF-8

    /// <summary>The part of tokenizer.json that it was given.</summary>
    /// <exception cref="TokenizerException">A text could become too long, or goes through too many parts.</exception>
    public static JsonPart? Require(JsonPart? part)
    {
        if (part is not JsonPart json) return part;
        int parts = 0;
        double growth = Of(json, ref parts);
        if (parts > MostParts)
            throw new TokenizerException($"{json.Path} has more than {MostParts} parts, one after the other. Leave out those that change nothing.");
        if (growth > MostGrowth)
            throw new TokenizerException($"{json.Path} can make {growth:G4} characters of one; at most {MostGrowth} are possible. Its Replace, Prepend and " +
                "ByteLevel are multiplied: leave out those that put more than one character in place of one.");
        return part;
    }

    /// <exception cref="TokenizerException">A template repeats a text too often, or adds too many special tokens.</exception>
    public static TemplatePiece[] Require(JsonPart json, TemplatePiece[] template)
    {
        int texts = Math.Max(template.Count(piece => piece.Sequence == 0), template.Count(piece => piece.Sequence == 1));
        if (texts > MostTexts)
            throw new TokenizerException($"{json.Path} has a text {texts} times; at most {MostTexts} are possible. A template names each text once.");
        long tokens = template.Sum(piece => (long)(piece.Special?.Ids.Length ?? 0));
        if (tokens > MostSpecialTokens)
            throw new TokenizerException($"{json.Path} adds {tokens} special tokens to a text; at most {MostSpecialTokens} are possible.");
        return template;
    }

    /// <summary>A prefix or suffix of the symbols of a BPE; empty where there is none.</summary>
    /// <exception cref="TokenizerException">It is too long.</exception>
    public static string Affix(JsonPart? part)
    {
        string affix = part.Or("");
        return affix.Length <= MostAffix ? affix : throw new TokenizerException(
            $"{part!.Value.Path} has {affix.Length} characters, which every symbol of a text would get; at most {MostAffix} are possible.");
    }

    private static double Of(JsonPart part, ref int parts)
    {
        if (++parts > MostParts) return 1;
        switch (part.Find("type")?.String())
        {
            case "Sequence":
                double growth = 1;
                foreach (JsonPart child in (part.Find("normalizers") ?? part.Find("pretokenizers") ?? part.Find("processors") ?? part.Get("decoders")).Items())
                    growth *= Of(child, ref parts);
                return growth;
            case "Replace":
                return Math.Max(1, part.Get("content").String().Length);
            case "Prepend":
                return 1 + part.Get("prepend").String().Length;
            case "ByteLevel":
                return BytesOfUnit;
            default:
                return 1;
        }
    }
}
