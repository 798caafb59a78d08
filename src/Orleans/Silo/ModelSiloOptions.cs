namespace ManagedTransformers.Orleans;

/// <summary>Which models a silo has, and what it says of them to the cluster.</summary>
public sealed record ModelSiloOptions
{
    /// <summary>The models, their limit of memory, and how they are shared. The engines of decoders must be deterministic, so that a text can go on on another
    /// silo.</summary>
    public required ModelHostOptions Host { get; init; }

    /// <summary>Models that are loaded when the silo starts, by name. Another one is loaded where a request for it comes, and on one more silo
    /// with room whenever all that have it run as many texts as they can.</summary>
    public IReadOnlyList<string> Preload { get; init; } = [];

    /// <summary>The silo reports to the directories of its models when something changed, and in this time at the latest. One that has not for ten times as
    /// long gets no more requests.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public TimeSpan ReportInterval
    {
        get;
        init => field = value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A time above 0 is needed.");
    } = TimeSpan.FromSeconds(1);

    /// <summary>A silo that could not confirm for so long that it belongs to the cluster refuses all requests and ends what runs, because others may have taken
    /// it over. It confirms it five times in this time: by reading the membership table, or, while that cannot be read, by reaching all other silos.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public TimeSpan MembershipTimeout
    {
        get;
        init => field = value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A time above 0 is needed.");
    } = TimeSpan.FromSeconds(10);

    /// <summary>The most blocks of 64 tokens of cached prompts that a report names for a model, those that were used last.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int MaxReportedBlocks { get; init => field = OptionRange.Least(0, value); } = 1024;
}
