using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary><see cref="Vector{T}"/>: as wide as .NET thinks good on this CPU.</summary>
internal readonly unsafe struct Portable : ISimd<Vector<float>>
{
    public static int Width => Vector<float>.Count;
    public static int Registers => 16;
    public static Vector<float> Load(float* p) => Unsafe.ReadUnaligned<Vector<float>>(p);
    public static void Store(float* p, Vector<float> v) => Unsafe.WriteUnaligned(p, v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> LoadInt16(short* p)
    {
        if (Vector<float>.Count == 8) return Vector256.WidenLower(Vector128.Load(p).ToVector256Unsafe()).AsSingle().AsVector();
        if (Vector<float>.Count == 4) return Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<long>(p)).AsInt16()).AsSingle().AsVector();
        int* wide = stackalloc int[Vector<float>.Count];
        for (int i = 0; i < Vector<float>.Count; i++) wide[i] = p[i];
        return Unsafe.ReadUnaligned<Vector<float>>(wide);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInt16(short* p, Vector<float> v)
    {
        Vector<int> lanes = v.As<float, int>();
        if (Vector<float>.Count == 8)
        {
            Vector128.Narrow(lanes.AsVector256().GetLower(), lanes.AsVector256().GetUpper()).Store(p);
            return;
        }
        if (Vector<float>.Count == 4)
        {
            Vector128.Narrow(lanes.AsVector128(), lanes.AsVector128()).GetLower().Store(p);
            return;
        }
        for (int i = 0; i < Vector<float>.Count; i++) p[i] = (short)lanes[i];
    }

    public static Vector<float> Broadcast(float x) => new(x);
    public static Vector<float> BroadcastInt(int x) => new Vector<int>(x).As<int, float>();
    public static Vector<float> Add(Vector<float> a, Vector<float> b) => a + b;
    public static Vector<float> Subtract(Vector<float> a, Vector<float> b) => a - b;
    public static Vector<float> Multiply(Vector<float> a, Vector<float> b) => a * b;
    public static Vector<float> Divide(Vector<float> a, Vector<float> b) => a / b;
    public static Vector<float> MultiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) => Vector.MultiplyAddEstimate(a, b, c);
    public static Vector<float> SubtractProduct(Vector<float> c, Vector<float> a, Vector<float> b) => Vector.MultiplyAddEstimate(-a, b, c);
    public static Vector<float> Max(Vector<float> a, Vector<float> b) => Vector.MaxNative(a, b);
    public static Vector<float> Min(Vector<float> a, Vector<float> b) => Vector.MinNative(a, b);
    public static Vector<float> Round(Vector<float> a) => Vector.Round(a);

    // 2ⁿ as 2^⌊n/2⌋ · 2^(n−⌊n/2⌋): each factor is a normal number, and only the last product rounds.
    public static Vector<float> Scale(Vector<float> a, Vector<float> n)
    {
        Vector<int> whole = Vector.ConvertToInt32(n), half = whole >> 1;
        return a * PowerOfTwo(half) * PowerOfTwo(whole - half);
    }

    public static Vector<float> And(Vector<float> a, Vector<float> b) => a & b;
    public static Vector<float> Or(Vector<float> a, Vector<float> b) => a | b;
    public static Vector<float> AddInt(Vector<float> a, Vector<float> b) => (a.As<float, int>() + b.As<float, int>()).As<int, float>();
    public static Vector<float> ShiftLeft(Vector<float> a, int bits) => (a.As<float, int>() << bits).As<int, float>();
    public static Vector<float> ShiftRight(Vector<float> a, int bits) => (a.As<float, int>() >>> bits).As<int, float>();

    public static Vector<float> LoadInt8(sbyte* p)
    {
        short* lanes = stackalloc short[Vector<short>.Count];
        for (int i = 0; i < Vector<short>.Count; i++) lanes[i] = p[i];
        return Unsafe.ReadUnaligned<Vector<float>>(lanes);
    }

    public static Vector<float> LoadUInt8(byte* p)
    {
        short* lanes = stackalloc short[Vector<short>.Count];
        for (int i = 0; i < Vector<short>.Count; i++) lanes[i] = p[i];
        return Unsafe.ReadUnaligned<Vector<float>>(lanes);
    }

    public static Vector<float> ShiftRightInt16(Vector<float> a, int bits) => (a.As<float, ushort>() >>> bits).As<ushort, float>();

    public static Vector<float> MultiplyAddInt16(Vector<float> a, Vector<float> b)
    {
        Vector.Widen(a.As<float, short>(), out Vector<int> a0, out Vector<int> a1);
        Vector.Widen(b.As<float, short>(), out Vector<int> b0, out Vector<int> b1);
        return ((a0 * b0) + (a1 * b1)).As<int, float>();
    }

    public static Vector<float> ToSingle(Vector<float> a) => Vector.ConvertToSingle(a.As<float, int>());
    public static Vector<float> Less(Vector<float> a, Vector<float> b) => Vector.LessThan(a, b).As<int, float>();
    public static Vector<float> Select(Vector<float> mask, Vector<float> a, Vector<float> b) => Vector.ConditionalSelect(mask, a, b);

    public static Vector<float> SwapPairs(Vector<float> a)
    {
        Vector<ulong> pairs = a.As<float, ulong>();
        return ((pairs << 32) | (pairs >> 32)).As<ulong, float>();
    }

    public static float Sum(Vector<float> a) => Vector.Sum(a);

    public static void Sum4(Vector<float> a, Vector<float> b, Vector<float> c, Vector<float> d, float* sums)
    {
        sums[0] = Sum(a);
        sums[1] = Sum(b);
        sums[2] = Sum(c);
        sums[3] = Sum(d);
    }

    public static void Sum8(Vector<float> a, Vector<float> b, Vector<float> c, Vector<float> d, Vector<float> e, Vector<float> f, Vector<float> g,
        Vector<float> h, float* sums)
    {
        Sum4(a, b, c, d, sums);
        Sum4(e, f, g, h, sums + 4);
    }

    public static float MaxLane(Vector<float> a)
    {
        float max = a[0];
        for (int lane = 1; lane < Vector<float>.Count; lane++) max = a[lane] > max ? a[lane] : max;
        return max;
    }

    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        for (int r = 0; r < Vector<float>.Count; r++)
        {
            for (int c = 0; c < Vector<float>.Count; c++)
                destination[(c * destinationStride) + r] = source[(r * sourceStride) + c];
        }
    }

    public static void Prefetch(void* p)
    {
    }

    public static void PrefetchL2(void* p)
    {
    }

    private static Vector<float> PowerOfTwo(Vector<int> n) => ((n + new Vector<int>(127)) << 23).As<int, float>();
}
