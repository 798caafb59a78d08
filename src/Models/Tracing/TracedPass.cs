using System.Diagnostics;

namespace ManagedTransformers.Models;

/// <summary>The activations of one pass: of a Forward, an Append or a Step.</summary>
[DebuggerDisplay("[{BatchSize}, {SequenceLength}], {Tensors.Count} activations")]
public sealed class TracedPass
{
    private readonly PretrainedModel _model;
    private readonly List<FloatTensor> _tensors = [];
    private readonly Dictionary<string, FloatTensor> _byName = [];

    internal TracedPass(PretrainedModel model, int batchSize, int sequenceLength, int[]? inputIds, int[]? attentionMask, bool isWhole)
    {
        (_model, BatchSize, SequenceLength, IsWhole) = (model, batchSize, sequenceLength, isWhole);
        (InputIds, AttentionMask) = (inputIds?.AsReadOnly(), attentionMask?.AsReadOnly());
    }

    /// <summary>Rows.</summary>
    public int BatchSize { get; }

    /// <summary>New tokens of the longest row, padding included; those in the cache are not counted.</summary>
    public int SequenceLength { get; }

    /// <summary>The token ids, [BatchSize, SequenceLength] in C order, −1 behind a row of Append that is shorter; null where embeddings were given.</summary>
    public IReadOnlyList<int>? InputIds { get; }

    /// <summary>1 for tokens, 0 for padding, [BatchSize, SequenceLength] in C order; null where no mask was given.</summary>
    public IReadOnlyList<int>? AttentionMask { get; }

    /// <summary>The activations that were kept, in execution order. They belong to the trace's owner and outlive trace and session.</summary>
    public IReadOnlyList<FloatTensor> Tensors => _tensors;

    /// <summary>Whether the pass began with an empty cache, so that its inputs are all that the model read.</summary>
    internal bool IsWhole { get; }

    /// <summary>Bytes of them.</summary>
    internal long Bytes { get; private set; }

    /// <summary>An activation by name, its own or TransformerLens's (<see cref="PretrainedModel.TransformerLensNames"/>), which gives it the shape that it has
    /// there.</summary>
    /// <exception cref="TraceException">The pass kept no activation of that name; the message lists the nearest ones.</exception>
    public FloatTensor this[string name]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(name);
            return _byName.TryGetValue(name, out FloatTensor? tensor) || (Lens(name) is { } lens && _byName.TryGetValue(lens.Activation, out tensor))
                ? tensor.Name == name ? tensor : Lens(name)!.Read(tensor, _model.Config.HeadWidth)
                : throw new TraceException(Missing(name));
        }
    }

    internal void Add(FloatTensor tensor)
    {
        _tensors.Add(tensor);
        _byName.Add(tensor.Name, tensor);
        Bytes += tensor.Length * (long)sizeof(float);
    }

    private TransformerLensName? Lens(string name) => _model.LensNames.FirstOrDefault(lens => lens.Name == name);

    private string Missing(string name)
    {
        if (_model.ActivationNames.Contains(name) || Lens(name) is not null)
            return $"{name} was not kept in this pass: it was not asked for, or not computed. " +
                $"The pass has {_tensors.Count} activations, nearest {NearestNames.Of(name, _byName.Keys)}. Give the name to Session.Trace.";
        return $"{_model.Architecture} has no activation {name}. The nearest that the pass kept are {NearestNames.Of(name, _byName.Keys)}.";
    }
}
