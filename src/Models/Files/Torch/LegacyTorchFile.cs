using System.Buffers.Binary;
using System.Numerics;

namespace ManagedTransformers.Models;

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
