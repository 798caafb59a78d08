using Orleans;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>Counts how often silos were asked to begin a call: once for a call that nothing disturbs.</summary>
internal sealed class Attempts : IOutgoingGrainCallFilter
{
    private int _count;

    public int Count => _count;

    public Task Invoke(IOutgoingGrainCallContext context)
    {
        if (context.MethodName.StartsWith("StartEnumeration", StringComparison.Ordinal))
            Interlocked.Increment(ref _count);
        return context.Invoke();
    }
}
