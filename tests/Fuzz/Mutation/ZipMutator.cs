using System.Buffers.Binary;
using System.Text;

namespace ManagedTransformers.Fuzz;

/// <summary>Changes the entries of a zip archive and writes it anew, so that its directory fits; or changes the directory's bytes.</summary>
/// <param name="mutatorOf">The mutator of an entry, by its name.</param>
internal sealed class ZipMutator(Func<string, Mutator> mutatorOf) : Mutator
{
    private static readonly string[] s_names = ["archive/data.pkl", "archive/version", "archive/byteorder", "archive/data/0", "archive/constants.pkl", "../x"];

    private readonly ByteMutator _bytes = new("PK\u0001\u0002", "PK\u0003\u0004", "PK\u0005\u0006", "PK\u0006\u0006", "PK\u0006\u0007");

    public override byte[] Change(Random random, byte[] input, byte[] other)
    {
        List<(string Name, byte[] Bytes)> entries = Read(input);
        if (random.Next(4) == 0 || entries.Count == 0)
            return ChangeDirectory(random, input, other);
        int at = random.Next(entries.Count);
        (string name, byte[] bytes) = random.Next(2) == 0 ? entries[at] : entries[at = 0];
        switch (random.Next(12))
        {
            case 0: entries.RemoveAt(at); break;
            case 1: entries.Add((s_names[random.Next(s_names.Length)], bytes)); break;
            case 2: entries[at] = (s_names[random.Next(s_names.Length)], bytes); break;
            default:
                byte[] donor = Read(other).FirstOrDefault(entry => entry.Name == name).Bytes ?? bytes;
                entries[at] = (name, mutatorOf(name).Change(random, bytes, donor));
                break;
        }
        return Write(entries);
    }

    /// <summary>Many entries, or a long one.</summary>
    public override byte[] Grow(Random random, byte[] input, int length)
    {
        List<(string Name, byte[] Bytes)> entries = Read(input);
        if (entries.Count == 0)
            return base.Grow(random, input, length);
        int at = random.Next(entries.Count);
        (string name, byte[] bytes) = entries[at];
        if (random.Next(2) == 0)
            entries[at] = (name, mutatorOf(name).Grow(random, bytes, length));
        else
            entries.AddRange(Enumerable.Range(0, Math.Min(ushort.MaxValue - 100, length / (120 + bytes.Length))).Select(i => ($"{name}{i}", bytes)));
        return Write(entries);
    }

    /// <summary>A zip archive of entries that are stored as they are.</summary>
    public static byte[] Write(IReadOnlyList<(string Name, byte[] Bytes)> entries)
    {
        using var file = new MemoryStream();
        using var directory = new MemoryStream();
        foreach ((string name, byte[] bytes) in entries)
        {
            byte[] encoded = Encoding.UTF8.GetBytes(name), header = new byte[30], central = new byte[46];
            BinaryPrimitives.WriteUInt32LittleEndian(header, 0x04034B50);
            BinaryPrimitives.WriteUInt32LittleEndian(central, 0x02014B50);
            foreach ((byte[] record, int sizes, int length) in new[] { (header, 18, 26), (central, 20, 28) })
            {
                BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(sizes), bytes.Length);
                BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(sizes + 4), bytes.Length);
                BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(length), (ushort)encoded.Length);
            }
            BinaryPrimitives.WriteInt32LittleEndian(central.AsSpan(42), (int)file.Length);
            file.Write([.. header, .. encoded, .. bytes]);
            directory.Write([.. central, .. encoded]);
        }
        byte[] end = new byte[22];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054B50);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), (ushort)entries.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), (ushort)entries.Count);
        BinaryPrimitives.WriteInt32LittleEndian(end.AsSpan(12), (int)directory.Length);
        BinaryPrimitives.WriteInt32LittleEndian(end.AsSpan(16), (int)file.Length);
        return [.. file.ToArray(), .. directory.ToArray(), .. end];
    }

    // The directory is most of what can go wrong, and a small part of the file.
    private byte[] ChangeDirectory(Random random, byte[] input, byte[] other)
    {
        int start = input.AsSpan().IndexOf("PK\u0001\u0002"u8);
        if (start < 0 || random.Next(4) == 0)
            return _bytes.Change(random, input, other);
        byte[] rest = input[start..];
        for (int i = Changes(random); i > 0; i--)
        {
            int at = random.Next(rest.Length), size = 1 << random.Next(4);
            byte[] number = BitConverter.GetBytes(random.Next(3) == 0 ? random.Next(input.Length) : ByteMutator.Edge(random));
            number.AsSpan(0, Math.Min(size, rest.Length - at)).CopyTo(rest.AsSpan(at));
        }
        return [.. input[..start], .. random.Next(3) == 0 ? _bytes.Change(random, rest, other) : rest];
    }

    /// <summary>The entries of an archive, as far as they can be told.</summary>
    public static List<(string Name, byte[] Bytes)> Read(byte[] input)
    {
        var entries = new List<(string, byte[])>();
        try
        {
            using var archive = new System.IO.Compression.ZipArchive(new MemoryStream(input));
            foreach (System.IO.Compression.ZipArchiveEntry entry in archive.Entries.Take(100))
            {
                using Stream stream = entry.Open();
                using var bytes = new MemoryStream();
                stream.CopyTo(bytes);
                entries.Add((entry.FullName, bytes.ToArray()));
            }
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or IOException or NotSupportedException or OverflowException)
        {
            // What was read so far is changed.
        }
        return entries;
    }
}
