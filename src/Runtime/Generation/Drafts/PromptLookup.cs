namespace ManagedTransformers;

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
