using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Checkpoints of real sizes with synthetic weights, written once to a folder outside the repository.</summary>
internal sealed class CheckpointCache(string directory, Action<string> say)
{
    /// <summary>$XDG_CACHE_HOME/managed-transformers-bench, or the same under ~/.cache.</summary>
    public static string DefaultDirectory => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "managed-transformers-bench");

    /// <summary>The folder with everything that the bench keeps.</summary>
    public string Directory { get; } = directory;

    /// <summary>The repository's root, above the program.</summary>
    /// <exception cref="DirectoryNotFoundException">The program was moved out of the repository.</exception>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The directory of a checkpoint, which is written first where it is missing.</summary>
    public string Open(string name)
    {
        string target = Path.Combine(Directory, "checkpoints", name);
        // The weights are written under a temporary name and renamed at the end, so what is there is whole.
        if (File.Exists(Path.Combine(target, Checkpoint.SingleFileName)) || File.Exists(Path.Combine(target, Checkpoint.IndexFileName)))
            return target;
        say($"Writing {name} to {target} (once)");
        int tenths = 0;
        var progress = new SynchronousProgress<WriteProgress>(p =>
        {
            if (p.Bytes * 10 / p.TotalBytes > tenths)
                say($"  {++tenths * 10} % of {p.TotalBytes >> 20} MiB");
        });
        string specification = Path.Combine(RepositoryRoot, "tests", "data", "reference", "fullsize", name);
        if (!System.IO.Directory.Exists(specification))
        {
            specification = Path.Combine(Directory, "shapes", name);
            ShapeSpecification.Write(ModelSize.All.Single(size => size.Checkpoint == name), specification);
        }
        SyntheticCheckpoint.Write(specification, target, progress);
        return target;
    }

    /// <summary>The directory of the same checkpoint as a PyTorch file that can be opened, but not computed with: it has no numbers.</summary>
    public string OpenTorch(string name)
    {
        string target = Path.Combine(Directory, "checkpoints", name + "-torch"), file = Path.Combine(target, Checkpoint.TorchFileName);
        if (File.Exists(file))
            return target;
        using Checkpoint weights = Checkpoint.Open(Open(name));
        System.IO.Directory.CreateDirectory(target);
        string partial = $"{file}.{Environment.ProcessId}";
        TorchCheckpoint.Write([.. weights.Weights.Values], partial);
        File.Move(partial, file, overwrite: true);
        return target;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? place = new(AppContext.BaseDirectory); place is not null; place = place.Parent)
        {
            if (File.Exists(Path.Combine(place.FullName, "Runtime.sln")))
                return place.FullName;
        }
        throw new DirectoryNotFoundException(
            $"No folder above {AppContext.BaseDirectory} holds Runtime.sln. Run the bench inside a clone: dotnet run -c Release --project bench -- all.");
    }

    /// <summary>Reports on the writing thread: the lines stay in order.</summary>
    private sealed class SynchronousProgress<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
