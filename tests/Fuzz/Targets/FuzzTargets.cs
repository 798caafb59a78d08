namespace ManagedTransformers.Fuzz;

/// <summary>Everything that reads what somebody else wrote.</summary>
internal static class FuzzTargets
{
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        .. WeightTargets.All, .. TokenizerTargets.All, .. ConfigTargets.All, .. LineTargets.All,
        .. CollectionTarget.All, ServerTarget.Target,
    ];

    /// <exception cref="FormatException">There is no such target.</exception>
    public static FuzzTarget Find(string name) => All.FirstOrDefault(target => target.Name == name)
        ?? throw new FormatException($"There is no target {name}; there are {string.Join(", ", All.Select(target => target.Name))}.");
}
