using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace ManagedTransformers.Models;

/// <summary>Reads the bytes of a pickle front to back; whatever length the pickle claims, nothing beyond its end is read.</summary>
internal ref struct PickleReader(ReadOnlySpan<byte> bytes, string file)
{
    private const int MaxTextLength = 1 << 20;             // a tensor's name takes some dozens
    private const int MaxLineLength = 256;                 // module and name of a global

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>Bytes read so far.</summary>
    public int Position { get; private set; }

    public byte Byte() => Position < _bytes.Length ? _bytes[Position++] : Take(1)[0];
    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));
    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));
    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>The one big-endian number of the format: BINFLOAT.</summary>
    public double Double() => BinaryPrimitives.ReadDoubleBigEndian(Take(8));

    public ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)(_bytes.Length - Position))
            throw TorchErrors.Damaged(file, $"Its pickle wants {length} bytes at {Position} and has {_bytes.Length - Position}.");
        ReadOnlySpan<byte> taken = _bytes.Slice(Position, (int)length);
        Position += (int)length;
        return taken;
    }

    /// <summary>A text of <paramref name="length"/> UTF-8 bytes.</summary>
    public string Text(ulong length)
    {
        if (length > MaxTextLength)
            throw TorchErrors.Damaged(file, $"Its pickle has a text of {length} bytes at {Position}; the texts of a state dict are names, " +
                $"of at most {MaxTextLength}.");
        ReadOnlySpan<byte> utf8 = Take(length);
        if (!Utf8.IsValid(utf8)) throw TorchErrors.Damaged(file, $"Its pickle has a text that is not UTF-8 at {Position - utf8.Length}.");
        return Encoding.UTF8.GetString(utf8);
    }

    /// <summary>A line, without its end: a global's module or name.</summary>
    public string Line()
    {
        ReadOnlySpan<byte> rest = _bytes[Position..];
        int length = rest[..Math.Min(rest.Length, MaxLineLength)].IndexOf((byte)'\n');
        if (length < 0)
            throw TorchErrors.Damaged(file, $"Its pickle has the name of a global at {Position} that does not end within {MaxLineLength} bytes.");
        string line = Text((ulong)length);
        Position++;
        return line;
    }
}
