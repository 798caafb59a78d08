using System.CommandLine;
using System.Text.Json;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>mtx inspect: what a checkpoint holds, and whether it can run here.</summary>
internal sealed class InspectCommand : MtxCommand
{
    private readonly Argument<string?> _path = new("DIR")
    {
        Arity = ArgumentArity.ZeroOrOne,
        Description = "The checkpoint directory, a single .safetensors file, or org/name[@revision] in the hub's cache; the same as --model DIR.",
    };

    public InspectCommand(CliConsole console)
        : base("inspect", "Show a checkpoint's configuration, tensors, sizes and memory, and whether it can run", console)
    {
        foreach (Option option in Common.OfWeights)
            Options.Remove(option);
        Add(_path);
        Validators.Add(result =>
        {
            if (result.GetValue(_path) is null == result.GetValue(Common.Model) is null)
                result.AddError("One directory is needed: DIR or --model DIR.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string given = context.Get(_path) ?? context.ModelOption!;
        string path = File.Exists(given) ? given : ModelLocator.Resolve(given, context.RevisionOption);
        InspectResult result = Inspect(path, context.LoadOptions() with { OnWarning = null });        // they are part of the report
        if (!context.WriteJson(result, CliJsonContext.Relaxed.InspectResult))
            InspectView.Write(context.Console, result);
        return Task.FromResult(result.Problems.Length == 0 ? ExitCodes.Ok : ExitCodes.Negative);
    }

    private static InspectResult Inspect(string path, LoadOptions options)
    {
        CheckpointInspection found = CheckpointInspection.Of(path, options);
        InspectTensor[] tensors = [.. found.Tensors.Select(tensor => new InspectTensor(
            tensor.Name, tensor.Format, [.. tensor.Shape], tensor.Elements, tensor.Bytes, tensor.File, IsRead(tensor.Use), NameOf(tensor.Use)))];
        InspectType[] types =
            [.. tensors.GroupBy(t => t.Dtype).Select(group => new InspectType(group.Key, group.Count(), group.Sum(t => t.Elements), group.Sum(t => t.Bytes)))];
        TokenizerInspection tokenizer = found.Tokenizer;
        return new InspectResult(path, found.Architecture, found.Parameters, found.Bytes, found.Architecture is null ? null : found.Config?.MaxTokens, types,
            new InspectTokenizer(tokenizer.Present, tokenizer.VocabularySize, tokenizer.AddedTokens, tokenizer.ModelMaxLength, tokenizer.Fits,
                tokenizer.HighestId, tokenizer.ModelVocabSize),
            [.. found.Problems], found.ConfigFile, tensors,
            found.RecognisedArchitecture, [.. found.Memory.Select(memory => new InspectMemory(memory.Format, memory.Bytes, memory.BytesWithHead))],
            [.. found.MissingTensors], [.. found.Warnings], $"{options.Kernels.Level}", [.. KernelDispatch.Supported.Select(level => $"{level}")]);
    }

    private static bool? IsRead(TensorUse use) => use switch
    {
        TensorUse.NotKnown => null,
        TensorUse.Read or TensorUse.ReadByOldName => true,
        _ => false,
    };

    private static string? NameOf(TensorUse use) => use switch
    {
        TensorUse.Read => "weight",
        TensorUse.ReadByOldName => "weight_by_old_name",
        TensorUse.Tied => "tied",
        TensorUse.Buffer => "buffer",
        TensorUse.OtherHead => "other_head",
        TensorUse.NotOfArchitecture => "unknown",
        _ => null,
    };
}

/// <summary>What a checkpoint holds. Parameters are the elements of the tensors that the model reads; memory is what those take by format.</summary>
/// <remarks>Kernels is the level that models run at.</remarks>
internal sealed record InspectResult(
    string Directory, string? Architecture, long Parameters, long Bytes, int? MaxTokens, InspectType[] Dtypes, InspectTokenizer Tokenizer, string[] Problems,
    JsonElement? Config, InspectTensor[] Tensors,
    string? RecognisedArchitecture, InspectMemory[] Memory, string[] Missing, string[] Warnings, string Kernels, string[] KernelLevels);

/// <summary>All tensors of one element type.</summary>
internal sealed record InspectType(string Dtype, int Tensors, long Elements, long Bytes);

/// <summary>What the weights take with the matrices in a format; with the head quantized as well, where that makes a difference.</summary>
internal sealed record InspectMemory(string Format, long Bytes, long? BytesWithHead);

/// <summary>The tokenizer in the directory of the weights; fits is null where there is no tokenizer or no model to compare.</summary>
internal sealed record InspectTokenizer(bool Present, int? VocabularySize, int? AddedTokens, int? ModelMaxLength, bool? Fits,
    int? HighestId, int? ModelVocabSize);

/// <summary>A tensor; read says whether the architecture uses it (null where there is no model to ask), use what becomes of it.</summary>
internal sealed record InspectTensor(string Name, string Dtype, long[] Shape, long Elements, long Bytes, string File, bool? Read, string? Use);
