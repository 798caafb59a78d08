using System.Numerics.Tensors;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Writing one token after a context, and choosing the likeliest; the context grows for some steps and is then cut back to its length.</summary>
internal sealed class DecodeWork : Work
{
    private const int Growth = 32;

    private readonly ModelSize _size;
    private readonly int[] _prompt;
    private readonly ModelCache _models;
    private readonly int[] _sequence = [0];
    private readonly int[] _token = [0];
    private readonly WeightFormat _format;
    private readonly WeightType _cache;
    private ICausalLM? _model;

    /// <param name="size">The model.</param>
    /// <param name="context">Tokens before.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="format">How weights are held; quantized ones (head included) are timed in interleaved runs with F16.</param>
    /// <param name="cache">How keys and values are stored. Peers are timed with the default only.</param>
    public DecodeWork(ModelSize size, int context, ModelCache models, KernelOptions kernels, WeightFormat format = WeightFormat.AsStored,
        WeightType cache = WeightType.F32)
        : base($"{size.Name} decode at {context}{ModelSize.Suffix(format)}{(cache == WeightType.F32 ? "" : $", {cache} cache")}", kernels)
    {
        (_size, _format, _cache) = (size, format, cache);
        (_prompt, _models) = (TokenIds.Some(context), models);
        Tokens = 1;
        Flops = size.BodyFlops(1, context) + size.HeadFlops(1, transform: false);
        Bytes = size.Bytes(format) * (size.LayerWeights + size.HeadWeights);
        Limit = () => InterleavedLimit.Reading(Bytes, kernels);
        if (cache == WeightType.F32)
            Peers = PeerModel.Decoders(size, "decode", _prompt, format);
        if (format != WeightFormat.AsStored)
            Siblings = [("F16 weights", () => new DecodeWork(size, context, models, kernels, cache: cache))];
    }

    public override void Prepare()
    {
        _model = _models.Load<ICausalLM>(_size.Checkpoint, Kernels, _format);
        Session = _model.CreateSession(new SessionOptions { MaxLength = _prompt.Length + Growth, KeyValueType = _cache });
        _model.Append(_prompt, [_prompt.Length], _sequence, Session, ScoresOf.None);
    }

    public override void BeforeRun()
    {
        KeyValueCache cache = Session!.Cache!;
        if (cache.Length(0) == cache.MaxLength)
            cache.Truncate(0, _prompt.Length);
        _token[0] = _prompt[cache.Length(0) % _prompt.Length];
    }

    public override void Run() => _ = TensorPrimitives.IndexOfMax(_model!.Step(_token, _sequence, Session!).Span);
}
