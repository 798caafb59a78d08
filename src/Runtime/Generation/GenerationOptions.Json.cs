using System.Text.Json;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <content>Options from JSON, under transformers' names.</content>
public sealed partial record GenerationOptions
{
    private delegate GenerationOptions Setter(GenerationOptions options, JsonElement value);

    private static readonly Dictionary<string, Setter> Keys = new()
    {
        ["max_new_tokens"] = (options, value) => options with { MaxNewTokens = Whole(value) },
        ["max_length"] = (options, value) => options with { MaxLength = Whole(value) },
        ["min_new_tokens"] = (options, value) => options with { MinNewTokens = Whole(value) },
        ["min_length"] = (options, value) => options with { MinLength = Whole(value) },
        ["do_sample"] = (options, value) => options with { DoSample = Bool(value) },
        ["seed"] = (options, value) => options with { Seed = Long(value) },
        ["num_beams"] = (options, value) => options with { NumBeams = Whole(value) },
        ["num_return_sequences"] = (options, value) => options with { NumReturnSequences = Whole(value) },
        ["length_penalty"] = (options, value) => options with { LengthPenalty = Number(value) },
        ["early_stopping"] = (options, value) => options with { EarlyStopping = Early(value) },
        ["prompt_lookup_num_tokens"] = (options, value) => options with { PromptLookupNumTokens = Whole(value) },
        ["max_matching_ngram_size"] = (options, value) => options with { MaxMatchingNgramSize = Whole(value) },
        ["eos_token_id"] = (options, value) => options with { EosTokenId = IdOrIds(value) },
        ["pad_token_id"] = (options, value) => options with { PadTokenId = Whole(value) },
        ["stop_strings"] = (options, value) => options with { StopStrings = TextOrTexts(value) },
        ["max_time"] = (options, value) => options with { MaxTime = Seconds(value) },
        ["truncate_prompt"] = (options, value) => options with { TruncatePrompt = Bool(value) },
        ["top_log_probabilities"] = (options, value) => options with { TopLogProbabilities = Whole(value) },
        ["key_value_type"] = (options, value) => options with { KeyValueType = Stored(value) },
        ["truncate_before_pattern"] = (options, value) => options with { TruncateBeforePattern = List(value, Text, "a list of regular expressions") },
        ["temperature"] = (options, value) => options with { Temperature = Number(value) },
        ["top_k"] = (options, value) => options with { TopK = Whole(value) },
        ["top_p"] = (options, value) => options with { TopP = Number(value) },
        ["min_p"] = (options, value) => options with { MinP = Number(value) },
        ["typical_p"] = (options, value) => options with { TypicalP = Number(value) },
        ["epsilon_cutoff"] = (options, value) => options with { EpsilonCutoff = Number(value) },
        ["eta_cutoff"] = (options, value) => options with { EtaCutoff = Number(value) },
        ["repetition_penalty"] = (options, value) => options with { RepetitionPenalty = Number(value) },
        ["no_repeat_ngram_size"] = (options, value) => options with { NoRepeatNgramSize = Whole(value) },
        ["bad_words_ids"] = (options, value) => options with { BadWordsIds = List(value, Ids, "a list of lists of ids") },
        ["sequence_bias"] = (options, value) => options with { SequenceBias = List(value, Bias, "a list of [[ids], bias]") },
        ["suppress_tokens"] = (options, value) => options with { SuppressTokens = Ids(value) },
        ["begin_suppress_tokens"] = (options, value) => options with { BeginSuppressTokens = Ids(value) },
        ["forced_eos_token_id"] = (options, value) => options with { ForcedEosTokenId = IdOrIds(value) },
        ["renormalize_logits"] = (options, value) => options with { RenormalizeLogits = Bool(value) },
    };

    /// <summary>Reads a file of options, such as generation_config.json; max_time is in seconds, a null is as if the key were not there.</summary>
    /// <param name="json">The file's bytes, UTF-8.</param>
    /// <param name="source">What to call the file in errors.</param>
    /// <param name="strict">Refuse keys that this record does not have; otherwise they are left alone.</param>
    /// <exception cref="ConfigException">The JSON is broken, a value is impossible or, where that is asked for, a key is unknown.</exception>
    public static GenerationOptions FromJson(ReadOnlyMemory<byte> json, string source = GenerationDefaults.File, bool strict = false)
    {
        using JsonDocument document = SmallJson.Parse(source, json, JsonValueKind.Object);
        return FromJson(document.RootElement, source, strict);
    }

    /// <summary>Reads an object of options that is part of something else, such as a request.</summary>
    /// <param name="json">The object.</param>
    /// <param name="source">What to call it in errors.</param>
    /// <param name="strict">Refuse keys that this record does not have; otherwise they are left alone.</param>
    /// <exception cref="ConfigException">It is no object, a value is impossible or, where that is asked for, a key is unknown.</exception>
    public static GenerationOptions FromJson(JsonElement json, string source, bool strict = true)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new ConfigException($"{source} is a JSON {json.ValueKind}; an object of options is needed.");
        try
        {
            return json.EnumerateObject().Aggregate(Default, (options, property) => Set(options, property, source, strict));
        }
        catch (InvalidOperationException e)
        {
            // What the parser lets through and GetString refuses.
            throw new ConfigException($"{source} has a text with half a surrogate pair, which is no text: {e.Message}", e);
        }
    }

    private static GenerationOptions Set(GenerationOptions options, JsonProperty property, string source, bool strict)
    {
        if (!Keys.TryGetValue(property.Name, out Setter? set))
        {
            return strict
                ? throw new ConfigException($"{source}: there is no option {Shown(property.Name)}; the nearest is {Nearest(property.Name)}.")
                : options;
        }
        if (property.Value.ValueKind == JsonValueKind.Null)
            return options;
        try
        {
            return set(options, property.Value);
        }
        catch (ArgumentOutOfRangeException e) when (e.Data[OptionRange.Needed] is string needed)
        {
            throw new ConfigException($"{source}: {property.Name} is {Shown(property.Value.GetRawText())}; {needed}", e);
        }
    }

    private static int Whole(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : throw Not("a whole number of 32 bits");

    private static long Long(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : throw Not("a whole number of 64 bits");

    private static double Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : throw Not("a number");

    private static bool Bool(JsonElement value) =>
        value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Not("true or false");

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Not("a list of strings");

    private static string[] TextOrTexts(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? [value.GetString()!] : List(value, Text, "a string or a list of strings");

    private static TimeSpan Seconds(JsonElement value) =>
        Number(value) is > 0 and < 1e9 and double seconds ? TimeSpan.FromSeconds(seconds) : throw Not("a number of seconds above 0 and below a billion");

    private static EarlyStopping Early(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => ManagedTransformers.EarlyStopping.True,
        JsonValueKind.False => ManagedTransformers.EarlyStopping.False,
        JsonValueKind.String when value.ValueEquals("never"u8) => ManagedTransformers.EarlyStopping.Never,
        _ => throw Not("true, false or \"never\""),
    };

    // torch's names, as in config.json's torch_dtype
    private static WeightType Stored(JsonElement value) => (value.ValueKind == JsonValueKind.String ? value.GetString() : null) switch
    {
        "float32" => WeightType.F32,
        "float16" => WeightType.F16,
        "bfloat16" => WeightType.BF16,
        _ => throw Not("\"float32\", \"float16\" or \"bfloat16\""),
    };

    private static int Id(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id >= 0 ? id : throw Not("an id or a list of ids");

    private static IReadOnlyList<int> Ids(JsonElement value) => List(value, Id, "a list of ids");

    private static IReadOnlyList<int> IdOrIds(JsonElement value) => value.ValueKind == JsonValueKind.Array ? Ids(value) : [Id(value)];

    private static SequenceBias Bias(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 2
        ? new SequenceBias(Ids(value[0]), (float)Number(value[1]))
        : throw Not("a list of [[ids], bias]");

    private static T[] List<T>(JsonElement value, Func<JsonElement, T> item, string needed) =>
        value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(item)] : throw Not(needed);

    private static ArgumentOutOfRangeException Not(string needed) => OptionRange.Outside("value", "something else", $"{needed} is needed.");

    private static string Shown(string text) => text.Length <= 120 ? text : $"{text.AsSpan(0, 120)}…";

    private static string Nearest(string key) => Keys.Keys.MinBy(known => NearestNames.Distance(known, key.Length <= 120 ? key : key[..120]))!;
}
