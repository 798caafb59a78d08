using System.Text;
using System.Text.Json.Serialization;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>The configuration of <see cref="IdleModel"/>.</summary>
internal sealed record IdleConfig : PretrainedConfig
{
    public const int Vocabulary = 64;

    public override string ModelType => "idle";

    public override int VocabSize { get; set; } = Vocabulary;

    [JsonIgnore]
    public override bool IsCausal => true;

    [JsonIgnore]
    public override PositionLimit Positions => new("n_positions", FleetTrace.MostTokens);

    [JsonIgnore]
    public override int HiddenWidth => 1;

    [JsonIgnore]
    public override int Layers => 1;

    [JsonIgnore]
    public override int Heads => 1;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(IdleConfig))]
internal sealed partial class IdleJson : JsonSerializerContext;

/// <summary>A decoder that computes nothing: its cache has keys and values of width 1, and each token's scores are 0.</summary>
internal sealed class IdleModel : DecoderForCausalLM
{
    static IdleModel() => ModelFamilies.Register(new ModelFamily<IdleConfig>("idle", IdleJson.Default.IdleConfig)
    {
        BaseModelPrefix = "idle", Builders = [(typeof(IdleModel), (config, source) => new IdleModel(config, source, new IdleBody(config, source)))],
    });

    private IdleModel(IdleConfig config, ModelSource source, IdleBody body)
        : base(config, source, body, Linear.OverVocabulary(config, source.Weights, "lm_head", body.Words, tied: true, bias: false))
    {
    }

    /// <summary>A generator with it; it writes as many tokens as it is asked for.</summary>
    public static TextGenerator Generator()
    {
        IEnumerable<string> letters = Enumerable.Range(0, IdleConfig.Vocabulary).Select(id => $"\"{(char)('0' + id)}\":{id}").Where(entry => entry[1] != '\\');
        string tokenizer = $"{{\"model\":{{\"type\":\"BPE\",\"vocab\":{{{string.Join(',', letters)}}},\"merges\":[]}}}}";
        var options = new LoadOptions { Kernels = new() { MaxThreads = 1 } };
        var model = PretrainedModels.FromConfig<IdleModel>(new IdleConfig { InitializerRange = 0 }, options: options);
        return TextGenerator.Create(model, Tokenizer.FromJson(Encoding.UTF8.GetBytes(tokenizer)));
    }

    private sealed class IdleBody(IdleConfig config, ModelSource source) : DecoderModel(config, source)
    {
        public override EmbeddingTable Words { get; } = new(source.Weights, "idle.words", config.VocabSize, config.HiddenWidth);

        public override Normalization Norm { get; } = new LayerNormalization(source.Weights, "idle.norm", config.HiddenWidth, 1e-5);

        public override ModulePaths Paths { get; } = new("idle.words", "idle.words", "idle.words", "idle.words");

        public override FloatTensor Forward(Session session) => Words.Forward("idle.words", session);
    }
}
