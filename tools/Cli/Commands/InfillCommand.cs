using System.CommandLine;

namespace ManagedTransformers.Cli;

/// <summary>mtx infill: writes what stands between two texts.</summary>
internal sealed class InfillCommand : MtxCommand
{
    /// <summary>What marks the gap in a file.</summary>
    private const string DefaultMark = "<cursor>";

    private readonly Argument<string?> _file = new("FILE") { Arity = ArgumentArity.ZeroOrOne, Description = $"A text file with {DefaultMark} where the gap is; '-' reads standard input." };
    private readonly Option<string?> _prefix = new("--prefix") { HelpName = "TEXT", Description = "What stands before the gap; '-' reads standard input." };
    private readonly Option<string?> _suffix = new("--suffix") { HelpName = "TEXT", Description = "What stands after it; '-' reads standard input." };
    private readonly Option<string> _mark = new("--cursor") { HelpName = "MARK", DefaultValueFactory = _ => DefaultMark, Description = "What marks the gap in FILE." };
    private readonly Option<bool> _whole = CommonOptions.Flag("--whole", "Write the whole text, the gap filled, instead of the filling alone.");
    private readonly GenerationArguments _generation = new();

    public InfillCommand(CliConsole console)
        : base("infill", "Write what stands between two texts (CodeGen2)", console)
    {
        Add(_file);
        foreach (Option option in new Option[] { _prefix, _suffix, _mark, _whole })
            Add(option);
        _generation.AddTo(this);
        Validators.Add(result =>
        {
            bool gap = result.GetValue(_prefix) is not null && result.GetValue(_suffix) is not null;
            bool anyGap = result.GetValue(_prefix) is not null || result.GetValue(_suffix) is not null;
            if (result.GetValue(_file) is null ? !gap : anyGap)
                result.AddError("Either FILE or both --prefix TEXT and --suffix TEXT are needed.");
            if (result.GetValue(_mark) is "")
                result.AddError("--cursor is empty; a mark that the file holds once is needed.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        (string prefix, string suffix) = context.Get(_file) is string file
            ? Split(Utf8Input.Require(file == "-" ? context.Console.In.ReadToEnd() : File.ReadAllText(file, Utf8Input.Encoding), file), context.Get(_mark)!, file)
            : (context.Text(context.Get(_prefix)!), context.Text(context.Get(_suffix)!));
        using TextGenerator generator = TextGenerator.Load(context.ModelDirectory(ModelLocator.CodeGen), context.PipelineOptions());
        GenerationArguments.Warn(context.Console, generator);
        string infill = generator.Infill(prefix, suffix, _generation.Read(context), cancellationToken);
        if (!context.WriteJson(new InfillResult(prefix, infill, suffix), CliJsonContext.Relaxed.InfillResult))
            Write(context, prefix, infill, suffix);
        return Task.FromResult(ExitCodes.Ok);
    }

    private void Write(CommandContext context, string prefix, string infill, string suffix)
    {
        var view = new StreamView(context.Console);
        if (context.Get(_whole))
            view.WriteGiven(prefix);
        view.WriteNew(infill);
        if (context.Get(_whole))
            view.WriteGiven(suffix);
        view.End();
    }

    private static (string Prefix, string Suffix) Split(string text, string mark, string file)
    {
        string[] parts = text.Split(mark);
        return parts.Length == 2
            ? (parts[0], parts[1])
            : throw new FormatException($"{file} holds the mark {mark} {parts.Length - 1} times; exactly one is needed, where the gap is. Another mark is chosen with --cursor.");
    }
}

/// <summary>The two texts and what stands between them.</summary>
internal sealed record InfillResult(string Prefix, string Infill, string Suffix);
