using System.Runtime.InteropServices;

namespace ManagedTransformers;

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
