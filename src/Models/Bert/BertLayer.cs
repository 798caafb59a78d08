namespace ManagedTransformers.Models;

/// <summary>x ← LayerNorm(x + attention(x)); x ← LayerNorm(x + dense(act(dense(x)))).</summary>
/// <remarks>Devlin et al. 2018; transformers BertLayer and RobertaLayer.</remarks>
internal sealed class BertLayer
{
    private readonly BertAttention _attention;
    private readonly FeedForwardBlock _feedForward;
    private readonly LayerNormalization _layerNorm;
    private readonly string _name, _outputName;

    public BertLayer(BertConfig config, ModelWeights weights, string name, int layer)
    {
        (_name, _outputName) = (name, $"{name}.output");
        _attention = new BertAttention(config, weights, $"{name}.attention", layer);
        var intermediate = new Linear(weights, $"{name}.intermediate.dense", config.HiddenSize, config.IntermediateSize);
        var output = new Linear(weights, $"{name}.output.dense", config.IntermediateSize, config.HiddenSize);
        _feedForward = new FeedForwardBlock(intermediate, config.Activation, $"{name}.intermediate", output);
        _layerNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", config.HiddenSize, config.LayerNormEps);
    }

    /// <summary>One layer, in place: [tokens, hidden].</summary>
    public void Forward(Tensor x, Session session)
    {
        _attention.Forward(x, session);

        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor output = _feedForward.Forward(x, session);                         // [tokens, hidden]
        _layerNorm.ForwardTo(x, output, x, session);                              // x ← LayerNorm(x + output)
        session.Tap(_outputName, x);
        session.Tap(_name, x);
    }
}
