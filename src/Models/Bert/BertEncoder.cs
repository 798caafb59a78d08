using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>The body that BERT and RoBERTa share: embeddings, layers and, where the checkpoint has it, the pooler.</summary>
/// <remarks>transformers BertModel and RobertaModel; they differ in how positions are counted (<see cref="BertEmbeddings"/>).</remarks>
internal sealed class BertEncoder
{
    private readonly BertEmbeddings _embeddings;
    private readonly BertLayer[] _layers;
    private readonly Linear? _pooler;
    private readonly string _poolerName;

    /// <summary>Reads the body's weights.</summary>
    /// <param name="config">A BERT or RoBERTa configuration.</param>
    /// <param name="weights">Where they come from.</param>
    /// <param name="pooler">Whether the class has a pooler; it is left out where the checkpoint has none.</param>
    /// <param name="poolerIsNeeded">Whether a head reads it, so that a missing one is an error.</param>
    public BertEncoder(BertConfig config, ModelWeights weights, bool pooler, bool poolerIsNeeded = false)
    {
        string name = config.ModelType;
        _poolerName = $"{name}.pooler";
        _embeddings = new BertEmbeddings(config, weights, $"{name}.embeddings");
        _layers = new BertLayer[config.NumHiddenLayers];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new BertLayer(config, weights, $"{name}.encoder.layer.{i}", i);
        if (pooler && (poolerIsNeeded || weights.Has($"{name}.pooler.dense.weight")))
            _pooler = new Linear(weights, $"{name}.pooler.dense", config.HiddenSize, config.HiddenSize);
    }

    /// <summary>The names of what <see cref="Forward"/> taps, in order.</summary>
    public IEnumerable<string> ActivationNames => [_embeddings.Name, .. _layers.SelectMany(layer => layer.ActivationNames)];

    /// <summary>The names of what <see cref="Pool"/> taps, in order.</summary>
    public IEnumerable<string> PoolerActivationNames => _pooler is null ? [] : [_pooler.Name, _poolerName];

    /// <summary>Whether there is a pooler.</summary>
    public bool HasPooler => _pooler is not null;

    /// <summary>The token table, [vocab_size, hidden].</summary>
    public Matrix WordEmbeddings => _embeddings.WordEmbeddings;

    /// <summary>The last hidden state of the packed tokens, [tokens, hidden], in the session's workspace.</summary>
    public Tensor Forward(ModelInputs inputs, Session session)
    {
        Tensor x = _embeddings.Forward(inputs, session);
        session.KeepHiddenState(x);
        foreach (BertLayer layer in _layers)
        {
            layer.Forward(x, session);
            session.KeepHiddenState(x);
        }
        return x;
    }

    /// <summary>tanh(dense(first token)) of each row, [batch, hidden], in the session's workspace.</summary>
    public Tensor Pool(Tensor x, Session session) =>
        session.Tap(_poolerName, _pooler!.Forward(FirstTokens(x, session), session, ActivationFunction.Tanh));

    /// <summary>The first token of each row, [batch, hidden], in the session's workspace.</summary>
    public static Tensor FirstTokens(Tensor x, Session session)
    {
        session.RowsAreSelected = true;
        Tensor first = session.Workspace.Rent("first_token", session.Batch.Rows, x.Shape[1]);
        for (int row = 0; row < session.Batch.Rows; row++)
            x.Row(session.Batch.RowStart(row)).CopyTo(first.Row(row));
        return first;
    }
}
