using System.Buffers;

namespace ManagedTransformers.Hub;

/// <summary>Which names of models, revisions and files are taken: those that become paths below the cache's folder, and no others.</summary>
/// <remarks>huggingface_hub's validate_repo_id; revisions and files as git has them, without what a path could be led astray by.</remarks>
internal static class HubNames
{
    private const int MostInName = 96;
    private const int MostInPath = 1024;
    private const int CommitLength = 40;

    private static readonly SearchValues<char> OfNames = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");
    private static readonly SearchValues<char> NotInRevisions = SearchValues.Create(" ~^:?*[@");
    private static readonly SearchValues<char> NotInPaths = SearchValues.Create([.. Path.GetInvalidFileNameChars().Where(c => c != '/'), '\\']);

    /// <summary>What is wrong with a model's name, or null.</summary>
    public static string? ProblemOfModel(string name)
    {
        string[] parts = name.Split('/');
        if (parts.Length > 2) return $"it has {parts.Length} parts between slashes, and a name is org/name";
        foreach (string part in parts)
        {
            if (part.Length == 0) return "a part of it is empty, and a name is org/name";
            if (part.AsSpan().ContainsAnyExcept(OfNames)) return "it may hold letters, digits, '-', '_' and '.' only";
            if (part[0] is '-' or '.' || part[^1] is '-' or '.') return "no part of it may begin or end with '-' or '.'";
            // "--" stands for the slash in the cache's folders.
            if (part.Contains("--", StringComparison.Ordinal) || part.Contains("..", StringComparison.Ordinal)) return "it must not hold \"--\" or \"..\"";
        }
        if (name.Length > MostInName) return $"it has {name.Length} characters, and a name has at most {MostInName}";
        return name.EndsWith(".git", StringComparison.Ordinal) ? "it ends with \".git\", which belongs to the address and not to the name" : null;
    }

    /// <summary>What is wrong with a branch, tag or commit, or null.</summary>
    public static string? ProblemOfRevision(string revision) =>
        revision.AsSpan().ContainsAny(NotInRevisions) ? "it may not hold blanks, '~', '^', ':', '?', '*', '[' and '@'" : ProblemOfPath(revision);

    /// <summary>What is wrong with a file's name in a repository, or null: it must stay below the snapshot's folder.</summary>
    public static string? ProblemOfFile(string file) => ProblemOfPath(file);

    /// <summary>Whether a text is a whole commit hash, as the cache's snapshots are named.</summary>
    public static bool IsCommit(string text) => text.Length == CommitLength && text.All(char.IsAsciiHexDigitLower);

    private static string? ProblemOfPath(string path)
    {
        if (path.Length is 0 or > MostInPath) return $"it has {path.Length} characters, and 1 to {MostInPath} are needed";
        if (path.AsSpan().ContainsAny(NotInPaths) || path.Any(char.IsControl))
            return "it holds a backslash, a control character, or what no file's name may hold";
        return path.Split('/').Any(part => part.Length == 0 || part.Trim('.', ' ').Length == 0)
            ? "a part of it is empty, \".\" or \"..\", which would lead out of the folder"
            : null;
    }
}
