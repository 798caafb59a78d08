namespace ManagedTransformers.Models;

/// <summary>Reads a safetensors file from a stream that may end, fail or lie about its length at any point.</summary>
internal sealed class StreamContent(Stream stream, string file, CancellationToken cancellationToken)
{
    private const int FirstBlock = 1 << 20;

    /// <summary>Bytes that the stream has left, where it knows: then nothing larger is ever allocated.</summary>
    private long? Remaining => stream.CanSeek ? Math.Max(0, stream.Length - stream.Position) : null;

    public SafetensorsHeader ReadHeader()
    {
        byte[] prefix = Read(SafetensorsHeader.PrefixLength);
        int length = SafetensorsHeader.ReadLength(prefix, Remaining, file);
        byte[] json = Read(length);
        if (json.Length < length)
            throw SafetensorsHeader.Bad(file, null, $"The header claims to be {length} bytes; only {json.Length} follow.");
        return SafetensorsHeader.Parse(json, file);
    }

    /// <summary>The bytes of each tensor, read in the order in which they lie.</summary>
    public Dictionary<string, byte[]> ReadTensors(SafetensorsHeader header)
    {
        if (Remaining is long remaining) header.RequireDataLength(remaining, file);
        var data = new Dictionary<string, byte[]>(header.Tensors.Count, StringComparer.Ordinal);
        foreach (TensorInfo tensor in header.Tensors.OrderBy(tensor => tensor.Begin))
        {
            long length = tensor.End - tensor.Begin;
            if (length > Array.MaxLength)
                throw new CheckpointException(
                    $"{SafetensorsHeader.Shown(tensor.Name)} in {file} has {length} bytes; a tensor that comes from a stream may have {Array.MaxLength}. " +
                        "Save the file to disk and open it there.")
                {
                    FileName = file,
                    TensorName = tensor.Name,
                };
            byte[] bytes = Read((int)length);
            if (bytes.Length < length) header.RequireDataLength(tensor.Begin + bytes.Length, file);
            data.Add(tensor.Name, bytes);
        }
        if (stream.ReadByte() >= 0)
            throw SafetensorsHeader.Bad(file, null, $"The stream goes on after the {header.DataLength} bytes that the tensors cover, " +
                "and no byte may be left over.");
        return data;
    }

    /// <summary>As many bytes as there are, at most <paramref name="length"/>; the buffer grows as they arrive.</summary>
    public byte[] Read(int length)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(Remaining is null ? Math.Min(length, FirstBlock) : (int)Math.Min(length, Remaining.Value));
        int filled = 0;
        while (filled < length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (filled == buffer.Length) Array.Resize(ref buffer, (int)Math.Min(length, Math.Max(FirstBlock, 2L * buffer.Length)));
            int read = stream.Read(buffer.AsSpan(filled, Math.Min(FirstBlock, buffer.Length - filled)));
            if (read == 0) break;
            filled += read;
        }
        if (filled < buffer.Length) Array.Resize(ref buffer, filled);
        return buffer;
    }
}
