namespace ManagedTransformers.Kernels.Tests;

/// <summary>Inputs, options and comparisons that the tests share.</summary>
internal static class Samples
{
    public static KernelOptions Reference { get; } = new() { Level = KernelLevel.Reference, MaxThreads = 1 };

    public static KernelOptions At(KernelLevel level, int threads = 2) => new() { Level = level, MaxThreads = threads };

    /// <summary>Uniform values between −scale and scale.</summary>
    public static float[] Uniform(int length, int seed, float scale = 1)
    {
        var random = new Random(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++) values[i] = (float)((2 * random.NextDouble()) - 1) * scale;
        return values;
    }

    public static byte[] Stored(ReadOnlySpan<float> values, WeightType type)
    {
        byte[] bytes = new byte[values.Length * WeightMatrix.ElementSize(type)];
        Conversion.Narrow(values, type, bytes, Reference);
        return bytes;
    }

    /// <summary>A matrix [n, k] as a product takes it, quantized where the type has blocks.</summary>
    public static byte[] Weights(ReadOnlySpan<float> values, int n, int k, WeightType type)
    {
        if (!WeightMatrix.IsBlocked(type)) return Stored(values, type);
        byte[] blocks = new byte[n * WeightMatrix.BytesOfRow(type, k)];
        Quantization.Quantize(new WeightMatrix(Stored(values, WeightType.F32), WeightType.F32, n, k), type, blocks, At(KernelDispatch.Level));
        return blocks;
    }

    /// <summary>What is left of floats that were stored.</summary>
    public static float[] Rounded(ReadOnlySpan<float> values, WeightType type)
    {
        float[] rounded = new float[values.Length];
        Conversion.Widen(Stored(values, type), type, rounded, Reference);
        return rounded;
    }

    /// <summary>0 … 2 · width + 1 of the widest level, and some longer ones around multiples.</summary>
    public static IEnumerable<int> Lengths => Enumerable.Range(0, 34).Concat([47, 48, 63, 64, 65, 100, 4095, 4096, 4097, 9001]);

    /// <summary>Equal up to an absolute error; NaN only where NaN is expected, infinities exactly.</summary>
    public static void AssertClose(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, double within, string what)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length));
        for (int i = 0; i < actual.Length; i++)
        {
            bool same = float.IsNaN(expected[i]) ? float.IsNaN(actual[i])
                : float.IsInfinity(expected[i]) ? actual[i] == expected[i]
                : Math.Abs((double)actual[i] - expected[i]) <= within;
            if (!same) Assert.Fail($"{what}: [{i}] is {actual[i]:R}; the reference says {expected[i]:R} (within {within:g3}).");
        }
    }
}
