namespace ManagedTransformers.Fuzz;

/// <summary>Changes a protobuf message field by field, and the messages in it.</summary>
internal sealed class ProtobufMutator : Mutator
{
    private readonly ByteMutator _bytes = new("\u2581", "<unk>", "<s>", "</s>", "<0x41>", "\ud83d\ude00");

    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        if (random.Next(10) == 0 || Read(input) is not { Count: > 0 } fields)
            return _bytes.Change(random, input, other);
        List<Field> donors = Read(other) is { Count: > 0 } given ? given : [.. fields];
        for (int i = Changes(random); i > 0 && fields.Count > 0; i--)
            ChangeOnce(random, fields, donors);
        return Write(fields);
    }

    private void ChangeOnce(Random random, List<Field> fields, List<Field> donors)
    {
        int at = random.Next(fields.Count);
        Field field = fields[at];
        switch (random.Next(9))
        {
            case 0: fields.RemoveAt(at); break;
            case 1: fields.Insert(random.Next(fields.Count + 1), field); break;
            case 2: fields.Insert(at, donors[random.Next(donors.Count)]); break;
            case 3: fields[at] = field with { Number = (uint)random.Next(8) == 0 ? (uint)ByteMutator.Edge(random) >> 3 : (uint)random.Next(60) }; break;
            case 4 when field.Bytes.Length is 4 or 8 or 0:
                (int wire, byte[] value) = random.Next(3) switch
                {
                    0 => (0, Array.Empty<byte>()),
                    1 => (5, BitConverter.GetBytes((float)ByteMutator.Edge(random))),
                    _ => (1, BitConverter.GetBytes(ByteMutator.Edge(random))),
                };
                fields[at] = new Field(field.Number, wire, (ulong)ByteMutator.Edge(random), value);
                break;
            case 5 when field.Wire == 5:
                float[] edges = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0f, float.MaxValue, random.NextSingle() * -20];
                fields[at] = field with { Bytes = BitConverter.GetBytes(edges[random.Next(edges.Length)]) };
                break;
            default:
                fields[at] = field.Wire == 0
                    ? field with { Value = random.Next(3) == 0 ? field.Value + 1 : (ulong)ByteMutator.Edge(random) }
                    : field with { Bytes = Inner(random, field, donors[random.Next(donors.Count)]) };
                break;
        }
    }

    private byte[] Inner(Random random, Field field, Field donor) =>
        field.Wire == 2 && random.Next(6) > 0 && Read(field.Bytes) is { Count: > 0 } ? Change(random, field.Bytes, donor.Bytes)
        : field.Wire == 2 ? _bytes.Change(random, field.Bytes, donor.Bytes)
        : [.. _bytes.Change(random, field.Bytes, field.Bytes), .. new byte[8]];

    private static List<Field>? Read(ReadOnlySpan<byte> message)
    {
        var fields = new List<Field>();
        while (!message.IsEmpty)
        {
            if (!TryVarint(ref message, out ulong key) || key >> 3 is 0 or > int.MaxValue)
                return null;
            ulong value = 0;
            int wire = (int)(key & 7);
            if (wire is 0 or 2 && !TryVarint(ref message, out value))
                return null;
            ulong length = wire switch { 0 => 0, 1 => 8, 2 => value, 5 => 4, _ => ulong.MaxValue };
            if (length > (ulong)message.Length)
                return null;
            fields.Add(new Field((uint)(key >> 3), wire, value, message[..(int)length].ToArray()));
            message = message[(int)length..];
        }
        return fields;
    }

    private static bool TryVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (int i = 0; i < Math.Min(10, bytes.Length); i++)
        {
            value |= (ulong)(bytes[i] & 127) << (7 * i);
            if (bytes[i] >= 128)
                continue;
            bytes = bytes[(i + 1)..];
            return true;
        }
        return false;
    }

    private static byte[] Write(List<Field> fields)
    {
        using var stream = new MemoryStream();
        foreach (Field field in fields)
        {
            WriteVarint(stream, ((ulong)field.Number << 3) | (uint)field.Wire);
            if (field.Wire == 0)
                WriteVarint(stream, field.Value);
            else if (field.Wire == 2)
                WriteVarint(stream, (ulong)field.Bytes.Length);
            stream.Write(field.Wire switch { 0 => [], 1 => field.Bytes.AsSpan(0, 8), 5 => field.Bytes.AsSpan(0, 4), _ => field.Bytes });
        }
        return stream.ToArray();
    }

    private static void WriteVarint(MemoryStream stream, ulong value)
    {
        for (; value > 127; value >>= 7)
            stream.WriteByte((byte)(value | 128));
        stream.WriteByte((byte)value);
    }

    /// <param name="Number">Its number.</param>
    /// <param name="Wire">How it is written.</param>
    /// <param name="Value">That of a varint.</param>
    /// <param name="Bytes">Those of any other.</param>
    private readonly record struct Field(uint Number, int Wire, ulong Value, byte[] Bytes);
}
