using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using X86 = System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels;

/// <summary>512-bit vectors.</summary>
internal readonly unsafe struct Avx512 : ISimd<Vector512<float>>
{
    public static int Width => 16;

    public static Vector512<float> Load(float* p) => X86.Avx512F.LoadVector512(p);

    public static void Store(float* p, Vector512<float> v) => X86.Avx512F.Store(p, v);

    public static Vector512<float> LoadInt16(short* p) => X86.Avx512F.ConvertToVector512Int32(X86.Avx.LoadVector256(p)).AsSingle();

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

    public static Vector512<float> Less(Vector512<float> a, Vector512<float> b) => X86.Avx512F.CompareLessThan(a, b);

    public static Vector512<float> EqualInt(Vector512<float> a, Vector512<float> b) => X86.Avx512F.CompareEqual(a.AsInt32(), b.AsInt32()).AsSingle();

    public static Vector512<float> Select(Vector512<float> mask, Vector512<float> a, Vector512<float> b) => X86.Avx512F.BlendVariable(b, a, mask);

    public static Vector512<float> SwapPairs(Vector512<float> a) => X86.Avx512F.Permute4x32(a, 0b10_11_00_01);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> a) => Avx2.Sum(X86.Avx.Add(a.GetLower(), a.GetUpper()));

    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        for (int r = 0; r < 16; r += 8)
        {
            Avx2.Transpose(source + (r * sourceStride), sourceStride, destination + r, destinationStride);
            Avx2.Transpose(source + (r * sourceStride) + 8, sourceStride, destination + r + (8 * destinationStride), destinationStride);
        }
    }

    public static void Prefetch(void* p) => X86.Sse.Prefetch0(p);
}
