using System.CommandLine;
using System.Text.Json;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx inspect: what a checkpoint directory holds, and whether it can run here.</summary>
internal sealed class InspectCommand : MtxCommand
{
    private readonly Argument<string?> _directory = new("DIR") { Arity = ArgumentArity.ZeroOrOne, Description = "The checkpoint directory; the same as --model DIR." };

    public InspectCommand(CliConsole console)
        : base("inspect", "Show a checkpoint's configuration, tensors and sizes, and whether it can run", console)
    {
        Add(_directory);
        Validators.Add(result =>
        {
            if (result.GetValue(_directory) is null == result.GetValue(Common.Model) is null)
                result.AddError("One directory is needed: DIR or --model DIR.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string directory = ModelLocator.Resolve(context.Get(_directory) ?? context.ModelOption!, context.RevisionOption);
        InspectResult result = Inspect(directory, context.LoadOptions());
        if (!context.WriteJson(result, CliJsonContext.Relaxed.InspectResult))
            InspectView.Write(context.Console, result);
        return Task.FromResult(result.Problems.Length == 0 ? ExitCodes.Ok : ExitCodes.Negative);
    }

    private static InspectResult Inspect(string directory, LoadOptions options)
    {
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        var problems = new List<string>();
        JsonElement? config = Try<JsonElement?>(() => ReadConfig(directory), problems);
        using PretrainedModel? model = Try(() => PretrainedModels.Load(directory, options), problems);
        InspectTokenizer tokenizer = InspectTokenizer(directory, model?.Config, problems);

        HashSet<string>? read = model is null ? null : [.. model.Weights.Select(weight => weight.Name)];
        InspectTensor[] tensors = [.. checkpoint.Weights.Values.Select(weight => new InspectTensor(
            weight.Name, weight.Type.SafetensorsName(), [.. weight.Shape], weight.ElementCount, weight.ByteLength, weight.File, read?.Contains(weight.Name)))];
        InspectType[] types = [.. tensors.GroupBy(t => t.Dtype).Select(group => new InspectType(group.Key, group.Count(), group.Sum(t => t.Elements), group.Sum(t => t.Bytes)))];
        long parameters = tensors.Where(tensor => tensor.Read ?? true).Sum(tensor => tensor.Elements);
        return new InspectResult(directory, model?.Architecture, parameters, tensors.Sum(tensor => tensor.Bytes), model?.Config.MaxTokens,
            types, tokenizer, [.. problems], config, tensors);
    }

    private static JsonElement ReadConfig(string directory)
    {
        ReadOnlyMemory<byte> json = ConfigJson.ReadFile(directory);
        if (json.Span.StartsWith("\uFEFF"u8))
            json = json[3..];
        using JsonDocument document = JsonDocument.Parse(json);
        // What cannot be written, such as half a surrogate pair, is a problem of the file, not of the report.
        _ = JsonSerializer.Serialize(document.RootElement, CliJsonContext.Relaxed.JsonElement);
        return document.RootElement.Clone();
    }

    /// <summary>Whether ids of the tokenizer are rows of the embedding.</summary>
    private static InspectTokenizer InspectTokenizer(string directory, PretrainedConfig? config, List<string> problems)
    {
        if (!new[] { "tokenizer.json", "vocab.json", "vocab.txt" }.Any(file => File.Exists(Path.Combine(directory, file))))
            return new InspectTokenizer(Present: false, null, null, null, Fits: null);
        if (Try(() => Tokenizer.Load(directory), problems) is not Tokenizer tokenizer)
            return new InspectTokenizer(Present: true, null, null, null, Fits: false);
        int highest = tokenizer.AddedTokens.Select(token => token.Id).Append(tokenizer.VocabularySize - 1).Max();
        bool? fits = config is null ? null : highest < config.VocabSize;
        if (fits == false)
            problems.Add($"The tokenizer gives ids up to {highest}; config.json has vocab_size {config!.VocabSize}, so ids up to {config.VocabSize - 1} are needed. Use the tokenizer that the checkpoint was trained with.");
        return new InspectTokenizer(Present: true, tokenizer.VocabularySize, tokenizer.AddedTokens.Count, tokenizer.ModelMaxLength, fits);
    }

    private static T? Try<T>(Func<T> read, List<string> problems)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (ExitCodes.Of(e) == ExitCodes.BadInput)
        {
            problems.Add(e.Message);
            return default;
        }
    }
}

/// <summary>What a checkpoint directory holds. Parameters are the elements of the tensors that the model reads.</summary>
internal sealed record InspectResult(
    string Directory, string? Architecture, long Parameters, long Bytes, int? MaxTokens, InspectType[] Dtypes, InspectTokenizer Tokenizer, string[] Problems, JsonElement? Config, InspectTensor[] Tensors);

/// <summary>All tensors of one element type.</summary>
internal sealed record InspectType(string Dtype, int Tensors, long Elements, long Bytes);

/// <summary>The tokenizer beside the weights; fits is null where there is no tokenizer or no model to compare.</summary>
internal sealed record InspectTokenizer(bool Present, int? VocabularySize, int? AddedTokens, int? ModelMaxLength, bool? Fits);

/// <summary>A tensor; read says whether the architecture uses it (null where the model could not be loaded).</summary>
internal sealed record InspectTensor(string Name, string Dtype, long[] Shape, long Elements, long Bytes, string File, bool? Read);
