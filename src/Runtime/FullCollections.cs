using System.Runtime.InteropServices;

namespace ManagedTransformers;

/// <summary>Has a pool release what it has not used, after every full collection.</summary>
/// <remarks>The collector tells by finalizers alone: an object that nobody holds is finalized when its generation is collected, and registers again. It
/// holds the pool by a handle, as a <see cref="WeakReference{T}"/> of its own would be finalized with it.</remarks>
internal sealed class FullCollections
{
    private WeakGCHandle<SessionPool> _pool;

    private FullCollections(SessionPool pool) => _pool = new WeakGCHandle<SessionPool>(pool);

#pragma warning disable MA0055 // nothing else tells of a collection
    ~FullCollections()
#pragma warning restore MA0055
    {
        if (!_pool.TryGetTarget(out SessionPool? pool))
        {
            _pool.Dispose();
            return;
        }
        if (GC.GetGeneration(this) == GC.MaxGeneration)     // until then, younger generations were collected alone
            pool.ReleaseUnused();
        GC.ReRegisterForFinalize(this);
    }

    /// <summary>From now on, what a pool has not used between two full collections is released.</summary>
    public static void ReleaseUnusedOf(SessionPool pool) => _ = new FullCollections(pool);
}
