using System.Buffers.Binary;

namespace ManagedTransformers.Fuzz;

/// <summary>Changes a pickle opcode by opcode, so that what follows a change is still read as it was meant.</summary>
internal sealed class PickleMutator : Mutator
{
    // The opcodes of protocols 0 to 5, those that no state dict has among them.
    private const string Opcodes = "(.012FIJKLMNPQRSTUVXabcdeghijlopqrstu]})BCG\u0080\u0081\u0082\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e" +
        "\u008f\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098";

    private static readonly string[] s_globals =
    [
        "ctorch._utils\n_rebuild_tensor_v2\n", "ctorch._utils\n_rebuild_parameter\n", "ctorch\nFloatStorage\n", "ctorch\nHalfStorage\n",
        "ctorch\nBoolStorage\n", "ctorch\nBFloat16Storage\n", "ctorch\nLongStorage\n", "ctorch\nComplexFloatStorage\n", "ctorch.storage\nUntypedStorage\n",
        "ccollections\nOrderedDict\n", "cbuiltins\neval\n", "cos\nsystem\n", "ctorch\nSize\n", "ctorch\ndevice\n",
    ];

    private readonly ByteMutator _bytes = new(s_globals);

    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        List<byte[]> code = Split(input), donors = Split(other);
        if (random.Next(6) == 0 || code.Count == 0)
            return _bytes.Change(random, input, other);
        for (int i = Changes(random); i > 0 && code.Count > 0; i--)
            ChangeOnce(random, code, donors);
        return [.. code.SelectMany(opcode => opcode)];
    }

    /// <summary>Opcodes with what belongs to each; the rest as one where it is none.</summary>
    public static List<byte[]> Split(byte[] pickle)
    {
        var code = new List<byte[]>();
        for (int at = 0; at < pickle.Length;)
        {
            int length = Math.Min(Length(pickle.AsSpan(at)), pickle.Length - at);
            code.Add(pickle[at..(at + length)]);
            at += length;
        }
        return code;
    }

    private static int Length(ReadOnlySpan<byte> code)
    {
        ReadOnlySpan<byte> rest = code[1..];
        long length = (char)code[0] switch
        {
            'K' or 'h' or 'q' or '\u0080' or '\u0082' => 2,
            'M' or '\u0083' => 3,
            'J' or 'j' or 'r' or '\u0084' => 5,
            'G' or '\u0095' => 9,
            'U' or 'C' or '\u008a' or '\u008c' => rest.Length < 1 ? 1 : 2 + rest[0],
            'T' or 'X' or 'B' or '\u008b' => rest.Length < 4 ? 5 : 5L + BinaryPrimitives.ReadUInt32LittleEndian(rest),
            '\u008d' or '\u008e' or '\u0096' => rest.Length < 8 ? 9 : 9 + (long)(BinaryPrimitives.ReadUInt64LittleEndian(rest) & int.MaxValue),
            'c' or 'i' => 1 + Lines(rest, 2),
            'F' or 'I' or 'L' or 'P' or 'S' or 'V' or 'g' or 'p' => 1 + Lines(rest, 1),
            _ => 1,
        };
        return (int)Math.Min(length, code.Length);
    }

    private static int Lines(ReadOnlySpan<byte> rest, int count)
    {
        int at = 0;
        for (; count > 0; count--)
        {
            int end = rest[at..].IndexOf((byte)'\n');
            if (end < 0)
                return rest.Length;
            at += end + 1;
        }
        return at;
    }

    private void ChangeOnce(Random random, List<byte[]> code, List<byte[]> donors)
    {
        int at = random.Next(code.Count), length = Math.Min(code.Count - at, 1 << random.Next(6));
        switch (random.Next(9))
        {
            case 0: code.RemoveRange(at, random.Next(2) == 0 ? 1 : length); break;
            case 1: code.InsertRange(random.Next(code.Count), code.GetRange(at, length)); break;
            case 2: code.Insert(at, donors.Count > 0 ? donors[random.Next(donors.Count)] : code[at]); break;
            case 3:
                code.Insert(at, [(byte)Opcodes[random.Next(Opcodes.Length)], .. BitConverter.GetBytes(ByteMutator.Edge(random)).AsSpan(0, random.Next(9))]);
                break;
            case 4: code[at] = System.Text.Encoding.Latin1.GetBytes(s_globals[random.Next(s_globals.Length)]); break;
            case 5: code[at] = [(byte)Opcodes[random.Next(Opcodes.Length)], .. code[at][1..]]; break;
            case 6:
                int to = random.Next(code.Count);
                (code[at], code[to]) = (code[to], code[at]);
                break;
            case 7: code[at] = Integer(ByteMutator.Edge(random)); break;
            default: code[at] = [code[at][0], .. _bytes.Change(random, code[at][1..], code[at])]; break;
        }
    }

    private static byte[] Integer(long value) => value switch
    {
        >= 0 and < 256 => [(byte)'K', (byte)value],
        >= int.MinValue and <= int.MaxValue => [(byte)'J', .. BitConverter.GetBytes((int)value)],
        _ => [0x8A, 8, .. BitConverter.GetBytes(value)],
    };
}
