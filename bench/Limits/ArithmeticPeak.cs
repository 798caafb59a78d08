using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>How many operations per second the arithmetic units do when nothing has to be loaded: twelve independent sums in registers.</summary>
internal static class ArithmeticPeak
{
    // Latency times throughput of a fused multiply-add is 8 to 10 on the CPUs of today; twelve sums hide it and fit into 16 registers.
    private const int Sums = 12;

    // Many short rounds: the best one falls into a moment in which nobody else computes.
    private const int Iterations = 4_000_000;
    private const int Rounds = 40;

    private static float s_sink;

    /// <summary>Floating-point operations per second at a level; a multiply-add counts as two.</summary>
    public static double FusedMultiplyAdd(KernelLevel level, int threads)
    {
        (Func<int, float> loop, int lanes) = Loop(level);
        double seconds = ThreadTeam.BestSeconds(threads, Rounds, _ => s_sink = loop(Iterations));
        return 2.0 * lanes * Sums * Iterations * threads / seconds;
    }

    /// <summary>The seconds that a number of operations takes now, when nothing has to be loaded.</summary>
    public static double Seconds(KernelLevel level, int threads, double flops)
    {
        (Func<int, float> loop, int lanes) = Loop(level);
        int iterations = (int)(flops / (2.0 * lanes * Sums * threads));
        return ThreadTeam.BestSeconds(threads, rounds: 1, _ => s_sink = loop(iterations));
    }

    private static (Func<int, float> Loop, int Lanes) Loop(KernelLevel level) => level switch
    {
        KernelLevel.Avx512 => (Avx512Loop, Vector512<float>.Count),
        KernelLevel.Avx2 => (Avx2Loop, Vector256<float>.Count),
        KernelLevel.Vector128 => (Vector128Loop, Vector128<float>.Count),
        _ => (PortableLoop, Vector<float>.Count),
    };

    /// <summary>8-bit operations per second of AVX-VNNI: each instruction multiplies and adds 32 pairs; null where the CPU lacks it.</summary>
    public static double? Int8(int threads)
    {
        if (!AvxVnni.IsSupported)
            return null;
        double seconds = ThreadTeam.BestSeconds(threads, Rounds, _ => s_sink = VnniLoop(Iterations));
        return 2.0 * Vector256<byte>.Count * Sums * Iterations * threads / seconds;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Avx512Loop(int iterations)
    {
        Vector512<float> x = Vector512.Create(0.999f), y = Vector512.Create(1e-6f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < iterations; n++)
        {
            a = Avx512F.FusedMultiplyAdd(a, x, y);
            b = Avx512F.FusedMultiplyAdd(b, x, y);
            c = Avx512F.FusedMultiplyAdd(c, x, y);
            d = Avx512F.FusedMultiplyAdd(d, x, y);
            e = Avx512F.FusedMultiplyAdd(e, x, y);
            f = Avx512F.FusedMultiplyAdd(f, x, y);
            g = Avx512F.FusedMultiplyAdd(g, x, y);
            h = Avx512F.FusedMultiplyAdd(h, x, y);
            i = Avx512F.FusedMultiplyAdd(i, x, y);
            j = Avx512F.FusedMultiplyAdd(j, x, y);
            k = Avx512F.FusedMultiplyAdd(k, x, y);
            l = Avx512F.FusedMultiplyAdd(l, x, y);
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l).GetElement(0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Avx2Loop(int iterations)
    {
        Vector256<float> x = Vector256.Create(0.999f), y = Vector256.Create(1e-6f);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < iterations; n++)
        {
            a = Fma.MultiplyAdd(a, x, y);
            b = Fma.MultiplyAdd(b, x, y);
            c = Fma.MultiplyAdd(c, x, y);
            d = Fma.MultiplyAdd(d, x, y);
            e = Fma.MultiplyAdd(e, x, y);
            f = Fma.MultiplyAdd(f, x, y);
            g = Fma.MultiplyAdd(g, x, y);
            h = Fma.MultiplyAdd(h, x, y);
            i = Fma.MultiplyAdd(i, x, y);
            j = Fma.MultiplyAdd(j, x, y);
            k = Fma.MultiplyAdd(k, x, y);
            l = Fma.MultiplyAdd(l, x, y);
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l).GetElement(0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Vector128Loop(int iterations)
    {
        Vector128<float> x = Vector128.Create(0.999f), y = Vector128.Create(1e-6f);
        Vector128<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < iterations; n++)
        {
            a = Vector128.FusedMultiplyAdd(a, x, y);
            b = Vector128.FusedMultiplyAdd(b, x, y);
            c = Vector128.FusedMultiplyAdd(c, x, y);
            d = Vector128.FusedMultiplyAdd(d, x, y);
            e = Vector128.FusedMultiplyAdd(e, x, y);
            f = Vector128.FusedMultiplyAdd(f, x, y);
            g = Vector128.FusedMultiplyAdd(g, x, y);
            h = Vector128.FusedMultiplyAdd(h, x, y);
            i = Vector128.FusedMultiplyAdd(i, x, y);
            j = Vector128.FusedMultiplyAdd(j, x, y);
            k = Vector128.FusedMultiplyAdd(k, x, y);
            l = Vector128.FusedMultiplyAdd(l, x, y);
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l).GetElement(0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float PortableLoop(int iterations)
    {
        Vector<float> x = new(0.999f), y = new(1e-6f);
        Vector<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < iterations; n++)
        {
            a = Vector.FusedMultiplyAdd(a, x, y);
            b = Vector.FusedMultiplyAdd(b, x, y);
            c = Vector.FusedMultiplyAdd(c, x, y);
            d = Vector.FusedMultiplyAdd(d, x, y);
            e = Vector.FusedMultiplyAdd(e, x, y);
            f = Vector.FusedMultiplyAdd(f, x, y);
            g = Vector.FusedMultiplyAdd(g, x, y);
            h = Vector.FusedMultiplyAdd(h, x, y);
            i = Vector.FusedMultiplyAdd(i, x, y);
            j = Vector.FusedMultiplyAdd(j, x, y);
            k = Vector.FusedMultiplyAdd(k, x, y);
            l = Vector.FusedMultiplyAdd(l, x, y);
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float VnniLoop(int iterations)
    {
        Vector256<byte> x = Vector256.Create((byte)3);
        Vector256<sbyte> y = Vector256.Create((sbyte)-2);
        Vector256<int> a = default, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        for (int n = 0; n < iterations; n++)
        {
            a = AvxVnni.MultiplyWideningAndAdd(a, x, y);
            b = AvxVnni.MultiplyWideningAndAdd(b, x, y);
            c = AvxVnni.MultiplyWideningAndAdd(c, x, y);
            d = AvxVnni.MultiplyWideningAndAdd(d, x, y);
            e = AvxVnni.MultiplyWideningAndAdd(e, x, y);
            f = AvxVnni.MultiplyWideningAndAdd(f, x, y);
            g = AvxVnni.MultiplyWideningAndAdd(g, x, y);
            h = AvxVnni.MultiplyWideningAndAdd(h, x, y);
            i = AvxVnni.MultiplyWideningAndAdd(i, x, y);
            j = AvxVnni.MultiplyWideningAndAdd(j, x, y);
            k = AvxVnni.MultiplyWideningAndAdd(k, x, y);
            l = AvxVnni.MultiplyWideningAndAdd(l, x, y);
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l).GetElement(0);
    }
}
