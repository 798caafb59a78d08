using System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels;

/// <summary>All blocking constants of the matrix product.</summary>
/// <remarks>
/// A task owns 48 or 96 rows of W. Block by block of k it takes some columns of them and multiplies them with every panel of packed X. As floats a panel is at
/// most 200 KB and the rows 300 KB, so that both stay in L2, from where a tile's 20 bytes per cycle come easily; long stretches of each row of W keep the
/// hardware's prefetching at work. docs/adr/0005 has what was tried. Sums are cut at places that depend on k and m alone, whatever the threads.
/// </remarks>
internal static class Tiling
{
    /// <summary>Rows of W per task where there are few, and where there are many: multiples of every tile's rows and of every vector's width.</summary>
    public const int FewRows = 48, ManyRows = 96;

    /// <summary>From here on a thread's tasks are large: X passes by once for each.</summary>
    private const int ManyTasks = 4;

    /// <summary>
    /// Tasks of many rows, before tasks of few, for a product with n of all rows of W of the job. Results do not depend on it. Where no other product's tasks
    /// follow the last ones are small, so that threads finish together.
    /// </summary>
    public static int LargeTasks(int n, int all, bool isLast, int threads)
    {
        if (all < ManyRows * ManyTasks * threads) return 0;
        return isLast ? Math.Max(0, (n / ManyRows) - threads) : (n + ManyRows - 1) / ManyRows;
    }

    /// <summary>Blocks of k are whole cache lines of W, and whole pairs of blocks where it is stored in such.</summary>
    public const int DepthStep = 64;

    /// <summary>Steps of k per block, at most max: k in equal parts.</summary>
    public static int Depth(int k, int max)
    {
        int blocks = (k + max - 1) / max;
        return Packing.Padded((k + blocks - 1) / blocks, DepthStep);
    }

    /// <summary>Rows of X packed at once; bounds the memory to RowBlock · k floats.</summary>
    public const int RowBlock = 1024;

    /// <summary>Rows of W per GEMV task are chosen so that a task reads about this many bytes.</summary>
    public const int GemvTaskBytes = 256 * 1024;

    /// <summary>How many bytes ahead of its loads GEMV prefetches W.</summary>
    public const int PrefetchBytes = 4096;

    /// <summary>The same where it reads four streams at once.</summary>
    public const int StreamPrefetchBytes = 1024;

    /// <summary>The same for rows of blocks: at least so far, and beyond the scales of the row that comes next, which are read before its integers.</summary>
    public static nint BlockPrefetchBytes(nint rowBytes, nint blocks) => Math.Max(2048, rowBytes + (2 * blocks) + 64);

    /// <summary>Below this much work a job is not worth handing to another thread.</summary>
    private const long SerialWork = 1 << 18;

    /// <summary>What reading an operand's element from memory costs, in multiply-adds: with fewer rows than this, reading is the work.</summary>
    private const int ReadCost = 8;

    /// <summary>Threads for a job that reads this many elements, each for some rows.</summary>
    public static int Threads(int rows, long elements, int maxThreads) => Math.Max(rows, ReadCost) * elements < SerialWork ? 1 : maxThreads;

    /// <summary>Whether GEMV reads four streams of W per thread rather than one.</summary>
    /// <remarks>Cascade Lake gets 22 GB/s from four and 20 from one, Zen 5 most from one: the best form differs by machine.</remarks>
    public static bool FourStreams { get; } = IsIntel();

    private static bool IsIntel()
    {
        if (!X86Base.IsSupported) return false;
        const int Genu = 0x756E6547;                                       // the first letters of GenuineIntel
        return X86Base.CpuId(0, 0).Ebx == Genu;
    }
}
