using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace ManagedTransformers.Models;

/// <summary>A file in a zip archive: where its bytes lie, uncompressed.</summary>
internal readonly record struct ZipEntry(long Offset, long Length);

/// <summary>
/// Reads the directory of a zip archive whose entries are stored without compression, as PyTorch writes them, so that they can be mapped where
/// they lie. System.IO.Compression gives streams, not offsets.
/// </summary>
/// <remarks>The format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.3 (zip64). Checksums are not compared: that would read the whole file.</remarks>
internal readonly struct ZipDirectory
{
    private const uint EndSignature = 0x06054B50, End64Signature = 0x06064B50, Locator64Signature = 0x07064B50;
    private const uint CentralSignature = 0x02014B50, LocalSignature = 0x04034B50;
    private const int EndLength = 22, End64Length = 56, Locator64Length = 20, CentralLength = 46, LocalLength = 30;
    private const int MaxRoom = 4096;                      // entries that room is made for before they are read
    private const int EncryptedFlags = 0x2041;             // encrypted, strongly encrypted, with a hidden directory
    private const int SizesFollowFlag = 0x0008;            // the sizes stand behind the data, not before it

    private readonly FileContent _file;

    private ZipDirectory(FileContent file) => _file = file;

    /// <summary>All files by name.</summary>
    /// <exception cref="CheckpointException">The archive breaks a rule of the format, or has an entry that cannot be mapped.</exception>
    public static Dictionary<string, ZipEntry> Read(FileContent file)
    {
        var zip = new ZipDirectory(file);
        (long offset, long end, long count) = zip.FindDirectory();
        int room = (int)Math.Min(count, MaxRoom);
        var entries = new Dictionary<string, ZipEntry>(room, StringComparer.Ordinal);
        var spans = new List<(long Begin, long End, string Name)>(room);
        long at = offset;
        for (long i = 0; i < count; i++)
        {
            (string name, ZipEntry entry, long header) = zip.ReadEntry(ref at, end, offset);
            if (!entries.TryAdd(name, entry)) throw zip.Bad($"The entry {Shown(name)} is there twice.");
            spans.Add((header, entry.Offset + entry.Length, name));
        }
        if (at != end) throw zip.Bad($"{end - at} bytes follow the {count} entries of its zip directory.");
        zip.RequireApart(spans);
        return entries;
    }

    /// <summary>Where the directory begins and ends, and how many entries it has.</summary>
    private (long Offset, long End, long Count) FindDirectory()
    {
        long end = FindEnd();
        ReadOnlySpan<byte> record = _file.Slice(end, EndLength);
        (long count, long size, long offset) = (UInt16(record, 10), UInt32(record, 12), UInt32(record, 16));
        bool saturated = count == ushort.MaxValue || size == uint.MaxValue || offset == uint.MaxValue;
        if (UInt16(record, 4) is not (0 or ushort.MaxValue) || UInt16(record, 8) != count) throw Bad("It is a part of a zip archive in several files.");
        if (end >= Locator64Length && UInt32(_file.Slice(end - Locator64Length, Locator64Length), 0) == Locator64Signature)
        {
            long end64 = Int64(_file.Slice(end - Locator64Length, Locator64Length), 8);
            if (end64 < 0 || end64 > end - Locator64Length - End64Length || UInt32(_file.Slice(end64, End64Length), 0) != End64Signature)
                throw Bad("The zip64 record is not where the archive says.");
            ReadOnlySpan<byte> record64 = _file.Slice(end64, End64Length);
            (long count64, long size64, long offset64) = (Int64(record64, 32), Int64(record64, 40), Int64(record64, 48));
            if (Disagree(count, ushort.MaxValue, count64) || Disagree(size, uint.MaxValue, size64) || Disagree(offset, uint.MaxValue, offset64))
                throw Bad("Its zip record and its zip64 record disagree.");
            (count, size, offset, end) = (count64, size64, offset64, end64);
        }
        else if (saturated)
            throw Bad("Its zip64 record is missing.");
        if (offset < 0 || size < 0 || count < 0 || offset > end || size != end - offset || count > size / CentralLength)
            throw Bad($"Its zip directory claims {count} entries in {size} bytes from {offset} on; it must end at {end}.");
        return (offset, end, count);
    }

    /// <summary>The end record is the last thing in the file but for a comment, whose length it tells.</summary>
    private long FindEnd()
    {
        int length = (int)Math.Min(_file.Length, EndLength + ushort.MaxValue);
        ReadOnlySpan<byte> tail = _file.Slice(_file.Length - length, length);
        for (int at = length - EndLength; at >= 0; at--)
        {
            if (UInt32(tail, at) == EndSignature && UInt16(tail, at + 20) == length - at - EndLength)
                return _file.Length - length + at;
        }
        throw Bad("The file is truncated: a zip archive ends with its directory, and there is none.");
    }

    private (string Name, ZipEntry Entry, long Header) ReadEntry(ref long at, long end, long directory)
    {
        if (end - at < CentralLength) throw Bad("Its zip directory ends in the middle of an entry.");
        ReadOnlySpan<byte> central = _file.Slice(at, CentralLength);
        if (UInt32(central, 0) != CentralSignature) throw Bad($"There is no entry of a zip directory at {at}.");
        (int nameLength, int extraLength, int commentLength) = (UInt16(central, 28), UInt16(central, 30), UInt16(central, 32));
        if (end - at - CentralLength < nameLength + extraLength + commentLength) throw Bad("Its zip directory ends in the middle of an entry.");
        ReadOnlySpan<byte> encoded = _file.Slice(at + CentralLength, nameLength);
        string name = ReadName(encoded);
        if ((UInt16(central, 8) & EncryptedFlags) != 0) throw Bad($"The entry {Shown(name)} is encrypted; PyTorch stores plain bytes.");
        if (UInt16(central, 10) != 0)
            throw Bad($"The entry {Shown(name)} is compressed (method {UInt16(central, 10)}); PyTorch stores entries as they are. Was the file packed again?");

        (long compressed, long length, long header) = (UInt32(central, 20), UInt32(central, 24), UInt32(central, 42));
        ReadOnlySpan<byte> extra = Zip64Extra(_file.Slice(at + CentralLength + nameLength, extraLength), name);
        Widen(ref length, ref extra, name);
        Widen(ref compressed, ref extra, name);
        Widen(ref header, ref extra, name);
        if (compressed != length) throw Bad($"The entry {Shown(name)} takes {compressed} bytes and has {length}.");
        at += CentralLength + nameLength + extraLength + commentLength;
        return (name, Locate(name, encoded, header, length, directory), header);
    }

    /// <summary>Finds the data behind the entry's own header, which must say the same as the directory.</summary>
    private ZipEntry Locate(string name, ReadOnlySpan<byte> encoded, long header, long length, long directory)
    {
        if (header < 0 || length < 0 || header > directory - LocalLength)
            throw Bad($"The entry {Shown(name)} claims to begin at {header}, outside the file's {directory} bytes of entries.");
        // The header and as much as its name needs; where it is longer the name is another one.
        int headerLength = (int)Math.Min(LocalLength + encoded.Length, directory - header);
        Span<byte> local = headerLength <= 512 ? stackalloc byte[headerLength] : new byte[headerLength];
        _file.Read(header, local);
        (int flags, int nameLength) = (UInt16(local, 6), UInt16(local, 26));
        long offset = header + LocalLength + nameLength + UInt16(local, 28);
        if (UInt32(local, 0) != LocalSignature) throw Bad($"The entry {Shown(name)} does not begin at {header}, where the directory says.");
        if (offset > directory || length > directory - offset)
            throw Bad($"The entry {Shown(name)} claims {length} bytes from {offset} on; the entries end at {directory}.");
        if (nameLength != encoded.Length || !local[LocalLength..].SequenceEqual(encoded))
            throw Bad($"The entry {Shown(name)} has another name in the directory than in its header.");
        if ((flags & EncryptedFlags) != 0 || UInt16(local, 8) != 0)
            throw Bad($"The entry {Shown(name)} is encrypted or compressed; PyTorch stores plain bytes.");
        if ((flags & SizesFollowFlag) == 0 && (Disagree(UInt32(local, 18), uint.MaxValue, length) || Disagree(UInt32(local, 22), uint.MaxValue, length)))
            throw Bad($"The entry {Shown(name)} has {length} bytes in the directory and {UInt32(local, 22)} in its header.");
        return new ZipEntry(offset, length);
    }

    /// <summary>A number that did not fit 32 bits stands in the zip64 field, in the order of the calls.</summary>
    private void Widen(ref long value, ref ReadOnlySpan<byte> extra, string name)
    {
        if (value != uint.MaxValue) return;
        if (extra.Length < sizeof(long)) throw Bad($"The entry {Shown(name)} lacks the 64-bit numbers that it refers to.");
        value = Int64(extra, 0);
        extra = extra[sizeof(long)..];
    }

    /// <summary>The zip64 field (0x0001) among an entry's extra fields; empty where there is none.</summary>
    private ReadOnlySpan<byte> Zip64Extra(ReadOnlySpan<byte> extra, string name)
    {
        while (extra.Length >= 4)
        {
            (int id, int length) = (UInt16(extra, 0), UInt16(extra, 2));
            if (length > extra.Length - 4) throw Bad($"The entry {Shown(name)} has an extra field that does not end.");
            if (id == 0x0001) return extra.Slice(4, length);
            extra = extra[(4 + length)..];
        }
        return [];
    }

    private string ReadName(ReadOnlySpan<byte> utf8)
    {
        if (!Utf8.IsValid(utf8)) throw Bad("An entry of the archive has a name that is not UTF-8.");
        string name = Encoding.UTF8.GetString(utf8);
        if (name.Length == 0 || name[0] == '/' || name.AsSpan().IndexOfAny('\\', ':', '\0') >= 0 || HasDots(name))
            throw Bad($"The entry \"{Shown(name)}\" is not a plain path inside the archive.");
        return name;
    }

    private static bool HasDots(string path)
    {
        if (!path.Contains('.')) return false;
        foreach (Range part in path.AsSpan().Split('/'))
            if (path.AsSpan(part) is "." or "..") return true;
        return false;
    }

    /// <summary>Entries must not lie in one another.</summary>
    private void RequireApart(List<(long Begin, long End, string Name)> spans)
    {
        spans.Sort((a, b) => a.Begin.CompareTo(b.Begin));
        for (int i = 1; i < spans.Count; i++)
            if (spans[i].Begin < spans[i - 1].End) throw Bad($"The entries {Shown(spans[i - 1].Name)} and {Shown(spans[i].Name)} overlap.");
    }

    private static bool Disagree(long value, long saturated, long wide) => value != saturated && value != wide;
    private static int UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
    private static uint UInt32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
    private static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
    private static string Shown(string name) => SafetensorsHeader.Shown(name);
    private CheckpointException Bad(string what) => TorchErrors.Damaged(_file.Name, what);
}
