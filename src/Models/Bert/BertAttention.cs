namespace ManagedTransformers.Models;

/// <summary>x ← LayerNorm(x + dense(softmax(q · kᵀ / √head_dim) · v)).</summary>
/// <remarks>Devlin et al. 2018; transformers BertAttention: its self (<see cref="SelfAttention"/>) and its output.</remarks>
internal sealed class BertAttention
{
    private readonly SelfAttention _self;
    private readonly Linear _dense;
    private readonly LayerNormalization _layerNorm;
    private readonly string _name, _selfName, _outputName;

    public BertAttention(BertConfig config, ModelWeights weights, string name, int layer)
    {
        int hidden = config.HiddenSize;
        (_name, _selfName, _outputName) = (name, $"{name}.self", $"{name}.output");
        var query = new Linear(weights, $"{name}.self.query", hidden, hidden);
        var key = new Linear(weights, $"{name}.self.key", hidden, hidden);
        var value = new Linear(weights, $"{name}.self.value", hidden, hidden);
        _self = new SelfAttention(config, _selfName, layer, query, key, value);
        _dense = new Linear(weights, $"{name}.output.dense", hidden, hidden);
        _layerNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", hidden, config.LayerNormEps);
    }

    /// <summary>In place, [tokens, hidden].</summary>
    public void Forward(Tensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor context = session.Tap(_selfName, _self.Forward(x, session));                                         // [tokens, hidden]
        Tensor attention = _self.Project(_dense, context, session);                         // [tokens, hidden]
        _layerNorm.ForwardTo(x, attention, x, session);                                                             // x ← LayerNorm(x + attention)
        session.Tap(_outputName, x);
        session.Tap(_name, x);
    }
}
