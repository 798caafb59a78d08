namespace ManagedTransformers;

/// <summary>Guesses that what followed the last tokens before follows them again: code repeats itself.</summary>
/// <remarks>
/// Saxena 2023, prompt lookup decoding; transformers' PromptLookupCandidateGenerator. The longest match counts, and of equally
/// long ones the latest. Reading a wrong guess costs time, so the lookup bets what it has won: where guesses are wrong it falls silent for a while.
/// </remarks>
/// <param name="tokens">The most tokens of a guess.</param>
/// <param name="ngram">The longest match to look for.</param>
internal sealed class PromptLookup(int tokens, int ngram) : Drafter
{
    /// <summary>What a text may bet before it has won anything, in passes.</summary>
    private const double Stake = 1;

    /// <summary>After so many tokens without a bet another stake is given, which bounds what is lost to about a hundredth.</summary>
    private const int Pause = 96;

    // What reading one more token costs, in passes of one token: 8 rows take 1.7 times one.
    private const double TokenCost = 0.1;

    private readonly Dictionary<SearchRow, Account> _accounts = [];

    /// <inheritdoc/>
    public override int Draft(SearchRow row, Span<int> room)
    {
        if (!_accounts.TryGetValue(row, out Account? account))
            _accounts[row] = account = new Account { Balance = Stake };
        int length = row.InputIds.Length;
        if (account.Balance <= 0 && length - account.LastBet < Pause)
            return 0;
        int found = Find(row.InputIds, room[..Math.Min(room.Length, tokens)]);
        if (found == 0)
            return 0;
        if (account.Balance <= 0)
            account.Balance = Stake;
        account.LastBet = length;
        return found;
    }

    /// <inheritdoc/>
    public override void Learn(SearchRow row, int drafted, int agreed)
    {
        const double MostSaved = 16;
        Account account = _accounts[row];
        account.Balance = Math.Min(MostSaved, account.Balance + agreed - TokenCost - (TokenCost * drafted));
        account.LastBet = row.InputIds.Length;
    }

    /// <inheritdoc/>
    public override void Dispose() => _accounts.Clear();

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
        if (longest == 0)
            return 0;
        int count = Math.Min(room.Length, ids.Length - place);
        ids.Slice(place, count).CopyTo(room);
        return count;
    }

    private sealed class Account
    {
        public double Balance { get; set; }

        public int LastBet { get; set; }
    }
}
