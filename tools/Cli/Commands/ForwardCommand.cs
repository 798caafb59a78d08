using System.CommandLine;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx forward: a forward pass from a safetensors file of inputs to one of outputs.</summary>
internal sealed class ForwardCommand : MtxCommand
{
    private readonly Option<string> _inputs = new("--inputs")
    {
        HelpName = "IN.safetensors", Required = true,
        Description = "input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, head_mask, labels, next_sentence_label; whichever are there.",
    };
    private readonly Option<string> _output =
        new("--output") { HelpName = "OUT.safetensors", Required = true, Description = "Every output, under the name it has in transformers." };

    public ForwardCommand(CliConsole console)
        : base("forward", "Run a forward pass on tensors from a file", console)
    {
        Add(_inputs);
        Add(_output);
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string directory = context.ModelDirectory(context.ModelOption ?? throw new UsageException("forward needs --model DIR."));
        var output = new OutputFile("--output", context.Get(_output)!, force: true);

        using PretrainedModel model = PretrainedModels.Load(directory, context.LoadOptions());
        using SafetensorsFile inputs = SafetensorsFile.Open(context.Get(_inputs)!);
        IReadOnlyList<FloatTensor> outputs = ForwardFiles.Run(model, ForwardFiles.ReadInputs(inputs.Weights));
        cancellationToken.ThrowIfCancellationRequested();
        output.Write(path => ForwardFiles.Write(path, outputs));

        var result = new ForwardResult(model.Architecture, output.Path,
            [.. outputs.Select(tensor => new ForwardTensor(tensor.Name, tensor.Shape.ToArray()))]);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.ForwardResult))
            ShowTable(context.Console, result);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static void ShowTable(CliConsole console, ForwardResult result)
    {
        Table table = Show.Table(console, "output", "shape");
        foreach (ForwardTensor tensor in result.Outputs)
            table.AddRow(Show.Cell(tensor.Name), Show.Cell($"[{string.Join(", ", tensor.Shape)}]"));
        Show.Write(console, table);
        console.Out.WriteLine($"{result.Architecture}: {result.Outputs.Length} tensors written to {Show.Visible(result.Output)}");
    }
}

/// <summary>What was written where.</summary>
internal sealed record ForwardResult(string Architecture, string Output, ForwardTensor[] Outputs);

/// <summary>One tensor of the output file.</summary>
internal sealed record ForwardTensor(string Name, int[] Shape);
