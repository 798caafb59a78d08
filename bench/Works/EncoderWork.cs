using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>How much of an encoder runs.</summary>
internal enum EncoderPart
{
    /// <summary>The last hidden state.</summary>
    Body,

    /// <summary>Scores of the vocabulary at every token.</summary>
    FullLogits,

    /// <summary>One mask: scores at its place, softmax, the five best.</summary>
    OneMask,
}

/// <summary>A forward pass of an encoder.</summary>
internal sealed class EncoderWork : Work
{
    private const int BestCandidates = 5;

    private readonly ModelSize _size;
    private readonly EncoderPart _part;
    private readonly ModelInputs _inputs;
    private readonly ModelCache _models;
    private readonly ForwardOptions _options;
    private readonly Func<PretrainedModel> _load;
    private readonly WeightFormat _format;
    private PretrainedModel? _model;
    private float[] _probabilities = [];

    /// <param name="name">What it is called in the results.</param>
    /// <param name="size">The model.</param>
    /// <param name="part">How much of it runs.</param>
    /// <param name="inputs">The texts.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="format">How weights are held; quantized ones (head included) are timed in interleaved runs with F32. ONNX Runtime has them in f32, or
    /// in int8 where ours are.</param>
    public EncoderWork(string name, ModelSize size, EncoderPart part, ModelInputs inputs, ModelCache models, KernelOptions kernels,
        WeightFormat format = WeightFormat.AsStored)
        : base(name + ModelSize.Suffix(format), kernels)
    {
        (_size, _part, _inputs, _models, _format) = (size, part, inputs, models, format);
        _options = part == EncoderPart.OneMask ? new ForwardOptions { LogitsAt = [(0, inputs.SequenceLength / 2)] } : ForwardOptions.Default;
        _load = part == EncoderPart.Body ? LoadBody : LoadWithHead;
        int[] lengths = [.. TokenIds.MaskOf(inputs).Chunk(inputs.SequenceLength).Select(row => row.Sum())];
        double tokens = lengths.Sum();
        double scored = part switch { EncoderPart.Body => 0, EncoderPart.FullLogits => tokens, _ => 1 };
        Flops = size.BodyFlops(tokens, lengths.Sum(length => (double)length * length)) + size.HeadFlops(scored, transform: true);
        MultipliesIntegers = format != WeightFormat.AsStored;
        Bytes = size.Bytes(format) * (size.LayerWeights + (scored > 0 ? size.HeadWeights : 0));
        if (format != WeightFormat.AsStored)
            Siblings = [("F32 weights", () => new EncoderWork(name, size, part, inputs, models, kernels))];
        if (format is WeightFormat.AsStored or WeightFormat.Int8)
        {
            PeerModel model = PeerModel.Encoder(size.Checkpoint, part == EncoderPart.Body ? "body.onnx" : "full.onnx", format);
            Peers = [new PeerTask($"ONNX Runtime {(format == WeightFormat.AsStored ? "f32" : "int8")}", model, WritePrepareLine)];
        }
    }

    public override void Prepare()
    {
        _model = _load();
        Session = _model.CreateSession();
    }

    public override void Run()
    {
        ModelOutput output = _model!.Forward(_inputs, Session!, _options);
        if (_part == EncoderPart.OneMask)
            FindBest(Logits(output));
    }

    /// <summary>Hidden states or scores, [batch, sequence, width]; zero at padding.</summary>
    public override float[]? Output()
    {
        if (_part == EncoderPart.OneMask)
            return null;
        ModelOutput output = _model!.Forward(_inputs, Session!, _options);
        return (output is BaseModelOutput body ? body.LastHiddenState : Logits(output)).ToArray();
    }

    private static FloatTensor Logits(ModelOutput output) => ((MaskedLMOutput)output).Logits;

    private PretrainedModel LoadBody() => (PretrainedModel)_models.Load<IBaseModel>(_size.Checkpoint, Kernels, _format);

    private PretrainedModel LoadWithHead() => _models.Load<PretrainedModel>(_size.Checkpoint, Kernels, _format);

    private void FindBest(FloatTensor logits)
    {
        if (_probabilities.Length != logits.Length)
            _probabilities = new float[logits.Length];
        Softmax.Run(logits.Span, _probabilities, Kernels);
        var best = new PriorityQueue<int, float>(BestCandidates + 1);
        for (int id = 0; id < _probabilities.Length; id++)
        {
            if (best.Count == BestCandidates && best.TryPeek(out _, out float least) && _probabilities[id] <= least)
                continue;
            best.Enqueue(id, _probabilities[id]);
            if (best.Count > BestCandidates)
                best.Dequeue();
        }
    }

    private string WritePrepareLine(string path)
    {
        TokenIds.Write(path, _inputs.InputIds!, TokenIds.MaskOf(_inputs));
        return $"prepare {_inputs.BatchSize} {_inputs.SequenceLength} {path}";
    }
}
