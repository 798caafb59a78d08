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
    /// <summary>It holds more of the prompt's beginning than any other.</summary>
    Prefix,

    /// <summary>It has the model in memory, and the fewest requests.</summary>
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
internal static class ModelPlacement
{
    /// <summary>The silo that holds the longest beginning of the prompt; else, of those that have the model, the one with the fewest requests; else the one
    /// with the most room for it. Of equals the one with the fewest requests, then the first by address.</summary>
    /// <returns>Null: none can do it.</returns>
    public static PlacementChoice? Choose(IReadOnlyList<PlacementCandidate> silos, PlacementRequest request)
    {
        PlacementCandidate[] able = [.. silos
            .Where(silo => !request.Excluded.Contains(silo.Silo)
                && (request.Fingerprint ?? silo.Fingerprint) == silo.Fingerprint && (request.KernelLevel ?? silo.KernelLevel) == silo.KernelLevel)
            .OrderBy(silo => silo.Queue).ThenBy(silo => silo.Silo, StringComparer.Ordinal)];
        PlacementCandidate[] loaded = [.. able.Where(silo => silo.IsLoaded)];
        if (loaded.Length == 0)
        {
            PlacementCandidate? roomy = able.Where(silo => silo.NeededBytes <= silo.FreeBytes).MaxBy(silo => silo.FreeBytes);
            return roomy is null ? null : new PlacementChoice(roomy, PlacementReason.Room, 0);
        }
        PlacementCandidate best = loaded.MaxBy(silo => PrefixBlocks.Common(request.Blocks, silo.Prefixes))!;      // the first of equals
        int blocks = PrefixBlocks.Common(request.Blocks, best.Prefixes);
        return new PlacementChoice(best, blocks > 0 ? PlacementReason.Prefix : PlacementReason.LeastLoaded, blocks * PrefixBlocks.Tokens);
    }
}
