using System.Buffers.Binary;

namespace ManagedTransformers.Kernels.Tests;

public sealed class ConversionTests
{
    [Test]
    public void All_65536_fp16_numbers_widen_exactly([Levels] KernelLevel level) =>
        AssertAllWiden(level, WeightType.F16, bits => (float)BitConverter.UInt16BitsToHalf(bits));

    [Test]
    public void All_65536_bfloat16_widen_exactly([Levels] KernelLevel level) =>
        AssertAllWiden(level, WeightType.BF16, bits => BitConverter.UInt32BitsToSingle((uint)bits << 16));

    private static void AssertAllWiden(KernelLevel level, WeightType type, Func<ushort, float> exact)
    {
        byte[] source = new byte[2 * 65536];
        for (int i = 0; i < 65536; i++) BinaryPrimitives.WriteUInt16LittleEndian(source.AsSpan(2 * i), (ushort)i);
        float[] values = new float[65536];
        Conversion.Widen(source, type, values, Samples.At(level));
        for (int i = 0; i < 65536; i++)
        {
            float expected = exact((ushort)i);
            bool same = float.IsNaN(expected)
                ? float.IsNaN(values[i])
                : BitConverter.SingleToUInt32Bits(values[i]) == BitConverter.SingleToUInt32Bits(expected);
            if (!same) Assert.Fail($"0x{i:X4} became {values[i]:R}, not {expected:R}");
        }
    }

    [Test]
    public void Widening_agrees_at_every_length_from_any_byte([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        foreach (int length in Samples.Lengths)
        {
            byte[] stored = Samples.Stored(Samples.Uniform(length, length), type);
            using var source = new Guarded(stored.Length, length % 7);
            stored.CopyTo(source.Bytes);
            using var y = new Guarded(length * sizeof(float), 4);
            float[] expected = new float[length];
            Conversion.Widen(stored, type, expected, Samples.Reference);
            Conversion.Widen(source.Bytes, type, y.Floats, Samples.At(level));
            Assert.That(y.Floats.SequenceEqual(expected));
            y.AssertIntact();
        }
    }

    [Test]
    public void Narrowing_what_was_widened_gives_the_same_bits([Levels] KernelLevel level, [Values(WeightType.F16, WeightType.BF16)] WeightType type)
    {
        byte[] source = new byte[2 * 65536], back = new byte[2 * 65536];
        for (int i = 0; i < 65536; i++) BinaryPrimitives.WriteUInt16LittleEndian(source.AsSpan(2 * i), (ushort)i);
        float[] values = new float[65536];
        Conversion.Widen(source, type, values, Samples.At(level));
        Conversion.Narrow(values, type, back, Samples.At(level));
        for (int i = 0; i < 65536; i++)
        {
            if (float.IsNaN(values[i])) continue;
            Assert.That(BinaryPrimitives.ReadUInt16LittleEndian(back.AsSpan(2 * i)), Is.EqualTo(i));
        }
    }

    [TestCase(WeightType.F16, 0x7C00)]
    [TestCase(WeightType.BF16, 0x7F80)]
    public void All_floats_at_and_around_a_stored_number_or_a_midpoint_narrow_to_nearest_even(WeightType type, int infinity)
    {
        var values = new List<float>();
        var expected = new List<int>();
        for (int bits = 0; bits < infinity; bits++)
        {
            double lower = Exact(bits, type), upper = bits + 1 < infinity ? Exact(bits + 1, type) : (2 * lower) - Exact(bits - 1, type);
            float middle = (float)((lower + upper) / 2);                      // exact: one more digit than is stored
            values.AddRange([(float)lower, MathF.BitIncrement((float)lower), MathF.BitDecrement(middle), middle, MathF.BitIncrement(middle),
                MathF.BitDecrement((float)upper)]);
            expected.AddRange([bits, bits, bits, bits + (bits & 1), bits + 1, bits + 1]);
        }
        values.AddRange([float.MaxValue, float.PositiveInfinity, float.Epsilon, 1e-40f]);
        expected.AddRange([infinity, infinity, 0, type == WeightType.F16 ? 0 : 1]);

        byte[] stored = new byte[2 * values.Count];
        foreach (KernelLevel level in KernelDispatch.Supported)
        {
            foreach (int sign in (int[])[0, 0x8000])
            {
                Conversion.Narrow(values.ConvertAll(value => sign == 0 ? value : -value).ToArray(), type, stored, Samples.At(level));
                for (int i = 0; i < values.Count; i++)
                {
                    int actual = BinaryPrimitives.ReadUInt16LittleEndian(stored.AsSpan(2 * i));
                    if (actual != (expected[i] | sign)) Assert.Fail($"{level}: {values[i]:R} became 0x{actual:X4}, not 0x{expected[i] | sign:X4}");
                }
            }
        }
    }

    private static double Exact(int bits, WeightType type) =>
        type == WeightType.F16 ? (double)BitConverter.UInt16BitsToHalf((ushort)bits) : BitConverter.Int32BitsToSingle(bits << 16);

    [Test]
    public void Narrowing_agrees_at_every_length_to_any_byte([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        foreach (int length in Samples.Lengths)
        {
            float[] values = Samples.Uniform(length, length, 3);
            using var stored = new Guarded(length * WeightMatrix.ElementSize(type), length % 7);
            Conversion.Narrow(values, type, stored.Bytes, Samples.At(level));
            Assert.That(stored.Bytes.SequenceEqual(Samples.Stored(values, type)));
            stored.AssertIntact();
        }
    }

    [TestCase(WeightType.F16, 1 + (1 / 2048f), 1f)]                        // half way between 1 and 1 + 2⁻¹⁰: to even
    [TestCase(WeightType.F16, 1 + (3 / 2048f), 1 + (2 / 1024f))]
    [TestCase(WeightType.F16, 1 + (1 / 2048f) + 1e-6f, 1 + (1 / 1024f))]
    [TestCase(WeightType.F16, 65519f, 65504f)]
    [TestCase(WeightType.F16, 65520f, float.PositiveInfinity)]
    [TestCase(WeightType.F16, 2.9802322e-8f, 0f)]                          // half of the smallest subnormal: to even
    [TestCase(WeightType.F16, 8.9406967e-8f, 1.1920929e-7f)]               // one and a half of it
    [TestCase(WeightType.BF16, 1 + (1 / 256f), 1f)]
    [TestCase(WeightType.BF16, 1 + (3 / 256f), 1 + (2 / 128f))]
    [TestCase(WeightType.BF16, 3.4e38f, float.PositiveInfinity)]
    [TestCase(WeightType.BF16, float.NaN, float.NaN)]
    [TestCase(WeightType.F16, float.NaN, float.NaN)]
    public void Narrowing_rounds_to_nearest_even(WeightType type, float value, float expected)
    {
        foreach (float sign in (float[])[1, -1])
        {
            byte[] stored = Samples.Stored([sign * value], type);
            float[] back = new float[1];
            Conversion.Widen(stored, type, back, Samples.Reference);
            Assert.That(back[0], Is.EqualTo(sign * expected));
        }
    }

    [Test]
    public void NaN_of_any_payload_stays_NaN_of_its_sign([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        // The payload of the first and the last ones lies in bits that are lost, or would carry into the exponent.
        foreach (uint bits in (uint[])[0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0x7F801FFF, 0x7F80FFFF])
        {
            float[] values = new float[40], back = new float[40];
            values.AsSpan(0, 20).Fill(BitConverter.UInt32BitsToSingle(bits));
            values.AsSpan(20).Fill(BitConverter.UInt32BitsToSingle(bits | 0x80000000));
            byte[] stored = new byte[40 * WeightMatrix.ElementSize(type)];
            Conversion.Narrow(values, type, stored, Samples.At(level));
            Conversion.Widen(stored, type, back, Samples.Reference);
            Assert.That(back, Is.All.NaN, $"{bits:X}");
            Assert.That(back.Select(float.IsNegative), Is.EqualTo(values.Select(float.IsNegative)), $"{bits:X}");
        }
    }

    [Test]
    public void Wrong_lengths_are_refused_with_both_numbers()
    {
        Assert.That(() => Conversion.Widen(new byte[7], WeightType.F16, new float[4], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("7").And.Message.Contains("8"));
        Assert.That(() => Conversion.Narrow(new float[4], WeightType.F32, new byte[15], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("15").And.Message.Contains("16"));
    }
}
