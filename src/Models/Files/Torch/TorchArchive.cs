using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace ManagedTransformers.Models;


/// <summary>
/// The form that torch.save writes since PyTorch 1.6: a zip archive with <c>NAME/data.pkl</c>, the pickle, <c>NAME/data/KEY</c>, the bytes of each
/// storage, <c>NAME/version</c> and, in newer files, <c>NAME/byteorder</c>.
/// </summary>
/// <remarks>torch/serialization.py (_save, _load) and caffe2/serialize/inline_container.cc.</remarks>
internal static class TorchArchive
{
    private const string Pickle = "data.pkl";
    private const int MaxVersion = 10;                     // kMaxSupportedFileFormatVersion
    private const int MaxTextLength = 64;

    /// <summary>Whether a file of this form begins so.</summary>
    public static bool IsArchive(ReadOnlySpan<byte> start) => start.StartsWith("PK\u0003\u0004"u8);

    /// <exception cref="CheckpointException">The file is damaged, or holds something else than a state dict.</exception>
    public static List<Weight> Read(FileContent file)
    {
        Dictionary<string, ZipEntry> entries = ZipDirectory.Read(file);
        string root = FindRoot(entries.Keys, file.Name);
        RequireVersion(file, entries, root);
        ZipEntry pickle = entries[root + Pickle];
        if (pickle.Length > PickleMachine.MaxLength)
            throw TorchErrors.Refused(file.Name, $"Its pickle has {pickle.Length} bytes; " +
                $"the names and shapes of a state dict take at most {PickleMachine.MaxLength}.");

        var machine = new PickleMachine(file.Slice(pickle.Offset, (int)pickle.Length), file.Name);
        object? content = machine.Run();
        if (machine.Length != pickle.Length) throw TorchErrors.Damaged(file.Name, $"{pickle.Length - machine.Length} bytes follow the end of its pickle.");
        var places = new Dictionary<string, long>(machine.Storages.Count, StringComparer.Ordinal);
        foreach (TorchStorage storage in machine.Storages.Values) places.Add(storage.Key, Locate(storage, entries, root, file.Name));
        return [.. StateDict.Read(content, file.Name).Select(item => file.CreateWeight(item.Name, item.Tensor, places[item.Tensor.Storage.Key]))];
    }

    /// <summary>The one folder that everything lies in; it has the name of the file, or "archive".</summary>
    private static string FindRoot(IEnumerable<string> names, string file)
    {
        string[] roots = [.. names.Where(name => name.EndsWith("/" + Pickle, StringComparison.Ordinal) && name.IndexOf('/') == name.Length - Pickle.Length - 1)
            .Select(name => name[..^Pickle.Length])];
        if (roots.Length != 1)
            throw TorchErrors.Damaged(file, $"The zip archive has {roots.Length} entries NAME/{Pickle}; a file of torch.save has one.");
        if (names.Contains(roots[0] + "constants.pkl"))
            throw TorchErrors.Refused(file, "It is a TorchScript program (it has constants.pkl), not a state dict.");
        return roots[0];
    }

    private static void RequireVersion(FileContent file, Dictionary<string, ZipEntry> entries, string root)
    {
        string version = Text(file, entries, root + "version") ?? throw TorchErrors.Damaged(file.Name, $"The entry {root}version is missing.");
        if (!int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is < 1 or > MaxVersion)
            throw TorchErrors.Damaged(file.Name, $"It is of file format version \"{version}\"; known are 1 to {MaxVersion}.");
        if (Text(file, entries, root + "byteorder") is string order && order != "little")
            throw TorchErrors.Damaged(file.Name, $"Its byte order is \"{order}\"; only little-endian files are read. " +
                "Save it again on a little-endian machine.");
    }

    private static string? Text(FileContent file, Dictionary<string, ZipEntry> entries, string name) =>
        !entries.TryGetValue(name, out ZipEntry entry) ? null
        : Encoding.ASCII.GetString(file.Slice(entry.Offset, (int)Math.Min(entry.Length, MaxTextLength))).Trim();

    /// <summary>Where the bytes of a storage begin.</summary>
    private static long Locate(TorchStorage storage, Dictionary<string, ZipEntry> entries, string root, string file)
    {
        string name = $"{root}data/{storage.Key}";
        if (!entries.TryGetValue(name, out ZipEntry entry))
            throw TorchErrors.Damaged(file, $"The entry {SafetensorsHeader.Shown(name)} is missing; it holds {storage.ByteLength} bytes of tensors.");
        if (entry.Length != storage.ByteLength)
            throw TorchErrors.Damaged(file, $"The entry {SafetensorsHeader.Shown(name)} has {entry.Length} bytes; the pickle says {storage.ByteLength}.");
        return entry.Offset;
    }
}

/// <summary>
/// The form that torch.save wrote before PyTorch 1.6: pickles of a magic number, a protocol version, facts about the writer's machine, the state
/// dict, and the keys of its storages; then the storages in that order, each after its number of elements (8 bytes, little-endian).
/// </summary>
/// <remarks>torch/serialization.py, _legacy_save and _legacy_load; THPStorage_(writeFileRaw). Numbers are little-endian whatever machine wrote them.</remarks>
internal static class LegacyTorchFile
{
    private const int ProtocolVersion = 1001;
    private static readonly BigInteger MagicNumber = new([0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]);

    /// <summary>Whether the file begins as a pickle does.</summary>
    public static bool IsPickle(ReadOnlySpan<byte> start) => start is [(byte)PickleOpcode.Proto, ..];

    /// <exception cref="CheckpointException">The file is damaged, or holds something else than a state dict.</exception>
    public static List<Weight> Read(FileContent file)
    {
        long position = 0;
        if (Run(file, ref position, out _) is not BigInteger magic || magic != MagicNumber)
            throw TorchErrors.Refused(file.Name, "It is a pickle, but not one of torch.save, which begins with a magic number.");
        if (Run(file, ref position, out _) is not (long)ProtocolVersion)
            throw TorchErrors.Damaged(file.Name, $"The protocol version of torch.save that follows its magic number is not {ProtocolVersion}.");
        Run(file, ref position, out _);                    // sys_info: says nothing that is needed
        object? content = Run(file, ref position, out Dictionary<string, TorchStorage> storages);
        object? keys = Run(file, ref position, out _);
        Dictionary<string, long> offsets = LocateStorages(file, position, keys, storages);
        return [.. StateDict.Read(content, file.Name)
            .Select(item => file.CreateWeight(item.Name, item.Tensor, OffsetOf(item.Tensor.Storage, offsets, file.Name)))];
    }

    private static object? Run(FileContent file, ref long position, out Dictionary<string, TorchStorage> storages)
    {
        var machine = new PickleMachine(file.Slice(position, (int)Math.Min(file.Length - position, PickleMachine.MaxLength)), file.Name);
        object? value = machine.Run();
        position += machine.Length;
        storages = machine.Storages;
        return value;
    }

    private static Dictionary<string, long> LocateStorages(FileContent file, long position, object? keys, Dictionary<string, TorchStorage> storages)
    {
        if (keys is not PickleList list) throw TorchErrors.Damaged(file.Name, $"In place of the list of its storages there is {PickleValues.Describe(keys)}.");
        var offsets = new Dictionary<string, long>(StringComparer.Ordinal);
        Span<byte> length = stackalloc byte[sizeof(long)];
        foreach (object? item in list.Items)
        {
            if (item is not string key || !storages.TryGetValue(key, out TorchStorage? storage))
                throw TorchErrors.Damaged(file.Name, $"The list of its storages has {PickleValues.Describe(item)}, which no tensor refers to.");
            long rest = file.Length - position - sizeof(long);
            if (rest < 0) throw TorchErrors.Damaged(file.Name, $"The file is truncated: the storage {SafetensorsHeader.Shown(key)} is missing.");
            file.Read(position, length);
            long count = BinaryPrimitives.ReadInt64LittleEndian(length);
            if (count != storage.Count)
                throw TorchErrors.Damaged(file.Name, $"The storage {SafetensorsHeader.Shown(key)} has {count} elements; the pickle says {storage.Count}.");
            if (storage.ByteLength > rest)
                throw TorchErrors.Damaged(file.Name, "The file is truncated: " +
                    $"the storage {SafetensorsHeader.Shown(key)} needs {storage.ByteLength} bytes, {rest} are left.");
            if (!offsets.TryAdd(key, position + sizeof(long)))
                throw TorchErrors.Damaged(file.Name, $"The storage {SafetensorsHeader.Shown(key)} is there twice.");
            position += sizeof(long) + storage.ByteLength;
        }
        return position == file.Length ? offsets : throw TorchErrors.Damaged(file.Name, $"{file.Length - position} bytes follow the last storage.");
    }

    private static long OffsetOf(TorchStorage storage, Dictionary<string, long> offsets, string file) => offsets.TryGetValue(storage.Key, out long offset)
        ? offset
        : throw TorchErrors.Damaged(file, $"The storage {SafetensorsHeader.Shown(storage.Key)} is missing; it holds {storage.ByteLength} bytes of tensors.");
}
