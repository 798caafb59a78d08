using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;


/// <summary>BERT's registration.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers' models/bert.</remarks>
internal static class BertFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<BertConfig>("bert", BertJson.Default.BertConfig)
    {
        BaseModelPrefix = "bert",
        Builders =
        [
            (typeof(BertModel), (config, source) => new BertModel(config, source)),
            (typeof(BertForPreTraining), (config, source) => new BertForPreTraining(config, source)),
            (typeof(BertForMaskedLM), (config, source) => new BertForMaskedLM(config, source)),
            (typeof(BertForSequenceClassification), (config, source) => new BertForSequenceClassification(config, source)),
            (typeof(BertForTokenClassification), (config, source) => new BertForTokenClassification(config, source)),
        ],
        KnownBuffers = ["embeddings.position_ids", "embeddings.token_type_ids"],
        OtherHeads = ["cls.", "classifier.", "qa_outputs.", "bert.pooler.", "pooler."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(BertConfig))]
internal sealed partial class BertJson : JsonSerializerContext;

/// <summary>BERT that fills masks.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForMaskedLM.</remarks>
internal class BertForMaskedLM : EncoderForMaskedLM
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal BertForMaskedLM(BertConfig config, ModelSource source) : this(config, source, new BertModel(config, source, pooler: false))
    {
    }

    private BertForMaskedLM(BertConfig config, ModelSource source, BertModel bert) : base(config, source, bert, Head(config, source.Weights, bert))
    {
    }

    /// <summary>decoder(LayerNorm(act(dense(x)))), the decoder tied to the token table unless the configuration says otherwise.</summary>
    /// <remarks>transformers BertLMPredictionHead.</remarks>
    internal static MaskedLMHead Head(BertConfig config, ModelWeights weights, BertModel bert)
    {
        const string Name = "cls.predictions", Transform = "cls.predictions.transform";
        var dense = new Linear(weights, $"{Transform}.dense", config.HiddenSize, config.HiddenSize);
        var layerNorm = new LayerNormalization(weights, $"{Transform}.LayerNorm", config.HiddenSize, config.LayerNormEps);
        Linear decoder = Linear.OverVocabulary(config, weights, $"{Name}.decoder", bert.Words, config.TieWordEmbeddings, biasName: $"{Name}.bias");
        return new MaskedLMHead(dense, config.Activation, layerNorm, Transform, decoder, Name);
    }
}

/// <summary>BERT with both heads of its pre-training: masked language model and next sentence (StarEncoder).</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForPreTraining. The loss is the sum of both, where both kinds of labels are given.</remarks>
internal sealed class BertForPreTraining : PretrainedModel, IMaskedLM, INextSentence
{
    private readonly BertModel _bert;
    private readonly MaskedLMHead _predictions;
    private readonly Linear _seqRelationship;

    internal BertForPreTraining(BertConfig config, ModelSource source) : base(config, source)
    {
        _bert = new BertModel(config, source, pooler: true, poolerIsNeeded: true);
        _predictions = BertForMaskedLM.Head(config, source.Weights, _bert);
        _seqRelationship = new Linear(source.Weights, "cls.seq_relationship", config.HiddenSize, 2);
    }

    /// <inheritdoc/>
    public override ModulePaths Paths => _bert.Paths;

    /// <inheritdoc/>
    protected override bool ReadsFirstToken => true;

    /// <inheritdoc/>
    public override PreTrainingOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        FloatTensor x = _bert.Forward(session);                                       // [tokens, hidden]
        FloatTensor predictions = VocabularyLogits.Compute("prediction_logits", x, Config.VocabSize, session,
            (rows, scores) => _predictions.ForwardTo(rows, scores, session));
        FloatTensor relationship = _seqRelationship.Forward(_bert.Pool(x, session), session).Copy("seq_relationship_logits");
        float? loss = inputs.Labels is int[] labels && inputs.NextSentenceLabel is int[] next
            ? Loss.CrossEntropy(predictions, labels, session.Kernels) + Loss.CrossEntropy(relationship, next, session.Kernels)
            : null;
        return EndPass(new PreTrainingOutput(predictions, relationship) { Loss = loss }, session);
    }

    /// <inheritdoc/>
    public FloatTensor NextSentenceLogits(ModelInputs inputs, Session session) =>
        Forward(inputs, session, new ForwardOptions { LogitsAt = [] }).SeqRelationshipLogits;

    /// <inheritdoc/>
    public FloatTensor Logits(FloatTensor hiddenStates, Session session) =>
        RunHead(hiddenStates, session, (rows, scores) => _predictions.ForwardTo(rows, scores, session));

    MaskedLMOutput IMaskedLM.Forward(ModelInputs inputs, Session session, ForwardOptions? options) => Forward(inputs, session, options);
}

/// <summary>BERT that classifies a text: classifier(pooler).</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForSequenceClassification.</remarks>
internal class BertForSequenceClassification : EncoderForSequenceClassification
{
    private readonly BertModel _bert;
    private readonly Linear _classifier;

    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal BertForSequenceClassification(BertConfig config, ModelSource source)
        : this(config, source, new BertModel(config, source, pooler: true, poolerIsNeeded: true))
    {
    }

    private BertForSequenceClassification(BertConfig config, ModelSource source, BertModel bert) : base(config, source, bert) =>
        (_bert, _classifier) = (bert, new Linear(source.Weights, "classifier", config.HiddenSize, config.NumLabels));

    /// <inheritdoc/>
    protected override FloatTensor Classify(FloatTensor x, Session session) => _classifier.Forward(_bert.Pool(x, session), session);
}

/// <summary>BERT that labels every token.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForTokenClassification.</remarks>
internal class BertForTokenClassification : EncoderForTokenClassification
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal BertForTokenClassification(BertConfig config, ModelSource source) : base(config, source, new BertModel(config, source, pooler: false))
    {
    }
}
