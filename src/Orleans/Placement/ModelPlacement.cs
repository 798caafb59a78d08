namespace ManagedTransformers.Orleans;

/// <summary>What is known of a model on a silo when a request is to be placed.</summary>
/// <param name="Silo">Its address.</param>
/// <param name="Fingerprint">Of the model's files there, and of the runtime.</param>
/// <param name="KernelLevel">Of its processor.</param>
internal sealed record PlacementCandidate(string Silo, string Fingerprint, string KernelLevel)
{
    /// <summary>Whether the model is in memory.</summary>
    public bool IsLoaded { get; init; }

    /// <summary>Requests that run or wait there, and those that are on their way.</summary>
    public int Queue { get; init; }

    /// <summary>Texts that can run at once.</summary>
    public int Rows { get; init; } = int.MaxValue;

    /// <summary>Bytes that the model takes.</summary>
    public long NeededBytes { get; init; }

    /// <summary>Bytes that are free, or can be freed.</summary>
    public long FreeBytes { get; init; }

    /// <summary>The blocks that its cache holds.</summary>
    public IReadOnlySet<ulong> Prefixes { get; init; } = new HashSet<ulong>();
}

/// <summary>What a request asks of its silo.</summary>
/// <param name="Blocks">Of its prompt.</param>
[GenerateSerializer, Immutable]
internal sealed record PlacementRequest([property: Id(0)] ulong[] Blocks)
{
    /// <summary>Silos on which it failed.</summary>
    [Id(1)]
    public string[] Excluded { get; init; } = [];

    /// <summary>Of a text that goes on: that of the silo where it began; null: any.</summary>
    [Id(2)]
    public string? Fingerprint { get; init; }

    /// <summary>Of a text that goes on: that of the silo where it began, because another one has other last bits; null: any.</summary>
    [Id(3)]
    public string? KernelLevel { get; init; }
}

/// <summary>Why a request goes to a silo.</summary>
internal enum PlacementReason
{
    /// <summary>It holds a beginning of the prompt, and costs the least.</summary>
    Prefix,

    /// <summary>It has the model in memory, holds nothing of the prompt, and costs the least all the same.</summary>
    LeastLoaded,

    /// <summary>None has the model in memory; it has the most room.</summary>
    Room,
}

/// <summary>Where a request goes.</summary>
/// <param name="Silo">The silo's address.</param>
/// <param name="Reason">Why.</param>
/// <param name="Tokens">Tokens of the prompt that it holds.</param>
internal sealed record PlacementChoice(PlacementCandidate Silo, PlacementReason Reason, int Tokens);

/// <summary>Chooses the silo of a request.</summary>
/// <remarks>A request waits for those that a silo has, and they wait while the part of its prompt is read that the silo does not hold. So a prefix that many
/// ask for is read again on a second silo once the queue of the first has become dearer than that.</remarks>
internal static class ModelPlacement
{
    /// <summary>What a request takes besides reading its prompt, in the tokens that could be read meanwhile. The simulation (<c>bench -- fleet</c>) gives about
    /// the same with half of it and with twice as much.</summary>
    public const int TokensOfRequest = 128;

    /// <summary>Of the silos that have the model, the one with the least cost: the tokens of the prompt's blocks that it does not hold and
    /// <see cref="TokensOfRequest"/>, times the requests there and this one. Of equals the one with the fewest requests, then one that depends on the prompt's
    /// first block, so that different prompts fill different caches. Where none has the model, the one with the most room for it.</summary>
    /// <param name="silos">What is known of them.</param>
    /// <param name="request">What is asked for.</param>
    /// <param name="tokensOfRequest">Another number in place of <see cref="TokensOfRequest"/>.</param>
    /// <returns>Null: none can do it.</returns>
    public static PlacementChoice? Choose(IReadOnlyList<PlacementCandidate> silos, PlacementRequest request, int tokensOfRequest = TokensOfRequest)
    {
        PlacementCandidate[] able = [.. silos.Where(silo => !request.Excluded.Contains(silo.Silo)
            && (request.Fingerprint ?? silo.Fingerprint) == silo.Fingerprint && (request.KernelLevel ?? silo.KernelLevel) == silo.KernelLevel)];
        PlacementCandidate[] loaded = [.. able.Where(silo => silo.IsLoaded)];
        if (loaded.Length == 0)
            return Roomiest(able) is PlacementCandidate roomy ? new PlacementChoice(roomy, PlacementReason.Room, 0) : null;
        (PlacementCandidate best, int held) = loaded
            .Select(silo => (Silo: silo, Held: PrefixBlocks.Common(request.Blocks, silo.Prefixes)))
            .MinBy(one => (Cost(request.Blocks.Length - one.Held, one.Silo), one.Silo.Queue, Rank(request, one.Silo)));
        return new PlacementChoice(best, held > 0 ? PlacementReason.Prefix : PlacementReason.LeastLoaded, held * PrefixBlocks.Tokens);

        long Cost(int missing, PlacementCandidate silo) => (tokensOfRequest + ((long)missing * PrefixBlocks.Tokens)) * (silo.Queue + 1);
    }

    /// <summary>The silo on which a model is to be loaded besides, because every one that has it runs as many texts as it can; null: none.</summary>
    public static PlacementCandidate? Spread(IReadOnlyList<PlacementCandidate> silos) =>
        silos.Any(silo => silo.IsLoaded && silo.Queue < silo.Rows) ? null : Roomiest(silos.Where(silo => !silo.IsLoaded));

    private static PlacementCandidate? Roomiest(IEnumerable<PlacementCandidate> silos) => silos
        .Where(silo => silo.NeededBytes <= silo.FreeBytes).OrderByDescending(silo => silo.FreeBytes).ThenBy(silo => silo.Queue)
        .ThenBy(silo => silo.Silo, StringComparer.Ordinal).FirstOrDefault();

    // Thaler and Ravishankar 1998: each prompt has an order of the silos of its own, which others that come or go do not change.
    private static ulong Rank(PlacementRequest request, PlacementCandidate silo)
    {
        ulong hash = request.Blocks.Length > 0 ? request.Blocks[0] : 0;
        foreach (char letter in silo.Silo)
            hash = PrefixBlocks.Mix(hash + letter);
        return hash;
    }
}
