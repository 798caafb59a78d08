using System.Globalization;

namespace ManagedTransformers.Tokenizers;


/// <summary>Adds special tokens and corrects offsets, after truncation.</summary>
internal abstract class PostProcessor
{
    public virtual int AddedTokens(bool pair) => 0;

    /// <summary>Processes a text, or a pair; the results are merged in order.</summary>
    public abstract List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addSpecialTokens);
}

/// <summary>Several, one after the other.</summary>
internal sealed class SequencePostProcessor(IReadOnlyList<PostProcessor> processors) : PostProcessor
{
    public override int AddedTokens(bool pair) => processors.Sum(p => p.AddedTokens(pair));

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        foreach (PostProcessor processor in processors) encodings = processor.Process(encodings, addSpecialTokens);
        return encodings;
    }
}

/// <summary>Another one without the special tokens that it adds.</summary>
internal sealed class WithoutSpecialTokens(PostProcessor inner) : PostProcessor
{
    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addSpecialTokens) => inner.Process(encodings, addSpecialTokens: false);
}

/// <summary>Takes white space at the ends of byte-level tokens out of their offsets.</summary>
internal sealed class ByteLevelPostProcessor(bool trimOffsets, bool addPrefixSpace) : PostProcessor
{
    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addSpecialTokens) =>
        trimOffsets ? [.. encodings.Select(encoding => encoding.WithWindows(window => OffsetTrimmer.Trim(window, addPrefixSpace)))] : encodings;
}

/// <summary><c>[CLS] A [SEP]</c>, <c>[CLS] A [SEP] B [SEP]</c>, the second text with type id 1.</summary>
internal sealed class BertProcessing(Special sep, Special cls) : PostProcessor
{
    public override int AddedTokens(bool pair) => pair ? 3 : 2;

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        if (!addSpecialTokens) return encodings;
        return [.. encodings.Select((encoding, i) => encoding.WithWindows(
            window => i == 0 ? TokenEncoding.Concat(cls.Encode(0), AsText(window), sep.Encode(0)) : TokenEncoding.Concat(AsText(window), sep.Encode(1))))];
    }

    /// <summary>An encoding whose special tokens, of a post-processor before, are text as any: what is put around it alone is special.</summary>
    public static TokenEncoding AsText(TokenEncoding encoding)
    {
        if (!encoding.SpecialTokensMask.Contains(1)) return encoding;
        TokenEncoding text = encoding.Slice(0, encoding.Length);
        text.SpecialTokensMask = new int[text.Length];
        return text;
    }
}

/// <summary><c>&lt;s&gt; A &lt;/s&gt;</c>, <c>&lt;s&gt; A &lt;/s&gt;&lt;/s&gt; B &lt;/s&gt;</c>, all with type id 0.</summary>
internal sealed class RobertaProcessing(Special sep, Special cls, bool trimOffsets, bool addPrefixSpace) : PostProcessor
{
    public override int AddedTokens(bool pair) => pair ? 4 : 2;

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        if (trimOffsets) encodings = [.. encodings.Select(encoding => encoding.WithWindows(window => OffsetTrimmer.Trim(window, addPrefixSpace)))];
        foreach (TokenEncoding encoding in encodings) encoding.TypeIds = new int[encoding.Length];
        if (!addSpecialTokens) return encodings;    // the windows of a second text then keep type id 1, as in the library
        return [.. encodings.Select((encoding, i) => encoding.WithWindows(window => Surround(i == 0 ? cls : sep, window)))];
    }

    private TokenEncoding Surround(Special before, TokenEncoding encoding)
    {
        TokenEncoding surrounded = TokenEncoding.Concat(before.Encode(0), BertProcessing.AsText(encoding), sep.Encode(0));
        surrounded.TypeIds = new int[surrounded.Length];
        return surrounded;
    }
}

/// <summary>A special token (or several) that a post-processor adds.</summary>
internal sealed record Special(string[] Tokens, int[] Ids)
{
    public Special(string token, int id)
        : this([token], [id])
    {
    }

    public TokenEncoding Encode(int typeId) => TokenEncoding.OfSpecialTokens([.. Ids], [.. Tokens], typeId);
}

/// <summary>A piece of a template: one of the two texts (Sequence 0 or 1), or special tokens.</summary>
internal sealed record TemplatePiece(int TypeId, int? Sequence, Special? Special)
{
    /// <summary>Reads a template such as <c>[CLS] $A [SEP] $B:1 [SEP]:1</c>.</summary>
    /// <param name="template">Pieces with spaces between them.</param>
    /// <param name="texts">1: only A; 2: A and B.</param>
    /// <param name="idOf">The id of a token; null where there is none.</param>
    /// <exception cref="TokenizerException">A token is not in the vocabulary, or a text is missing, comes twice or is B where there is none.</exception>
    public static TemplatePiece[] Parse(string template, int texts, Func<string, int?> idOf)
    {
        TemplatePiece[] pieces = [.. template.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(piece => ParsePiece(piece, template, idOf))];
        int?[] found = [.. pieces.Where(piece => piece.Sequence is not null).Select(piece => piece.Sequence).Order()];
        if (!found.SequenceEqual(texts == 1 ? [0] : [0, 1]))
            throw new TokenizerException($"The template \"{template}\" must have {(texts == 1 ? "$A once, and no other text" : "$A and $B, each once")}.");
        return pieces;
    }

    private static TemplatePiece ParsePiece(string piece, string template, Func<string, int?> idOf)
    {
        (string name, int type) = (piece, 0);
        int colon = piece.LastIndexOf(':');
        if (colon > 0 && int.TryParse(piece.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int said))
            (name, type) = (piece[..colon], said);
        if (name is "$A" or "$B") return new TemplatePiece(type, name == "$A" ? 0 : 1, null);
        return idOf(name) is int id ? new TemplatePiece(type, null, new Special(name, id)) : throw new TokenizerException(
            $"The template \"{template}\" has {Vocabulary.Show(name)}, which is not in the vocabulary. "
            + "Name tokens that are, $A and $B, each with :1 behind it for token_type_id 1.");
    }
}

/// <summary>Texts and special tokens in the order that a template says.</summary>
internal sealed class TemplateProcessing(IReadOnlyList<TemplatePiece> single, IReadOnlyList<TemplatePiece> pair) : PostProcessor
{
    public override int AddedTokens(bool isPair) => (isPair ? pair : single).Sum(p => p.Special?.Ids.Length ?? 0);

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        if (encodings.Count > 2)
            throw new TokenizerException("A TemplateProcessing post-processor stands after another one that adds special tokens; " +
                "it must stand before it, or alone.");
        var pieces = new List<TokenEncoding>();
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
    private static TokenEncoding Typed(TokenEncoding encoding, int typeId)
    {
        TokenEncoding copy = TokenEncoding.Concat(encoding, new TokenEncoding());
        copy.TypeIds = TokenEncoding.Filled(encoding.Length, typeId);
        copy.Windows = encoding.Windows;
        return copy;
    }
}

/// <summary>Takes white space out of the offsets of byte-level tokens; process_offsets of the library.</summary>
internal static class OffsetTrimmer
{
    private static readonly char Space = ByteAlphabet.CharacterOf((byte)' ');

    /// <summary>Trims an encoding, in place; its windows are encodings of their own.</summary>
    public static TokenEncoding Trim(TokenEncoding encoding, bool addPrefixSpace)
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
        return encoding;
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
