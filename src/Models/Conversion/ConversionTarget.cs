using System.Text.RegularExpressions;

namespace ManagedTransformers.Models;

/// <summary>The directory that a conversion writes to: what is there already, and what of it must go.</summary>
internal sealed partial class ConversionTarget(string source, string directory, Checkpoint checkpoint, ShardPlan shards, bool overwrite)
{
    private readonly List<string> _created = [];

    /// <summary>Whether it is the directory that is converted.</summary>
    public bool IsSource { get; } = Path.TrimEndingDirectorySeparator(RealPath.Of(source)) == Path.TrimEndingDirectorySeparator(RealPath.Of(directory));

    /// <summary>Creates the directory, and makes sure that nothing is replaced that should not be.</summary>
    /// <exception cref="IOException">A checkpoint is there, or the weights would replace themselves.</exception>
    public void Prepare()
    {
        if (IsSource && checkpoint.FileNames.Any(IsWeightFile))
            throw new IOException($"{directory} holds the safetensors that are to be converted; they cannot replace themselves while they are read. " +
                "Write to another directory.");
        if (File.Exists(directory)) throw new IOException($"{directory} is a file; the name of a directory is needed.");
        if (!overwrite && Directory.Exists(directory))
        {
            string? there = Directory.EnumerateFiles(directory).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)
                .FirstOrDefault(name => IsWeightFile(name) || (!IsSource && name is ConfigJson.FileName or Checkpoint.TorchFileName));
            if (there is not null)
                throw new IOException($"{directory} holds a checkpoint already ({there}). " +
                    "Write to another directory, or set Overwrite (mtx convert --force) to replace it.");
        }
        Create(directory);
    }

    /// <summary>Creates the folder in which a file of the directory lies.</summary>
    public void CreateFolder(string name) => Create(Path.GetDirectoryName(Path.Combine(directory, name))!);

    /// <summary>Takes away what says which shards there are, so that old and new files are never read as one checkpoint.</summary>
    public void MakeRoom()
    {
        if (!shards.IsSharded) return;
        File.Delete(Path.Combine(directory, Checkpoint.IndexFileName));
        File.Delete(Path.Combine(directory, Checkpoint.SingleFileName));
    }

    /// <summary>Removes the weights of a checkpoint that was replaced.</summary>
    public void RemoveRest()
    {
        foreach (string path in Directory.EnumerateFiles(directory))
        {
            string name = Path.GetFileName(path);
            bool isNew = shards.FileNames.Contains(name) || (shards.IsSharded && name == Checkpoint.IndexFileName);
            if (IsWeightFile(name) && !isNew) File.Delete(path);
        }
    }

    /// <summary>Removes the folders that were created for nothing.</summary>
    public void Abandon()
    {
        foreach (string folder in Enumerable.Reverse(_created))
            if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
    }

    private void Create(string folder)
    {
        if (Directory.Exists(folder)) return;
        Directory.CreateDirectory(folder);
        _created.Add(folder);
    }

    private static bool IsWeightFile(string name) => name is Checkpoint.SingleFileName or Checkpoint.IndexFileName || Shard().IsMatch(name);

    [GeneratedRegex(@"^model-\d{5}-of-\d{5}\.safetensors\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Shard();
}
