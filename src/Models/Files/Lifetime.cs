namespace ManagedTransformers.Models;

/// <summary>
/// Keeps the memory of a <see cref="MappedFile"/>, <see cref="SafetensorsFile"/> or <see cref="Checkpoint"/> in place until it is disposed,
/// also when the owner is disposed meanwhile. Disposing a lease twice does nothing.
/// </summary>
internal sealed class FileLease : IDisposable
{
    private Lifetime? _lifetime;

    internal FileLease(Lifetime lifetime) => _lifetime = lifetime;

    /// <summary>Gives the lease back; the last one after the owner's disposal frees the memory.</summary>
    public void Dispose() => Interlocked.Exchange(ref _lifetime, null)?.Release();
}

/// <summary>Counts the owner and the leases of something that must go only when the last of them is gone. Thread-safe.</summary>
/// <param name="name">What lives, for ObjectDisposedException.</param>
/// <param name="end">Runs once, on the thread that gives back the last reference.</param>
internal sealed class Lifetime(string name, Action end) : IDisposable
{
    private int _references = 1;                          // the owner's
    private int _ownerGone;

    public FileLease Acquire()
    {
        while (true)
        {
            int references = Volatile.Read(ref _references);
            if (references == 0 || Volatile.Read(ref _ownerGone) != 0) throw Ended();
            if (Interlocked.CompareExchange(ref _references, references + 1, references) == references)
                return new FileLease(this);
        }
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0) end();
    }

    /// <summary>The owner lets go. Leases given before stay good.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _ownerGone, 1) == 0) Release();
    }

    /// <exception cref="ObjectDisposedException">The owner and all leases are gone.</exception>
    public void ThrowIfEnded()
    {
        if (Volatile.Read(ref _references) == 0) throw Ended();
    }

    private ObjectDisposedException Ended() =>
        new(name, $"{name} was disposed. Dispose it when its weights are no longer read.");
}
