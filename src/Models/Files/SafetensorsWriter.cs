namespace ManagedTransformers.Models;

/// <summary>How far a checkpoint is written.</summary>
/// <param name="TensorName">The tensor that was just completed.</param>
/// <param name="Bytes">Tensor bytes written, or checked, so far.</param>
/// <param name="TotalBytes">Tensor bytes in all.</param>
/// <param name="Checking">Whether what was written is read again and compared with the source, as a conversion does.</param>
public readonly record struct WriteProgress(string TensorName, long Bytes, long TotalBytes, bool Checking = false);

/// <summary>
/// Writes safetensors files as the safetensors library lays them out, byte for byte: header padded to 8 bytes, tensors from the widest type to
/// the narrowest and then by name. One tensor at a time is in memory.
/// </summary>
internal static class SafetensorsWriter
{
    /// <summary>
    /// Writes a file under a temporary name in its folder and renames it when it is complete, so that no partial file is ever seen; an existing one is
    /// replaced. If it is cancelled nothing is left behind.
    /// </summary>
    /// <exception cref="ArgumentException">Two tensors have one name, or a name is not valid Unicode.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote another number of bytes than its shape needs.</exception>
    /// <exception cref="IOException">The disk is full, the directory missing, …</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Write(string path, IReadOnlyCollection<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<WriteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using var file = new PendingFile(path);
        Write(file.Stream, tensors, metadata, progress, cancellationToken);
        file.Complete();
        file.Publish();
    }

    /// <summary>Writes a file to a stream, front to back; the stream need not seek and is not disposed.</summary>
    public static void Write(Stream stream, IReadOnlyCollection<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<WriteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        RequireDistinctNames(tensors);
        Write(stream, tensors, metadata, new WriteTally(progress, tensors.Sum(tensor => tensor.ByteLength)), cancellationToken);
    }

    internal static void Write(Stream stream, IEnumerable<TensorEntry> tensors, IReadOnlyDictionary<string, string>? metadata, WriteTally tally,
        CancellationToken cancellationToken)
    {
        TensorEntry[] ordered = [.. tensors.OrderByDescending(tensor => tensor.Type).ThenBy(tensor => tensor.Name, StringComparer.Ordinal)];
        SafetensorsHeaderWriter.Write(stream, ordered, metadata);
        foreach (TensorEntry tensor in ordered)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var exact = new ExactLengthStream(stream, tensor);
            tensor.WriteTo(exact, cancellationToken);
            exact.RequireComplete();
            tally.Add(tensor);
        }
    }

    private static void RequireDistinctNames(IReadOnlyCollection<TensorEntry> tensors)
    {
        var seen = new HashSet<string>(tensors.Count, StringComparer.Ordinal);
        foreach (TensorEntry tensor in tensors)
            if (!seen.Add(tensor.Name)) throw new ArgumentException($"Two tensors are named {tensor.Name}; names must be unique.", nameof(tensors));
    }
}
