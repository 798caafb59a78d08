using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Reading a prompt: a forward pass over all of its tokens, scores of the last one only.</summary>
internal sealed class PrefillWork : Work
{
    private readonly ModelSize _size;
    private readonly int[] _prompt;
    private readonly ModelCache _models;
    private readonly ForwardOptions _options;
    private readonly WeightFormat _format;
    private ICausalLM? _model;

    /// <param name="size">The model.</param>
    /// <param name="length">Tokens of the prompt.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="format">How weights are held; quantized ones (head included) are timed in interleaved runs with F16.</param>
    public PrefillWork(ModelSize size, int length, ModelCache models, KernelOptions kernels, WeightFormat format = WeightFormat.AsStored)
        : base($"{size.Name} prefill {length}{ModelSize.Suffix(format)}", kernels)
    {
        (_size, _format) = (size, format);
        (_prompt, _models) = (TokenIds.Some(length), models);
        _options = new ForwardOptions { LogitsAt = [(0, length - 1)] };
        Tokens = length;
        Flops = size.BodyFlops(length, pairs: length * (length + 1) / 2.0) + size.HeadFlops(1, transform: false);
        MultipliesIntegers = format != WeightFormat.AsStored;
        Bytes = size.Bytes(format) * (size.LayerWeights + size.HeadWeights);
        Peers = PeerModel.Decoders(size, "prefill", _prompt, format);
        if (format != WeightFormat.AsStored)
            Siblings = [("F16 weights", () => new PrefillWork(size, length, models, kernels))];
    }

    public override void Prepare()
    {
        _model = _models.Load<ICausalLM>(_size.Checkpoint, Kernels, _format);
        Session = _model.CreateSession(new SessionOptions { MaxLength = _prompt.Length });
    }

    public override void BeforeRun() => Session!.Cache!.Clear();

    public override void Run() => _model!.Forward(_prompt, Session!, _options);

    public override float[] Output()
    {
        BeforeRun();
        return _model!.Forward(_prompt, Session!, _options).Logits.ToArray();
    }
}
