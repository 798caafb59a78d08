using System.Text;
using System.Text.Json.Nodes;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Small tokenizers with the tokens of models that infill: those of tests/data, with tokens added behind the others.</summary>
internal static class InfillTokenizers
{
    /// <summary>Has the tokens itself, all 22 of Qwen2.5.</summary>
    public static Tokenizer Qwen { get; } = TestData.Tokenizer("qwen2-code-4k");

    /// <summary>Ids 8192 … 8197.</summary>
    public static Tokenizer StarCoder2 { get; } =
        With("digits-python-8k", special: true, "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<repo_name>", "<file_sep>");

    /// <summary>Ids 8192 … 8197.</summary>
    public static Tokenizer StarCoder { get; } =
        With("digits-python-8k", special: true, "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>", "<reponame>");

    /// <summary>Ids 8192 … 8195.</summary>
    public static Tokenizer SantaCoder { get; } =
        With("digits-python-8k", special: true, "<fim-prefix>", "<fim-middle>", "<fim-suffix>", "<fim-pad>");

    /// <summary>Ids 4573 … 4577, behind a tokenizer that begins every text with &lt;|begin_of_text|> (4556). As in DeepSeek's file those of infilling are not
    /// special.</summary>
    public static Tokenizer DeepSeek { get; } =
        With("llama3-code-4k", special: false, "<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>", "<|EOT|>", "<｜end▁of▁sentence｜>");

    /// <summary>Ids 4000 … 4003 behind Llama 2's form, whose texts begin with &lt;s> (1).</summary>
    public static Tokenizer CodeLlama { get; } = With("llama-code-4k", special: true, "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>");

    /// <summary>The same in the form of newer files.</summary>
    public static Tokenizer CodeLlamaMetaspace { get; } = With("llama-code-4k-metaspace", special: true, "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>");

    public static Tokenizer With(string name, bool special, params string[] tokens)
    {
        string directory = TestData.TokenizerDirectory(name);
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "tokenizer.json")))!;
        JsonArray added = json["added_tokens"]!.AsArray();
        int next = Math.Max(json["model"]!["vocab"]!.AsObject().Max(one => one.Value!.GetValue<int>()), added.Max(one => one!["id"]!.GetValue<int>())) + 1;
        foreach (string token in tokens)
        {
            added.Add(new JsonObject
            {
                ["id"] = next++, ["content"] = token, ["special"] = special, ["normalized"] = false,
                ["lstrip"] = false, ["rstrip"] = false, ["single_word"] = false,
            });
        }
        string config = Path.Combine(directory, "tokenizer_config.json");
        var files = new Dictionary<string, ReadOnlyMemory<byte>> { ["tokenizer.json"] = Encoding.UTF8.GetBytes(json.ToJsonString()) };
        if (File.Exists(config))
            files.Add("tokenizer_config.json", File.ReadAllBytes(config));
        return Tokenizer.FromFiles(files);
    }
}
