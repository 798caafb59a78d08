using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Kernels;

/// <summary>Working memory of a thread: grows to the largest need, is used again by the next call, and goes with the thread.</summary>
/// <remarks>
/// Two buffers, because the calling thread also executes tasks: <see cref="ForCall"/> holds what all tasks of a call share,
/// <see cref="ForTask"/> what one task needs. Blocking bounds both; contents are undefined.
/// </remarks>
internal sealed unsafe class Scratch
{
    private const int Alignment = 64;        // a cache line, and a 512-bit vector

    [ThreadStatic]
    private static Scratch? t_call;

    [ThreadStatic]
    private static Scratch? t_task;

    private float[] _memory = [];
    private float* _aligned;

    /// <summary>At least <paramref name="count"/> floats, aligned to a cache line, valid until this thread's next request.</summary>
    public static float* ForCall(long count) => (t_call ??= new Scratch()).Rent(count);

    /// <summary>At least <paramref name="count"/> floats, aligned to a cache line, valid until this thread's next request.</summary>
    public static float* ForTask(long count) => (t_task ??= new Scratch()).Rent(count);

    // On the pinned heap: the address holds while the array lives, and the collector frees it after the thread.
    private float* Rent(long count)
    {
        const int Slack = Alignment / sizeof(float);
        if (count + Slack > _memory.Length)
        {
            _memory = [];                    // first, so that the old one need not live as long as the new one
            _memory = GC.AllocateUninitializedArray<float>(checked((int)(count + Slack)), pinned: true);
            nint address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_memory));
            _aligned = (float*)((address + Alignment - 1) & ~(nint)(Alignment - 1));
        }
        return _aligned;
    }
}
