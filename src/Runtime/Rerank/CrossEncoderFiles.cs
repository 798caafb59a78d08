using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>What the files of a cross-encoder say about its scores. Until sentence-transformers 5.4 that is a key of config.json; since then there are files
/// as beside a sentence model, and what they say comes first.</summary>
/// <param name="HasSigmoid">Whether a score is the sigmoid of a logit, or the logit itself.</param>
/// <param name="Transformer">What sentence_bert_config.json says: limit and case.</param>
/// <param name="Warnings">What of the files is not honoured, in sentences.</param>
internal sealed record CrossEncoderFiles(bool HasSigmoid, TransformerConfig Transformer, IReadOnlyList<string> Warnings)
{
    private const string OwnKey = "sentence_transformers", Function = "activation_fn", OldKey = "sbert_ce_default_activation_function";

    /// <summary>What config.json alone says.</summary>
    /// <exception cref="ConfigException">It names a function that is neither the sigmoid nor the identity.</exception>
    public static CrossEncoderFiles Of(PretrainedConfig config) => new(IsSigmoid(FunctionIn(config)), TransformerConfig.Default, []);

    /// <summary>Reads the files beside config.json, where there are any.</summary>
    /// <exception cref="ConfigException">A file is broken, or asks for what this runtime does not have.</exception>
    public static CrossEncoderFiles Read(ModelFiles files, PretrainedConfig config)
    {
        var reader = new ModuleReader(files);
        if (files.Find(SentenceModules.FileName) is ReadOnlyMemory<byte> modules)
            RequireTransformerAlone(SentenceModules.Modules(modules, reader, ["Transformer"]));
        string? limits = TransformerConfig.FileNames.FirstOrDefault(name => files.Find(name) is not null);
        TransformerConfig transformer = limits is null ? TransformerConfig.Default : reader.Json(limits, TransformerConfig.ReadClassifier);
        string? named = files.Find(SentenceConfig.FileName) is null ? null : reader.Json(SentenceConfig.FileName, FunctionIn);
        bool sigmoid = IsSigmoid(named is null ? FunctionIn(config) : ($"{SentenceConfig.FileName}: {Function}", named));
        return new CrossEncoderFiles(sigmoid, transformer, reader.Warnings);
    }

    private static void RequireTransformerAlone(IEnumerable<(string Type, string Path)> modules)
    {
        (string Type, string Path)[] named = [.. modules];
        if (named is not [(_, "")])
            throw new ConfigException($"{SentenceModules.FileName} names {named.Length} Transformers, in " +
                $"[{string.Join(", ", named.Select(module => $"\"{module.Path}\""))}]; a cross-encoder is one, in the checkpoint's own directory.");
    }

    private static string? FunctionIn(ModuleJson json)
    {
        json.Find("__version__");           // what wrote it
        json.Require("model_type", "CrossEncoder");
        if (json.Text("default_prompt_name") is string name && json.Texts("prompts").GetValueOrDefault(name) is { Length: > 0 } prompt)
            throw new ConfigException($"{json.File}: default_prompt_name is {name}, which puts \"{prompt}\" before texts; this runtime scores pairs without " +
                "prompts. Remove the key, and put the prompt before the texts yourself.");
        return json.Text(Function);
    }

    private static (string Key, string? Said) FunctionIn(PretrainedConfig config)
    {
        (string key, JsonElement function) =
            config.OtherKeys.TryGetValue(OwnKey, out JsonElement own) && own.ValueKind == JsonValueKind.Object
                && own.TryGetProperty(Function, out JsonElement named) ? ($"{OwnKey}.{Function}", named)
            : config.OtherKeys.TryGetValue(OldKey, out JsonElement old) ? (OldKey, old)
            : (OldKey, default);
        return ($"{ConfigJson.FileName}: {key}", function.ValueKind switch
        {
            JsonValueKind.Undefined or JsonValueKind.Null => null,
            JsonValueKind.String => function.GetString(),
            _ => function.GetRawText(),
        });
    }

    /// <summary>Whether a function is the sigmoid, which is the default of models with one label.</summary>
    private static bool IsSigmoid((string Key, string? Said) function) => function.Said?[(function.Said.LastIndexOf('.') + 1)..] switch
    {
        null or "Sigmoid" => true,
        "Identity" => false,
        _ => throw new ConfigException($"{function.Key} is {function.Said}; torch.nn.modules.activation.Sigmoid or torch.nn.modules.linear.Identity is " +
            "needed. Name one of them, or read the logits from the model itself (ISequenceClassifier)."),
    };
}
