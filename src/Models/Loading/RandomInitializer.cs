using System.Runtime.InteropServices;

namespace ManagedTransformers.Models;

/// <summary>Weights of a model made from a configuration: matrices normal around 0, biases 0, LayerNorm gains 1 (transformers' _init_weights).</summary>
/// <param name="initializerRange">Standard deviation of matrices.</param>
/// <param name="seed">Same seed, same weights; each tensor has a stream of its own, so that it does not depend on the order in which they are made.</param>
internal sealed class RandomInitializer(double initializerRange, int seed)
{
    /// <summary>A [n, k] matrix of normal numbers, but for a row that is left zero (padding_idx of an embedding).</summary>
    /// <exception cref="ConfigException">It would be larger than an array.</exception>
    public Weight Normal(string name, int n, int k, int? zeroRow)
    {
        if ((long)n * k * sizeof(float) > Array.MaxLength)
            throw new ConfigException($"{name} would be [{n}, {k}]; a tensor of random weights holds at most {Array.MaxLength / sizeof(float)} numbers. " +
                "Make the configuration's sizes smaller.");
        var values = new float[n * k];
        var random = new Random(unchecked(seed * 31 + StableHash(name)));
        for (int i = 0; i < values.Length; i += 2)
        {
            // Box and Muller 1958: two uniform numbers make two normal ones.
            double radius = initializerRange * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            (double sin, double cos) = Math.SinCos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(radius * cos);
            if (i + 1 < values.Length) values[i + 1] = (float)(radius * sin);
        }
        if (zeroRow is int row && (uint)row < (uint)n) values.AsSpan(row * k, k).Clear();
        return InMemory(name, [n, k], values);
    }

    public static Weight Constant(string name, int n, float value)
    {
        var values = new float[n];
        Array.Fill(values, value);
        return InMemory(name, [n], values);
    }

    private static Weight InMemory(string name, long[] shape, float[] values)
    {
        var bytes = new byte[checked((long)values.Length * sizeof(float))];
        MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(bytes);
        return new Weight(name, ElementType.F32, shape, bytes);
    }

    private static int StableHash(string name)
    {
        uint hash = 2166136261;                     // FNV-1a: string.GetHashCode differs from process to process
        foreach (char c in name) hash = (hash ^ c) * 16777619;
        return (int)hash;
    }
}
