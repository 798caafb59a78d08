using System.Security.Cryptography;

namespace ManagedTransformers.Cli.Tests;

/// <summary>A program that writes files, and what is in their place before and after.</summary>
/// <param name="Name">Which writer it is.</param>
/// <param name="Prepare">Makes what is there before, below a root directory.</param>
/// <param name="Arguments">The command line, where {0} is the root.</param>
internal sealed record WriterCase(string Name, Action<string> Prepare, params string[] Arguments)
{
    /// <summary>Whether mtx writes, or tests/Writers.</summary>
    public bool IsMtx { get; init; } = true;

    /// <summary>Whether the program runs in root/out.</summary>
    public bool RunsInside { get; init; }

    public Func<string, Dictionary<string, string>> Environment { get; init; } = _ => [];

    /// <summary>What else may be in place after a kill than what was there before, or the whole result.</summary>
    public Func<string, bool> MayBeBetween { get; init; } = _ => false;

    /// <summary>What is refused where the result is there already.</summary>
    public string? RefusesResult { get; init; }

    public string[] Command(string root) =>
        [MtxProcess.Command[0], IsMtx ? MtxProcess.Command[1] : Path.Combine(AppContext.BaseDirectory, "writers.dll"),
            .. Arguments.Select(argument => argument.Replace("{0}", root, StringComparison.Ordinal))];

    public string WorkingDirectory(string root) => RunsInside ? Path.Combine(root, "out") : AppContext.BaseDirectory;

    /// <summary>Names and checksums of all that is in root/out and not hidden; links have their targets.</summary>
    public static string Contents(string root)
    {
        string output = Path.Combine(root, "out");
        if (File.Exists(output)) return Sum(output);
        if (!Directory.Exists(output)) return "";
        return string.Join('\n', new DirectoryInfo(output).EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true })
            .Where(entry => entry is FileInfo || entry.LinkTarget is not null)
            .Select(entry => $"{Path.GetRelativePath(output, entry.FullName)} {entry.LinkTarget ?? Sum(entry.FullName)}").Order(StringComparer.Ordinal));
    }

    /// <summary>What no run may leave.</summary>
    public static string[] Leftovers(string root) =>
        [.. Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories)
            .Where(path => Path.GetExtension(path) is ".unfinished" or ".incomplete" or ".tmp")];

    public override string ToString() => Name;

    private static string Sum(string path) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))[..16];
}
