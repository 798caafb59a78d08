using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace ManagedTransformers.Fuzz;

/// <summary>The counters of the instrumented branches, which belong to the process: one run at a time.</summary>
internal static unsafe class Trail
{
    public const int Size = 1 << 16;

    private static readonly byte* s_counters = (byte*)NativeMemory.AllocZeroed(Size);

    /// <summary>One byte for each branch, found by a hash of the branch and the one before it.</summary>
    public static ReadOnlySpan<byte> Counters => new(s_counters, Size);

    /// <summary>Forgets what ran so far.</summary>
    public static void Clear()
    {
        new Span<byte>(s_counters, Size).Clear();
        Trace.PrevLocation = 0;
    }

    // Instrumented code writes there from its first call on.
    [ModuleInitializer]
    internal static void Connect() => Trace.SharedMem = s_counters;
}

/// <summary>What the inputs of a run have reached so far.</summary>
internal sealed class Coverage
{
    private readonly byte[] _seen = new byte[Trail.Size];

    /// <summary>Branches that were taken at least once.</summary>
    public int Points { get; private set; }

    /// <summary>Adds what ran since the trail was cleared.</summary>
    /// <returns>Whether a branch was new, or taken a new number of times (1, 2, 3, 4 …, 8 …, 16 …, 32 …, 128 …).</returns>
    public bool Add()
    {
        bool isNew = false;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(Trail.Counters);
        for (int w = 0; w < words.Length; w++)
        {
            if (words[w] == 0)
                continue;
            for (int i = 8 * w; i < 8 * (w + 1); i++)
                isNew |= Add(i, Trail.Counters[i]);
        }
        return isNew;
    }

    private bool Add(int point, byte count)
    {
        if (count == 0)
            return false;
        byte bucket = (byte)(1 << (count < 4 ? count - 1 : count < 32 ? 1 + BitOperations.Log2(count) : count < 128 ? 6 : 7));
        if ((_seen[point] & bucket) != 0)
            return false;
        if (_seen[point] == 0)
            Points++;
        _seen[point] |= bucket;
        return true;
    }
}
