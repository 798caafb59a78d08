using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>x ← LayerNorm(x + attention(x)); x ← LayerNorm(x + dense(act(dense(x)))).</summary>
/// <remarks>Devlin et al. 2018; transformers BertLayer and RobertaLayer.</remarks>
internal sealed class BertLayer
{
    private readonly BertAttention _attention;
    private readonly Linear _intermediate;
    private readonly Linear _output;
    private readonly LayerNormalization _layerNorm;
    private readonly Activation _activation;
    private readonly string _name;

    public BertLayer(BertConfig config, ModelWeights weights, string name, int layer)
    {
        (_name, _activation) = (name, config.Activation);
        _attention = new BertAttention(config, weights, $"{name}.attention", layer);
        _intermediate = new Linear(weights, $"{name}.intermediate.dense", config.HiddenSize, config.IntermediateSize);
        _output = new Linear(weights, $"{name}.output.dense", config.IntermediateSize, config.HiddenSize);
        _layerNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", config.HiddenSize, config.LayerNormEps);
    }

    /// <summary>One layer, in place: [tokens, hidden].</summary>
    public void Forward(Tensor x, Session session)
    {
        _attention.Forward(x, session);

        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor intermediate = _intermediate.Forward(x, session, _activation);     // [tokens, intermediate]
        Tensor output = _output.Forward(intermediate, session);                   // [tokens, hidden]
        Add.Run(x.Span, output.Span, x.Span, session.Kernels);
        _layerNorm.ForwardTo(x, x, session);
        session.Tap(_name, x);
    }
}
