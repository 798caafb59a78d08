using System.Text.RegularExpressions;

namespace ManagedTransformers.Hub;

/// <summary>Which files of a repository this runtime reads.</summary>
internal static partial class HubFileSelection
{
    /// <summary>Weights in the order in which a checkpoint looks for them: the first that is there is read, with its shards.</summary>
    private static readonly (string Name, string? Stem, string Extension)[] Weights =
    [
        ("model.safetensors", null, ""),
        ("model.safetensors.index.json", "model", ".safetensors"),
        ("pytorch_model.bin", null, ""),
        ("pytorch_model.bin.index.json", "pytorch_model", ".bin"),
    ];

    /// <summary>The files to download, small ones first, as people want to see errors early.</summary>
    public static IReadOnlyList<string> ReadHere(IReadOnlyCollection<string> files)
    {
        IEnumerable<IGrouping<string, string>> folders = files.Where(file => IsOwn(FolderOf(file))).GroupBy(FolderOf, StringComparer.Ordinal);
        var wanted = new List<string>();
        var weights = new List<string>();
        foreach (IGrouping<string, string> folder in folders.OrderBy(folder => folder.Key, StringComparer.Ordinal))
        {
            wanted.AddRange(folder.Where(file => CompanionNames.Read.Contains(file[folder.Key.Length..])).Order(StringComparer.Ordinal));
            weights.AddRange(WeightsOf(folder.Key, [.. folder]));
        }
        return [.. wanted, .. weights];
    }

    /// <summary>Whether a file holds weights, or says which files do.</summary>
    public static bool IsWeights(string file)
    {
        string name = file[FolderOf(file).Length..];
        return Weights.Any(kind => kind.Name == name || IsShard(name, kind.Stem, kind.Extension));
    }

    /// <summary>The index of the shards that a checkpoint of these files would read; null: its weights are one file, or there are none.</summary>
    public static string? IndexOf(IReadOnlyCollection<string> files) =>
        Array.Find(Weights, kind => files.Contains(kind.Name)) is (string name, not null, _) ? name : null;

    /// <summary>Whether this runtime may read a file.</summary>
    public static bool IsRead(string file) => IsOwn(FolderOf(file)) && (CompanionNames.Read.Contains(file[FolderOf(file).Length..]) || IsWeights(file));

    private static IEnumerable<string> WeightsOf(string folder, List<string> files)
    {
        foreach ((string name, string? stem, string extension) in Weights)
        {
            if (files.Contains(folder + name))
                return [folder + name, .. files.Where(file => IsShard(file[folder.Length..], stem, extension)).Order(StringComparer.Ordinal)];
        }
        return [];
    }

    private static bool IsShard(string name, string? stem, string extension) =>
        stem is not null && name.StartsWith(stem + "-", StringComparison.Ordinal) && name.EndsWith(extension, StringComparison.Ordinal)
        && ShardNumber().IsMatch(name.AsSpan(stem.Length, name.Length - stem.Length - extension.Length));

    /// <summary>The repository's top, or a module of sentence-transformers, such as <c>1_Pooling/</c>.</summary>
    private static bool IsOwn(string folder) => folder.Length == 0 || ModuleFolder().IsMatch(folder);

    private static string FolderOf(string file) => file[..(file.LastIndexOf('/') + 1)];

    [GeneratedRegex(@"\A-[0-9]+-of-[0-9]+\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ShardNumber();

    [GeneratedRegex(@"\A[0-9]+_[A-Za-z]+/\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ModuleFolder();
}
