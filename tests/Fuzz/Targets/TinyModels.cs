using System.Text.Json.Nodes;
using ManagedTransformers.Models;

namespace ManagedTransformers.Fuzz;

/// <summary>A model of every family with a few hundred random weights, made of the configurations of the reference cases.</summary>
internal static class TinyModels
{
    private static readonly string[] s_encoders =
        ["bert-embed", "roberta-mlm", "xlm-roberta-mlm", "camembert-mlm", "distilbert-mlm-activation", "mpnet-mlm"];

    private static readonly string[] s_decoders =
        ["gpt2-lm", "codegen-mono", "gptj-lm", "gptneox-parallel", "gptbigcode-mqa", "llama-rope-llama3", "qwen2-yarn", "llama-rope-dynamic"];

    private static readonly Dictionary<string, int> s_sizes = new(StringComparer.Ordinal)
    {
        ["hidden_size"] = 16, ["n_embd"] = 16, ["dim"] = 16, ["intermediate_size"] = 16, ["hidden_dim"] = 16, ["n_inner"] = 16,
        ["num_hidden_layers"] = 1, ["n_layer"] = 1, ["n_layers"] = 1, ["num_attention_heads"] = 4, ["n_head"] = 4, ["n_heads"] = 4,
        ["num_key_value_heads"] = 2, ["head_dim"] = 4, ["rotary_dim"] = 2, ["max_position_embeddings"] = 64, ["n_positions"] = 64, ["n_ctx"] = 64,
        ["type_vocab_size"] = 2,
    };

    /// <summary>The directories, made once for each process.</summary>
    public static Lazy<IReadOnlyList<string>> Directories { get; } = new(() =>
        [.. s_encoders.Select(name => Make<IMaskedLM>(name, 32)), .. s_decoders.Select(name => Make<ICausalLM>(name, 32))]);

    /// <summary>A directory with a model, whose token ids are below a number.</summary>
    public static string Make<T>(string reference, int vocabulary) where T : class, IPretrainedModel
    {
        JsonNode json = JsonNode.Parse(Seeds.Of("reference", "models", reference, "config.json"))!;
        foreach ((string key, int size) in s_sizes)
        {
            if (json[key] is JsonValue value && value.GetValueKind() == System.Text.Json.JsonValueKind.Number)
                json[key] = size;
        }
        json["vocab_size"] = vocabulary;
        string directory = Scratch.File($"{reference}-{vocabulary}");
        using var model = (PretrainedModel)(object)PretrainedModels.FromConfig<T>(ConfigJson.Parse(Seeds.Utf8(json.ToJsonString())), seed: 1);
        model.Save(directory);
        return directory;
    }

    /// <summary>The files of a directory as one input.</summary>
    public static byte[] Files(string directory) => Bundle.Write(Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal)
        .Select(path => KeyValuePair.Create(Path.GetFileName(path), File.ReadAllBytes(path))));
}
