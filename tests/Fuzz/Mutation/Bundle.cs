using System.Globalization;
using System.Text;

namespace ManagedTransformers.Fuzz;

/// <summary>Several files as one input: for each a line "--- NAME LENGTH", its bytes, and a line break.</summary>
internal static class Bundle
{
    private static ReadOnlySpan<byte> Mark => "--- "u8;

    public static byte[] Write(IEnumerable<KeyValuePair<string, byte[]>> files)
    {
        using var stream = new MemoryStream();
        foreach ((string name, byte[] bytes) in files)
        {
            stream.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"--- {name} {bytes.Length}\n")));
            stream.Write(bytes);
            stream.WriteByte((byte)'\n');
        }
        return stream.ToArray();
    }

    public static byte[] Write(params (string Name, byte[] Bytes)[] files) => Write(files.Select(file => KeyValuePair.Create(file.Name, file.Bytes)));

    /// <summary>The files, as far as the input is such.</summary>
    public static OrderedDictionary<string, byte[]> Read(ReadOnlySpan<byte> input)
    {
        var files = new OrderedDictionary<string, byte[]>(StringComparer.Ordinal);
        while (input.StartsWith(Mark) && input.IndexOf((byte)'\n') is int end and > 0)
        {
            string[] parts = Encoding.UTF8.GetString(input[Mark.Length..end]).Split(' ');
            if (parts.Length != 2 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int length))
                break;
            input = input[(end + 1)..];
            length = Math.Min(length, input.Length);
            files[parts[0]] = input[..length].ToArray();
            input = input[Math.Min(length + 1, input.Length)..];
        }
        return files;
    }

    /// <summary>The files as loaders take them.</summary>
    public static Dictionary<string, ReadOnlyMemory<byte>> Files(ReadOnlySpan<byte> input) =>
        Read(input).ToDictionary(file => file.Key, file => (ReadOnlyMemory<byte>)file.Value, StringComparer.Ordinal);
}

/// <summary>Changes one of several files by the mutator of its kind; now and then leaves one out, or takes one from another input.</summary>
/// <param name="mutatorOf">The mutator of a file, by its name.</param>
internal sealed class BundleMutator(Func<string, Mutator> mutatorOf) : Mutator
{
    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        OrderedDictionary<string, byte[]> files = Bundle.Read(input), donors = Bundle.Read(other);
        if (files.Count == 0)
            return other;
        (string name, byte[] bytes) = files.GetAt(random.Next(files.Count));
        if (files.Count > 1 && random.Next(24) == 0)
            files.Remove(name);
        else if (donors.Count > 0 && random.Next(12) == 0)
        {
            (string given, byte[] content) = donors.GetAt(random.Next(donors.Count));
            files[given] = content;
        }
        else
            files[name] = mutatorOf(name).Change(random, bytes, donors.GetValueOrDefault(name) ?? bytes);
        return Bundle.Write(files);
    }

    public override byte[] Grow(Random random, byte[] input, int length)
    {
        OrderedDictionary<string, byte[]> files = Bundle.Read(input);
        if (files.Count == 0)
            return input;
        (string name, byte[] bytes) = files.GetAt(random.Next(files.Count));
        files[name] = mutatorOf(name).Grow(random, bytes, length);
        return Bundle.Write(files);
    }
}

/// <summary>Changes the lines of a text, and what stands in one.</summary>
/// <param name="inner">Changes a line.</param>
internal sealed class LineMutator(Mutator inner) : Mutator
{
    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        List<byte[]> lines = Split(input), donors = Split(other);
        for (int i = Changes(random); i > 0; i--)
        {
            int at = random.Next(lines.Count);
            switch (random.Next(6))
            {
                case 0 when lines.Count > 1: lines.RemoveAt(at); break;
                case 1: lines.Insert(at, lines[random.Next(lines.Count)]); break;
                case 2: lines.Insert(at, donors[random.Next(donors.Count)]); break;
                case 3: (lines[at], lines[^1]) = (lines[^1], lines[at]); break;
                default: lines[at] = inner.Change(random, lines[at], donors[random.Next(donors.Count)]); break;
            }
        }
        return Join(random, lines);
    }

    public override byte[] Grow(Random random, byte[] input, int length)
    {
        List<byte[]> lines = Split(input);
        int at = random.Next(lines.Count);
        byte[] line = lines[at];
        if (random.Next(2) == 0)
            lines[at] = inner.Grow(random, line, length);
        else
            lines.InsertRange(at, Enumerable.Range(0, length / (line.Length + 8)).Select(i => (byte[])[.. line, .. Seeds.Utf8($"{i}")]));
        return Join(random, lines);
    }

    private static byte[] Join(Random random, List<byte[]> lines)
    {
        using var stream = new MemoryStream();
        for (int i = 0; i < lines.Count; i++)
        {
            if (i > 0)
                stream.Write(random.Next(100) == 0 ? "\r\n"u8 : "\n"u8);
            stream.Write(lines[i]);
        }
        return stream.ToArray();
    }

    private static List<byte[]> Split(byte[] text)
    {
        var lines = new List<byte[]>();
        int from = 0;
        for (int at; (at = Array.IndexOf(text, (byte)'\n', from)) >= 0; from = at + 1)
            lines.Add(text[from..at]);
        lines.Add(text[from..]);
        return lines;
    }
}
