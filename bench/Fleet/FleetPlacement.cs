using ManagedTransformers.Orleans;

namespace ManagedTransformers.Bench;

/// <summary>A rule that chooses the silo of a request; each simulation makes its own.</summary>
internal abstract class FleetPlacement
{
    public const string Prefix = "prefix", Longest = "longest", LeastLoaded = "least-loaded", Random = "random", Hash = "hash", Bounded = "bounded";

    /// <summary>All of them, with numbers of blocks for those that hash.</summary>
    public static IReadOnlyList<string> Usual { get; } = [Prefix, Longest, $"{Hash}-1", $"{Hash}-16", $"{Bounded}-1", $"{Bounded}-16", LeastLoaded, Random];

    /// <param name="request">What is asked for.</param>
    /// <param name="silos">What the directory knows, with silos in their order.</param>
    /// <returns>The silo's number.</returns>
    public abstract int Choose(PlacementRequest request, PlacementCandidate[] silos);

    /// <summary>A rule by its name: <c>hash-4</c> hashes the first four blocks, <c>bounded-4</c> goes on to the next silo from one that has a quarter more
    /// than its share of requests, <c>prefix-128</c> counts a request as 128 tokens.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static FleetPlacement Of(string name, int seed)
    {
        string[] parts = name.Split('-');
        int? number = parts.Length == 2 && int.TryParse(parts[1], out int found) && found > 0 ? found : null;
        return (parts[0], number, name) switch
        {
            (_, null, Prefix) => new PrefixPlacement(ModelPlacement.TokensOfRequest),
            (Prefix, int tokens, _) => new PrefixPlacement(tokens),
            (_, null, Longest) => new LongestPlacement(),
            (_, null, LeastLoaded) => new LeastLoadedPlacement(),
            (_, null, Random) => new RandomPlacement(seed),
            (Hash, int blocks, _) => new HashPlacement(blocks, double.PositiveInfinity),
            (Bounded, int blocks, _) => new HashPlacement(blocks, 1.25),
            _ => throw new ArgumentException($"There is no placement \"{name}\". There are: {string.Join(", ", Usual)}, and others with another number, " +
                $"such as {Hash}-4 (blocks) and {Prefix}-128 (tokens).", nameof(name)),
        };
    }

    /// <summary>The one that is used.</summary>
    private sealed class PrefixPlacement(int tokensOfRequest) : FleetPlacement
    {
        public override int Choose(PlacementRequest request, PlacementCandidate[] silos) =>
            Array.IndexOf(silos, ModelPlacement.Choose(silos, request, tokensOfRequest)!.Silo);
    }

    /// <summary>The longest prefix, however long the queue.</summary>
    private sealed class LongestPlacement : FleetPlacement
    {
        public override int Choose(PlacementRequest request, PlacementCandidate[] silos) =>
            Enumerable.Range(0, silos.Length).MinBy(i => (-PrefixBlocks.Common(request.Blocks, silos[i].Prefixes), silos[i].Queue));
    }

    private sealed class LeastLoadedPlacement : FleetPlacement
    {
        public override int Choose(PlacementRequest request, PlacementCandidate[] silos) =>
            Enumerable.Range(0, silos.Length).MinBy(i => silos[i].Queue);
    }

    private sealed class RandomPlacement(int seed) : FleetPlacement
    {
        private readonly Random _random = new(seed);

        public override int Choose(PlacementRequest request, PlacementCandidate[] silos) => _random.Next(silos.Length);
    }

    /// <summary>Consistent hashing of the first blocks; bounded: of the silos in the order of the hash, the first that has no more than its share.</summary>
    /// <remarks>Thaler and Ravishankar 1998 (rendezvous hashing); Mirrokni et al. 2016, arXiv:1608.01350.</remarks>
    private sealed class HashPlacement(int blocks, double share) : FleetPlacement
    {
        private ulong _number;

        public override int Choose(PlacementRequest request, PlacementCandidate[] silos)
        {
            // A prompt without a whole block goes anywhere.
            ulong key = request.Blocks.Length > 0 ? request.Blocks[Math.Min(blocks, request.Blocks.Length) - 1] : ++_number;
            double most = share * (silos.Sum(silo => (long)silo.Queue) + 1) / silos.Length;
            return Enumerable.Range(0, silos.Length).Where(i => silos[i].Queue < most).MinBy(i => PrefixBlocks.Mix(key + PrefixBlocks.Mix((ulong)i + 1)));
        }
    }
}
