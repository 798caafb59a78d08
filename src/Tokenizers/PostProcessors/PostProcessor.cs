namespace ManagedTransformers.Tokenizers;

/// <summary>Adds special tokens and corrects offsets, after truncation.</summary>
internal abstract class PostProcessor
{
    public virtual int AddedTokens(bool pair) => 0;

    /// <summary>Processes a text, or a pair; the results are merged in order.</summary>
    public abstract List<Encoding> Process(List<Encoding> encodings, bool addSpecialTokens);
}

/// <summary>Several, one after the other.</summary>
internal sealed class SequencePostProcessor(IReadOnlyList<PostProcessor> processors) : PostProcessor
{
    public override int AddedTokens(bool pair) => processors.Sum(p => p.AddedTokens(pair));

    public override List<Encoding> Process(List<Encoding> encodings, bool addSpecialTokens)
    {
        foreach (PostProcessor processor in processors) encodings = processor.Process(encodings, addSpecialTokens);
        return encodings;
    }
}

/// <summary>Another one without the special tokens that it adds.</summary>
internal sealed class WithoutSpecialTokens(PostProcessor inner) : PostProcessor
{
    public override List<Encoding> Process(List<Encoding> encodings, bool addSpecialTokens) => inner.Process(encodings, addSpecialTokens: false);
}

/// <summary>Takes white space at the ends of byte-level tokens out of their offsets.</summary>
internal sealed class ByteLevelPostProcessor(bool trimOffsets, bool addPrefixSpace) : PostProcessor
{
    public override List<Encoding> Process(List<Encoding> encodings, bool addSpecialTokens) =>
        trimOffsets ? [.. encodings.Select(encoding => encoding.WithWindows(window => OffsetTrimmer.Trim(window, addPrefixSpace)))] : encodings;
}

/// <summary><c>[CLS] A [SEP]</c>, <c>[CLS] A [SEP] B [SEP]</c>, the second text with type id 1.</summary>
internal sealed class BertProcessing(Special sep, Special cls) : PostProcessor
{
    public override int AddedTokens(bool pair) => pair ? 3 : 2;

    public override List<Encoding> Process(List<Encoding> encodings, bool addSpecialTokens)
    {
        if (!addSpecialTokens) return encodings;
        return [.. encodings.Select((encoding, i) => encoding.WithWindows(
            window => i == 0 ? Encoding.Concat(cls.Encode(0), window, sep.Encode(0)) : Encoding.Concat(window, sep.Encode(1))))];
    }
}

/// <summary><c>&lt;s&gt; A &lt;/s&gt;</c>, <c>&lt;s&gt; A &lt;/s&gt;&lt;/s&gt; B &lt;/s&gt;</c>, all with type id 0.</summary>
internal sealed class RobertaProcessing(Special sep, Special cls, bool trimOffsets, bool addPrefixSpace) : PostProcessor
{
    public override int AddedTokens(bool pair) => pair ? 4 : 2;

    public override List<Encoding> Process(List<Encoding> encodings, bool addSpecialTokens)
    {
        if (trimOffsets) encodings = [.. encodings.Select(encoding => encoding.WithWindows(window => OffsetTrimmer.Trim(window, addPrefixSpace)))];
        foreach (Encoding encoding in encodings) encoding.TypeIds = new int[encoding.Length];
        if (!addSpecialTokens) return encodings;    // the windows of a second text then keep type id 1, as in the library
        return [.. encodings.Select((encoding, i) => encoding.WithWindows(window => Surround(i == 0 ? cls : sep, window)))];
    }

    private Encoding Surround(Special before, Encoding encoding)
    {
        Encoding surrounded = Encoding.Concat(before.Encode(0), encoding, sep.Encode(0));
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

    public Encoding Encode(int typeId) => Encoding.OfSpecialTokens([.. Ids], [.. Tokens], typeId);
}
