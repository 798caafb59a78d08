using System.Collections.Concurrent;
using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>Sessions of a model that wait for the next call, so that calls from many threads never share one and a warm call allocates no workspace.</summary>
/// <remarks>A decoder's session owns a KV cache of a fixed size and is made for each call; only encoders' sessions are kept.</remarks>
internal sealed class SessionPool(PretrainedModel model) : IDisposable
{
    private readonly ConcurrentBag<Session> _idle = [];
    private volatile bool _disposed;

    /// <summary>A session that has room for <paramref name="inputs"/>. Give it back with <see cref="Return"/>.</summary>
    /// <exception cref="ObjectDisposedException">The pipeline was disposed.</exception>
    public Session Rent(ModelInputs inputs)
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(Pipeline));
        if (model.Config.IsCausal)
            return model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize, MaxLength = inputs.SequenceLength });
        return _idle.TryTake(out Session? session) ? session : model.CreateSession();
    }

    /// <summary>Takes a session back.</summary>
    public void Return(Session session)
    {
        if (_disposed || session.Cache is not null)
            session.Dispose();
        else
            _idle.Add(session);
        Interlocked.MemoryBarrier();          // each side writes, then reads what the other wrote: one of them finds the session
        if (_disposed)
            DisposeIdle();
    }

    /// <summary>Disposes what waits now; what is still running follows when it is returned.</summary>
    public void Dispose()
    {
        _disposed = true;
        Interlocked.MemoryBarrier();
        DisposeIdle();
    }

    private void DisposeIdle()
    {
        while (_idle.TryTake(out Session? session))
            session.Dispose();
    }
}
