namespace ManagedTransformers.Fuzz;

/// <summary>Makes new inputs of those that are there.</summary>
internal abstract class Mutator
{
    /// <summary>A changed copy of an input.</summary>
    /// <param name="random">Decides.</param>
    /// <param name="input">What is changed.</param>
    /// <param name="other">Another input, to take parts from.</param>
    public abstract byte[] Change(Random random, byte[] input, byte[] other);

    /// <summary>A far larger input of the same kind: a part of it, many times. What takes more than linear time or memory shows there.</summary>
    /// <param name="random">Decides.</param>
    /// <param name="input">What is repeated.</param>
    /// <param name="length">How long it becomes, about.</param>
    public virtual byte[] Grow(Random random, byte[] input, int length)
    {
        if (input.Length == 0)
            return new byte[length];
        int at = random.Next(input.Length), part = Math.Min(input.Length - at, 1 << random.Next(12));
        using var grown = new MemoryStream(length + input.Length);
        grown.Write(input.AsSpan(0, at));
        while (grown.Length < length)
            grown.Write(input.AsSpan(at, part));
        grown.Write(input.AsSpan(at));
        return grown.ToArray();
    }

    /// <summary>How many changes to make: one half of the time, seldom many.</summary>
    protected static int Changes(Random random) => random.Next(2) == 0 ? 1 : 1 << random.Next(4);
}

/// <summary>Changes bytes, whatever they mean.</summary>
/// <param name="words">Words of the format, to put in.</param>
internal sealed class ByteMutator(params string[] words) : Mutator
{
    private static readonly long[] s_edges =
    [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 512, 1000, 1024, 4096, 32767, 32768, 65535, 65536, 100_000_000, int.MaxValue,
        int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue, -1, -2, -128, 1L << 31, 1L << 32, 1L << 62,
    ];

    private readonly byte[][] _words = [.. words.Select(System.Text.Encoding.UTF8.GetBytes)];

    /// <summary>A number at which programs change their ways.</summary>
    public static long Edge(Random random) => s_edges[random.Next(s_edges.Length)];

    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        var bytes = new List<byte>(input);
        for (int i = Changes(random); i > 0; i--)
            ChangeOnce(random, bytes, other);
        return [.. bytes];
    }

    private void ChangeOnce(Random random, List<byte> bytes, byte[] other)
    {
        int at = bytes.Count == 0 ? 0 : random.Next(bytes.Count), rest = bytes.Count - at;
        int length = Math.Min(rest, 1 << random.Next(8));
        switch (random.Next(bytes.Count == 0 ? 3 : 11))
        {
            case 0:
                bytes.InsertRange(at, Enumerable.Repeat((byte)random.Next(256), 1 << random.Next(6)));
                break;
            case 1 when _words.Length > 0:
                bytes.InsertRange(at, _words[random.Next(_words.Length)]);
                break;
            case 2 when other.Length > 0:
                int from = random.Next(other.Length);
                bytes.InsertRange(at, other.AsSpan(from, Math.Min(other.Length - from, 1 << random.Next(10))).ToArray());
                break;
            case 3: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 4: bytes[at] = (byte)random.Next(256); break;
            case 5: bytes[at] = (byte)(bytes[at] + random.Next(-8, 9)); break;
            case 6: Overwrite(bytes, at, BitConverter.GetBytes(Edge(random)).AsSpan(0, Math.Min(rest, 1 << random.Next(4)))); break;
            case 7: bytes.RemoveRange(at, length); break;
            case 8: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
            case 9: Overwrite(bytes, random.Next(bytes.Count), [.. bytes.GetRange(at, length)]); break;
            case 10 when random.Next(4) == 0: bytes.RemoveRange(at, rest); break;
            default: break;
        }
    }

    private static void Overwrite(List<byte> bytes, int at, ReadOnlySpan<byte> with)
    {
        for (int i = 0; i < with.Length && at + i < bytes.Count; i++)
            bytes[at + i] = with[i];
    }
}
