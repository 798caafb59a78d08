namespace ManagedTransformers.Tokenizers;

/// <summary>Rewrites a text before it is split.</summary>
internal abstract class Normalizer
{
    public abstract void Normalize(NormalizedText text);

    /// <summary>The text alone that <see cref="Normalize"/> makes: where nobody asks what it stands for, most can be had faster.</summary>
    public virtual string NormalizeText(string text, CancellationToken cancellationToken)
    {
        var normalized = new NormalizedText(text, 0, text.Length, cancellationToken);
        Normalize(normalized);
        return normalized.Value();
    }

    /// <summary>Can it be seen at once that nothing of a text would change?</summary>
    public virtual bool LeavesAsIs(ReadOnlySpan<char> text) => false;

    /// <summary>The same for texts that go on in the middle of another: nothing is put before them. Null: nothing is left to do.</summary>
    public virtual Normalizer? WithNothingBefore() => this;
}

/// <summary>Several, one after the other.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<Normalizer> normalizers) : Normalizer
{
    public override void Normalize(NormalizedText text)
    {
        foreach (Normalizer normalizer in normalizers) normalizer.Normalize(text);
    }

    public override Normalizer WithNothingBefore() => new SequenceNormalizer([.. normalizers.Select(one => one.WithNothingBefore()).OfType<Normalizer>()]);

    public override string NormalizeText(string text, CancellationToken cancellationToken)
    {
        foreach (Normalizer normalizer in normalizers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!normalizer.LeavesAsIs(text)) text = normalizer.NormalizeText(text, cancellationToken);
        }
        return text;
    }
}

/// <summary>Normalisation form D.</summary>
internal sealed class NfdNormalizer : Normalizer
{
    public override void Normalize(NormalizedText text) => text.Decompose();
}

/// <summary>Normalisation form C.</summary>
internal sealed class NfcNormalizer : Normalizer
{
    public override void Normalize(NormalizedText text) => text.Compose();

    public override bool LeavesAsIs(ReadOnlySpan<char> text)
    {
        int i = text.IndexOfAnyExceptInRange('\0', '\u00BF');
        if (i < 0) return true;
        int units;
        for (; i < text.Length; i += units)
            if (!Decomposition.IsComposed(CodePoints.At(text, i, out units))) return false;
        return true;
    }
}

/// <summary>Normalisation form KD, or with composition KC.</summary>
internal sealed class CompatibilityNormalizer(bool compose) : Normalizer
{
    public override void Normalize(NormalizedText text) => text.DecomposeCompatibly(compose);
}

/// <summary>Puts a text before every part that is not empty.</summary>
internal sealed class PrependNormalizer(string before) : Normalizer
{
    public override void Normalize(NormalizedText text) => text.Prepend(before);

    public override Normalizer? WithNothingBefore() => null;

    public override string NormalizeText(string text, CancellationToken cancellationToken) => text.Length == 0 ? text : before + text;
}

/// <summary>Puts a text in place of every match.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    public override void Normalize(NormalizedText text) => text.Replace(pattern, content);

    public override string NormalizeText(string text, CancellationToken cancellationToken) =>
        text.Length == 0 ? text : pattern.Replace(text, content, cancellationToken);
}

/// <summary>Takes white space off the ends, or spaces (U+0020) alone.</summary>
internal sealed class StripNormalizer(bool left, bool right, bool spacesOnly = false) : Normalizer
{
    public override void Normalize(NormalizedText text) => text.Strip(left, right, Strips);

    public override string NormalizeText(string text, CancellationToken cancellationToken)
    {
        int end = text.Length, start = 0;
        while (right && end > 0 && Strips(text[end - 1])) end--;
        while (left && start < end && Strips(text[start])) start++;
        return text[start..end];
    }

    private bool Strips(int codePoint) => spacesOnly ? codePoint == ' ' : CodePoints.Is(codePoint, CodePointClass.Space);
}

/// <summary>Removes control characters and makes spaces of what separates; the first step of SentencePiece's nmt_nfkc.</summary>
internal sealed class NmtNormalizer : Normalizer
{
    public override void Normalize(NormalizedText text)
    {
        text.Filter(c => c is not ((>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F));
        text.Map(c => c is '\t' or '\n' or '\f' or '\r' or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD ? ' ' : c);
    }
}

/// <summary>Writes the bytes of UTF-8 in the characters of <see cref="ByteAlphabet"/>.</summary>
internal sealed class ByteLevelNormalizer : Normalizer
{
    public override void Normalize(NormalizedText text) => text.ToBytes();
}

/// <summary>Lower case.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    public override void Normalize(NormalizedText text) => text.Lowercase();
}

/// <summary>Removes combining marks; of precomposed characters only after NFD.</summary>
internal sealed class StripAccentsNormalizer : Normalizer
{
    public override void Normalize(NormalizedText text) => text.Filter(c => !CodePoints.IsCombiningMark(c));
}

/// <summary>What BERT does to a text: cleans it, sets Chinese characters apart, strips accents, lowers the case.</summary>
/// <remarks>BasicTokenizer of google-research/bert; BertNormalizer of the library.</remarks>
internal sealed class BertNormalizer : Normalizer
{
    public bool CleanText { get; init; } = true;
    public bool HandleChineseChars { get; init; } = true;

    /// <summary>null: as <see cref="Lowercase"/>.</summary>
    public bool? StripAccents { get; init; }

    public bool Lowercase { get; init; } = true;

    public override void Normalize(NormalizedText text)
    {
        if (CleanText)
        {
            text.Filter(c => c is '\t' or '\n' or '\r' || (c is not (0 or 0xFFFD) && !CodePoints.Is(c, CodePointClass.Control)));
            text.Map(c => CodePoints.Is(c, CodePointClass.Space) ? ' ' : c);
        }
        if (HandleChineseChars) text.Surround(CodePoints.IsChinese);
        if (StripAccents ?? Lowercase)
        {
            text.Decompose();
            text.Filter(c => !CodePoints.Is(c, CodePointClass.Mark));
        }
        if (Lowercase) text.Lowercase();
    }
}
