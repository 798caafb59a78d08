using System.Buffers.Binary;
using System.Text;

namespace ManagedTransformers.Models.Tests;

/// <summary>Files built by hand, right and wrong ones, independent of the writer.</summary>
internal static class RawSafetensors
{
    public const string TwoTensors = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[2,2],"data_offsets":[8,12]}}""";

    /// <summary>Length, header and data bytes 0, 1, 2 …</summary>
    public static byte[] Build(string header, int dataLength, long? claimedHeaderLength = null) =>
        Build(Encoding.UTF8.GetBytes(header), dataLength, claimedHeaderLength);

    public static byte[] Build(byte[] header, int dataLength, long? claimedHeaderLength = null)
    {
        byte[] file = new byte[8 + header.Length + dataLength];
        BinaryPrimitives.WriteInt64LittleEndian(file, claimedHeaderLength ?? header.Length);
        header.CopyTo(file, 8);
        for (int i = 0; i < dataLength; i++) file[8 + header.Length + i] = (byte)i;
        return file;
    }

    /// <summary>A file with F32 tensors of one element each.</summary>
    public static byte[] WithTensors(params string[] names) =>
        Build("{" + string.Join(',', names.Select(
            (name, i) => $$$"""{{{Quoted(name)}}}:{"dtype":"F32","shape":[1],"data_offsets":[{{{4 * i}}},{{{(4 * i) + 4}}}]}""")) + "}", 4 * names.Length);

    /// <summary>An index from tensor names to file names.</summary>
    public static byte[] Index(params (string Tensor, string File)[] map) =>
        Encoding.UTF8.GetBytes("""{"metadata":{"total_size":0},"weight_map":{"""
            + string.Join(',', map.Select(pair => $"{Quoted(pair.Tensor)}:{Quoted(pair.File)}")) + "}}");

    private static string Quoted(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal)}\"";
}

/// <summary>The ways in which a file can be opened; all must agree.</summary>
public enum Way
{
    /// <summary>From disk.</summary>
    Mapped,

    /// <summary>From memory.</summary>
    Bytes,

    /// <summary>From a stream that knows its length.</summary>
    Stream,

    /// <summary>From a stream that does not know its length and gives few bytes at a time.</summary>
    Network,
}

internal static class Ways
{
    public static SafetensorsFile Open(this Way way, byte[] file, TemporaryDirectory directory)
    {
        switch (way)
        {
            case Way.Mapped: return SafetensorsFile.Open(directory.Add("model.safetensors", file));
            case Way.Bytes: return SafetensorsFile.FromBytes(file);
            default:
                using (Stream stream = way == Way.Stream ? new MemoryStream(file) : new NetworkLikeStream(file))
                    return SafetensorsFile.FromStream(stream);
        }
    }
}

/// <summary>No length, no seeking, seven bytes at a time.</summary>
internal sealed class NetworkLikeStream(byte[] bytes) : MemoryStream(bytes)
{
    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(7, buffer.Length)]);
}
