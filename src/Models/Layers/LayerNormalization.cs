using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>A norm of each row of [tokens, hidden], with a gain.</summary>
[DebuggerDisplay("{Name,nq}")]
public abstract class Normalization
{
    private protected Normalization(string name) => Name = name;

    /// <summary>The Hugging Face module path.</summary>
    public string Name { get; }

    /// <summary>[hidden]; empty: none.</summary>
    internal abstract ReadOnlySpan<float> Bias { get; }

    /// <summary>[tokens, hidden] → [tokens, hidden], in the session's workspace.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        FloatTensor y = session.Workspace.Rent(Name, x.Shape[0], x.Shape[1]);
        ForwardTo(x, y, session);
        return session.Tap(Name, y);
    }

    /// <summary>The same into a tensor of the caller's, which may be <paramref name="x"/> itself.</summary>
    public abstract void ForwardTo(FloatTensor x, FloatTensor y, Session session);

    /// <summary>part ← each part's share of y, its bias left out, where all parts sum to the whole: what the norm does to the whole, done to them.</summary>
    /// <param name="parts">[parts, hidden], in place.</param>
    /// <param name="whole">[hidden].</param>
    internal abstract void ScaleParts(FloatTensor parts, ReadOnlySpan<float> whole);
}

/// <summary>y = (x − mean(x)) / sqrt(var(x) + eps) · weight + bias, for each row of [tokens, hidden].</summary>
/// <remarks>Ba et al. 2016, arXiv:1607.06450; transformers nn.LayerNorm.</remarks>
/// <param name="weights">Where <c>name.weight</c> and <c>name.bias</c> come from.</param>
/// <param name="name">The Hugging Face module path.</param>
/// <param name="hidden">Width of a row.</param>
/// <param name="eps">Added to the variance.</param>
[DebuggerDisplay("{Name,nq}: {_weight.Length}")]
public sealed class LayerNormalization(ModelWeights weights, string name, int hidden, double eps) : Normalization(name)
{
    private readonly float[] _weight = weights.Vector(name + ".weight", hidden, initial: 1);
    private readonly float[] _bias = weights.Vector(name + ".bias", hidden);
    private readonly float _eps = (float)eps;

    internal override ReadOnlySpan<float> Bias => _bias;

    /// <inheritdoc/>
    public override void ForwardTo(FloatTensor x, FloatTensor y, Session session) =>
        LayerNorm.Run(x.Span, _weight, _bias, _eps, y.Span, session.Kernels);

    /// <summary>y = LayerNorm(x + residual), into a tensor of the caller's, which may be <paramref name="x"/> itself.</summary>
    public void ForwardTo(FloatTensor x, FloatTensor residual, FloatTensor y, Session session)
    {
        Add.Run(x.Span, residual.Span, y.Span, session.Kernels);
        ForwardTo(y, y, session);
    }

    /// <summary>part ← (part − mean(part)) / sqrt(var(whole) + eps) · weight.</summary>
    internal override void ScaleParts(FloatTensor parts, ReadOnlySpan<float> whole)
    {
        double mean = Mean(whole), variance = 0;
        foreach (float x in whole)
            variance += (x - mean) * (x - mean) / whole.Length;
        double scale = 1 / Math.Sqrt(variance + _eps);
        for (int row = 0; row < parts.Shape[0]; row++)
        {
            Span<float> part = parts.Row(row);
            double shift = Mean(part);
            for (int i = 0; i < part.Length; i++)
                part[i] = (float)((part[i] - shift) * scale * _weight[i]);
        }
    }

    private static double Mean(ReadOnlySpan<float> x)
    {
        double sum = 0;
        foreach (float value in x)
            sum += value;
        return sum / x.Length;
    }
}

/// <summary>y = x / sqrt(mean(x²) + eps) · weight, for each row of [tokens, hidden].</summary>
/// <remarks>Zhang &amp; Sennrich 2019, arXiv:1910.07467; transformers LlamaRMSNorm.</remarks>
/// <param name="weights">Where <c>name.weight</c> comes from.</param>
/// <param name="name">The Hugging Face module path.</param>
/// <param name="hidden">Width of a row.</param>
/// <param name="eps">Added to the mean square.</param>
[DebuggerDisplay("{Name,nq}: {_weight.Length}")]
internal sealed class RmsNormalization(ModelWeights weights, string name, int hidden, double eps) : Normalization(name)
{
    private readonly float[] _weight = weights.Vector(name + ".weight", hidden, initial: 1);
    private readonly float _eps = (float)eps;

    internal override ReadOnlySpan<float> Bias => [];

    /// <inheritdoc/>
    public override void ForwardTo(FloatTensor x, FloatTensor y, Session session) => RmsNorm.Run(x.Span, _weight, _eps, y.Span, session.Kernels);

    /// <summary>part ← part / sqrt(mean(whole²) + eps) · weight.</summary>
    internal override void ScaleParts(FloatTensor parts, ReadOnlySpan<float> whole)
    {
        double square = 0;
        foreach (float x in whole)
            square += (double)x * x / whole.Length;
        double scale = 1 / Math.Sqrt(square + _eps);
        for (int row = 0; row < parts.Shape[0]; row++)
        {
            Span<float> part = parts.Row(row);
            for (int i = 0; i < part.Length; i++)
                part[i] = (float)(part[i] * scale * _weight[i]);
        }
    }
}
