using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>rope_scaling: how rotary frequencies are changed for texts longer than those of pre-training; names of transformers'
/// modeling_rope_utils.</summary>
internal sealed record RopeScaling
{
    private const string Known = "default, linear, dynamic, yarn or llama3";

    private static readonly Dictionary<string, JsonElement> s_noKeys = [];
    private static readonly RopeScaling s_none = new() { RopeType = "default", OtherKeys = s_noKeys };

    /// <summary>default, linear, dynamic, yarn or llama3.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? RopeType { get; set; }

    /// <summary>The same under the key of older files.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Type { get; set; }

    /// <summary>How many times longer texts become.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Factor { get; set; }

    /// <summary>Positions of pre-training (yarn, llama3); max_position_embeddings when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? OriginalMaxPositionEmbeddings { get; set; }

    /// <summary>yarn: multiplies cos and sin; 0.1 · ln(factor) + 1 when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? AttentionFactor { get; set; }

    /// <summary>yarn: pairs that turn more often than this within the original positions stay as they are; 32 when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? BetaFast { get; set; }

    /// <summary>yarn: pairs that turn less often than this are slowed by the factor; 1 when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? BetaSlow { get; set; }

    /// <summary>llama3: pairs whose wavelength is over the original positions by this are slowed by the factor.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? LowFreqFactor { get; set; }

    /// <summary>llama3: pairs whose wavelength is under the original positions by this stay as they are.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? HighFreqFactor { get; set; }

    /// <summary>The base of the frequencies, where newer files have it here (rope_parameters).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? RopeTheta { get; set; }

    /// <summary>Other keys; kept so that saving loses nothing.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement> OtherKeys { get; set; } = new Dictionary<string, JsonElement>();

    /// <summary>The kind, by whichever key names it.</summary>
    [JsonIgnore]
    internal string Kind => RopeType ?? Type ?? "default";

    /// <summary>What it does to the frequencies: equal for equal scalings, whichever key names the kind.</summary>
    [JsonIgnore]
    internal RopeScaling Effect => this with { RopeType = Kind, Type = null, RopeTheta = null, OtherKeys = s_noKeys };

    /// <summary>What is impossible about it, with the key and what is needed; null: nothing.</summary>
    internal (string Key, object? Found, string Needed)? Problem() => OtherProblem() ?? Kind switch
    {
        _ when Type is not null && Type != Kind => ("rope_type", $"\"{RopeType}\" and type \"{Type}\"", "one kind, or the same in both,"),
        // transformers 4 stops there; later versions leave the frequencies as they are, whatever the other keys say.
        _ when RopeType is null && Type is null && Effect != s_none => ("rope_type", null, Known),
        "default" => null,
        _ when Kind is not ("linear" or "dynamic" or "yarn" or "llama3") => ("rope_type", $"\"{Kind}\"", Known),
        _ when Factor is not (>= 1 and <= 1e6) => ("factor", Factor, "a number of at least 1"),
        _ when OriginalMaxPositionEmbeddings is < 1 => ("original_max_position_embeddings", OriginalMaxPositionEmbeddings, "a positive number"),
        "yarn" => YarnProblem(),
        "llama3" when OriginalMaxPositionEmbeddings is null => ("original_max_position_embeddings", null, "a positive number"),
        "llama3" when LowFreqFactor is not > 0 => ("low_freq_factor", LowFreqFactor, "a number over 0"),
        "llama3" when !(HighFreqFactor > LowFreqFactor) => ("high_freq_factor", HighFreqFactor, FormattableString.Invariant(
            $"a number over low_freq_factor ({LowFreqFactor})")),
        _ => null,
    };

    // Keys that change angles in ways that are not there.
    private (string Key, object? Found, string Needed)? OtherProblem()
    {
        foreach ((string key, JsonElement value) in OtherKeys)
        {
            bool isUsual = value.ValueKind == JsonValueKind.Null || key switch
            {
                "mscale" or "mscale_all_dim" => Kind != "yarn",                                    // DeepSeek's
                "mrope_section" => false,                                                          // of pictures
                "partial_rotary_factor" => value.ValueKind == JsonValueKind.Number && value.GetDouble() == 1,
                "truncate" => Kind != "yarn" || value.ValueKind == JsonValueKind.True,
                _ => value.ValueKind != JsonValueKind.Object,
            };
            if (isUsual)
                continue;
            return value.ValueKind == JsonValueKind.Object
                ? (key, "an object", "the same for all layers: rope_type, rope_theta and what belongs to them,")
                : (key, value.GetRawText(), $"{Kind} without it");
        }
        return null;
    }

    private (string Key, object? Found, string Needed)? YarnProblem()
    {
        if (AttentionFactor is not (null or > 0))
            return ("attention_factor", AttentionFactor, "a number over 0");
        return (BetaFast ?? 32) >= (BetaSlow ?? 1) && (BetaSlow ?? 1) > 0
            ? null
            : ("beta_fast", BetaFast, $"at least beta_slow ({BetaSlow ?? 1}), and that over 0,");
    }
}
