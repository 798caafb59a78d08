using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using X86 = System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels;

/// <summary>512-bit vectors.</summary>
internal readonly unsafe struct Avx512 : IByteSimd<Vector512<float>>
{
    public static int Width => 16;
    public static int Registers => 32;
    public static Vector512<float> Load(float* p) => X86.Avx512F.LoadVector512(p);
    public static void Store(float* p, Vector512<float> v) => X86.Avx512F.Store(p, v);
    public static Vector512<float> LoadInt16(short* p) => X86.Avx512F.ConvertToVector512Int32(X86.Avx.LoadVector256(p)).AsSingle();
    public static void StoreInt16(short* p, Vector512<float> v) => X86.Avx512F.ConvertToVector256Int16(v.AsInt32()).Store(p);
    public static Vector512<float> Broadcast(float x) => Vector512.Create(x);
    public static Vector512<float> BroadcastInt(int x) => Vector512.Create(x).AsSingle();
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => X86.Avx512F.Add(a, b);
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => X86.Avx512F.Subtract(a, b);
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => X86.Avx512F.Multiply(a, b);
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => X86.Avx512F.Divide(a, b);
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => X86.Avx512F.FusedMultiplyAdd(a, b, c);
    public static Vector512<float> SubtractProduct(Vector512<float> c, Vector512<float> a, Vector512<float> b) => X86.Avx512F.FusedMultiplyAddNegated(a, b, c);
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => X86.Avx512F.Max(a, b);
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => X86.Avx512F.Min(a, b);
    public static Vector512<float> Round(Vector512<float> a) => X86.Avx512F.RoundScale(a, 0);
    public static Vector512<float> Scale(Vector512<float> a, Vector512<float> n) => X86.Avx512F.Scale(a, n);
    public static Vector512<float> And(Vector512<float> a, Vector512<float> b) => X86.Avx512DQ.And(a, b);
    public static Vector512<float> Or(Vector512<float> a, Vector512<float> b) => X86.Avx512DQ.Or(a, b);
    public static Vector512<float> AddInt(Vector512<float> a, Vector512<float> b) => X86.Avx512F.Add(a.AsInt32(), b.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftLeft(Vector512<float> a, int bits) => Vector512.ShiftLeft(a.AsInt32(), bits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftRight(Vector512<float> a, int bits) => Vector512.ShiftRightLogical(a.AsInt32(), bits).AsSingle();

    public static Vector512<float> LoadInt8(sbyte* p) => X86.Avx512BW.ConvertToVector512Int16(X86.Avx.LoadVector256(p)).AsSingle();
    public static Vector512<float> LoadUInt8(byte* p) => X86.Avx512BW.ConvertToVector512Int16(X86.Avx.LoadVector256(p)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftRightInt16(Vector512<float> a, int bits) => Vector512.ShiftRightLogical(a.AsUInt16(), bits).AsSingle();

    public static Vector512<float> MultiplyAddInt16(Vector512<float> a, Vector512<float> b) =>
        X86.Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsSingle();

    public static Vector512<float> MultiplyAddInt8(Vector512<float> unsigned, Vector512<float> signed) =>
        X86.Avx512BW.MultiplyAddAdjacent(unsigned.AsByte(), signed.AsSByte()).AsSingle();

    // .NET 10 has no AVX-512 VNNI, and AVX-VNNI's vectors have half the lanes.
    public static bool HasAddDot => false;

    public static Vector512<float> AddDot(Vector512<float> sum, Vector512<float> unsigned, Vector512<float> signed) => throw new NotSupportedException();
    public static Vector512<float> AddInt16(Vector512<float> a, Vector512<float> b) => X86.Avx512BW.Add(a.AsInt16(), b.AsInt16()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadInterleaved(byte* p) =>
        X86.Avx512F.PermuteVar16x32(X86.Avx512F.LoadVector512((int*)p), Vector512.Create(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Join(Vector512<float> a, Vector512<float> b) => AddInt16(X86.Avx512F.UnpackLow(a, b), X86.Avx512F.UnpackHigh(a, b));

    public static Vector512<float> Repeat(float* p) => X86.Avx512F.BroadcastVector128ToVector512(p);
    public static Vector512<float> ToSingle(Vector512<float> a) => X86.Avx512F.ConvertToVector512Single(a.AsInt32());
    public static Vector512<float> Less(Vector512<float> a, Vector512<float> b) => X86.Avx512F.CompareLessThan(a, b);
    public static Vector512<float> Select(Vector512<float> mask, Vector512<float> a, Vector512<float> b) => X86.Avx512F.BlendVariable(b, a, mask);
    public static Vector512<float> SwapPairs(Vector512<float> a) => X86.Avx512F.Permute4x32(a, 0b10_11_00_01);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> a) => Avx2.Sum(X86.Avx.Add(a.GetLower(), a.GetUpper()));

    // Halves are added, then quarters, each time of two vectors at once; what remains are quarters of four vectors in one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* sums)
    {
        Vector512<float> abcd = AddQuarters(AddHalves(a, b), AddHalves(c, d));
        Vector512<float> pairs = X86.Avx512F.Add(abcd, X86.Avx512F.Permute4x32(abcd, 0b11_10_11_10));
        Vector512<float> all = X86.Avx512F.Add(pairs, X86.Avx512F.Permute4x32(pairs, 0b01_01_01_01));
        X86.Sse.Store(sums, X86.Avx512F.PermuteVar16x32(all, Vector512.Create(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)).GetLower().GetLower());
    }

    // The same, with the lanes of two results in one vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum8(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, Vector512<float> e, Vector512<float> f,
        Vector512<float> g, Vector512<float> h, float* sums)
    {
        Vector512<float> abcd = AddQuarters(AddHalves(a, b), AddHalves(c, d)), efgh = AddQuarters(AddHalves(e, f), AddHalves(g, h));
        Vector512<float> pairs = X86.Avx512F.Add(X86.Avx512F.UnpackLow(abcd, efgh), X86.Avx512F.UnpackHigh(abcd, efgh));
        Vector512<float> all = X86.Avx512F.Add(pairs, X86.Avx512F.Permute4x32(pairs, 0b11_10_11_10));
        X86.Avx.Store(sums, X86.Avx512F.PermuteVar16x32(all, Vector512.Create(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0)).GetLower());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AddHalves(Vector512<float> a, Vector512<float> b) =>
        X86.Avx512F.Add(X86.Avx512F.Shuffle4x128(a, b, 0b01_00_01_00), X86.Avx512F.Shuffle4x128(a, b, 0b11_10_11_10));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AddQuarters(Vector512<float> ab, Vector512<float> cd) =>
        X86.Avx512F.Add(X86.Avx512F.Shuffle4x128(ab, cd, 0b10_00_10_00), X86.Avx512F.Shuffle4x128(ab, cd, 0b11_01_11_01));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxLane(Vector512<float> a) => Avx2.MaxLane(X86.Avx.Max(a.GetLower(), a.GetUpper()));

    // Four columns at a time: rows r, r+4, r+8 and r+12 are loaded into the four quarters of a register, so that all shuffles
    // stay within quarters, and whole cache lines are stored.
    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        for (int c = 0; c < 16; c += 4, source += 4, destination += 4 * destinationStride)
        {
            Vector512<float> r0 = LoadQuarters(source, sourceStride), r1 = LoadQuarters(source + sourceStride, sourceStride);
            Vector512<float> r2 = LoadQuarters(source + (2 * sourceStride), sourceStride), r3 = LoadQuarters(source + (3 * sourceStride), sourceStride);
            Vector512<double> low01 = X86.Avx512F.UnpackLow(r0, r1).AsDouble(), high01 = X86.Avx512F.UnpackHigh(r0, r1).AsDouble();
            Vector512<double> low23 = X86.Avx512F.UnpackLow(r2, r3).AsDouble(), high23 = X86.Avx512F.UnpackHigh(r2, r3).AsDouble();
            X86.Avx512F.Store(destination, X86.Avx512F.UnpackLow(low01, low23).AsSingle());
            X86.Avx512F.Store(destination + destinationStride, X86.Avx512F.UnpackHigh(low01, low23).AsSingle());
            X86.Avx512F.Store(destination + (2 * destinationStride), X86.Avx512F.UnpackLow(high01, high23).AsSingle());
            X86.Avx512F.Store(destination + (3 * destinationStride), X86.Avx512F.UnpackHigh(high01, high23).AsSingle());
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LoadQuarters(float* p, nint stride) => LoadQuarters(p, p + (4 * stride), p + (8 * stride), p + (12 * stride));

    /// <summary>Four floats from each of four places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadQuarters(float* p0, float* p1, float* p2, float* p3)
    {
        Vector512<float> v = X86.Sse.LoadVector128(p0).ToVector256Unsafe().ToVector512Unsafe();
        v = X86.Avx512F.InsertVector128(v, X86.Sse.LoadVector128(p1), 1);
        v = X86.Avx512F.InsertVector128(v, X86.Sse.LoadVector128(p2), 2);
        return X86.Avx512F.InsertVector128(v, X86.Sse.LoadVector128(p3), 3);
    }

    /// <summary>Sums of four lanes: lane 4q + v has that of quarter q of vector v.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SumQuads(Vector512<float> v0, Vector512<float> v1, Vector512<float> v2, Vector512<float> v3)
    {
        Vector512<double> v01 = X86.Avx512F.Add(X86.Avx512F.UnpackLow(v0, v1), X86.Avx512F.UnpackHigh(v0, v1)).AsDouble();
        Vector512<double> v23 = X86.Avx512F.Add(X86.Avx512F.UnpackLow(v2, v3), X86.Avx512F.UnpackHigh(v2, v3)).AsDouble();
        return X86.Avx512F.Add(X86.Avx512F.UnpackLow(v01, v23).AsSingle(), X86.Avx512F.UnpackHigh(v01, v23).AsSingle());
    }

    public static void Prefetch(void* p) => X86.Sse.Prefetch0(p);
    public static void PrefetchL2(void* p) => X86.Sse.Prefetch1(p);
}
