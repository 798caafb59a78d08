using System.CommandLine;
using System.Globalization;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Cli;

/// <summary>mtx trace: the activations of a forward pass, as a safetensors file.</summary>
internal sealed class TraceCommand : MtxCommand
{
    private readonly Argument<string[]> _texts =
        new("TEXT") { Arity = ArgumentArity.ZeroOrMore, Description = "The texts, each a row of the batch; '-' reads one from standard input." };
    private readonly Option<string?> _file = new("--file") { HelpName = "FILE", Description = "Read one text from this file instead of TEXT." };
    private readonly Option<string[]> _ids = new("--ids") { HelpName = "N,N,…", Description = "Token ids instead of TEXT, a row each time it is given." };
    private readonly Option<string[]> _names = new("--names")
    {
        HelpName = "PATTERN", Description = "Activations to keep: '*' stands for any characters but a dot, '**' for any. May be repeated. Default: all.",
    };
    private readonly Option<string> _out = new("--out") { HelpName = "OUT.safetensors", Required = true, Description = "The file to write." };
    private readonly Option<bool> _force = CommonOptions.Flag("--force", "Replace a file that exists.");

    public TraceCommand(CliConsole console)
        : base("trace", "Write the activations of a forward pass to a file", console)
    {
        Add(_texts);
        foreach (Option option in new Option[] { _file, _ids, _names, _out, _force })
            Add(option);
        Validators.Add(result =>
        {
            int kinds =
                new[] { result.GetValue(_texts)?.Length > 0, result.GetValue(_file) is not null, result.GetValue(_ids)?.Length > 0 }.Count(given => given);
            if (kinds != 1)
                result.AddError("Either TEXT, --file FILE or --ids N,N,… is needed.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string directory = context.ModelDirectory(ModelLocator.Generator);
        bool force = context.Get(_force);
        var output = new OutputFile("--out", context.Get(_out)!, force);

        int[][] ids = [.. (context.Get(_ids) ?? []).Select(ParseIds)];
        using PretrainedModel model = PretrainedModels.Load(directory, context.LoadOptions());
        TracedTexts inputs = ids.Length > 0
            ? TracedTexts.OfIds(model, TokenizerOf(directory), ids)
            : TracedTexts.Of(model, Tokenizer.Load(directory), TextsOf(context));
        string[] names = context.Get(_names) is { Length: > 0 } given ? given : ["**"];
        using Session session = model.CreateSession(
            new SessionOptions { BatchSize = inputs.Inputs.BatchSize, MaxLength = Math.Min(inputs.Inputs.SequenceLength, model.Config.Positions.MostTokens) });
        using ActivationTrace trace = session.Trace(names);
        model.Forward(inputs.Inputs, session, new ForwardOptions { ComputePadding = true });
        cancellationToken.ThrowIfCancellationRequested();
        output.Write(path => trace.Save(path, force, inputs.Metadata));

        ForwardTensor[] written = [.. trace.Passes[0].Tensors.Select(tensor => new ForwardTensor(tensor.Name, tensor.Shape.ToArray()))];
        int[][] rows = [.. inputs.Inputs.InputIds!.Chunk(inputs.Inputs.SequenceLength)];
        var result = new TraceResult(model.Architecture, output.Path, rows, written);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.TraceResult))
            context.Console.Out.WriteLine(
                $"{model.Architecture}: {written.Length} activations of {rows.Length} × {rows[0].Length} tokens written to {Show.Visible(result.Output)}");
        return Task.FromResult(ExitCodes.Ok);
    }

    private string[] TextsOf(CommandContext context) =>
        context.Get(_file) is string file ? [Utf8Input.Require(File.ReadAllText(file, Utf8Input.Encoding), file)]
            : [.. context.Get(_texts)!.Select(context.Text)];

    /// <summary>Ids need no tokenizer; where there is one, it says what they are.</summary>
    private static Tokenizer? TokenizerOf(string directory)
    {
        try
        {
            return Tokenizer.Load(directory);
        }
        catch (Exception e) when (e is ManagedTransformersException or IOException)
        {
            return null;
        }
    }

    private static int[] ParseIds(string row)
    {
        string[] parts = row.Split((char[])[',', ' '], StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 0
            ? throw new UsageException("--ids has no number; token ids with commas between them are needed, such as --ids 313,5282,323.")
            : [.. parts.Select(part => int.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new UsageException(
                    $"--ids has {part}, which is no token id; whole numbers with commas between them are needed, such as --ids 313,5282,323."))];
    }
}

/// <summary>What was written where. The ids are the rows of the batch, the shorter ones padded on the right.</summary>
internal sealed record TraceResult(string Architecture, string Output, int[][] InputIds, ForwardTensor[] Activations);
