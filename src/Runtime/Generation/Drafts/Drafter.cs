namespace ManagedTransformers;


/// <summary>Guesses tokens ahead. The model reads them together with the row's last token, in one pass, and keeps those that it would have chosen
/// itself.</summary>
/// <remarks>Leviathan et al. 2023, arXiv:2211.17192. There a draft is accepted at random, so that the distribution stays; here the model chooses its own token
/// with the noise of the place (<see cref="TokenNoise"/>) and a draft counts where it is the same. That keeps not only the distribution but the text
/// itself.</remarks>
internal abstract class Drafter : IDisposable
{
    /// <summary>Guesses what follows a row's last token.</summary>
    /// <returns>How many tokens it guesses; 0 where it has no idea.</returns>
    public abstract int Draft(SearchRow row, Span<int> tokens, CancellationToken cancellationToken);

    /// <summary>Hears how many of the tokens that it drafted the model agreed with.</summary>
    public abstract void Learn(SearchRow row, int drafted, int agreed);

    public abstract void Dispose();
}

/// <summary>Guesses with a smaller model of the same vocabulary, which chooses as the large one does: same processors, same noise.</summary>
/// <remarks>transformers' AssistedCandidateGenerator, whose schedule of the number of tokens it follows: two more after a draft that was all right, one fewer
/// after another.</remarks>
internal sealed class DraftModel : Drafter
{
    private const int FirstTokens = 5;
    private readonly Session _session;
    private readonly IReadOnlyList<int> _endTokens;
    private readonly PromptReader _reader;
    private readonly Dictionary<SearchRow, int> _tokens = [];
    private readonly int[][] _read;          // per sequence: the tokens that the cache holds
    private readonly int[] _ids;

    public DraftModel(ICausalLM model, int batchSize, int maxLength, GenerationPlan plan)
    {
        _endTokens = plan.EosTokenId;
        _session = model.CreateSession(new SessionOptions
        {
            BatchSize = batchSize,
            MaxLength = Math.Min(maxLength, model.Config.Positions.MostTokens),
            KeyValueType = plan.KeyValueType,
        });
        _reader = new PromptReader(model, _session);
        _read = [.. Enumerable.Range(0, batchSize).Select(_ => new int[maxLength])];
        _ids = new int[maxLength];
    }

    public override int Draft(SearchRow row, Span<int> room, CancellationToken cancellationToken)
    {
        ReadOnlySpan<int> text = Text(row);
        int wanted = Math.Min(room.Length, _tokens.GetValueOrDefault(row, FirstTokens));
        wanted = Math.Min(wanted, _session.Cache!.MaxLength - text.Length);
        if (wanted <= 0)
            return 0;
        int held = text[..^1].CommonPrefixLength(_read[row.Slot].AsSpan(0, _session.Cache.Length(row.Slot)));
        _session.Cache.Truncate(row.Slot, held);
        Span<float> scores = _reader.Read(text[held..], row.Slot, cancellationToken);
        text.CopyTo(_read[row.Slot]);
        for (int i = 0; ; i++)
        {
            room[i] = row.Choose(Seen(row, room[..i]), scores);
            // Nothing follows an end token: processors are not asked what would.
            if (i + 1 == wanted || _endTokens.Contains(room[i]))
                return i + 1;
            _read[row.Slot][_session.Cache.Length(row.Slot)] = room[i];
            scores = _reader.Read(room.Slice(i, 1), row.Slot, cancellationToken);
        }
    }

    public override void Learn(SearchRow row, int drafted, int agreed)
    {
        int tokens = _tokens.GetValueOrDefault(row, FirstTokens);
        _tokens[row] = agreed == drafted ? Math.Min(tokens + 2, Kernels.MatMul.StreamedRows) : Math.Max(1, tokens - 1);
    }

    public override void Dispose() => _session.Dispose();

    // The row's tokens without padding.
    private Span<int> Text(SearchRow row)
    {
        row.Prompt.Tokens.CopyTo(_ids, 0);
        row.Generated.CopyTo(_ids.AsSpan(row.Prompt.Tokens.Length));
        return _ids.AsSpan(0, row.Prompt.Tokens.Length + row.Generated.Length);
    }

    // What processors see: the row and the draft so far.
    private static ReadOnlySpan<int> Seen(SearchRow row, ReadOnlySpan<int> draft) => draft.IsEmpty ? row.InputIds : (int[])[.. row.InputIds, .. draft];
}

/// <summary>Guesses that what followed the last tokens before follows them again: code repeats itself.</summary>
/// <remarks>Saxena 2023, prompt lookup decoding; transformers' PromptLookupCandidateGenerator. The longest match counts, and of equally long ones the latest.
/// Reading a wrong guess costs time, so the lookup bets what it has won: where guesses are wrong it falls silent for a while.</remarks>
/// <param name="tokens">The most tokens of a guess.</param>
/// <param name="ngram">The longest match to look for.</param>
internal sealed class PromptLookup(int tokens, int ngram) : Drafter
{
    /// <summary>A single token that was there before says too little.</summary>
    private const int ShortestMatch = 2;

    /// <summary>Tokens of a first guess: a pass of 4 rows. After one that was all right as many as there is room for.</summary>
    private const int FirstGuess = 3;

    /// <summary>What a text may lose before it has won anything, and the most that it saves up; in passes of one token.</summary>
    private const double Stake = 2, MostSaved = 4;

    /// <summary>Tokens without a guess after which another stake is given: about 3 % is the most that is lost.</summary>
    private const int Pause = 64;

    private readonly Dictionary<SearchRow, Account> _accounts = [];

    public override int Draft(SearchRow row, Span<int> room, CancellationToken cancellationToken)
    {
        if (!_accounts.TryGetValue(row, out Account? account))
            _accounts[row] = account = new Account();
        int length = row.InputIds.Length;
        if (account.Balance <= 0 && length - account.LastBet < Pause)
            return 0;
        int guess = account.IsRight ? tokens : Math.Min(tokens, FirstGuess);
        int found = Find(row.InputIds, room[..Math.Min(room.Length, guess)]);
        if (found > 0 && account.Balance <= 0)
            account.Balance = Stake;
        return found;
    }

    public override void Learn(SearchRow row, int drafted, int agreed)
    {
        Account account = _accounts[row];
        account.Balance = Math.Min(MostSaved, account.Balance + agreed - Cost(drafted));
        account.IsRight = agreed == drafted;
        account.LastBet = row.InputIds.Length;
    }

    public override void Dispose() => _accounts.Clear();

    // What a pass costs more than that of one token: products take 4 or 8 rows at once.
    private static double Cost(int drafted) => drafted <= FirstGuess ? 0.7 : 1.7;

    private int Find(ReadOnlySpan<int> ids, Span<int> room)
    {
        (int place, int longest) = (0, 0);
        for (int end = ids.Length - 1; end > 0 && longest < ngram; end--)
        {
            int match = 0;
            while (match < Math.Min(ngram, end) && ids[end - 1 - match] == ids[ids.Length - 1 - match])
                match++;
            if (match > longest)
                (place, longest) = (end, match);
        }
        if (longest < Math.Min(ShortestMatch, ngram))
            return 0;
        int count = Math.Min(room.Length, ids.Length - place);
        ids.Slice(place, count).CopyTo(room);
        return count;
    }

    private sealed class Account
    {
        public double Balance { get; set; } = Stake;
        public bool IsRight { get; set; }
        public int LastBet { get; set; }
    }
}
