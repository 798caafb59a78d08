using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Arm = System.Runtime.Intrinsics.Arm;
using Wasm = System.Runtime.Intrinsics.Wasm;
using X86 = System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels;

/// <summary>128-bit vectors: Arm's AdvSimd, WebAssembly's SIMD, and SSE.</summary>
/// <remarks>
/// Where .NET is interpreted, as in a browser, only operators and the intrinsics of the processor become instructions: methods of
/// <see cref="Vector128"/> that are written in C# run as C#. Hence the branches, which every compiler resolves.
/// </remarks>
internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Width => 4;
    public static int Registers => Arm.AdvSimd.Arm64.IsSupported ? 32 : 16;
    public static Vector128<float> Load(float* p) => Vector128.Load(p);
    public static void Store(float* p, Vector128<float> v) => v.Store(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadInt16(short* p) =>
        Wasm.PackedSimd.IsSupported
            ? Wasm.PackedSimd.LoadWideningVector128(p).AsSingle()
            : Vector128.WidenLower(Vector64.Load(p).ToVector128Unsafe()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInt16(short* p, Vector128<float> v)
    {
        Vector128<ulong> narrow = Wasm.PackedSimd.IsSupported
            ? Wasm.PackedSimd.ConvertNarrowingSaturateUnsigned(v.AsInt32(), v.AsInt32()).AsUInt64()
            : Vector128.Narrow(v.AsInt32(), v.AsInt32()).AsUInt64();
        Unsafe.WriteUnaligned(p, narrow.ToScalar());
    }

    public static Vector128<float> Broadcast(float x) => Vector128.Create(x);
    public static Vector128<float> BroadcastInt(int x) => Vector128.Create(x).AsSingle();
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c)
    {
        if (Arm.AdvSimd.IsSupported) return Arm.AdvSimd.FusedMultiplyAdd(c, a, b);
        if (X86.Fma.IsSupported) return X86.Fma.MultiplyAdd(a, b, c);
        return (a * b) + c;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SubtractProduct(Vector128<float> c, Vector128<float> a, Vector128<float> b)
    {
        if (Arm.AdvSimd.IsSupported) return Arm.AdvSimd.FusedMultiplySubtract(c, a, b);
        if (X86.Fma.IsSupported) return X86.Fma.MultiplyAddNegated(a, b, c);
        return c - (a * b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Wasm.PackedSimd.IsSupported ? Wasm.PackedSimd.Max(a, b) : Vector128.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Wasm.PackedSimd.IsSupported ? Wasm.PackedSimd.Min(a, b) : Vector128.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Round(Vector128<float> a) =>
        Wasm.PackedSimd.IsSupported ? Wasm.PackedSimd.RoundToNearest(a) : Vector128.Round(a);

    // 2ⁿ as 2^⌊n/2⌋ · 2^(n−⌊n/2⌋): each factor is a normal number, and only the last product rounds.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Scale(Vector128<float> a, Vector128<float> n)
    {
        Vector128<int> whole = Wasm.PackedSimd.IsSupported ? Wasm.PackedSimd.ConvertToInt32Saturate(n) : Vector128.ConvertToInt32Native(n);
        Vector128<int> half = whole >> 1;
        return a * PowerOfTwo(half) * PowerOfTwo(whole - half);
    }

    public static Vector128<float> And(Vector128<float> a, Vector128<float> b) => a & b;
    public static Vector128<float> Or(Vector128<float> a, Vector128<float> b) => a | b;
    public static Vector128<float> AddInt(Vector128<float> a, Vector128<float> b) => (a.AsInt32() + b.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftLeft(Vector128<float> a, int bits) => (a.AsInt32() << bits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftRight(Vector128<float> a, int bits) => (a.AsInt32() >>> bits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadInt8(sbyte* p) =>
        Wasm.PackedSimd.IsSupported
            ? Wasm.PackedSimd.LoadWideningVector128(p).AsSingle()
            : Vector128.WidenLower(Vector64.Load(p).ToVector128Unsafe()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadUInt8(byte* p) =>
        Wasm.PackedSimd.IsSupported
            ? Wasm.PackedSimd.LoadWideningVector128(p).AsSingle()
            : Vector128.WidenLower(Vector64.Load(p).ToVector128Unsafe()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftRightInt16(Vector128<float> a, int bits) => (a.AsUInt16() >>> bits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAddInt16(Vector128<float> a, Vector128<float> b)
    {
        if (Wasm.PackedSimd.IsSupported) return Wasm.PackedSimd.Dot(a.AsInt16(), b.AsInt16()).AsSingle();
        if (X86.Sse2.IsSupported) return X86.Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsSingle();
        (Vector128<int> a0, Vector128<int> a1) = Vector128.Widen(a.AsInt16());
        (Vector128<int> b0, Vector128<int> b1) = Vector128.Widen(b.AsInt16());
        return ((a0 * b0) + (a1 * b1)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<float> a) =>
        Wasm.PackedSimd.IsSupported ? Wasm.PackedSimd.ConvertToSingle(a.AsInt32()) : Vector128.ConvertToSingle(a.AsInt32());

    public static Vector128<float> Less(Vector128<float> a, Vector128<float> b) => Vector128.LessThan(a, b);
    public static Vector128<float> Select(Vector128<float> mask, Vector128<float> a, Vector128<float> b) => Vector128.ConditionalSelect(mask, a, b);
    public static Vector128<float> SwapPairs(Vector128<float> a) => Vector128.Shuffle(a, Vector128.Create(1, 0, 3, 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> a)
    {
        Vector128<float> two = a + Vector128.Shuffle(a, Vector128.Create(2, 3, 0, 1));
        return two.GetElement(0) + two.GetElement(1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum4(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d, float* sums)
    {
        sums[0] = Sum(a);
        sums[1] = Sum(b);
        sums[2] = Sum(c);
        sums[3] = Sum(d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum8(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d, Vector128<float> e, Vector128<float> f,
        Vector128<float> g, Vector128<float> h, float* sums)
    {
        Sum4(a, b, c, d, sums);
        Sum4(e, f, g, h, sums + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxLane(Vector128<float> a)
    {
        Vector128<float> two = Max(a, Vector128.Shuffle(a, Vector128.Create(2, 3, 0, 1)));
        return Max(two, Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2))).GetElement(0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        Vector128<float> r0 = Load(source), r1 = Load(source + sourceStride);
        Vector128<float> r2 = Load(source + (2 * sourceStride)), r3 = Load(source + (3 * sourceStride));
        Vector128<float> even01 = Even(r0, r1), odd01 = Odd(r0, r1), even23 = Even(r2, r3), odd23 = Odd(r2, r3);
        Store(destination, Lower(even01, even23));
        Store(destination + destinationStride, Lower(odd01, odd23));
        Store(destination + (2 * destinationStride), Upper(even01, even23));
        Store(destination + (3 * destinationStride), Upper(odd01, odd23));
    }

    public static void Prefetch(void* p)
    {
    }

    public static void PrefetchL2(void* p)
    {
    }

    // a0 b0 a2 b2
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Even(Vector128<float> a, Vector128<float> b) =>
        Select(Vector128.Create(-1, 0, -1, 0).AsSingle(), a, Vector128.Shuffle(b, Vector128.Create(0, 0, 2, 2)));

    // a1 b1 a3 b3
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Odd(Vector128<float> a, Vector128<float> b) =>
        Select(Vector128.Create(-1, 0, -1, 0).AsSingle(), Vector128.Shuffle(a, Vector128.Create(1, 1, 3, 3)), b);

    // a0 a1 b0 b1
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Lower(Vector128<float> a, Vector128<float> b) =>
        Select(Vector128.Create(-1, -1, 0, 0).AsSingle(), a, Vector128.Shuffle(b, Vector128.Create(0, 1, 0, 1)));

    // a2 a3 b2 b3
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Upper(Vector128<float> a, Vector128<float> b) =>
        Select(Vector128.Create(-1, -1, 0, 0).AsSingle(), Vector128.Shuffle(a, Vector128.Create(2, 3, 2, 3)), b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> PowerOfTwo(Vector128<int> n) => ((n + Vector128.Create(127)) << 23).AsSingle();
}
