namespace ManagedTransformers.Models;

/// <summary>
/// What does not fit while a model takes its weights: collected, so that all of it is told at once, and by its cause where one explains many.
/// </summary>
/// <param name="configName">What messages call the configuration.</param>
/// <param name="names">The checkpoint's names; null where weights are random.</param>
internal sealed class LoadProblems(string configName, TensorNames? names)
{
    private const int Most = 50;
    private const int Shown = 3;

    private readonly List<string> _others = [];
    private readonly List<(string Name, string Shape)> _missing = [];
    private bool _anyFound;

    /// <summary>Whether there is one.</summary>
    public bool Any => _others.Count + _missing.Count > 0;

    /// <summary>Says that a tensor is there, fitting or not.</summary>
    public void Found() => _anyFound = true;

    /// <summary>Says that a tensor is not there.</summary>
    /// <exception cref="CheckpointException">There are many problems already.</exception>
    public void Missing(string name, ReadOnlySpan<long> shape)
    {
        _missing.Add((name, TensorEntry.Describe(shape)));
        ThrowIfMany();
    }

    /// <summary>Another problem, in a sentence or two; told once.</summary>
    /// <exception cref="CheckpointException">There are many problems already.</exception>
    public void Add(string problem)
    {
        if (!_others.Contains(problem)) _others.Add(problem);
        ThrowIfMany();
    }

    /// <exception cref="CheckpointException">There is a problem.</exception>
    public void Throw(string architecture)
    {
        if (Any)
            throw new CheckpointException($"The checkpoint does not fit {architecture}", [.. DescribeMissing(), .. _others])
            {
                MissingTensors = [.. _missing.Select(tensor => tensor.Name)],
            };
    }

    // A configuration may ask for millions of layers.
    private void ThrowIfMany()
    {
        if (_others.Count + _missing.Count >= Most) Throw("the model");
    }

    private IEnumerable<string> DescribeMissing()
    {
        string[] all = [.. _missing.Select(tensor => tensor.Name)];
        string some = string.Join(", ", all.Take(Shown));
        if (all.Length > 1 && names?.PrefixOf(all) is string prefix)
        {
            return [$"{all.Length} tensors that {configName} needs are not there under their names ({some}, …), " +
                $"and all of them are with {prefix} before it: a larger model was saved. Save its {prefix.TrimEnd('.')} alone, or take the prefix off."];
        }
        if (all.Length > Shown && !_anyFound)
        {
            return [$"None of the tensors that {configName} needs is there ({some}, …); the checkpoint has {names?.Describe(Shown)}. " +
                "Do config.json and the weight file belong together?"];
        }
        return _missing.Select(tensor => $"{tensor.Name} is missing; {configName} needs it as {tensor.Shape}.");
    }
}
