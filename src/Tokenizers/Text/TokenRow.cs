namespace ManagedTransformers.Tokenizers;

/// <summary>A text, or two, as a row that a model reads: the ids and type ids of its <see cref="TokenEncoding"/>, without the other columns.</summary>
internal sealed class TokenRow
{
    /// <summary>Token ids, special tokens included, [tokens].</summary>
    public required int[] Ids { get; init; }

    /// <summary>token_type_ids, [tokens].</summary>
    public required int[] TypeIds { get; init; }

    /// <summary>How many special tokens stand before the first text's.</summary>
    public required int FirstToken { get; init; }

    /// <summary>How many tokens are the first text's.</summary>
    public required int TextTokens { get; init; }

    /// <summary>How many tokens are the second text's.</summary>
    public required int PairTokens { get; init; }

    /// <summary>Whether truncation cut something off.</summary>
    public required bool Truncated { get; init; }
}

/// <summary>Where the texts of a row stand between special tokens.</summary>
internal sealed class RowLayout
{
    private const int First = -1, Second = -2;      // in place of the texts' ids

    private readonly int[] _ids;
    private readonly int[] _typeIds;

    private RowLayout(TokenEncoding encoding) => (_ids, _typeIds) = (encoding.Ids, encoding.TypeIds);

    /// <summary>What a post-processor makes of a text of one token, or a pair.</summary>
    public static RowLayout Of(PostProcessor? processor, bool pair, bool addSpecialTokens)
    {
        List<TokenEncoding> texts = pair ? [OneToken(First, 0), OneToken(Second, 1)] : [OneToken(First, 0)];
        return new RowLayout(TokenEncoding.Merge(processor?.Process(texts, addSpecialTokens) ?? texts));
    }

    /// <summary>Length of a row of texts of these lengths.</summary>
    public int Length(int first, int second)
    {
        int length = 0;
        foreach (int id in _ids) length += Count(id, first, second);
        return length;
    }

    /// <summary>Where the first text begins.</summary>
    public int FirstToken => Array.IndexOf(_ids, First);

    /// <summary>Writes a row of <see cref="Length"/> ids.</summary>
    public void Write(ReadOnlySpan<int> first, ReadOnlySpan<int> second, Span<int> row)
    {
        foreach (int id in _ids)
        {
            if (id >= 0) row[0] = id;
            else (id == First ? first : second).CopyTo(row);
            row = row[Count(id, first.Length, second.Length)..];
        }
    }

    /// <summary>The type ids of a row.</summary>
    public int[] TypeIds(int first, int second)
    {
        var types = new int[Length(first, second)];
        Span<int> rest = types;
        for (int i = 0; i < _ids.Length; i++)
        {
            int count = Count(_ids[i], first, second);
            rest[..count].Fill(_typeIds[i]);
            rest = rest[count..];
        }
        return types;
    }

    private static int Count(int id, int first, int second) => id >= 0 ? 1 : id == First ? first : second;

    private static TokenEncoding OneToken(int id, int sequence)
    {
        var offsets = new (int, int)[1];
        return new TokenEncoding
        {
            Ids = [id], Tokens = [""], Offsets = offsets, Utf16Offsets = offsets, TypeIds = [sequence], SpecialTokensMask = [0], AttentionMask = [1],
            WordIds = [null], SequenceIds = [sequence],
        };
    }
}
