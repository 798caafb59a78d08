using System.Reflection;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Cli;

/// <summary>
/// The methods that compute what the panels show. Their files are embedded as they were compiled, and a method's line is looked up in them, so a link
/// never points to where the method once was.
/// </summary>
internal static class CodeSources
{
    private const string Explanation = "src/Diagnostics/Explanation/";

    /// <summary>Files that have code for a page; Cli.csproj embeds the same.</summary>
    private static readonly Entry[] Entries =
    [
        new("tokens", "src/Tokenizers/Tokenizer.cs", "Encode", "text to ids", Kinds.Both),
        new("attention", "src/Models/CodeGen/CodeGenAttention.cs", "Attend", "queries, keys and values of a layer go to the kernel", Kinds.Decoder),
        new("attention", "src/Models/Bert/BertAttention.cs", "Attend", "queries, keys and values of a layer go to the kernel", Kinds.Encoder),
        new("attention", "src/Kernels/Reference/AttentionReference.cs", "Scores", "q · kᵀ / √head_dim, as the Reference kernel has it", Kinds.Both),
        new("residual", "src/Models/CodeGen/CodeGenBlock.cs", "Forward", "a block adds to the stream", Kinds.Decoder),
        new("residual", "src/Models/Bert/BertLayer.cs", "Forward", "a layer changes the hidden state", Kinds.Encoder),
        new("residual", Explanation + "ExplanationRun.cs", "Norms", "the norms", Kinds.Both),
        new("lens", Explanation + "ExplanationRun.cs", "Lens", "candidates at every place", Kinds.Both),
        new("lens", "src/Models/CodeGen/CodeGenForCausalLM.cs", "Logits", "final LayerNorm and head", Kinds.Decoder),
        new("lens", "src/Models/Layers/MaskedLMHead.cs", "Forward", "the masked-LM head", Kinds.Encoder),
        new("prediction", Explanation + "DirectAttribution.cs", "Effects", "the effects of all parts", Kinds.Decoder),
        new("prediction", Explanation + "DirectAttribution.cs", "AddLayer", "a layer's heads and its MLP", Kinds.Decoder),
        new("prediction", "src/Models/Layers/LayerNormalization.cs", "ScaleParts", "the final LayerNorm of a part, its scale frozen", Kinds.Decoder),
        new("prediction", Explanation + "EncoderExplanation.cs", "AblationEffects", "a pass without each part", Kinds.Encoder),
        new("generation", Explanation + "GreedySteps.cs", "Explain", "the steps", Kinds.Generation),
        new("generation", "src/Models/CodeGen/CodeGenAttention.cs", "SplitHeads", "keys and values go to the cache", Kinds.Generation),
    ];

    [Flags]
    private enum Kinds
    {
        None = 0,
        Decoder = 1,
        Encoder = 2,
        Generation = 4,
        Both = Decoder | Encoder,
    }

    /// <summary>The version of mtx.</summary>
    public static string Version => typeof(CodeSources).Assembly.GetName().Version!.ToString(3);

    /// <summary>The code behind the panels of a page.</summary>
    public static ExplainSource[] Of(bool causal, bool generation)
    {
        Kinds kinds = (causal ? Kinds.Decoder : Kinds.Encoder) | (generation ? Kinds.Generation : Kinds.None);
        return [.. Entries.Where(entry => (entry.Kinds & kinds) != Kinds.None).Select(Find)];
    }

    private static ExplainSource Find(Entry entry)
    {
        string[] lines = EmbeddedFiles.Read($"source/{entry.Path}").ReplaceLineEndings("\n").Split('\n');
        var declaration = new Regex($@"^ {{4}}(public|internal|private)[^=;(]* {entry.Method}\(", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
        // The method itself, not an overload that only calls it.
        int at = Array.FindLastIndex(lines, line => declaration.IsMatch(line));
        if (at < 0)
            throw new InvalidOperationException($"{entry.Path} has no method {entry.Method}.");
        return new ExplainSource(entry.Panel, entry.What, entry.Path, entry.Method, at + 1, Url(entry.Path, at + 1), MethodAt(lines, at));
    }

    /// <summary>A method with the comment above it, from the indentation on that members have.</summary>
    private static string MethodAt(string[] lines, int declaration)
    {
        int start = declaration, end = declaration;
        while (lines[start - 1].StartsWith("    ///", StringComparison.Ordinal))
            start--;
        while (lines[end] != "    }" && !(lines[end].EndsWith(';') && !lines.AsSpan(declaration..(end + 1)).Contains("    {")))
            end++;
        return string.Join('\n', lines[start..(end + 1)].Select(line => line.StartsWith("    ", StringComparison.Ordinal) ? line[4..] : line));
    }

    /// <summary>A line in the repository that the build names (RepositoryUrl), at the commit of the build where it is known; else the path in a clone.</summary>
    /// <param name="repository">The repository's address; null or empty: not known.</param>
    /// <param name="version">The informational version, <c>0.1.0+commit</c>.</param>
    /// <param name="path">The file, from the repository's root.</param>
    /// <param name="line">The line, from 1 on.</param>
    public static string Link(string? repository, string? version, string path, int line)
    {
        if (string.IsNullOrEmpty(repository))
            return $"{path}#L{line}";
        string root = repository.TrimEnd('/');
        string revision = version?.Split('+') is [_, string commit] ? commit : "HEAD";
        return $"{(root.EndsWith(".git", StringComparison.Ordinal) ? root[..^4] : root)}/blob/{revision}/{path}#L{line}";
    }

    private static string Url(string path, int line)
    {
        Assembly mtx = typeof(CodeSources).Assembly;
        string? repository = mtx.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(one => one.Key == "RepositoryUrl")?.Value;
        return Link(repository, mtx.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion, path, line);
    }

    private sealed record Entry(string Panel, string Path, string Method, string What, Kinds Kinds);
}
