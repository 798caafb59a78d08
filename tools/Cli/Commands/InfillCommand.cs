using System.CommandLine;
using System.Text.Json.Serialization;
using static ManagedTransformers.GenerationOptionGroup;

namespace ManagedTransformers.Cli;

/// <summary>mtx infill: writes what stands between texts.</summary>
internal sealed class InfillCommand : MtxCommand
{
    /// <summary>What marks a gap in a file.</summary>
    private const string DefaultMark = "<cursor>";

    private readonly Argument<string?> _file = new("FILE")
    {
        Arity = ArgumentArity.ZeroOrOne, Description = $"A text file with {DefaultMark} where a gap is, once or several times; '-' reads standard input.",
    };
    private readonly Option<string?> _prefix = new("--prefix") { HelpName = "TEXT", Description = "What stands before the gap; '-' reads standard input." };
    private readonly Option<string?> _suffix = new("--suffix") { HelpName = "TEXT", Description = "What stands after it; '-' reads standard input." };
    private readonly Option<string> _mark =
        new("--cursor") { HelpName = "MARK", DefaultValueFactory = _ => DefaultMark, Description = "What marks a gap in FILE." };
    private readonly Option<string[]> _context = new("--context")
    {
        HelpName = "FILE", Description = "A further file of the repository, read before the text; repeat the option for more, the nearest last.",
    };
    private readonly Option<string?> _path = new("--path")
    {
        HelpName = "PATH", Description = "The path of the file with the gap, as the model is to read it. Default with --context or --repository: FILE.",
    };
    private readonly Option<string?> _repository =
        new("--repository") { HelpName = "NAME", Description = "The repository's name, as the model is to read it." };
    private readonly Option<bool> _whole = CommonOptions.Flag("--whole", "Write the whole text, its gaps filled, instead of the fillings alone.");
    private readonly GenerationArguments _generation = new(
        [Length, Sampling, Scores, Beams, Drafts, Cache]);

    public InfillCommand(CliConsole console)
        : base("infill", "Write what stands between texts", console)
    {
        Add(_file);
        foreach (Option option in new Option[] { _prefix, _suffix, _mark, _context, _path, _repository, _whole })
            Add(option);
        _generation.AddTo(this);
        Validators.Add(result =>
        {
            bool gap = result.GetValue(_prefix) is not null && result.GetValue(_suffix) is not null;
            bool anyGap = result.GetValue(_prefix) is not null || result.GetValue(_suffix) is not null;
            if (result.GetValue(_file) is null ? !gap : anyGap)
                result.AddError("Either FILE or both --prefix TEXT and --suffix TEXT are needed.");
            if (result.GetValue(_mark) is "")
                result.AddError("--cursor is empty; a mark that the file holds is needed.");
            foreach (Option<string?> name in new[] { _path, _repository })
            {
                if (result.GetValue(name) is string said && (said.Length == 0 || said.AsSpan().ContainsAny('\n', '\r')))
                    result.AddError($"{name.Name} is empty or has a line break; a name of one line is needed.");
            }
        });
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _generation.Groups;

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string[] parts = context.Get(_file) is string file
            ? Split(file == "-" ? Utf8Input.Require(context.Console.In.ReadToEnd(), file) : Read(file), context.Get(_mark)!, file)
            : [context.Text(context.Get(_prefix)!), context.Text(context.Get(_suffix)!)];
        InfillRequest request = Request(context, parts);
        using TextGenerator generator = TextGenerator.Load(context.ModelDirectory(ModelLocator.Generator), context.PipelineOptions());
        GenerationArguments.Warn(context.Console, generator.Warnings);
        using TextGenerator? draft = _generation.OpenDraft(context);
        GenerationOutput output = generator.InfillSequences(request, _generation.Read(context, generator, draft), cancellationToken);
        string[] infills = [.. output.Sequences.Select(gap => gap.Text)];
        string[]? dropped = Dropped(context.Console, request, output.Usage);
        bool written = infills.Length == 1
            ? context.WriteJson(new InfillResult(parts[0], infills[0], parts[1]) { DroppedFiles = dropped }, CliJsonContext.Relaxed.InfillResult)
            : context.WriteJson(new InfillsResult(parts, infills) { DroppedFiles = dropped }, CliJsonContext.Relaxed.InfillsResult);
        if (!written && context.Get(_whole))
            WriteWhole(context.Console, parts, infills);
        else if (!written)
            WriteInfills(context.Console, infills);
        return Task.FromResult(ExitCodes.Ok);
    }

    private InfillRequest Request(CommandContext context, string[] parts)
    {
        string[] files = context.Get(_context) ?? [];
        string? repository = context.Get(_repository);
        string? file = context.Get(_file) is string given and not "-" && (files.Length > 0 || repository is not null) ? given : null;
        return new InfillRequest(parts)
        {
            Files = [.. files.Select(path => (path, Read(path)))], Path = context.Get(_path) ?? file, Repository = repository,
        };
    }

    private static string Read(string file) => Utf8Input.Require(File.ReadAllText(file, Utf8Input.Encoding), file);

    /// <summary>Says what --truncate-prompt left out; null: no file.</summary>
    private static string[]? Dropped(CliConsole console, InfillRequest request, GenerationUsage usage)
    {
        string[] files = [.. request.Files.Take(usage.DroppedFiles).Select(file => file.Path)];
        if (files.Length > 0)
            console.Warn($"There was no room for {files.Length} of {request.Files.Count} files of --context: {string.Join(", ", files)}.");
        if (usage.DroppedTokens > 0)
            console.Warn($"There was no room for {usage.DroppedTokens} tokens at the text's ends.");
        return files.Length == 0 ? null : files;
    }

    private static void WriteWhole(CliConsole console, string[] parts, string[] infills)
    {
        var view = new StreamView(console);
        view.WriteGiven(parts[0]);
        for (int gap = 0; gap < infills.Length; gap++)
        {
            view.WriteNew(infills[gap]);
            view.WriteGiven(parts[gap + 1]);
        }
        view.End();
    }

    private static void WriteInfills(CliConsole console, string[] infills)
    {
        for (int gap = 0; gap < infills.Length; gap++)
        {
            if (infills.Length > 1)
                console.Out.WriteLine($"gap {gap + 1} of {infills.Length}");
            var view = new StreamView(console);
            view.WriteNew(infills[gap]);
            view.End();
        }
    }

    private static string[] Split(string text, string mark, string file)
    {
        string[] parts = text.Split(mark);
        return parts.Length > 1
            ? parts
            : throw new FormatException($"{file} does not hold the mark {mark}; it is needed wherever a gap is. Another mark is chosen with --cursor.");
    }
}

/// <summary>The two texts and what stands between them.</summary>
internal sealed record InfillResult(string Prefix, string Infill, string Suffix)
{
    /// <summary>The files of --context that were left out, where there was no room for them; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? DroppedFiles { get; init; }
}

/// <summary>The texts around several gaps, and what stands in each.</summary>
internal sealed record InfillsResult(string[] Parts, string[] Infills)
{
    /// <inheritdoc cref="InfillResult.DroppedFiles"/>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? DroppedFiles { get; init; }
}
