using System.Buffers.Binary;
using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>How a field of a protobuf message is written.</summary>
internal enum WireType
{
    /// <summary>A number in 7 bits a byte, the low ones first.</summary>
    Varint = 0,

    /// <summary>8 bytes.</summary>
    Fixed64 = 1,

    /// <summary>A length and as many bytes: a string, bytes, or a message.</summary>
    Bytes = 2,

    /// <summary>4 bytes, such as a float.</summary>
    Fixed32 = 5,
}

/// <summary>Reads the fields of one protobuf message, in order. Nothing is copied, and no length is believed before it is checked.</summary>
/// <remarks>protobuf.dev/programming-guides/encoding; groups, which are not used any more, are refused.</remarks>
/// <param name="message">The message.</param>
/// <param name="name">What it is, for errors: <c>tokenizer.model: trainer_spec</c>.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, string name)
{
    private readonly ReadOnlySpan<byte> _message = message;
    private int _next;
    private int _field;
    private WireType _wire;

    /// <summary>Goes to the next field; its value is then read or skipped.</summary>
    /// <returns>False at the end of the message.</returns>
    public bool TryNext(out int field)
    {
        field = 0;
        if (_next == _message.Length) return false;
        ulong key = ReadNumber();
        if (key >> 3 is 0 or > 0x1FFFFFFF) throw Damaged($"a field has the number {key >> 3}");
        (_field, _wire) = ((int)(key >> 3), (WireType)(key & 7));
        if (!Enum.IsDefined(_wire)) throw Damaged($"field {_field} has wire type {(int)_wire}");
        field = _field;
        return true;
    }

    public int Int32()
    {
        Expect(WireType.Varint);
        return (int)ReadNumber();       // negative ones are written as 64 bits
    }

    public bool Bool()
    {
        Expect(WireType.Varint);
        return ReadNumber() != 0;
    }

    public float Float()
    {
        Expect(WireType.Fixed32);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    public ReadOnlySpan<byte> Bytes()
    {
        Expect(WireType.Bytes);
        ulong length = ReadNumber();
        if (length > (ulong)(_message.Length - _next)) throw Damaged($"field {_field} has {length} bytes, of which {_message.Length - _next} are there");
        return Take((int)length);
    }

    public string String()
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Bytes());
        }
        catch (DecoderFallbackException e)
        {
            throw Damaged($"field {_field} is not UTF-8", e);
        }
    }

    /// <summary>Passes over a field that is not asked for.</summary>
    public void Skip()
    {
        if (_wire == WireType.Varint) ReadNumber();
        else if (_wire == WireType.Bytes) Bytes();
        else Take(_wire == WireType.Fixed64 ? 8 : 4);
    }

    private void Expect(WireType wire)
    {
        if (_wire != wire) throw Damaged($"field {_field} has wire type {(int)_wire} ({_wire}); it must be {(int)wire} ({wire})");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _message.Length - _next) throw Damaged($"it ends inside field {_field}");
        ReadOnlySpan<byte> taken = _message.Slice(_next, length);
        _next += length;
        return taken;
    }

    private ulong ReadNumber()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_next == _message.Length) throw Damaged("it ends inside a number");
            byte b = _message[_next++];
            value |= (ulong)(b & 127) << shift;
            if (b < 128) return value;
        }
        throw Damaged("a number has more than 10 bytes");
    }

    private readonly TokenizerException Damaged(string why, Exception? inner = null) =>
        new($"{name} is damaged or something else: at byte {_next} of {_message.Length}, {why}. Get the file again.", inner);
}
