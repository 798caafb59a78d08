using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ManagedTransformers.Kernels.Tests;

/// <summary>Fingerprints of stored files depend on every bit of a block.</summary>
public sealed class QuantizedBitsTests
{
    private const int Blocks = 131_072, Block = 32;

    [TestCase(WeightType.Int8, 127 * 65504f)]
    [TestCase(WeightType.Int4, 8 * 65504f)]
    public void All_levels_make_the_bits_of_Reference(WeightType type, float largest)
    {
        float[] weights = [.. OfManyKinds(Blocks, largest), .. WhereAnotherScaleBecomesBest(2048)];
        foreach (int k in (int[])[64, 192, 1024])
        {
            int n = weights.Length / k;
            byte[] stored = Samples.Stored(weights.AsSpan(0, n * k), WeightType.F32), expected = new byte[n * WeightMatrix.BytesOfRow(type, k)];
            Quantization.Quantize(new WeightMatrix(stored, WeightType.F32, n, k), type, expected, Samples.Reference);
            foreach (KernelLevel level in KernelDispatch.Supported)
            {
                using var actual = new Guarded(expected.Length, 3);
                Quantization.Quantize(new WeightMatrix(stored, WeightType.F32, n, k), type, actual.Bytes, Samples.At(level));
                int at = actual.Bytes.CommonPrefixLength(expected), row = at / (int)WeightMatrix.BytesOfRow(type, k);
                Assert.That(at, Is.EqualTo(expected.Length), $"{level}, k {k}: byte {at % WeightMatrix.BytesOfRow(type, k)} of row {row} differs");
                actual.AssertIntact();
            }
        }
    }

    // Of version 1 of the blocks: other bits would need another version, as files say which one they have.
    [TestCase(WeightType.Int8, 127 * 65504f, "6beadf9282cfafbd3851d5ef6632e8a43073e60a6614b9b5e073cdab57e75f70")]
    [TestCase(WeightType.Int4, 8 * 65504f, "796a693c8c0a0356df135e08470eb4a832ce80a4a3bd45d7dab640d9d54e9e1e")]
    public void The_bits_are_those_of_files_written_before(WeightType type, float largest, string sha256)
    {
        const int K = 1024;
        float[] weights = [.. OfManyKinds(8192, largest), .. WhereAnotherScaleBecomesBest(2048)];
        int n = weights.Length / K;
        byte[] bytes = new byte[n * WeightMatrix.BytesOfRow(type, K)];
        Quantization.Quantize(new WeightMatrix(Samples.Stored(weights, WeightType.F32), WeightType.F32, n, K), type, bytes, Samples.Reference);
        Assert.That(Convert.ToHexStringLower(SHA256.HashData(bytes)), Is.EqualTo(sha256));
    }

    // Sums of a block's products are exact integers, whatever instructions add them: Avx512, Avx2 and Avx2 with AVX-VNNI agree on every bit.
    [TestCase(WeightType.Int8, "e0a2f3c65bc33a8f7179222c0dbc065795eab6277e02ce1fcde4c700e6aba8f2")]
    [TestCase(WeightType.Int4, "2b40f3d4ce585ff069b6861956b9c41bf952f45eff551caa48cce0a3f54eb2a1")]
    public void Products_of_bytes_have_the_same_bits_on_every_processor(WeightType type, string sha256)
    {
        const int M = 37, N = 131, K = 1024;
        byte[] stored = new byte[N * WeightMatrix.BytesOfRow(type, K)];
        Quantization.Quantize(new WeightMatrix(Samples.Stored(Samples.Uniform(N * K, 8, 0.5f), WeightType.F32), WeightType.F32, N, K), type, stored,
            Samples.Reference);
        float[] x = Samples.Uniform(M * K, 9), y = new float[M * N];
        Assume.That(KernelDispatch.IsSupported(KernelLevel.Avx2));
        foreach (KernelLevel level in KernelDispatch.Supported.Where(level => level >= KernelLevel.Avx2))
        {
            MatMul.Run(x, M, new WeightMatrix(stored, type, N, K), y, default, Samples.At(level));
            Assert.That(Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<float>(y))), Is.EqualTo(sha256), $"{level}");
        }
    }

    [Test]
    public void Fp16_values_are_quantized_as_the_floats_that_they_are([Levels] KernelLevel level, [Values(WeightType.Int8, WeightType.Int4)] WeightType type,
        [Values(WeightType.F16, WeightType.BF16)] WeightType from)
    {
        const int N = 64, K = 192;
        byte[] stored = Samples.Stored(OfManyKinds(N * K / Block, 32768), from);
        float[] floats = new float[N * K];
        Conversion.Widen(stored, from, floats, Samples.Reference);
        byte[] actual = new byte[N * WeightMatrix.BytesOfRow(type, K)], expected = new byte[actual.Length];
        Quantization.Quantize(new WeightMatrix(stored, from, N, K), type, actual, Samples.At(level));
        Quantization.Quantize(new WeightMatrix(Samples.Stored(floats, WeightType.F32), WeightType.F32, N, K), type, expected, Samples.Reference);
        Assert.That(actual, Is.EqualTo(expected));
    }

    [Test]
    public void One_number_too_large_is_found_wherever_it_is([Levels] KernelLevel level, [Values(WeightType.Int8, WeightType.Int4)] WeightType type)
    {
        const int N = 2, K = 192;
        float largest = (type == WeightType.Int8 ? 127 : 8) * 65504f;
        byte[] room = new byte[N * WeightMatrix.BytesOfRow(type, K)];
        foreach (float bad in (float[])[float.NaN, float.NegativeInfinity, float.MaxValue, -MathF.BitIncrement(largest)])
        {
            for (int at = 0; at < K; at++)
            {
                float[] weights = new float[N * K];
                weights.AsSpan().Fill(largest);
                weights[K + at] = bad;
                Assert.That(() => Quantization.Quantize(new WeightMatrix(Samples.Stored(weights, WeightType.F32), WeightType.F32, N, K), type, room,
                    Samples.At(level)),
                    Throws.ArgumentException.With.Message.Contains($"Row 1 of the weight holds {bad};"));
            }
        }
    }

    /// <summary>Blocks of magnitudes from below a half's to the largest: dense, sparse, with ties of rounding, of the largest weight and of scales.</summary>
    private static float[] OfManyKinds(int blocks, float largest)
    {
        var random = new Random(5);
        float[] weights = new float[blocks * Block];
        for (int block = 0; block < blocks; block++)
        {
            int kind = random.Next(9), outlier = random.Next(Block);
            float magnitude = MathF.ScaleB(1, random.Next(-40, MathF.ILogB(largest) + 2));
            for (int i = 0; i < Block; i++)
            {
                float uniform = (float)((2 * random.NextDouble()) - 1), sign = MathF.CopySign(1, uniform);
                float weight = kind switch
                {
                    0 => uniform * magnitude,
                    1 => uniform * uniform * uniform * magnitude,
                    2 => random.Next(-8, 9) * magnitude / 8,
                    3 => random.Next(-16, 17) * magnitude / 16,                       // halves of integers
                    4 => i == outlier ? sign * magnitude : sign * 0,
                    5 => sign * magnitude,
                    6 => sign * BitConverter.Int32BitsToSingle(random.Next(1 << 24)),  // subnormal floats, and somewhat larger ones
                    7 => sign * 0,
                    _ => (uniform + (float)(random.NextDouble() + random.NextDouble() - 1)) * magnitude / 2,
                };
                weights[(block * Block) + i] = Math.Clamp(weight, -largest, largest);
            }
        }
        return weights;
    }

    /// <summary>
    /// Pairs of blocks between which Int4 takes another scale: two scales have nearly the same error there, and the order in which errors are added decides.
    /// </summary>
    private static float[] WhereAnotherScaleBecomesBest(int pairs)
    {
        var random = new Random(6);
        var weights = new List<float>();
        while (weights.Count < pairs * 2 * Block)
        {
            float[] from = Normal(random), to = Normal(random);
            from[0] = to[0] = 4;                                     // the largest of both, so that the same scales are tried
            ushort scale = ScaleOf(from);
            if (scale == ScaleOf(to)) continue;
            for (float step = 0.5f; step > 1e-8f; step /= 2)         // halves of the way, until no float lies between
            {
                float[] middle = [.. from.Zip(to, (a, b) => (a + b) / 2)];
                if (ScaleOf(middle) == scale) from = middle;
                else to = middle;
            }
            weights.AddRange([.. from, .. to]);
        }
        return [.. weights];
    }

    // Nearly: sums of uniform numbers, which are the same on every machine.
    private static float[] Normal(Random random) => [.. Enumerable.Range(0, Block).Select(_ =>
        (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5))];

    private static ushort ScaleOf(float[] block)
    {
        byte[] stored = new byte[WeightMatrix.BytesOfRow(WeightType.Int4, 2 * Block)];
        Quantization.Quantize(new WeightMatrix(Samples.Stored([.. block, .. block], WeightType.F32), WeightType.F32, 1, 2 * Block), WeightType.Int4, stored,
            Samples.Reference);
        return BitConverter.ToUInt16(stored, Block);
    }
}
