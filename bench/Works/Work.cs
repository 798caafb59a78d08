using System.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Something that can be done again and again, and timed.</summary>
internal interface ITimed
{
    /// <summary>Does it once and returns the milliseconds it took.</summary>
    double RunOnce();
}

/// <summary>A piece of work of ours: what it is, how much arithmetic and reading it needs, and who else can do it.</summary>
internal abstract class Work(string name, KernelOptions kernels) : ITimed, IDisposable
{
    public string Name { get; } = name;

    public KernelOptions Kernels { get; } = kernels;

    /// <summary>Floating-point operations of one run; 0 where they are not what matters.</summary>
    public double Flops { get; protected init; }

    /// <summary>Whether the products are of 8-bit integers where the CPU has instructions for them: their peak is then the limit.</summary>
    public bool MultipliesIntegers { get; protected init; }

    /// <summary>Bytes of weights that one run has to read at least once.</summary>
    public double Bytes { get; protected init; }

    /// <summary>Tokens of one run, where tokens per second are of interest.</summary>
    public int? Tokens { get; protected init; }

    /// <summary>The same work by others.</summary>
    public IReadOnlyList<PeerTask> Peers { get; init; } = [];

    /// <summary>What else is timed in this process: the same work on one thread, at another level, or by another library.</summary>
    public IReadOnlyList<(string Name, Func<Work> Make)> Siblings { get; init; } = [];

    /// <summary>Whether the siblings are other libraries.</summary>
    public bool SiblingsAreOthers { get; protected init; }

    /// <summary>Makes the machine's limit for this work, to be timed in interleaved runs with it; null: none.</summary>
    public Func<InterleavedLimit>? Limit { get; protected init; }

    /// <summary>The session that <see cref="Prepare"/> made, where the work is a model's.</summary>
    protected Session? Session { get; set; }

    /// <summary>Loads what is needed; not timed.</summary>
    public virtual void Prepare()
    {
    }

    /// <summary>One run.</summary>
    public abstract void Run();

    /// <summary>What comes before a run and is not timed.</summary>
    public virtual void BeforeRun()
    {
    }

    /// <summary>What <see cref="Run"/> computes, to be compared with a peer's output; null where the two compute different things.</summary>
    public virtual float[]? Output() => null;

    public double RunOnce()
    {
        BeforeRun();
        long start = Stopwatch.GetTimestamp();
        Run();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    public virtual void Dispose() => Session?.Dispose();
}
