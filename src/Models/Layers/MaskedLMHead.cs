using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>Scores of the vocabulary: decoder(LayerNorm(act(dense(x)))), the decoder tied to the token embeddings unless the configuration says otherwise.</summary>
/// <remarks>transformers BertLMPredictionHead and RobertaLMHead; BERT uses hidden_act, RoBERTa always gelu.</remarks>
internal sealed class MaskedLMHead
{
    private readonly Linear _dense;
    private readonly ActivationFunction _activation;
    private readonly LayerNormalization _layerNorm;
    private readonly Linear _decoder;
    private readonly string _name, _transformName;

    public MaskedLMHead(BertConfig config, ModelWeights weights, BertEncoder body)
    {
        bool roberta = config is RobertaConfig;
        string name = roberta ? "lm_head" : "cls.predictions";
        string transform = roberta ? name : $"{name}.transform";
        (_name, _transformName) = (name, roberta ? $"{name}.layer_norm" : transform);
        _activation = roberta ? ActivationFunction.Gelu : config.Activation;
        _dense = new Linear(weights, $"{transform}.dense", config.HiddenSize, config.HiddenSize);
        _layerNorm = new LayerNormalization(weights, roberta ? $"{transform}.layer_norm" : $"{transform}.LayerNorm", config.HiddenSize, config.LayerNormEps);
        _decoder = new Linear($"{name}.decoder", DecoderWeight(config, weights, body, name), DecoderBias(config, weights, name));
    }

    /// <summary>The names of what it taps, in order.</summary>
    public IEnumerable<string> ActivationNames => [_dense.Name, _transformName, _decoder.Name, _name];

    /// <summary>[rows, hidden] → [rows, vocab_size] into <paramref name="logits"/>.</summary>
    public void Forward(Tensor x, Tensor logits, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor transformed = _dense.Forward(x, session, _activation);
        _layerNorm.ForwardTo(transformed, transformed, session);
        session.Tap(_transformName, transformed);
        _decoder.ForwardTo(transformed, logits, session);
        session.Tap(_decoder.Name, logits);
        session.Tap(_name, logits);
    }

    private static Matrix DecoderWeight(BertConfig config, ModelWeights weights, BertEncoder body, string name)
    {
        if (!config.TieWordEmbeddings)
            return weights.HeadMatrix($"{name}.decoder.weight", config.VocabSize, config.HiddenSize);
        weights.Ignore($"{name}.decoder.weight", body.WordEmbeddings.Weight.Name);
        return body.WordEmbeddings;
    }

    /// <summary>The bias has two names for one tensor; files hold either or both.</summary>
    private static float[] DecoderBias(BertConfig config, ModelWeights weights, string name)
    {
        (string bias, string decoderBias) = ($"{name}.bias", $"{name}.decoder.bias");
        if (weights.Has(bias))
        {
            weights.Ignore(decoderBias, bias);
            return weights.Vector(bias, config.VocabSize);
        }
        return weights.Vector(weights.Has(decoderBias) ? decoderBias : bias, config.VocabSize);
    }
}
