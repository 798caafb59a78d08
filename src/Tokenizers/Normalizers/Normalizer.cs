namespace ManagedTransformers.Tokenizers;

/// <summary>Rewrites a text before it is split.</summary>
internal abstract class Normalizer
{
    public abstract void Normalize(NormalizedText text);
}

/// <summary>Several, one after the other.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<Normalizer> normalizers) : Normalizer
{
    public override void Normalize(NormalizedText text)
    {
        foreach (Normalizer normalizer in normalizers) normalizer.Normalize(text);
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
