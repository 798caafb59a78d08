namespace ManagedTransformers.Tokenizers;

// Ids without the other columns of an encoding: several times as fast, and without their memory.
public sealed partial class Tokenizer
{
    private readonly RowLayout?[] _layouts = new RowLayout?[4];
    private readonly BertPieces? _pieces;

    /// <summary>The ids of a text, or of a pair: <see cref="TokenEncoding.Ids"/> of what <see cref="Encode"/> gives, without its other columns.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null: there is none.</param>
    /// <param name="options">Special tokens, truncation, padding.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public int[] EncodeToIds(string text, string? pair = null, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= EncodeOptions.Default;
        int[] ids = EncodeRow(text, pair, options, cancellationToken).Ids;
        return PaddingOf(options) is Padding padding ? Padded(ids, Math.Max(ids.Length, Padder.LengthOf(ids.Length, padding)), padding) : ids;
    }

    /// <summary>Writes the ids of a text into the caller's memory.</summary>
    /// <param name="text">The text.</param>
    /// <param name="ids">Where they go. A text has at most one token per UTF-8 byte, and the special tokens.</param>
    /// <param name="count">How many ids the text has, whether they fit or not.</param>
    /// <param name="options">Special tokens, truncation, padding.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <returns>False where <paramref name="ids"/> is too short; nothing is written then, and <paramref name="count"/> says what is needed.</returns>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public bool TryEncodeToIds(
        ReadOnlySpan<char> text, Span<int> ids, out int count, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= EncodeOptions.Default;
        using IdCollector tokens = Collect(text, keeps: true, cancellationToken);
        (int kept, _) = Kept(tokens.Count, second: null, options);
        RowLayout layout = Layout(pair: false, options.AddSpecialTokens);
        int length = count = layout.Length(kept, 0);
        Padding? padding = PaddingOf(options);
        if (padding is not null) count = Math.Max(length, Padder.LengthOf(length, padding));
        int filling = padding is null ? 0 : PadIdOf(padding);
        if (count > ids.Length) return false;
        int start = padding?.Direction == TextSide.Left ? count - length : 0;
        layout.Write(Cut(tokens.Ids, kept, options), [], ids.Slice(start, length));
        ids[..start].Fill(filling);
        ids[(start + length)..count].Fill(filling);
        return true;
    }

    /// <summary>How many ids a text has; none are kept.</summary>
    /// <param name="text">The text.</param>
    /// <param name="options">Special tokens, truncation, padding.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public int CountTokens(ReadOnlySpan<char> text, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= EncodeOptions.Default;
        using IdCollector tokens = Collect(text, keeps: false, cancellationToken);
        (int kept, _) = Kept(tokens.Count, second: null, options);
        int count = Layout(pair: false, options.AddSpecialTokens).Length(kept, 0);
        return PaddingOf(options) is Padding padding ? Math.Max(count, Padder.LengthOf(count, padding)) : count;
    }

    /// <summary>The ids of many texts, padded to one length where the options ask for it; on as many threads as they say.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="options">Special tokens, truncation, padding, threads.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public IReadOnlyList<int[]> EncodeBatchToIds(
        IReadOnlyList<string> texts, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        options ??= EncodeOptions.Default;
        int[][] rows = TextBatch.Run(
            texts.Count, options.MaxThreads, i => EncodeRow(texts[i], pair: null, options, cancellationToken).Ids, cancellationToken);
        if (PaddingOf(options) is not Padding padding || rows.Length == 0) return rows;
        int length = Padder.LengthOf(rows.Max(row => row.Length), padding);
        return [.. rows.Select(row => Padded(row, Math.Max(row.Length, length), padding))];
    }

    /// <summary>A text, or two, as a row that a model reads: ids and type ids. It is never padded.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null: there is none.</param>
    /// <param name="options">Special tokens and truncation.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="TokenizerException">Truncation is impossible as asked.</exception>
    internal TokenRow EncodeRow(string text, string? pair = null, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= EncodeOptions.Default;
        using IdCollector first = Collect(text, keeps: true, cancellationToken);
        using IdCollector? second = pair is null ? null : Collect(pair, keeps: true, cancellationToken);
        (int keptFirst, int keptSecond) = Kept(first.Count, second?.Count, options);
        RowLayout layout = Layout(second is not null, options.AddSpecialTokens);
        var ids = new int[layout.Length(keptFirst, keptSecond)];
        layout.Write(Cut(first.Ids, keptFirst, options), second is null ? [] : Cut(second.Ids, keptSecond, options), ids);
        return new TokenRow
        {
            Ids = ids, TypeIds = layout.TypeIds(keptFirst, keptSecond), FirstToken = layout.FirstToken,
            TextTokens = keptFirst, PairTokens = keptSecond, Truncated = keptFirst < first.Count || keptSecond < (second?.Count ?? 0),
        };
    }

    private IdCollector Collect(ReadOnlySpan<char> text, bool keeps, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var tokens = new IdCollector(_parts.Model, _parts.PreTokenizer, _pieces, keeps, cancellationToken);
        try
        {
            _parts.Added.Extract(AlignedText.WellFormed(text), tokens, cancellationToken);
            return tokens;
        }
        catch
        {
            tokens.Dispose();
            throw;
        }
    }

    // What truncation leaves of texts of these lengths.
    private (int First, int Second) Kept(int first, int? second, EncodeOptions options) => TruncationOf(options) is Truncation truncation
        ? Truncator.Kept(first, second, truncation, SpecialTokensAdded(second is not null, options), CountSpecialTokens(pair: false))
        : (first, second ?? 0);

    private ReadOnlySpan<int> Cut(ReadOnlySpan<int> ids, int kept, EncodeOptions options) =>
        TruncationOf(options)?.Direction == TextSide.Left ? ids[^kept..] : ids[..kept];

    private RowLayout Layout(bool pair, bool addSpecialTokens)
    {
        ref RowLayout? layout = ref _layouts[(pair ? 2 : 0) + (addSpecialTokens ? 1 : 0)];
        return layout ??= RowLayout.Of(_parts.PostProcessor, pair, addSpecialTokens);
    }

    private int[] Padded(int[] ids, int length, Padding padding)
    {
        int filling = PadIdOf(padding);
        if (ids.Length == length) return ids;
        int[] padded = TokenEncoding.Filled(length, filling);
        ids.CopyTo(padded, padding.Direction == TextSide.Left ? length - ids.Length : 0);
        return padded;
    }
}
