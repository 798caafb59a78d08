using System.Runtime.InteropServices;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models.Tests;

[TestFixture]
public class WeightTests
{
    private static IEnumerable<TestCaseData> Numbers()
    {
        yield return Case<double>(ElementType.F64, [1.5, -2.25, 1e300], [1.5f, -2.25f, float.PositiveInfinity]);
        yield return Case<float>(ElementType.F32, [1.5f, float.NaN, -0f], [1.5f, float.NaN, -0f]);
        yield return Case<Half>(ElementType.F16, [(Half)0.5, Half.MaxValue, Half.Epsilon], [0.5f, 65504f, 5.9604645E-08f]);
        yield return Case<ushort>(ElementType.BF16, [0x3F80, 0xC049, 0x7F80], [1f, -3.140625f, float.PositiveInfinity]);
        yield return Case<long>(ElementType.I64, [long.MinValue, -1, 50256], [-9.223372E+18f, -1f, 50256f]);
        yield return Case<int>(ElementType.I32, [int.MinValue, 7], [-2147483648f, 7f]);
        yield return Case<short>(ElementType.I16, [-32768, 32767], [-32768f, 32767f]);
        yield return Case<sbyte>(ElementType.I8, [-128, 127], [-128f, 127f]);
        yield return Case<ulong>(ElementType.U64, [ulong.MaxValue, 1], [18446744073709551615f, 1f]);
        yield return Case<uint>(ElementType.U32, [uint.MaxValue, 1], [4294967295f, 1f]);
        yield return Case<ushort>(ElementType.U16, [65535, 1], [65535f, 1f]);
        yield return Case<byte>(ElementType.U8, [255, 0], [255f, 0f]);
        yield return Case<byte>(ElementType.Bool, [0, 1, 2], [0f, 1f, 1f]);

        static TestCaseData Case<T>(ElementType type, T[] stored, float[] expected)
            where T : unmanaged => new TestCaseData(type, MemoryMarshal.AsBytes(stored.AsSpan()).ToArray(), expected).SetArgDisplayNames(type.ToString());
    }

    [TestCaseSource(nameof(Numbers))]
    public void Every_number_converts_to_float32(ElementType type, byte[] stored, float[] expected) =>
        Assert.That(new Weight("w", type, [expected.Length], stored).ToSingle(), Is.EqualTo(expected));

    [TestCaseSource(nameof(Numbers))]
    public void Bytes_need_not_be_aligned(ElementType type, byte[] stored, float[] expected)
    {
        byte[] shifted = [0xAA, .. stored];
        Assert.That(new Weight("w", type, [expected.Length], shifted.AsMemory(1)).ToSingle(), Is.EqualTo(expected));
    }

    [Test]
    public void Conversion_is_the_same_across_its_blocks()
    {
        Half[] values = [.. Enumerable.Range(0, 200_000).Select(i => (Half)(i % 1000))];
        var weight = new Weight("w", ElementType.F16, [200, 1000], MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
        Assert.That(weight.ToSingle(), Is.EqualTo(Enumerable.Range(0, 200_000).Select(i => (float)(i % 1000))));
    }

    [Test]
    public void Integers_convert_to_int64_exactly()
    {
        long[] ids = [0, -100, long.MaxValue];
        Assert.That(new Weight("labels", ElementType.I64, [3], MemoryMarshal.AsBytes(ids.AsSpan()).ToArray()).ToInt64(), Is.EqualTo(ids));
        Assert.That(new Weight("mask", ElementType.Bool, [2], new byte[] { 1, 0 }).ToInt64(), Is.EqualTo(new long[] { 1, 0 }));
    }

    [TestCase(ElementType.F32, WeightType.F32)]
    [TestCase(ElementType.F16, WeightType.F16)]
    [TestCase(ElementType.BF16, WeightType.BF16)]
    public void Three_types_of_elements_are_those_of_kernels(ElementType element, WeightType kernel)
    {
        Assert.That(element.ToWeightType(), Is.EqualTo(kernel));
        Assert.That(kernel.ToElementType(), Is.EqualTo(element));
    }

    [Test]
    public void Other_types_of_elements_are_none_of_kernels() =>
        Assert.That(Enum.GetValues<ElementType>().Count(type => type.ToWeightType() is null), Is.EqualTo(12));

    [Test]
    public void Unknown_types_are_taken_for_no_other()
    {
        Assert.That(() => ((ElementType)99).ToWeightType(), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Not an element type"));
        Assert.That(() => ((WeightType)99).ToElementType(), Throws.ArgumentException.With.Message.Contains("99 is no weight type"));
        Assert.That(() => WeightType.Int4.ToElementType(), Throws.ArgumentException.With.Message.Contains("Int4 stores elements in blocks of 32"));
    }

    [Test]
    public void What_cannot_be_converted_says_so()
    {
        Assert.That(() => new Weight("f8", ElementType.F8E4M3, [1], new byte[1]).ToSingle(),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("f8 in memory is F8_E4M3"));
        Assert.That(() => new Weight("w", ElementType.F32, [1], new byte[4]).ToInt64(),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("use ToSingle"));
        Assert.That(() => new Weight("u", ElementType.U64, [1], new byte[] { 255, 255, 255, 255, 255, 255, 255, 255 }).ToInt64(),
            Throws.TypeOf<OverflowException>());
        Assert.That(() => new Weight("w", ElementType.F32, [2], new byte[8]).CopyTo(new float[3]),
            Throws.ArgumentException.With.Message.Contains("2 elements; the destination holds 3"));
    }

    [Test]
    public void A_weight_of_the_wrong_size_cannot_be_made()
    {
        Assert.That(() => new Weight("w", ElementType.F32, [2, 2], new byte[15]),
            Throws.ArgumentException.With.Message.Contains("15 bytes given; F32 [2, 2] needs 16"));
        Assert.That(() => new Weight("w", ElementType.F32, [-1], Array.Empty<byte>()), Throws.ArgumentException.With.Message.Contains("must not be negative"));
        Assert.That(() => new Weight("w", ElementType.F32, [long.MaxValue, 2], Array.Empty<byte>()),
            Throws.ArgumentException.With.Message.Contains("2^63 - 1"));
    }

    [TestCase(-1, 1)]
    [TestCase(0, 5)]
    [TestCase(4, 1)]
    [TestCase(0, -1)]
    [TestCase(long.MaxValue, 1)]
    public void A_slice_outside_the_weight_is_refused(long offset, int length)
    {
        var weight = new Weight("w", ElementType.U8, [4], new byte[10].AsMemory(3, 4));
        Assert.That(() => weight.Slice(offset, length).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_weight_describes_itself()
    {
        var weight = new Weight("h.0.attn", ElementType.BF16, [2, 3], new byte[12], "part.safetensors");
        Assert.That(weight.ToString(), Is.EqualTo("h.0.attn BF16 [2, 3]"));
        Assert.That((weight.ElementCount, weight.ByteLength, weight.File), Is.EqualTo((6L, 12L, "part.safetensors")));
    }

    [Test]
    public void Every_element_type_is_found_by_its_safetensors_name([Values] ElementType type)
    {
        Assert.That(ElementTypes.TryParseSafetensors(type.SafetensorsName(), out ElementType found), Is.True);
        Assert.That(found, Is.EqualTo(type));
        Assert.That(type.Size(), Is.AnyOf(1, 2, 4, 8));
    }
}
