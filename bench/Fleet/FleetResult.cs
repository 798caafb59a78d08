namespace ManagedTransformers.Bench;

/// <summary>What came of a simulation. Times in seconds.</summary>
internal sealed record FleetResult
{
    public required string Placement { get; init; }

    public required int Silos { get; init; }

    public required int Requests { get; init; }

    /// <summary>Requests that found as many waiting as a silo takes.</summary>
    public required int Refused { get; init; }

    /// <summary>The share of tokens of prompts that came from a cache.</summary>
    public required double Hits { get; init; }

    /// <summary>Tokens generated while the trace lasted, for each second of it.</summary>
    public required double TokensPerSecond { get; init; }

    public required double FirstTokenMedian { get; init; }

    public required double FirstToken95 { get; init; }

    public required double FirstToken99 { get; init; }

    /// <summary>The share of the trace's time in which silos computed.</summary>
    public required double Busy { get; init; }

    /// <summary>The time of the silo that computed longest over the mean.</summary>
    public required double Imbalance { get; init; }

    /// <summary>Requests in a second for each silo, of the trace.</summary>
    public double Rate => Requests / Seconds / Silos;

    public required double Seconds { get; init; }

    public const string Header =
        "placement,silos,rate,requests,refused,prefix_hits,tokens_per_s,first_token_median_s,first_token_p95_s,first_token_p99_s,busy,imbalance";

    public string Line => FormattableString.Invariant($"{Placement},{Silos},{Rate:F3},{Requests},{Refused},{Hits:F4},{TokensPerSecond:F2},") +
        FormattableString.Invariant($"{FirstTokenMedian:F3},{FirstToken95:F3},{FirstToken99:F3},{Busy:F3},{Imbalance:F3}");

    /// <param name="settings">The fleet.</param>
    /// <param name="requests">All of the trace.</param>
    /// <param name="seconds">The trace's length.</param>
    /// <param name="silos">By silo: seconds in which it computed, and tokens generated, when the trace ended.</param>
    public static FleetResult Of(FleetSettings settings, SimulatedRequest[] requests, double seconds, (double Busy, long Tokens)[] silos)
    {
        SimulatedRequest[] begun = [.. requests.Where(request => double.IsFinite(request.First))];
        double[] first = [.. requests.Where(request => !request.IsRefused).Select(request => request.First - request.Asked.Time).Order()];
        return new FleetResult
        {
            Placement = settings.Placement, Silos = settings.Silos, Requests = requests.Length, Refused = requests.Count(request => request.IsRefused),
            Hits = (double)begun.Sum(request => (long)request.CachedTokens) / begun.Sum(request => (long)request.Asked.PromptTokens),
            TokensPerSecond = silos.Sum(silo => silo.Tokens) / seconds,
            FirstTokenMedian = Quantile(first, 0.5), FirstToken95 = Quantile(first, 0.95), FirstToken99 = Quantile(first, 0.99),
            Busy = silos.Average(silo => silo.Busy) / seconds, Imbalance = silos.Max(silo => silo.Busy) / silos.Average(silo => silo.Busy), Seconds = seconds,
        };
    }

    private static double Quantile(double[] sorted, double share) =>
        sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];
}
