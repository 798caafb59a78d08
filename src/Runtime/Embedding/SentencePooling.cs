using System.Runtime.InteropServices;

namespace ManagedTransformers;


/// <summary>One vector from many; the arithmetic of sentence-transformers' Pooling and Normalize.</summary>
internal static class SentencePooling
{
    /// <summary>[tokens, width] → [modes · width].</summary>
    /// <param name="hidden">The tokens' vectors, [tokens, width].</param>
    /// <param name="width">Numbers of each.</param>
    /// <param name="modes">What is joined.</param>
    /// <param name="first">Where pooling begins: tokens before it are a prompt's. The first token stays what "cls" means.</param>
    public static float[] Pool(ReadOnlySpan<float> hidden, int width, IReadOnlyList<Pooling> modes, int first = 0)
    {
        var pooled = new float[modes.Count * width];
        for (int m = 0; m < modes.Count; m++)
            Pool(hidden, modes[m], first, pooled.AsSpan(m * width, width));
        return pooled;
    }

    /// <summary>Divides by the L2 norm, or by 1e-12 where that is less, as torch.nn.functional.normalize does.</summary>
    public static void Normalize(Span<float> vector)
    {
        double squares = 0;
        foreach (float x in vector)
            squares += (double)x * x;
        Divide(vector, Math.Max((float)Math.Sqrt(squares), 1e-12f));
    }

    private static void Pool(ReadOnlySpan<float> hidden, Pooling mode, int first, Span<float> pooled)
    {
        int width = pooled.Length, tokens = hidden.Length / width;
        switch (mode)
        {
            case Pooling.Cls:
                hidden[..width].CopyTo(pooled);
                break;
            case Pooling.LastToken:
                hidden[^width..].CopyTo(pooled);
                break;
            case Pooling.Max:
                hidden.Slice(first * width, width).CopyTo(pooled);
                for (int t = first + 1; t < tokens; t++)
                    Max(hidden.Slice(t * width, width), pooled);
                break;
            case Pooling.Mean:
                Divide(pooled, Sum(hidden, first, _ => 1, pooled));
                break;
            case Pooling.MeanSqrtLenTokens:
                Divide(pooled, MathF.Sqrt(Sum(hidden, first, _ => 1, pooled)));
                break;
            case Pooling.WeightedMean:
                Divide(pooled, Sum(hidden, first, token => token + 1, pooled));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(mode), $"{mode} is no pooling mode; there are {string.Join(", ", Enum.GetNames<Pooling>())}.");
        }
    }

    /// <summary>pooled = Σ weight(t) · x(t), from token <paramref name="first"/> on.</summary>
    /// <returns>Σ weight(t).</returns>
    private static float Sum(ReadOnlySpan<float> hidden, int first, Func<int, float> weight, Span<float> pooled)
    {
        float weights = 0;
        for (int t = first; t < hidden.Length / pooled.Length; t++)
        {
            float w = weight(t);
            weights += w;
            ReadOnlySpan<float> row = hidden.Slice(t * pooled.Length, pooled.Length);
            for (int i = 0; i < pooled.Length; i++)
                pooled[i] += w * row[i];
        }
        return weights;
    }

    private static void Max(ReadOnlySpan<float> row, Span<float> most)
    {
        for (int i = 0; i < most.Length; i++)
            most[i] = Math.Max(most[i], row[i]);
    }

    private static void Divide(Span<float> vector, float by)
    {
        foreach (ref float x in vector)
            x /= by;
    }
}

/// <summary>A module after the pooling: a vector in, a vector out.</summary>
internal abstract class SentenceLayer
{
    /// <summary>The length of what comes out for a vector of <paramref name="width"/> numbers.</summary>
    /// <exception cref="ConfigException">The module reads vectors of another length.</exception>
    public abstract int OutWidth(int width);

    /// <summary>[in] → [out].</summary>
    public abstract float[] Forward(float[] x, KernelOptions kernels);

    private protected static int Require(string file, string key, int needed, int width) => width == needed ? needed
        : throw new ConfigException($"{file}: {key} is {needed}; the vectors before it have {width} numbers. Are the files of one checkpoint?");
}

/// <summary>y = act(W x + b), or that + x: sentence-transformers' Dense.</summary>
/// <param name="file">Its config.json, for messages.</param>
/// <param name="weight">[out, in].</param>
/// <param name="bias">[out]; empty: none.</param>
/// <param name="activation">act.</param>
/// <param name="residual">[out, in], by which x is multiplied before it is added; empty: x itself is added; null: nothing is.</param>
/// <param name="inFeatures">in.</param>
/// <param name="outFeatures">out.</param>
internal sealed class DenseLayer(
    string file, float[] weight, float[] bias, ActivationFunction activation, float[]? residual, int inFeatures, int outFeatures) : SentenceLayer
{
    public override int OutWidth(int width)
    {
        Require(file, "in_features", inFeatures, width);
        return outFeatures;
    }

    public override float[] Forward(float[] x, KernelOptions kernels)
    {
        float[] shortcut = residual switch { null => [], [] => x, _ => Product(x, residual, default, kernels) };
        return Product(x, weight, new Epilogue { Bias = bias, Activation = activation, Residual = shortcut }, kernels);
    }

    private float[] Product(float[] x, float[] matrix, in Epilogue epilogue, KernelOptions kernels)
    {
        var y = new float[outFeatures];
        MatMul.Run(x, m: 1, new WeightMatrix(MemoryMarshal.AsBytes<float>(matrix), WeightType.F32, outFeatures, inFeatures), y, epilogue, kernels);
        return y;
    }
}

/// <summary>sentence-transformers' LayerNorm, over the whole vector.</summary>
/// <param name="file">Its config.json, for messages.</param>
/// <param name="weight">Gain, [dimension].</param>
/// <param name="bias">Offset, [dimension].</param>
internal sealed class LayerNormLayer(string file, float[] weight, float[] bias) : SentenceLayer
{
    private const float Eps = 1e-5f;            // torch.nn.LayerNorm's default, which no file changes

    public override int OutWidth(int width) => Require(file, "dimension", weight.Length, width);

    public override float[] Forward(float[] x, KernelOptions kernels)
    {
        var y = new float[x.Length];
        LayerNorm.Run(x, weight, bias, Eps, y, kernels);
        return y;
    }
}

/// <summary>x / |x|, where another module follows; the last one is <see cref="SentenceModules.Normalize"/>.</summary>
internal sealed class NormalizeLayer : SentenceLayer
{
    public override int OutWidth(int width) => width;

    public override float[] Forward(float[] x, KernelOptions kernels)
    {
        SentencePooling.Normalize(x);
        return x;
    }
}

/// <summary>How the vectors of a text's tokens become one; several at once give their vectors one after the other.</summary>
/// <remarks>The modes of sentence-transformers' Pooling, in the order in which its older files join them.</remarks>
public enum Pooling
{
    /// <summary>The first token's; "cls".</summary>
    Cls,

    /// <summary>The greatest value of each component; "max".</summary>
    Max,

    /// <summary>Their mean, special tokens included; "mean".</summary>
    Mean,

    /// <summary>Their sum, divided by the square root of their number; "mean_sqrt_len_tokens".</summary>
    MeanSqrtLenTokens,

    /// <summary>Their mean, the n-th token counting n times; "weightedmean". Muennighoff 2022, arXiv:2202.08904.</summary>
    WeightedMean,

    /// <summary>The last token's; "lasttoken".</summary>
    LastToken,
}

/// <summary>Under which names files have them.</summary>
internal static class PoolingNames
{
    /// <summary>Each with its word in <c>pooling_mode</c> and its switch in files of sentence-transformers before 5.4.</summary>
    public static readonly (Pooling Mode, string Word, string Switch)[] All =
    [
        (Pooling.Cls, "cls", "pooling_mode_cls_token"),
        (Pooling.Max, "max", "pooling_mode_max_tokens"),
        (Pooling.Mean, "mean", "pooling_mode_mean_tokens"),
        (Pooling.MeanSqrtLenTokens, "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"),
        (Pooling.WeightedMean, "weightedmean", "pooling_mode_weightedmean_tokens"),
        (Pooling.LastToken, "lasttoken", "pooling_mode_lasttoken"),
    ];
}
