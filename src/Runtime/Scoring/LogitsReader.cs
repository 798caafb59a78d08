namespace ManagedTransformers;


/// <summary>Takes the probability of one token of a text.</summary>
/// <param name="index">The token's place among the ids that are read.</param>
/// <param name="logits">The scores of all tokens at that place, [vocab_size].</param>
/// <param name="logProbability">log softmax(logits)[id].</param>
internal delegate void TokenVisitor(int index, ReadOnlySpan<float> logits, double logProbability);

/// <summary>The scores for a few ids in a row.</summary>
/// <param name="Logits">[count, vocab_size]; row i is of the place before id FirstIndex + i.</param>
/// <param name="FirstIndex">The first of the ids.</param>
/// <param name="Count">How many they are.</param>
internal readonly record struct LogitsPart(FloatTensor Logits, int FirstIndex, int Count);

/// <summary>Reads ids and gives each its probability after those before it. The vocabulary's scores exist for a few places at a time only.</summary>
internal sealed class LogitsReader : IDisposable
{
    /// <summary>Places that are read at once: their scores are [128, vocab_size], 26 MB at 51,200 tokens, where those of a whole window of 2048 would be 420
    /// MB.</summary>
    public const int PartTokens = 128;

    private readonly ICausalLM _model;
    private readonly Session _session;
    private readonly int _partTokens;

    /// <summary>Prepares the KV cache for reads of up to <paramref name="maxLength"/> ids; results do not depend on <paramref name="partTokens"/>.</summary>
    public LogitsReader(ICausalLM model, int maxLength, int partTokens = PartTokens)
    {
        (_model, _partTokens) = (model, partTokens);
        _session = model.CreateSession(new SessionOptions { MaxLength = maxLength });
    }

    public int Length => _session.Cache!.Length(0);

    /// <summary>Forgets all but the first ids, which the next read then has in common with the last.</summary>
    public void Keep(int length) => _session.Cache!.Truncate(0, length);

    /// <summary>Reads ids and visits those from <paramref name="firstTarget"/> on. The last one is not read: nothing after it is asked for.</summary>
    /// <param name="ids">The ids; they begin with what the KV cache holds, which is not read again.</param>
    /// <param name="firstTarget">The first id that is visited, after at least one and after those that the KV cache holds.</param>
    /// <param name="visit">Called for every id from there on, in order.</param>
    /// <param name="onPart">Called after each part.</param>
    /// <param name="cancellationToken">Ends the work between two modules of the model.</param>
    /// <exception cref="ModelInputException">An id is outside the vocabulary.</exception>
    /// <exception cref="CheckpointException">A score is not finite.</exception>
    public void Read(ReadOnlySpan<int> ids, int firstTarget, TokenVisitor visit, Action? onPart, CancellationToken cancellationToken)
    {
        CheckIds(ids);
        _session.Cancellation = cancellationToken;
        while (Length < ids.Length - 1)
        {
            cancellationToken.ThrowIfCancellationRequested();
            LogitsPart part = ReadPart(ids, firstTarget);
            for (int i = 0; i < part.Count; i++)
            {
                int index = part.FirstIndex + i;
                visit(index, part.Logits.Row(i), LogProbability(part.Logits.Row(i), ids[index]));
            }
            onPart?.Invoke();
        }
    }

    /// <summary>Looks every id up, also the last one, which the model never reads.</summary>
    /// <exception cref="ModelInputException">An id is outside the vocabulary.</exception>
    public void CheckIds(ReadOnlySpan<int> ids) => InputChecks.CheckIds("input_ids", ids, _model.Config.VocabSize, "vocab_size", ids.Length);

    /// <summary>Reads the ids after those that the KV cache holds, as many as one part has.</summary>
    /// <returns>The scores for those of the next ids that are asked for; they are valid until the next part is read.</returns>
    public LogitsPart ReadPart(ReadOnlySpan<int> ids, int firstTarget)
    {
        int start = Length;
        ReadOnlySpan<int> part = ids[start..Math.Min(start + _partTokens, ids.Length - 1)];
        int skipped = Math.Clamp(firstTarget - 1 - start, 0, part.Length);          // places whose next token is not asked for
        (int Row, int Column)[] places = [.. Enumerable.Range(skipped, part.Length - skipped).Select(column => (0, column))];
        return new LogitsPart(_model.Forward(part, _session, new ForwardOptions { LogitsAt = places }).Logits, start + skipped + 1, places.Length);
    }

    public void Dispose() => _session.Dispose();

    private double LogProbability(ReadOnlySpan<float> logits, int id)
    {
        double denominator = Softmax.LogSumExp(logits, _session.Kernels);
        // Where all are finite, so are these two; the row is searched only where they are not.
        if (!double.IsFinite(denominator) || !float.IsFinite(logits[id]))
            Scores.RequireFinite(logits, "score of token", _model);
        return logits[id] - denominator;
    }
}

/// <summary>Adds the probabilities of a text's tokens up to its score. Its first token stands at <paramref name="place"/> among the ids that are read: after
/// the beginning-of-text token, or a context.</summary>
internal sealed class ScoreCollector(Tokenizer tokenizer, string text, TokenEncoding encoding, int place, ScoringOptions options)
{
    private readonly List<TokenScore> _tokens = [];
    private double _sum;
    private int _count;

    /// <summary>Takes the next token's probability; a <see cref="TokenVisitor"/>.</summary>
    public void Visit(int index, ReadOnlySpan<float> logits, double logProbability)
    {
        _sum += logProbability;
        _count++;
        if (options.OutputTokens)
            _tokens.Add(Describe(index - place, logits, logProbability));
    }

    public TextScore ToScore()
    {
        ReadOnlySpan<char> scored = text.AsSpan(StartOfScored());
        int characters = 0;
        foreach (System.Text.Rune _ in scored.EnumerateRunes())
            characters++;
        return new TextScore(_sum, _count, System.Text.Encoding.UTF8.GetByteCount(scored), characters, _tokens);
    }

    private TokenScore Describe(int i, ReadOnlySpan<float> logits, double logProbability)
    {
        (int id, double logSum) = (encoding.Ids[i], logits[encoding.Ids[i]] - logProbability);
        ((int start, int end), (int codePointStart, int codePointEnd)) = (encoding.Utf16Offsets[i], encoding.Offsets[i]);
        return new TokenScore(
            id, tokenizer.IdToToken(id) ?? "", tokenizer.Decode([id]), logProbability, Ranking.RankOf(logits, id), start, end, codePointStart, codePointEnd)
        {
            Alternatives = TokenProbability.Best(logits, logSum, options.TopK, tokenizer),
        };
    }

    /// <summary>Where the scored text begins: without a token before it, the first token has no probability and its text does not count.</summary>
    private int StartOfScored()
    {
        int unscored = encoding.Length - _count;
        // A character of which both tokens have a part counts.
        return unscored == 0 ? 0 : Math.Min(encoding.Utf16Offsets[unscored - 1].End, encoding.Utf16Offsets[unscored].Start);
    }
}

/// <summary>A part of a text that the model reads at once: the tokens from Begin to End, of which those from FirstTarget on are scored.</summary>
internal readonly record struct SlidingWindow(int Begin, int End, int FirstTarget)
{
    /// <summary>Windows that score every token from <paramref name="firstTarget"/> (at least 1: a token needs one before it) on once. Windows that would score
    /// none are left out.</summary>
    /// <remarks>transformers' guide "Perplexity of fixed-length models". With stride = window it leaves the first token of every further window out, which has
    /// nothing before it; here neighbours then share that one token.</remarks>
    public static IEnumerable<SlidingWindow> Over(int length, int firstTarget, int window, int stride)
    {
        stride = Math.Min(stride, window - 1);
        int next = firstTarget;
        for (int begin = 0; next < length; begin += stride)
        {
            int end = length - begin <= window ? length : begin + window;
            if (end <= next)
                continue;
            yield return new SlidingWindow(begin, end, next);
            next = end;
        }
    }
}
