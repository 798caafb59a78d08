namespace ManagedTransformers.Models;

/// <summary>Passes one tensor's bytes on and holds it to the number that its shape needs.</summary>
internal sealed class ExactLengthStream(Stream inner, TensorEntry tensor) : WriteOnlyStream
{
    private long _written;

    public override long Position { get => _written; set => throw new NotSupportedException(); }

    public void RequireComplete()
    {
        if (_written != tensor.ByteLength)
            throw new InvalidOperationException($"{tensor.Name} wrote {_written} bytes; its shape needs {tensor.ByteLength}.");
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > tensor.ByteLength - _written)
            throw new InvalidOperationException($"{tensor.Name} wrote at least {_written + buffer.Length} bytes; its shape needs {tensor.ByteLength}.");
        inner.Write(buffer);
        _written += buffer.Length;
    }
}

/// <summary>Adds up what was written and tells it.</summary>
internal sealed class WriteTally(IProgress<WriteProgress>? progress, long total)
{
    private long _written;

    public void Add(TensorEntry tensor)
    {
        _written += tensor.ByteLength;
        progress?.Report(new WriteProgress(tensor.Name, _written, total));
    }
}
