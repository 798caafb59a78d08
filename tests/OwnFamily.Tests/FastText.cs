using System.Text.Json.Serialization;
using ManagedTransformers.Models;

namespace ManagedTransformers.OwnFamily.Tests;

// A family as somebody else would write it, with the public members alone; CONTRIBUTING.md shows it.
// sample
/// <summary>fastText's classifier: the mean of a text's word vectors, and a linear layer.</summary>
/// <remarks>Joulin et al. 2016, arXiv:1607.01759.</remarks>
public sealed record FastTextConfig : PretrainedConfig
{
    public override string ModelType => "fasttext";

    public override int VocabSize { get; set; } = 1000;

    public int Dim { get; set; } = 16;

    public int MaxLength { get; set; } = 64;

    [JsonIgnore]
    public override PositionLimit Positions => new("max_tokens", MaxLength);

    [JsonIgnore]
    public override int HiddenWidth => Dim;

    [JsonIgnore]
    public override int Layers => 1;

    [JsonIgnore]
    public override int Heads => 1;

    public override void Validate()
    {
        base.Validate();
        RequireSize("dim", Dim);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FastTextConfig))]
public sealed partial class FastTextJson : JsonSerializerContext;

public sealed class FastTextForSequenceClassification : PretrainedModel, ISequenceClassifier
{
    private readonly EmbeddingTable _words;
    private readonly Linear _classifier;

    public FastTextForSequenceClassification(FastTextConfig config, ModelSource source) : base(config, source)
    {
        _words = new EmbeddingTable(source.Weights, "fasttext.words", config.VocabSize, config.Dim);
        _classifier = new Linear(source.Weights, "classifier", config.Dim, config.NumLabels);
    }

    public static ModelFamily Family { get; } = new ModelFamily<FastTextConfig>("fasttext", FastTextJson.Default.FastTextConfig)
    {
        BaseModelPrefix = "fasttext",
        TokenizerClasses = new Dictionary<string, string> { ["FastTextTokenizer"] = "RobertaTokenizer" },
        Builders = [(typeof(FastTextForSequenceClassification), (config, source) => new FastTextForSequenceClassification(config, source))],
    };

    public override ModulePaths Paths { get; } = new("fasttext.words", "fasttext.mean", "fasttext.mean", "fasttext.mean");

    public override SequenceClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = session.Tap("fasttext.words", _words.Forward("fasttext.words", session));        // [tokens, dim]
        FloatTensor mean = session.Workspace.Rent("fasttext.mean", session.Batch.Rows, x.Shape[1]);      // [rows, dim]
        for (int row = 0; row < session.Batch.Rows; row++)
            Mean(x, session.Batch.RowStart(row), session.Batch.RowLength(row), mean.Row(row));
        return EndPass(new SequenceClassifierOutput(_classifier.Forward(mean, session).Copy("logits")), session);
    }

    private static void Mean(FloatTensor x, int start, int tokens, Span<float> mean)
    {
        mean.Clear();
        for (int token = start; token < start + tokens; token++)
            for (int i = 0; i < mean.Length; i++)
                mean[i] += x.Row(token)[i] / tokens;
    }
}
// end
