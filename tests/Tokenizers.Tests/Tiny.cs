using System.Text;
using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Small tokenizers, to show one rule at a time.</summary>
internal static class Tiny
{
    /// <summary>A byte-level BPE: the 256 bytes, then these merges; added tokens follow.</summary>
    public static Tokenizer ByteLevel(string[]? merges = null, JsonArray? added = null, Action<JsonObject>? change = null) =>
        Load(ByteLevelJson(merges, added), change);

    public static JsonObject ByteLevelJson(string[]? merges = null, JsonArray? added = null)
    {
        var vocab = new JsonObject();
        for (int b = 0; b < 256; b++) vocab.Add(ByteAlphabet.CharacterOf((byte)b).ToString(), b);
        foreach (string merge in merges ?? []) vocab.TryAdd(merge.Replace(" ", "", StringComparison.Ordinal), vocab.Count);
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = added ?? [],
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocab, ["merges"] = new JsonArray([.. (merges ?? []).Select(m => (JsonNode)m)]) },
        };
    }

    /// <summary>A WordPiece of these tokens, with BERT's normaliser and pre-tokenizer.</summary>
    public static Tokenizer WordPiece(string[] tokens, Action<JsonObject>? change = null)
    {
        var vocab = new JsonObject { ["[UNK]"] = 0 };
        foreach (string token in tokens) vocab.TryAdd(token, vocab.Count);
        return Load(
            new JsonObject
            {
                ["normalizer"] = new JsonObject { ["type"] = "BertNormalizer", ["lowercase"] = true },
                ["pre_tokenizer"] = new JsonObject { ["type"] = "BertPreTokenizer" },
                ["decoder"] = new JsonObject { ["type"] = "WordPiece", ["cleanup"] = true },
                ["model"] = new JsonObject { ["type"] = "WordPiece", ["unk_token"] = "[UNK]", ["vocab"] = vocab },
            },
            change);
    }

    public static JsonObject Added(int id, string content, bool special = false, bool normalized = false, bool lstrip = false, bool rstrip = false,
        bool singleWord = false) =>
        new()
        {
            ["id"] = id,
            ["content"] = content,
            ["special"] = special,
            ["normalized"] = normalized,
            ["lstrip"] = lstrip,
            ["rstrip"] = rstrip,
            ["single_word"] = singleWord,
        };

    public static Tokenizer Load(JsonObject json, Action<JsonObject>? change = null)
    {
        change?.Invoke(json);
        return Tokenizer.FromJson(Bytes(json));
    }

    public static ReadOnlyMemory<byte> Bytes(JsonObject json) => Bytes(json.ToJsonString());

    public static ReadOnlyMemory<byte> Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
