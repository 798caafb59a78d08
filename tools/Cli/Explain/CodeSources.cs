using System.Reflection;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Cli;

/// <summary>
/// The methods that compute what the panels show. Their files are embedded as they were compiled, and a method's line is looked up in them, so a link
/// never points to where the method once was. Which classes a model is made of, its own code says.
/// </summary>
internal static partial class CodeSources
{
    private const string Explanation = "src/Diagnostics/Explanation/";

    /// <summary>What has code for a page; Cli.csproj embeds the files.</summary>
    private static readonly Entry[] Entries =
    [
        new("tokens", "src/Tokenizers/Tokenizer.cs", "Encode", "text to ids", Kinds.Both),
        new("attention", "*Attention", "Forward", "the attention of a layer", Kinds.Both),
        new("attention", "src/Kernels/Reference/AttentionReference.cs", "Scores", "q · kᵀ / √head_dim, as the Reference kernel has it", Kinds.Both),
        new("residual", "*Block|*Layer", "Forward", "what a layer does to the stream", Kinds.Both),
        new("residual", Explanation + "ExplanationRun.cs", "Norms", "the norms", Kinds.Both),
        new("lens", Explanation + "ExplanationRun.cs", "Lens", "candidates at every place", Kinds.Both),
        new("lens", "*", "Logits", "the head on any layer's stream", Kinds.Both),
        new("lens", "*Head", "ForwardTo", "the masked-LM head", Kinds.Encoder),
        new("prediction", Explanation + "DirectAttribution.cs", "Effects", "the effects of all parts", Kinds.Decoder),
        new("prediction", Explanation + "DirectAttribution.cs", "AddLayer", "a layer's heads and its MLP", Kinds.Decoder),
        new("prediction", "*Normalization", "ScaleParts", "the final norm of a part, its scale frozen", Kinds.Decoder),
        new("prediction", Explanation + "EncoderExplanation.cs", "AblationEffects", "a pass without each part", Kinds.Encoder),
        new("generation", Explanation + "GreedySteps.cs", "Explain", "the steps", Kinds.Generation),
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
    /// <param name="architecture">The model's class.</param>
    /// <param name="causal">Whether it is a decoder.</param>
    /// <param name="generation">Whether there are steps of generation.</param>
    public static ExplainSource[] Of(string architecture, bool causal, bool generation)
    {
        Kinds kinds = (causal ? Kinds.Decoder : Kinds.Encoder) | (generation ? Kinds.Generation : Kinds.None);
        CodeClass[] classes = [.. ClassesOf(architecture)];
        return [.. Entries.Where(entry => (entry.Kinds & kinds) != Kinds.None).Select(entry => Find(entry, classes)).OfType<ExplainSource>()];
    }

    /// <summary>A model's classes: its own, then those that this names, and so on, as their code reads.</summary>
    private static IEnumerable<CodeClass> ClassesOf(string architecture)
    {
        Dictionary<string, CodeClass> known = EmbeddedFiles.Names("source/").SelectMany(name => ClassesIn(name["source/".Length..]))
            .DistinctBy(one => one.Name).ToDictionary(one => one.Name);
        var found = new HashSet<string> { architecture };
        for (var next = new Queue<string>(found.Where(known.ContainsKey)); next.TryDequeue(out string? name);)
        {
            yield return known[name];
            IEnumerable<string> code = LinesOf(known[name].File)[known[name].Lines].Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal));
            foreach (string word in code.SelectMany(line => ClassName().Matches(line)).Select(match => match.Value).Where(known.ContainsKey))
            {
                if (found.Add(word))
                    next.Enqueue(word);
            }
        }
    }

    /// <summary>The classes of a file, each with the lines from its declaration to the next.</summary>
    private static IEnumerable<CodeClass> ClassesIn(string file)
    {
        string[] lines = LinesOf(file);
        (int Line, string Name)[] starts = [.. lines.Index().Select(line => (line.Index, Declaration().Match(line.Item)))
            .Where(one => one.Item2.Success).Select(one => (one.Index, one.Item2.Groups["name"].Value))];
        return starts.Index().Select(one => new CodeClass(one.Item.Name, file,
            one.Item.Line..(one.Index + 1 < starts.Length ? starts[one.Index + 1].Line : lines.Length)));
    }

    private static string[] LinesOf(string file) => EmbeddedFiles.Read($"source/{file}").ReplaceLineEndings("\n").Split('\n');

    /// <summary>
    /// The method of the entry's file, or of the first of the model's classes that has it; null: a model from elsewhere, whose code is not here.
    /// </summary>
    private static ExplainSource? Find(Entry entry, CodeClass[] classes)
    {
        string[] endings = entry.File.StartsWith('*') ? [.. entry.File.Split('|').Select(ending => ending[1..])] : [];
        CodeClass[] places = endings.Length == 0
            ? [new CodeClass(Path.GetFileNameWithoutExtension(entry.File), entry.File, ..)]
            : Array.FindAll(classes, one => Array.Exists(endings, ending => one.Name.EndsWith(ending, StringComparison.Ordinal)));
        var declaration = new Regex($@"^ {{4}}(public|internal|private)(?! abstract)[^=;(]* {entry.Method}\(",
            RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
        foreach (CodeClass place in places)
        {
            string[] lines = LinesOf(place.File);
            (int start, int length) = place.Lines.GetOffsetAndLength(lines.Length);
            // The method itself, not an overload that only calls it.
            int at = Array.FindLastIndex(lines, start + length - 1, length, line => declaration.IsMatch(line));
            if (at >= 0)
                return new ExplainSource(entry.Panel, entry.What, place.File, place.Name, entry.Method, at + 1, Url(place.File, at + 1), MethodAt(lines, at));
        }
        return endings.Length > 0 ? null : throw new InvalidOperationException($"{entry.File} has no method {entry.Method}.");
    }

    /// <summary>A method with the comment above it, from the indentation on that members have.</summary>
    private static string MethodAt(string[] lines, int declaration)
    {
        int start = declaration, end = declaration;
        while (lines[start - 1].StartsWith("    ///", StringComparison.Ordinal))
            start--;
        while (!lines[end].StartsWith("    }", StringComparison.Ordinal)
            && !(lines[end].EndsWith(';') && !lines.AsSpan(declaration..(end + 1)).Contains("    {")))
            end++;
        return string.Join('\n', lines[start..(end + 1)].Select(line => line.StartsWith("    ", StringComparison.Ordinal) ? line[4..] : line));
    }

    /// <summary>
    /// A line in the repository that the build names (RepositoryUrl), at the commit of the build where it is known; else the path in a clone.
    /// </summary>
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

    [GeneratedRegex(@"\b[A-Z]\w+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ClassName();

    [GeneratedRegex(@"^(public|internal) ([a-z]+ )*(class|record|struct|interface) (struct )?(?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Declaration();

    /// <summary>A class, and where it is declared.</summary>
    private sealed record CodeClass(string Name, string File, Range Lines);

    /// <param name="File">A file of the repository, or *NAME|*NAME: the class of the model whose name ends so.</param>
    private sealed record Entry(string Panel, string File, string Method, string What, Kinds Kinds);
}
