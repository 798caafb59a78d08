using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using X86 = System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels;

/// <summary>256-bit vectors with fused multiply-add.</summary>
/// <remarks>
/// Only instructions by their names: an app that is compiled ahead of time for AVX (the package's default) finds AVX2 when it runs, and the operators of
/// <see cref="Vector256"/> would be compiled for AVX there.
/// </remarks>
internal readonly unsafe struct Avx2 : IByteSimd<Vector256<float>>
{
    public static int Width => 8;
    public static int Registers => 16;
    public static Vector256<float> Load(float* p) => X86.Avx.LoadVector256(p);
    public static void Store(float* p, Vector256<float> v) => X86.Avx.Store(p, v);
    public static Vector256<float> LoadInt16(short* p) => X86.Avx2.ConvertToVector256Int32(p).AsSingle();

    public static void StoreInt16(short* p, Vector256<float> v) =>
        X86.Sse41.PackUnsignedSaturate(v.AsInt32().GetLower(), v.AsInt32().GetUpper()).AsInt16().Store(p);

    public static Vector256<float> Broadcast(float x) => Vector256.Create(x);
    public static Vector256<float> BroadcastInt(int x) => Vector256.Create(x).AsSingle();
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => X86.Avx.Add(a, b);
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => X86.Avx.Subtract(a, b);
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => X86.Avx.Multiply(a, b);
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => X86.Avx.Divide(a, b);
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => X86.Fma.MultiplyAdd(a, b, c);
    public static Vector256<float> SubtractProduct(Vector256<float> c, Vector256<float> a, Vector256<float> b) => X86.Fma.MultiplyAddNegated(a, b, c);
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => X86.Avx.Max(a, b);
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => X86.Avx.Min(a, b);
    public static Vector256<float> Round(Vector256<float> a) => X86.Avx.RoundToNearestInteger(a);

    // 2ⁿ as 2^⌊n/2⌋ · 2^(n−⌊n/2⌋): each factor is a normal number, and only the last product rounds.
    public static Vector256<float> Scale(Vector256<float> a, Vector256<float> n)
    {
        Vector256<int> whole = X86.Avx.ConvertToVector256Int32(n);
        Vector256<int> half = X86.Avx2.ShiftRightArithmetic(whole, 1);
        return X86.Avx.Multiply(X86.Avx.Multiply(a, PowerOfTwo(half)), PowerOfTwo(X86.Avx2.Subtract(whole, half)));
    }

    public static Vector256<float> And(Vector256<float> a, Vector256<float> b) => X86.Avx.And(a, b);
    public static Vector256<float> Or(Vector256<float> a, Vector256<float> b) => X86.Avx.Or(a, b);
    public static Vector256<float> AddInt(Vector256<float> a, Vector256<float> b) => X86.Avx2.Add(a.AsInt32(), b.AsInt32()).AsSingle();

#pragma warning disable CA1857 // The bits are constants of the callers, into which these are inlined.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftLeft(Vector256<float> a, int bits) => X86.Avx2.ShiftLeftLogical(a.AsInt32(), (byte)bits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftRight(Vector256<float> a, int bits) => X86.Avx2.ShiftRightLogical(a.AsInt32(), (byte)bits).AsSingle();

    public static Vector256<float> LoadInt8(sbyte* p) => X86.Avx2.ConvertToVector256Int16(p).AsSingle();
    public static Vector256<float> LoadUInt8(byte* p) => X86.Avx2.ConvertToVector256Int16(p).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftRightInt16(Vector256<float> a, int bits) =>
        X86.Avx2.ShiftRightLogical(a.AsUInt16(), (byte)bits).AsSingle();
#pragma warning restore CA1857

    public static Vector256<float> MultiplyAddInt16(Vector256<float> a, Vector256<float> b) =>
        X86.Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsSingle();

    public static Vector256<float> MultiplyAddInt8(Vector256<float> unsigned, Vector256<float> signed) =>
        X86.Avx2.MultiplyAddAdjacent(unsigned.AsByte(), signed.AsSByte()).AsSingle();

    public static bool HasAddDot => X86.AvxVnni.IsSupported;

    public static Vector256<float> AddDot(Vector256<float> sum, Vector256<float> unsigned, Vector256<float> signed) =>
        X86.AvxVnni.MultiplyWideningAndAdd(sum.AsInt32(), unsigned.AsByte(), signed.AsSByte()).AsSingle();

    public static Vector256<float> AddInt16(Vector256<float> a, Vector256<float> b) => X86.Avx2.Add(a.AsInt16(), b.AsInt16()).AsSingle();
    public static Vector256<float> LoadInterleaved(byte* p) => X86.Avx.LoadVector256((float*)p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Join(Vector256<float> a, Vector256<float> b) => AddInt16(X86.Avx.UnpackLow(a, b), X86.Avx.UnpackHigh(a, b));

    public static Vector256<float> Repeat(float* p) => X86.Avx.BroadcastScalarToVector256((double*)p).AsSingle();
    public static Vector256<float> ToSingle(Vector256<float> a) => X86.Avx.ConvertToVector256Single(a.AsInt32());
    public static Vector256<float> Less(Vector256<float> a, Vector256<float> b) => X86.Avx.CompareLessThan(a, b);
    public static Vector256<float> Select(Vector256<float> mask, Vector256<float> a, Vector256<float> b) => X86.Avx.BlendVariable(b, a, mask);
    public static Vector256<float> SwapPairs(Vector256<float> a) => X86.Avx.Permute(a, 0b10_11_00_01);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> a)
    {
        Vector128<float> four = X86.Sse.Add(a.GetLower(), a.GetUpper());
        Vector128<float> two = X86.Sse.Add(four, X86.Sse.MoveHighToLow(four, four));
        return X86.Sse.AddScalar(two, X86.Sse3.MoveHighAndDuplicate(two)).ToScalar();
    }

    // As Sum8, with the two halves of a vector for what is four vectors there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, float* sums)
    {
        Vector256<float> abcd = AddPairs(AddHalves(a, b), AddHalves(c, d));
        Vector256<float> all = X86.Avx.Add(abcd, X86.Avx.Permute(abcd, 0b11_10_11_10));
        X86.Sse.Store(sums, X86.Sse.UnpackLow(all.GetLower(), all.GetUpper()));      // a c and b d
    }

    // Halves are added of two vectors at once; what remains are halves of two vectors in one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum8(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, Vector256<float> e, Vector256<float> f,
        Vector256<float> g, Vector256<float> h, float* sums)
    {
        Vector256<float> abcd = AddPairs(AddHalves(a, b), AddHalves(c, d)), efgh = AddPairs(AddHalves(e, f), AddHalves(g, h));
        // Lanes are a c … b d …, of which every other pair of columns is still to be added.
        Vector256<float> all = X86.Avx.Add(X86.Avx.Shuffle(abcd, efgh, 0b01_00_01_00), X86.Avx.Shuffle(abcd, efgh, 0b11_10_11_10));
        X86.Avx.Store(sums, X86.Avx2.PermuteVar8x32(all, Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> AddHalves(Vector256<float> a, Vector256<float> b) =>
        X86.Avx.Add(X86.Avx.Permute2x128(a, b, 0x20), X86.Avx.Permute2x128(a, b, 0x31));

    // x0 y0 x1 y1 + x2 y2 x3 y3 of each half
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> AddPairs(Vector256<float> x, Vector256<float> y) =>
        X86.Avx.Add(X86.Avx.UnpackLow(x, y), X86.Avx.UnpackHigh(x, y));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxLane(Vector256<float> a)
    {
        Vector128<float> four = X86.Sse.Max(a.GetLower(), a.GetUpper());
        Vector128<float> two = X86.Sse.Max(four, X86.Sse.MoveHighToLow(four, four));
        return X86.Sse.MaxScalar(two, X86.Sse3.MoveHighAndDuplicate(two)).ToScalar();
    }

    // Rows r and r+4 are loaded into the two halves of a register, so that all shuffles stay within halves.
    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        TransposeHalf(source, sourceStride, destination, destinationStride);
        TransposeHalf(source + 4, sourceStride, destination + (4 * destinationStride), destinationStride);
    }

    public static void Prefetch(void* p) => X86.Sse.Prefetch0(p);
    public static void PrefetchL2(void* p) => X86.Sse.Prefetch1(p);

    // 8 rows × 4 columns to 4 rows × 8 columns
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeHalf(float* source, nint stride, float* destination, nint destinationStride)
    {
        Vector256<float> r0 = LoadHalves(source, source + (4 * stride));
        Vector256<float> r1 = LoadHalves(source + stride, source + (5 * stride));
        Vector256<float> r2 = LoadHalves(source + (2 * stride), source + (6 * stride));
        Vector256<float> r3 = LoadHalves(source + (3 * stride), source + (7 * stride));
        Vector256<double> low01 = X86.Avx.UnpackLow(r0, r1).AsDouble(), high01 = X86.Avx.UnpackHigh(r0, r1).AsDouble();
        Vector256<double> low23 = X86.Avx.UnpackLow(r2, r3).AsDouble(), high23 = X86.Avx.UnpackHigh(r2, r3).AsDouble();
        X86.Avx.Store(destination, X86.Avx.UnpackLow(low01, low23).AsSingle());
        X86.Avx.Store(destination + destinationStride, X86.Avx.UnpackHigh(low01, low23).AsSingle());
        X86.Avx.Store(destination + (2 * destinationStride), X86.Avx.UnpackLow(high01, high23).AsSingle());
        X86.Avx.Store(destination + (3 * destinationStride), X86.Avx.UnpackHigh(high01, high23).AsSingle());
    }

    private static Vector256<float> LoadHalves(float* lower, float* upper) =>
        X86.Avx.InsertVector128(X86.Sse.LoadVector128(lower).ToVector256Unsafe(), X86.Sse.LoadVector128(upper), 1);

    private static Vector256<float> PowerOfTwo(Vector256<int> n) =>
        X86.Avx2.ShiftLeftLogical(X86.Avx2.Add(n, Vector256.Create(127)), 23).AsSingle();
}
