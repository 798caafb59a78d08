namespace ManagedTransformers.Models;

/// <summary>The families of models that this process knows.</summary>
public static class ModelFamilies
{
    private static readonly Lock Gate = new();

    /// <summary>One line per family: its folder has the rest.</summary>
    private static ModelFamily[] _all =
    [
        BertFamily.Registration,
        RobertaFamily.Registration,
        CodeGenFamily.Registration,
        DistilBertFamily.Registration,
        LlamaFamily.Registration,
        Qwen2Family.Registration,
        GPTNeoXFamily.Registration,
        GPTBigCodeFamily.Registration,
        GPT2Family.Registration,
        GPTJFamily.Registration,
        XLMRobertaFamily.Registration,
        CamembertFamily.Registration,
        MPNetFamily.Registration,
    ];

    /// <summary>All families, in the order in which they were registered.</summary>
    public static IReadOnlyList<ModelFamily> All => Volatile.Read(ref _all);

    /// <summary>Adds a family, for the whole process: its checkpoints then load like any other.</summary>
    /// <param name="family">Its registration.</param>
    /// <exception cref="ArgumentException">A family of that model_type, or a class of one of those names, is registered already, or another family means
    /// another tokenizer by the same name.</exception>
    public static void Register(ModelFamily family)
    {
        ArgumentNullException.ThrowIfNull(family);
        family.Check(nameof(family));
        lock (Gate)
        {
            if (Array.Find(_all, known => known.ModelType == family.ModelType) is not null)
                throw new ArgumentException($"A family with model_type {family.ModelType} is registered already; each is registered once. Known are " +
                    $"{Names}.", nameof(family));
            RequireSameTokenizers(family);
            if (family.Architectures.FirstOrDefault(name => Find(name) is not null) is string twice)
                throw new ArgumentException($"{twice} of the family {family.ModelType} is a class of {Find(twice)!.ModelType} already; the names of " +
                    "classes are unique. Rename it.", nameof(family));
            Volatile.Write(ref _all, [.. _all, family]);
        }
    }

    /// <summary>A tokenizer class means one tokenizer, with and without Fast, whichever family names it.</summary>
    private static void RequireSameTokenizers(ModelFamily family)
    {
        var meant = new Dictionary<string, (string Known, string Family)>(StringComparer.Ordinal);
        foreach (ModelFamily one in _all.Append(family))
        {
            foreach ((string name, string known) in one.TokenizerClasses)
            {
                if (!meant.TryAdd(WithoutFast(name), (known, one.ModelType)) && WithoutFast(meant[WithoutFast(name)].Known) != WithoutFast(known))
                    throw new ArgumentException($"{name} is a {known} to the family {one.ModelType} and a {meant[WithoutFast(name)].Known} to the family " +
                        $"{meant[WithoutFast(name)].Family} (TokenizerClasses); a tokenizer class is one tokenizer. Rename one.", nameof(family));
            }
        }

        static string WithoutFast(string name) => name.EndsWith("Fast", StringComparison.Ordinal) ? name[..^4] : name;
    }

    /// <summary>The known model_types, for messages.</summary>
    internal static string Names => string.Join(", ", All.Select(family => family.ModelType));

    /// <summary>The known classes.</summary>
    internal static IReadOnlyCollection<string> Architectures => [.. All.SelectMany(family => family.Architectures)];

    /// <summary>The known classes that do a task, for messages: <c>BertForMaskedLM or RobertaForMaskedLM</c>.</summary>
    internal static string NamesOfTask(Type task)
    {
        string[] names = [.. All.SelectMany(family => family.Classes).Where(task.IsAssignableFrom).Select(type => type.Name)];
        return names.Length > 1 ? $"{string.Join(", ", names[..^1])} or {names[^1]}" : string.Concat(names);
    }

    /// <summary>The family of a model_type; null: unknown.</summary>
    internal static ModelFamily? OfType(string modelType) => All.FirstOrDefault(family => family.ModelType == modelType);

    /// <summary>The family of a configuration.</summary>
    /// <exception cref="ConfigException">It is not registered.</exception>
    internal static ModelFamily Of(PretrainedConfig config) => OfType(config.ModelType)
        ?? throw new ConfigException($"model_type {config.ModelType} is registered by no family; known are {Names}. Register it (ModelFamilies.Register).");

    /// <summary>The family that has a class of this name; null: none.</summary>
    internal static ModelFamily? Find(string architecture) => All.FirstOrDefault(family => family.Architectures.Contains(architecture));

    /// <summary>The family whose classes a name looks like: files that lack model_type say only that.</summary>
    internal static ModelFamily? Guess(string architecture) => Find(architecture)
        ?? All.Where(family => architecture.StartsWith(Stem(family), StringComparison.Ordinal)).MaxBy(family => Stem(family).Length);

    /// <summary>Whether a tensor is a buffer of some family, which its models compute themselves.</summary>
    /// <remarks>A vector whose name ends like a mask's (.attn.bias) is the parameter of another architecture's layer.</remarks>
    internal static bool IsBuffer(Weight weight) =>
        All.Any(family => family.IsBuffer(weight.Name)) && !(weight.Shape.Count == 1 && weight.Name.EndsWith(".bias", StringComparison.Ordinal));

    /// <summary>Today's name of a parameter that a file gives an older one.</summary>
    internal static string ModernName(string name)
    {
        foreach ((string old, string today) in All.SelectMany(family => family.OldNames))
        {
            if (name.EndsWith(old, StringComparison.Ordinal))
                return name[..^old.Length] + today;
        }
        return name;
    }

    /// <summary>Bert of BertModel.</summary>
    private static string Stem(ModelFamily family)
    {
        string name = (family.BaseModel ?? family.Classes[0]).Name;
        return name.EndsWith("Model", StringComparison.Ordinal) ? name[..^"Model".Length] : name;
    }
}
