namespace ManagedTransformers.Tokenizers;

/// <summary>The ids of BERT's texts without normalising them: a text as given is cut where normaliser and pre-tokenizer cut whatever stands around it, at white
/// space, punctuation and Chinese characters. A piece between has the same ids everywhere, and most were seen before.</summary>
/// <remarks>What is new goes the way of all texts, by itself.</remarks>
internal sealed class BertPieces
{
    private readonly TokenizerParts _parts;
    private readonly WordCache<int[]> _cache = new();
    private readonly Cut[] _cuts = new Cut[char.MaxValue + 1];      // [UTF-16 units], found out when they come

    private BertPieces(TokenizerParts parts) => _parts = parts;

    private enum Cut : byte
    {
        Unknown,

        /// <summary>Belongs to a piece with its neighbours.</summary>
        None,

        /// <summary>Is a piece of its own.</summary>
        Around,

        /// <summary>Stands between pieces and has no token: white space.</summary>
        Out,
    }

    /// <summary>The pieces of a tokenizer; null where text cannot be cut before it is normalised.</summary>
    public static BertPieces? Of(TokenizerParts parts) =>
        parts is { Added: { Normalizer: null or BertNormalizer, SearchesNormalized: false }, PreTokenizer: BertPreTokenizer } ? new BertPieces(parts) : null;

    /// <summary>Gives the ids of well-formed text to <paramref name="ids"/>.</summary>
    public void Split(ReadOnlySpan<char> text, IdCollector ids, CancellationToken cancellationToken)
    {
        for (int start = 0; start < text.Length;)
        {
            Cut cut = CutAt(text[start]);
            int end = start + 1;
            if (cut == Cut.None)
            {
                while (end < text.Length && CutAt(text[end]) == Cut.None) end++;
            }
            if (cut != Cut.Out) ids.Add(IdsOf(text[start..end], cancellationToken));
            start = end;
        }
    }

    private int[] IdsOf(ReadOnlySpan<char> piece, CancellationToken cancellationToken)
    {
        if (_cache.TryGet(piece, out int[]? ids)) return ids;
        using var collector = new IdCollector(_parts.Model, _parts.PreTokenizer, pieces: null, keeps: true, cancellationToken);
        _parts.Added.ExtractNormalized(piece, collector, cancellationToken);
        ids = collector.Ids.ToArray();
        _cache.Add(piece, ids);
        return ids;
    }

    private Cut CutAt(char unit)
    {
        Cut cut = _cuts[unit];
        return cut != Cut.Unknown ? cut : _cuts[unit] = FindCut(unit);
    }

    private Cut FindCut(char unit)
    {
        if (char.IsSurrogate(unit)) return Cut.None;
        string normalized = _parts.Added.Normalize(unit.ToString());
        if (normalized is [' ', _, ' ']) return Cut.Around;                     // a Chinese character
        if (normalized.Length != 1 || !Decomposition.IsInert(unit)) return Cut.None;
        return CodePoints.Is(normalized[0], CodePointClass.Space) ? Cut.Out
            : CodePoints.Is(normalized[0], CodePointClass.Punctuation) ? Cut.Around
            : Cut.None;
    }
}
