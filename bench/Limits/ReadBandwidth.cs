using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Bench;

/// <summary>How fast memory can be read: the sum of a buffer that no cache holds, each thread its own part.</summary>
internal sealed unsafe class ReadBandwidth : IDisposable
{
    private const nuint Bytes = 1u << 30;
    private const nuint Page = 4096;
    private const int Rounds = 12;
    private const int Step = 256;
    private const int PrefetchDistance = 2048;

    private static long s_sink;

    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(Bytes, Page);
    private readonly int _threads;

    public ReadBandwidth(int threads)
    {
        _threads = threads;
        nuint part = Bytes / (nuint)threads / Page * Page;
        ThreadTeam.BestSeconds(threads, 1, thread => Unsafe.InitBlockUnaligned(_buffer + (nuint)thread * part, 1, (uint)part));
    }

    /// <summary>Bytes per second, the best of several rounds and of two ways to read: one stream per thread, or four with prefetch.</summary>
    /// <remarks>Which way is faster differs by machine; the limit is what memory gives, not what one loop gets.</remarks>
    public static double Measure(int threads)
    {
        using var read = new ReadBandwidth(threads);
        return Bytes / read.Seconds(Bytes, Rounds);
    }

    /// <summary>The seconds that reading a number of bytes takes now: the faster one of the two ways.</summary>
    public double Seconds(double bytes, int rounds = 1)
    {
        nuint part = (nuint)Math.Min(bytes, Bytes) / (nuint)_threads / Page * Page;
        double one = ThreadTeam.BestSeconds(_threads, rounds, thread => Consume(OneStream(_buffer + (nuint)thread * part, part)));
        double four = ThreadTeam.BestSeconds(_threads, rounds, thread => Consume(FourStreams(_buffer + (nuint)thread * part, part)));
        return Math.Min(one, four) * bytes / (part * (nuint)_threads);
    }

    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long OneStream(byte* p, nuint length)
    {
        byte* end = p + length;
        if (!Avx512F.IsSupported)
            return OneStreamPortable(p, end);
        (Vector512<long> a, Vector512<long> b, Vector512<long> c, Vector512<long> d) = (default, default, default, default);
        for (; p < end; p += Step)
        {
            a = Avx512F.Or(a, Avx512F.LoadVector512((long*)p));
            b = Avx512F.Or(b, Avx512F.LoadVector512((long*)(p + 64)));
            c = Avx512F.Or(c, Avx512F.LoadVector512((long*)(p + 128)));
            d = Avx512F.Or(d, Avx512F.LoadVector512((long*)(p + 192)));
        }
        return (a | b | c | d).GetElement(0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long OneStreamPortable(byte* p, byte* end)
    {
        int width = Vector<byte>.Count;
        (Vector<long> a, Vector<long> b) = (default, default);
        for (; p < end; p += 2 * width)
        {
            a |= Vector.Load((long*)p);
            b |= Vector.Load((long*)(p + width));
        }
        return (a | b)[0];
    }

    /// <summary>A quarter of the part per stream, as a matrix-vector product that works on four rows reads them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long FourStreams(byte* p, nuint length)
    {
        nuint quarter = length / 4;
        byte* end = p + quarter;
        if (!Vector256.IsHardwareAccelerated || !Sse.IsSupported)
            return OneStreamPortable(p, p + length);
        (Vector256<long> a, Vector256<long> b, Vector256<long> c, Vector256<long> d) = (default, default, default, default);
        for (; p < end; p += 64)
        {
            Sse.Prefetch0(p + PrefetchDistance);
            Sse.Prefetch0(p + quarter + PrefetchDistance);
            Sse.Prefetch0(p + 2 * quarter + PrefetchDistance);
            Sse.Prefetch0(p + 3 * quarter + PrefetchDistance);
            a |= Vector256.Load((long*)p) | Vector256.Load((long*)(p + 32));
            b |= Vector256.Load((long*)(p + quarter)) | Vector256.Load((long*)(p + quarter + 32));
            c |= Vector256.Load((long*)(p + 2 * quarter)) | Vector256.Load((long*)(p + 2 * quarter + 32));
            d |= Vector256.Load((long*)(p + 3 * quarter)) | Vector256.Load((long*)(p + 3 * quarter + 32));
        }
        return (a | b | c | d).GetElement(0);
    }

    // A sum that nobody reads would be compiled away.
    private static void Consume(long value) => Interlocked.Add(ref s_sink, value);
}
