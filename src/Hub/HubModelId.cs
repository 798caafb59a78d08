using System.Buffers;

namespace ManagedTransformers.Hub;


/// <summary>A model of the Hugging Face hub at a revision: <c>org/name</c>, or <c>org/name@revision</c> as text.</summary>
public sealed record HubModelId
{
    /// <summary>The branch that is meant where none is named.</summary>
    public const string MainRevision = "main";

    private HubModelId(string name, string revision)
    {
        (Name, Revision) = (name, revision);
    }

    /// <summary>Organisation and name, such as <c>huggingface/CodeBERTa-small-v1</c>; a few old models have no organisation.</summary>
    public string Name { get; }

    /// <summary>A branch, a tag, or a whole commit hash.</summary>
    public string Revision { get; }

    /// <summary>Reads a name. It becomes part of paths and addresses, so nothing but what the hub allows is taken.</summary>
    /// <param name="name"><c>org/name</c> or <c>org/name@revision</c>.</param>
    /// <param name="revision">Branch, tag or commit, where the name does not say it; main when null.</param>
    /// <exception cref="FormatException">Name or revision cannot be one of the hub's, or there are two revisions.</exception>
    public static HubModelId Parse(string name, string? revision = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        string shown = Shown(name);
        int at = name.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
        {
            if (revision is not null && revision != name[(at + 1)..])
                throw new FormatException($"\"{shown}\" names one revision and \"{Shown(revision)}\" is another. Give one of them.");
            (name, revision) = (name[..at], name[(at + 1)..]);
        }
        if (HubNames.ProblemOfModel(name) is string problem)
            throw new FormatException($"\"{shown}\" is no model's name on the hub: {problem}. Names are as in huggingface/CodeBERTa-small-v1.");
        revision ??= MainRevision;
        if (HubNames.ProblemOfRevision(revision) is string wrong)
            throw new FormatException($"\"{Shown(revision)}\" is no revision: {wrong}. Give a branch, a tag or a whole commit hash.");
        return new HubModelId(name, revision);
    }

    /// <summary>Whether a text can be a model's name, with or without a revision.</summary>
    public static bool IsName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return HubNames.ProblemOfModel(text.Split('@', 2)[0]) is null;
    }

    /// <summary>The name, and the revision where it is not main.</summary>
    public override string ToString() => Revision == MainRevision ? Name : $"{Name}@{Revision}";

    /// <summary>A text of others in a message: short, and without what a terminal would obey.</summary>
    internal static string Shown(string text)
    {
        string visible = string.Concat(text.Take(200).Select(c => char.IsControl(c) ? $"\\u{(int)c:X4}" : $"{c}"));
        return text.Length > 200 ? visible + "…" : visible;
    }
}

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
