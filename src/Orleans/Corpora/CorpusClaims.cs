namespace ManagedTransformers.Orleans;

/// <summary>Which worker has which shard of a run. A claim saves double work, and no more: files have one name, and who comes first gives it.</summary>
internal sealed class CorpusClaims(CorpusLedger ledger)
{
    private readonly Dictionary<int, Claimed> _claims = [];
    private readonly HashSet<int> _lost = [];              // shards whose worker was lost: it may have left something
    private ShardCounts _done;                             // since the run began; bytes are those of the input

    /// <summary>How far the job is, what workers are at included.</summary>
    public CorpusProgress Progress => ledger.Progress(_claims.Values.Aggregate(_done, (sum, claim) => sum + claim.Counts));

    /// <summary>Gives a worker a shard that nobody has; null: there is none.</summary>
    public CorpusClaim? Give(SiloAddress silo, Guid worker)
    {
        // A worker has one shard: who asks again did not hear the answer.
        if (_claims.Values.FirstOrDefault(one => one.Claim.Worker == worker) is { } same)
            return same.Claim;
        if (ledger.Claim() is not CorpusShard shard)
            return null;
        var claim = new CorpusClaim(worker, shard.Number, shard.Offset, shard.Length, shard.FirstLine, ledger.Fingerprint);
        _claims[shard.Number] = new Claimed(silo, claim);
        return claim;
    }

    /// <summary>Notes how far a worker is with its shard, which may be of a run that was lost.</summary>
    /// <returns>Whether the shard is its own.</returns>
    public bool Note(SiloAddress silo, CorpusClaim claim, ShardCounts counts)
    {
        if (!_claims.TryGetValue(claim.Number, out Claimed? has))
        {
            if (!ledger.Claim(claim.Number))
                return false;
            has = _claims[claim.Number] = new Claimed(silo, claim);
        }
        if (has.Claim.Worker != claim.Worker)
            return false;
        has.Counts = counts;
        return true;
    }

    /// <summary>Gives the files of a shard their names, where it is not done.</summary>
    /// <inheritdoc cref="CorpusLedger.Complete"/>
    public void Complete(CorpusClaim claim, ShardCounts counts, string results, string? poison)
    {
        if (ledger.Complete(claim.Number, counts, results, poison))
            _done += counts with { Bytes = claim.Length };
        _claims.Remove(claim.Number);                      // of another worker too, which hears it when it reports
        if (_lost.Remove(claim.Number))
            ledger.RemoveUnfinished(claim.Number);
    }

    /// <summary>A worker lets go of its shard.</summary>
    public void Release(CorpusClaim claim)
    {
        if (_claims.TryGetValue(claim.Number, out Claimed? has) && has.Claim == claim)
            Free(claim.Number);
    }

    /// <summary>The workers of a silo are lost.</summary>
    public void Forget(SiloAddress silo)
    {
        foreach (int number in _claims.Where(one => one.Value.Silo.Equals(silo)).Select(one => one.Key).ToArray())
        {
            Free(number);
            _lost.Add(number);
        }
    }

    private void Free(int number)
    {
        _claims.Remove(number);
        ledger.Release(number);
    }

    private sealed class Claimed(SiloAddress silo, CorpusClaim claim)
    {
        public SiloAddress Silo => silo;
        public CorpusClaim Claim => claim;
        public ShardCounts Counts { get; set; }
    }
}
