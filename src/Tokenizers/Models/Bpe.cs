using System.Buffers;
using System.Globalization;

namespace ManagedTransformers.Tokenizers;


/// <summary>What a BPE model has besides vocabulary and merges.</summary>
internal sealed record BpeOptions
{
    /// <summary>Words are taken byte by byte (in the characters of <see cref="ByteAlphabet"/>), not character by character.</summary>
    public bool ByteLevel { get; init; }

    /// <summary>Stands for what is not in the vocabulary; null: that is left out. It may be missing in the vocabulary as long as it is not needed.</summary>
    public string? UnkToken { get; init; }

    /// <summary>Stands before every character of a word but the first.</summary>
    public string ContinuingSubwordPrefix { get; init; } = "";

    /// <summary>Stands behind the last character of a word.</summary>
    public string EndOfWordSuffix { get; init; } = "";

    /// <summary>Unknown symbols side by side become one unknown token.</summary>
    public bool FuseUnk { get; init; }

    /// <summary>Unknown symbols become tokens of their bytes, <c>&lt;0x0A&gt;</c>, where the vocabulary has all of them.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A word that is a token is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }
}

/// <summary>Byte pair encoding.</summary>
/// <remarks>Sennrich et al. 2016, arXiv:1508.07909; BPE of the library.</remarks>
internal sealed class Bpe : TokenModel
{
    private readonly int _unkId = -1;
    private readonly int[] _byteIds = new int[256];         // id of the one-byte symbol; −1: not in the vocabulary
    private readonly int[] _byteFallbackIds = new int[256];
    private readonly bool _plainBytes;
    private readonly int _prefixBytes, _suffixBytes;
    private readonly BpeCuts? _cuts;

    public Bpe(Vocabulary vocabulary, BpeMerges merges, BpeOptions options)
        : base(vocabulary)
    {
        Merges = merges;
        Options = options;
        if (options.UnkToken is not null && !vocabulary.TryGetId(options.UnkToken, out _unkId)) _unkId = -1;
        for (int b = 0; b < 256; b++)
        {
            _byteIds[b] = vocabulary.TryGetId([ByteAlphabet.CharacterOf((byte)b)], out int id) ? id : -1;
            _byteFallbackIds[b] = vocabulary.TryGetId("<0x" + b.ToString("X2", CultureInfo.InvariantCulture) + ">", out id) ? id : -1;
        }
        _plainBytes = options is { ByteLevel: true, ContinuingSubwordPrefix: "", EndOfWordSuffix: "" } && !_byteIds.Contains(-1);
        _prefixBytes = System.Text.Encoding.UTF8.GetByteCount(options.ContinuingSubwordPrefix);
        _suffixBytes = System.Text.Encoding.UTF8.GetByteCount(options.EndOfWordSuffix);
        _cuts = BpeCuts.Of(this, _unkId, _byteFallbackIds);
    }

    public BpeMerges Merges { get; }
    public BpeOptions Options { get; }

    public override int EndOfPart(ReadOnlySpan<char> word) => _cuts is null ? word.Length : _cuts.EndOfPart(word);

    protected override TokenSpan[] Split(ReadOnlySpan<char> word, CancellationToken cancellationToken)
    {
        if (Options.IgnoreMerges && Vocabulary.TryGetId(Options.ByteLevel ? InByteAlphabet(word) : word, out int whole))
            return [new TokenSpan(whole, 0, word.Length)];

        // Lengths count bytes of what the model reads: the word, or (where symbols are left out, so that it shows) its stand-in characters.
        bool standIns = Options.ByteLevel && !_plainBytes;
        int bytes = standIns ? System.Text.Encoding.UTF8.GetByteCount(InByteAlphabet(word)) : System.Text.Encoding.UTF8.GetByteCount(word);
        int room = bytes + (Options.ByteFallback ? _suffixBytes + (bytes * _prefixBytes) : 0);      // bytes of prefix and suffix may fall back, too
        int[] rented = ArrayPool<int>.Shared.Rent(2 * room);
        Span<int> ids = rented.AsSpan(0, room);
        Span<int> lengths = rented.AsSpan(room, room);
        int count = _plainBytes ? BytesOf(word, ids, lengths) : SymbolsOf(word, ids, lengths, cancellationToken);
        count = Merges.Apply(ids[..count], lengths[..count], cancellationToken);
        TokenSpan[] tokens = !standIns && bytes == word.Length
            ? AsciiSpans(ids[..count], lengths[..count], bytes)
            : Spans(CharactersOfBytes(word, bytes, standIns, cancellationToken), ids[..count], lengths[..count]);
        ArrayPool<int>.Shared.Return(rented);
        return tokens;
    }

    private int BytesOf(ReadOnlySpan<char> word, Span<int> ids, Span<int> lengths)
    {
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(ids.Length);
        int count = System.Text.Encoding.UTF8.GetBytes(word, utf8);
        for (int i = 0; i < count; i++) ids[i] = _byteIds[utf8[i]];
        lengths.Fill(1);
        ArrayPool<byte>.Shared.Return(utf8);
        return count;
    }

    // The general case: prefix, suffix, unknown symbols, byte fallback.
    private int SymbolsOf(ReadOnlySpan<char> word, Span<int> ids, Span<int> lengths, CancellationToken cancellationToken)
    {
        ReadOnlySpan<char> text = Options.ByteLevel ? InByteAlphabet(word) : word;
        bool asItIs = Options is { ContinuingSubwordPrefix: "", EndOfWordSuffix: "" };
        Span<char> affixed = stackalloc char[(2 * TextGrowth.MostAffix) + 2];
        int count = 0, unknown = 0;     // bytes of an unknown token that is yet to be written: bytes that fall back go before it
        for (int i = 0; i < text.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int codePoint = CodePoints.At(text, i, out int units);
            int length = CodePoints.Utf8Length(codePoint);
            ReadOnlySpan<char> character = text.Slice(i, units);
            ReadOnlySpan<char> symbol = asItIs ? character : Affixed(character, continues: i > 0, ends: i + units == text.Length, affixed);
            i += units;
            if (Vocabulary.TryGetId(symbol, out int id))
            {
                if (unknown > 0) (ids[count], lengths[count++], unknown) = (_unkId, unknown, 0);
                (ids[count], lengths[count++]) = (id, length);
            }
            else if (Options.ByteFallback && FallbackIds(symbol) is { } fallback)
            {
                foreach (int byteId in fallback) (ids[count], lengths[count++]) = (byteId, 1);
            }
            else if (_unkId >= 0)
            {
                if (unknown > 0 && !Options.FuseUnk) (ids[count], lengths[count++], unknown) = (_unkId, unknown, 0);
                unknown += length;
            }
            else if (Options.UnkToken is not null)
            {
                throw new TokenizerException(
                    $"The text has {Vocabulary.Show(symbol.ToString())}, which is not among the {Vocabulary.Count} tokens of the vocabulary, and neither is "
                    + $"the token that stands for such, {Vocabulary.Show(Options.UnkToken)} (unk_token in tokenizer.json). "
                    + "Correct unk_token, or set it to null to leave unknown characters out.");
            }
        }
        if (unknown > 0) (ids[count], lengths[count++]) = (_unkId, unknown);
        return count;
    }

    private ReadOnlySpan<char> Affixed(ReadOnlySpan<char> character, bool continues, bool ends, Span<char> symbol)
    {
        ReadOnlySpan<char> prefix = continues ? Options.ContinuingSubwordPrefix : "", suffix = ends ? Options.EndOfWordSuffix : "";
        prefix.CopyTo(symbol);
        character.CopyTo(symbol[prefix.Length..]);
        suffix.CopyTo(symbol[(prefix.Length + character.Length)..]);
        return symbol[..(prefix.Length + character.Length + suffix.Length)];
    }

    private int[]? FallbackIds(ReadOnlySpan<char> symbol)
    {
        int[] ids = [.. System.Text.Encoding.UTF8.GetBytes(symbol.ToString()).Select(b => _byteFallbackIds[b])];
        return ids.Contains(-1) ? null : ids;
    }

    private static string InByteAlphabet(ReadOnlySpan<char> word) =>
        string.Concat(System.Text.Encoding.UTF8.GetBytes(word.ToString()).Select(b => ByteAlphabet.CharacterOf(b)));

    // One byte, one character. Bytes of a prefix or suffix count, too, as in the library; what they push past the end stands for the last character here.
    private static TokenSpan[] AsciiSpans(ReadOnlySpan<int> ids, ReadOnlySpan<int> lengths, int bytes)
    {
        var tokens = new TokenSpan[ids.Length];
        int position = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = new TokenSpan(ids[i], Math.Min(position, bytes - 1), Math.Min(position + lengths[i], bytes));
            position += lengths[i];
        }
        return tokens;
    }

    // From byte lengths to spans of characters; a token that has part of a character stands for all of it.
    private static TokenSpan[] Spans((int[] Starts, int[] Ends) characters, ReadOnlySpan<int> ids, ReadOnlySpan<int> lengths)
    {
        var tokens = new TokenSpan[ids.Length];
        int position = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            int last = characters.Ends.Length - 1, next = position + lengths[i];
            tokens[i] = new TokenSpan(ids[i], characters.Starts[Math.Min(position, last)], characters.Ends[Math.Min(next - 1, last)]);
            position = next;
        }
        return tokens;
    }

    // For every byte of the word (or of its stand-in characters) where its character starts and ends.
    private static (int[] Starts, int[] Ends) CharactersOfBytes(
        ReadOnlySpan<char> word, int bytes, bool standIns, CancellationToken cancellationToken)
    {
        var starts = new int[bytes];
        var ends = new int[bytes];
        int next = 0;
        for (int i = 0; i < word.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            CodePoints.At(word, i, out int units);
            ReadOnlySpan<char> character = word.Slice(i, units);
            int length = standIns ? System.Text.Encoding.UTF8.GetByteCount(InByteAlphabet(character)) : System.Text.Encoding.UTF8.GetByteCount(character);
            starts.AsSpan(next, length).Fill(i);
            ends.AsSpan(next, length).Fill(i + units);
            next += length;
            i += units;
        }
        return (starts, ends);
    }
}

/// <summary>Which pairs of tokens join to which, and which pair goes first.</summary>
internal sealed class BpeMerges
{
    private readonly Dictionary<long, Merge> _byPair;

    /// <summary>The merges, best first. A pair that comes again has the last of its ranks, as in the library.</summary>
    public BpeMerges(IReadOnlyList<(int Left, int Right, int Joined)> ranked)
    {
        Ranked = ranked;
        _byPair = new Dictionary<long, Merge>(ranked.Count);
        for (int rank = 0; rank < ranked.Count; rank++)
            _byPair[Key(ranked[rank].Left, ranked[rank].Right)] = new Merge(rank, ranked[rank].Joined);
    }

    /// <summary>The merges, best first.</summary>
    public IReadOnlyList<(int Left, int Right, int Joined)> Ranked { get; }

    /// <summary>Joins symbols in place, best pair first, leftmost where two are as good; returns how many are left.</summary>
    public int Apply(Span<int> ids, Span<int> lengths, CancellationToken cancellationToken)
    {
        const int Short = 48;
        return ids.Length <= Short ? ApplyToShort(ids, lengths) : ApplyToLong(ids, lengths, cancellationToken);
    }

    // A few symbols: looking at all pairs each time beats keeping a queue.
    private int ApplyToShort(Span<int> ids, Span<int> lengths)
    {
        int count = ids.Length;
        Span<int> ranks = stackalloc int[count + 1];
        for (int i = 0; i + 1 < count; i++) ranks[i] = RankOf(ids[i], ids[i + 1]);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best]) best = i;
            if (ranks[best] == int.MaxValue) break;

            ids[best] = Ranked[ranks[best]].Joined;
            lengths[best] += lengths[best + 1];
            count--;
            ids[(best + 2)..(count + 1)].CopyTo(ids[(best + 1)..]);
            lengths[(best + 2)..(count + 1)].CopyTo(lengths[(best + 1)..]);
            ranks[(best + 2)..(count + 1)].CopyTo(ranks[(best + 1)..]);
            if (best + 1 < count) ranks[best] = RankOf(ids[best], ids[best + 1]);
            if (best > 0) ranks[best - 1] = RankOf(ids[best - 1], ids[best]);
        }
        return count;
    }

    // Many symbols: a linked list and a queue of pairs, n log n. Entries whose pair has gone meanwhile are passed over.
    private int ApplyToLong(Span<int> ids, Span<int> lengths, CancellationToken cancellationToken)
    {
        int count = ids.Length;
        var previous = new int[count];
        var next = new int[count];
        var queue = new PriorityQueue<int, long>(count);
        for (int i = 0; i < count; i++) (previous[i], next[i]) = (i - 1, i + 1);
        for (int i = 0; i + 1 < count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Enqueue(queue, i, ids[i], ids[i + 1]);
        }

        while (queue.TryDequeue(out int left, out long priority))
        {
            cancellationToken.ThrowIfCancellationRequested();
            int rank = (int)(priority >> 32), right = next[left];
            if (lengths[left] == 0 || right == count || RankOf(ids[left], ids[right]) != rank) continue;

            ids[left] = Ranked[rank].Joined;
            lengths[left] += lengths[right];
            lengths[right] = 0;
            next[left] = next[right];
            if (next[left] < count)
            {
                previous[next[left]] = left;
                Enqueue(queue, left, ids[left], ids[next[left]]);
            }
            if (previous[left] >= 0) Enqueue(queue, previous[left], ids[previous[left]], ids[left]);
        }
        int kept = 0;
        for (int i = 0; i < count; i = next[i], kept++) (ids[kept], lengths[kept]) = (ids[i], lengths[i]);
        return kept;
    }

    private void Enqueue(PriorityQueue<int, long> queue, int position, int left, int right)
    {
        int rank = RankOf(left, right);
        if (rank != int.MaxValue) queue.Enqueue(position, Key(rank, position));
    }

    private int RankOf(int left, int right) => _byPair.TryGetValue(Key(left, right), out Merge merge) ? merge.Rank : int.MaxValue;

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private readonly record struct Merge(int Rank, int Joined);
}
