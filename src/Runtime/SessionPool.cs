using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>Sessions of a model that wait for the next call, so that calls from many threads never share one and a warm call allocates no workspace.</summary>
/// <remarks>A decoder's session owns a KV cache of a fixed size and is made for each call; only encoders' sessions are kept. Many calls at once, or one long
/// text, leave workspaces that no later call needs: those that nobody rented between two full collections are let go.</remarks>
internal sealed class SessionPool(PretrainedModel model) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Session> _idle = [];           // the last one is rented first
    private int _unused;                                 // as many of them, from the first on, were not rented since the last full collection
    private bool _disposed;

    /// <summary>How many sessions wait.</summary>
    internal int Idle
    {
        get
        {
            lock (_gate) return _idle.Count;
        }
    }

    /// <summary>A session that has room for <paramref name="inputs"/>. Give it back with <see cref="Return"/>.</summary>
    /// <exception cref="ObjectDisposedException">The pipeline was disposed.</exception>
    public Session Rent(ModelInputs inputs)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(Pipeline));
            if (_idle.Count > 0)
            {
                Session session = _idle[^1];
                _idle.RemoveAt(_idle.Count - 1);
                _unused = Math.Min(_unused, _idle.Count);
                return session;
            }
        }
        return model.Config.IsCausal
            ? model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize, MaxLength = inputs.SequenceLength })
            : model.CreateSession();
    }

    /// <summary>Takes a session back.</summary>
    public void Return(Session session)
    {
        lock (_gate)
        {
            if (!_disposed && session.Cache is null)
            {
                _idle.Add(session);
                return;
            }
        }
        session.Dispose();
    }

    /// <summary>Lets those sessions go that have waited since this was called last.</summary>
    public void ReleaseUnused()
    {
        Session[] unused;
        lock (_gate)
        {
            unused = [.. _idle.Take(_unused)];
            _idle.RemoveRange(0, _unused);
            _unused = _idle.Count;
        }
        foreach (Session session in unused)
            session.Dispose();
    }

    /// <summary>Disposes what waits now; what is still running follows when it is returned.</summary>
    public void Dispose()
    {
        Session[] idle;
        lock (_gate)
        {
            _disposed = true;
            idle = [.. _idle];
            _idle.Clear();
            _unused = 0;
        }
        foreach (Session session in idle)
            session.Dispose();
    }
}
