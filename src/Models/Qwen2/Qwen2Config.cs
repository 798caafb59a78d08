using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>Qwen2's configuration, and Qwen2.5's; names and defaults of transformers' Qwen2Config.</summary>
internal sealed record Qwen2Config : LlamaConfig
{
    /// <inheritdoc/>
    public override string ModelType => "qwen2";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 151936;

    /// <inheritdoc/>
    public override int IntermediateSize { get; set; } = 22016;

    /// <inheritdoc/>
    public override int? NumKeyValueHeads { get; set; } = 32;

    /// <inheritdoc/>
    public override int MaxPositionEmbeddings { get; set; } = 32768;

    /// <inheritdoc/>
    public override int? BosTokenId { get; set; }

    /// <inheritdoc/>
    [JsonConverter(typeof(TokenIdsConverter))]
    public override IReadOnlyList<int> EosTokenId { get; set; } = [];

    /// <summary>Whether tokens see only a window of those before them; not supported.</summary>
    public bool UseSlidingWindow { get; set; }

    /// <summary>The window's length; it counts only with use_sliding_window. Null: there is none.</summary>
    public int? SlidingWindow { get; set; } = 4096;

    /// <summary>From which layer on windows slide; it counts only with use_sliding_window.</summary>
    public int MaxWindowLayers { get; set; } = 28;

    internal override bool HasQkvBias => true;

    internal override bool HasOutputBias => false;

    internal override bool HasMlpBias => false;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Require(!UseSlidingWindow || SlidingWindow is null, "use_sliding_window", $"true with sliding_window {SlidingWindow}",
            "full attention (use_sliding_window false)");
    }
}
