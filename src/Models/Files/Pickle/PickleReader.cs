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

/// <summary>The opcodes of protocols 2 to 5 that data is made of, under the names of Python's pickletools.</summary>
internal enum PickleOpcode : byte
{
    Mark = (byte)'(',
    Stop = (byte)'.',
    Pop = (byte)'0',
    PopMark = (byte)'1',
    Dup = (byte)'2',
    BinFloat = (byte)'G',
    BinInt = (byte)'J',
    BinInt1 = (byte)'K',
    BinInt2 = (byte)'M',
    None = (byte)'N',
    BinPersId = (byte)'Q',
    Reduce = (byte)'R',
    BinString = (byte)'T',
    ShortBinString = (byte)'U',
    BinUnicode = (byte)'X',
    Append = (byte)'a',
    Build = (byte)'b',
    Global = (byte)'c',
    Dict = (byte)'d',
    EmptyDict = (byte)'}',
    Appends = (byte)'e',
    BinGet = (byte)'h',
    LongBinGet = (byte)'j',
    List = (byte)'l',
    EmptyList = (byte)']',
    BinPut = (byte)'q',
    LongBinPut = (byte)'r',
    SetItem = (byte)'s',
    Tuple = (byte)'t',
    EmptyTuple = (byte)')',
    SetItems = (byte)'u',
    BinBytes = (byte)'B',
    ShortBinBytes = (byte)'C',
    Proto = 0x80,
    Tuple1 = 0x85,
    Tuple2 = 0x86,
    Tuple3 = 0x87,
    NewTrue = 0x88,
    NewFalse = 0x89,
    Long1 = 0x8A,
    ShortBinUnicode = 0x8C,
    BinUnicode8 = 0x8D,
    BinBytes8 = 0x8E,
    StackGlobal = 0x93,
    Memoize = 0x94,
    Frame = 0x95,
}

/// <summary>A Python tuple.</summary>
internal sealed record PickleTuple(object?[] Items);

/// <summary>A Python list.</summary>
internal sealed class PickleList
{
    private List<object?>? _items;

    public IReadOnlyList<object?> Items => _items ?? [];
    public void Add(object? item) => (_items ??= []).Add(item);
}

/// <summary>A Python dict or OrderedDict: pairs in the order in which they were set. Nothing is looked up in it, so that no key is ever hashed.</summary>
internal sealed class PickleDict
{
    private List<(object? Key, object? Value)>? _items;

    public IReadOnlyList<(object? Key, object? Value)> Items => _items ?? [];
    public void Add(object? key, object? value) => (_items ??= []).Add((key, value));
}

/// <summary>Bytes that a pickle holds; state dicts need none, so only their number is kept.</summary>
internal sealed record PickleBytes(int Length);

/// <summary>What messages call a value of a pickle.</summary>
internal static class PickleValues
{
    /// <summary>Its kind and, where it is short, itself. Looks one level deep: containers may hold themselves.</summary>
    public static string Describe(object? value) => value switch
    {
        null => "None",
        bool truth => truth ? "True" : "False",
        string text => $"the text \"{SafetensorsHeader.Shown(text)}\"",
        PickleBytes bytes => $"{bytes.Length} bytes",
        PickleList list => $"a list of {list.Items.Count}",
        PickleTuple tuple => $"a tuple of {tuple.Items.Length}",
        PickleDict dict when dict.Items.Any(item => item.Value is TorchTensor) =>
            $"a dict of {dict.Items.Count} entries, {dict.Items.Count(item => item.Value is TorchTensor)} of them tensors",
        PickleDict dict => $"a dict of {dict.Items.Count} entries",
        TorchTensor tensor => $"a tensor of shape {TensorEntry.Describe(tensor.Shape)}",
        TorchStorage storage => $"the storage {SafetensorsHeader.Shown(storage.Key)}",
        TorchGlobal global => $"the global {global.FullName}",
        _ => $"the number {value}",
    };
}
