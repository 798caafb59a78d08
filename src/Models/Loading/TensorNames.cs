namespace ManagedTransformers.Models;

/// <summary>
/// Which tensor of a checkpoint is meant by a parameter's canonical name. Files may leave the base model's prefix out, give LayerNorm's parameters their
/// older names, and keep what training put around the model: torch.compile's <c>_orig_mod.</c>, DataParallel's <c>module.</c>, a trainer's <c>model.</c>.
/// </summary>
internal sealed class TensorNames
{
    /// <summary>What wraps modules at any depth; no module of a model has such a name.</summary>
    private static readonly string[] Wrappers = ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."];

    /// <summary>What wraps a whole model; taken off only where all names have it, as it may be a module's name.</summary>
    private static readonly string[] OuterWrappers = ["module.", "model."];

    private readonly ModelFamily _family;
    private readonly string _basePrefix;
    private readonly Dictionary<string, Weight> _weights = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _unwrapped = new(StringComparer.Ordinal);

    /// <param name="weights">The tensors of the checkpoint by name.</param>
    /// <param name="family">The family that says what the base model's names begin with, and which names parameters had.</param>
    public TensorNames(IReadOnlyDictionary<string, Weight> weights, ModelFamily family)
    {
        (_family, _basePrefix) = (family, family.BaseModelPrefix + ".");
        foreach (string name in weights.Keys) _unwrapped[name] = WithoutWrappers(name);
        while (OuterWrappers.FirstOrDefault(IsSharedByAll) is string outer)
        {
            foreach (string name in weights.Keys) _unwrapped[name] = _unwrapped[name][outer.Length..];
        }
        foreach ((string name, Weight weight) in weights)
        {
            // Where the plain name is there, too, it is the one that is meant.
            if (!_weights.TryAdd(_unwrapped[name], weight) && _unwrapped[name] == name) _weights[name] = weight;
        }
    }

    /// <summary>A tensor's name in the file without what training put around the model.</summary>
    public string Unwrapped(Weight weight) => _unwrapped[weight.Name];

    /// <summary>The tensor of a canonical name; null: it is not there under any of its names.</summary>
    public Weight? Find(string name)
    {
        foreach (string candidate in Candidates(name))
        {
            if (_weights.TryGetValue(candidate, out Weight? weight)) return weight;
        }
        return null;
    }

    /// <summary>What says that names were wrapped; null: none is.</summary>
    public string? Warning()
    {
        KeyValuePair<string, string>[] wrapped = [.. _unwrapped.Where(pair => pair.Key != pair.Value)];
        if (wrapped.Length == 0) return null;
        string first = wrapped[0].Key, prefix = first[..^wrapped[0].Value.Length];
        const string Advice = "torch.compile, DataParallel and trainers put that around a model; it is read without. mtx convert writes the plain names.";
        return wrapped.Length == _unwrapped.Count && wrapped.All(pair => pair.Key == prefix + pair.Value)
            ? $"All {wrapped.Length} tensor names begin with {prefix} (such as {first}): {Advice}"
            : $"{wrapped.Length} of {_unwrapped.Count} tensor names are those of wrapped modules (such as {first}, read as {wrapped[0].Value}): {Advice}";
    }

    /// <summary>What stands before the names of all of these parameters in the file; null: no such prefix.</summary>
    public string? PrefixOf(IReadOnlyList<string> names)
    {
        foreach (string candidate in Candidates(names[0]))
        {
            foreach (string holder in _weights.Keys.Where(key => key.EndsWith($".{candidate}", StringComparison.Ordinal)))
            {
                string prefix = holder[..^candidate.Length];
                if (names.All(name => Candidates(name).Any(other => _weights.ContainsKey(prefix + other))))
                    return prefix;
            }
        }
        return null;
    }

    /// <summary>How many names there are, and some of them, for messages.</summary>
    public string Describe(int count) =>
        _unwrapped.Count == 0 ? "no tensors" : $"{_unwrapped.Count} tensors, such as {string.Join(", ", _unwrapped.Keys.Take(count))}";

    private bool IsSharedByAll(string prefix) => _unwrapped.Count > 0 && prefix != _basePrefix
        && _unwrapped.Values.All(name => name.Length > prefix.Length && name.StartsWith(prefix, StringComparison.Ordinal));

    private IEnumerable<string> Candidates(string name)
    {
        string bare = name.StartsWith(_basePrefix, StringComparison.Ordinal) ? name[_basePrefix.Length..] : name;
        return _family.NamesOf(name).Concat(_family.NamesOf(bare));
    }

    private static string WithoutWrappers(string name)
    {
        foreach (string wrapper in Wrappers)
        {
            for (int at; (at = $".{name}".IndexOf($".{wrapper}", StringComparison.Ordinal)) >= 0 && name.Length > wrapper.Length;)
                name = name.Remove(at, wrapper.Length);
        }
        return name;
    }
}
