namespace ManagedTransformers.Tokenizers;

/// <summary>A piece of a template: one of the two texts (Sequence 0 or 1), or special tokens.</summary>
internal sealed record TemplatePiece(int TypeId, int? Sequence, Special? Special);

/// <summary>Texts and special tokens in the order that a template says.</summary>
internal sealed class TemplateProcessing(IReadOnlyList<TemplatePiece> single, IReadOnlyList<TemplatePiece> pair) : PostProcessor
{
    public override int AddedTokens(bool isPair) => (isPair ? pair : single).Sum(p => p.Special?.Ids.Length ?? 0);

    public override List<Encoding> Process(List<Encoding> encodings, bool addSpecialTokens)
    {
        if (encodings.Count > 2)
            throw new TokenizerException("A TemplateProcessing post-processor stands after another one that adds special tokens; it must stand before it, or alone.");
        var pieces = new List<Encoding>();
        foreach (TemplatePiece piece in encodings.Count == 1 ? single : pair)
        {
            if (piece.Special is not null)
            {
                if (addSpecialTokens) pieces.Add(piece.Special.Encode(piece.TypeId));
            }
            else if (piece.Sequence is int sequence)
            {
                pieces.Add(Typed(encodings[sequence], piece.TypeId));
            }
        }

        return pieces;
    }

    // A template may name a text twice, with two types: each gets its own array.
    private static Encoding Typed(Encoding encoding, int typeId)
    {
        Encoding copy = Encoding.Concat(encoding, new Encoding());
        copy.TypeIds = Encoding.Filled(encoding.Length, typeId);
        copy.Overflowing = encoding.Overflowing;
        return copy;
    }
}

/// <summary>Takes white space out of the offsets of byte-level tokens; process_offsets of the library.</summary>
internal static class OffsetTrimmer
{
    private static readonly char Space = ByteAlphabet.CharacterOf((byte)' ');

    /// <summary>Trims an encoding and its windows, in place.</summary>
    public static void Trim(Encoding encoding, bool addPrefixSpace)
    {
        for (int i = 0; i < encoding.Length; i++)
        {
            string token = encoding.Tokens[i];
            int leading = 0, trailing = 0;
            while (leading < token.Length && IsSpace(token[leading])) leading++;
            while (trailing < token.Length && IsSpace(token[^(trailing + 1)])) trailing++;
            if (leading == 0 && trailing == 0) continue;

            // A single space at the very beginning is the one that the pre-tokenizer put there.
            if (leading == 1 && addPrefixSpace && (i == 0 || encoding.Offsets[i].Start == 0)) leading = 0;
            bool both = !ReferenceEquals(encoding.Offsets, encoding.Utf16Offsets);
            encoding.Offsets[i] = Trim(encoding.Offsets[i], leading, trailing);
            if (both) encoding.Utf16Offsets[i] = Trim(encoding.Utf16Offsets[i], leading, trailing);
        }

        foreach (Encoding window in encoding.Overflowing) Trim(window, addPrefixSpace);
    }

    private static (int Start, int End) Trim((int Start, int End) offsets, int leading, int trailing)
    {
        (int start, int end) = offsets;
        if (leading > 0) start = Math.Min(start + leading, end);
        if (trailing > 0 && end >= trailing) end = Math.Max(end - trailing, start);
        return (start, end);
    }

    private static bool IsSpace(char c) => c == Space || CodePoints.Is(c, CodePointClass.Space);
}
