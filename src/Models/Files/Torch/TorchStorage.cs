namespace ManagedTransformers.Models;

/// <summary>A storage that a pickle names: one run of elements, which several tensors may share.</summary>
/// <param name="Key">Its name in the file.</param>
/// <param name="Type">What it holds; null for bytes whose tensors say it (UntypedStorage).</param>
/// <param name="Count">Elements, or bytes where it has no type.</param>
/// <param name="ViewOffset">Where the part begins that this reference means, in elements.</param>
/// <param name="ViewCount">Elements of that part.</param>
internal sealed record TorchStorage(string Key, ElementType? Type, long Count, long ViewOffset, long ViewCount)
{
    private int ElementSize => Type?.Size() ?? 1;

    public long ByteLength => Count * ElementSize;
    public long ViewByteOffset => ViewOffset * ElementSize;
    public long ViewByteLength => ViewCount * ElementSize;

    /// <summary>Whether both are references to one storage.</summary>
    public bool IsSameRoot(TorchStorage other) => (other.Type, other.Count) == (Type, Count);

    /// <summary>
    /// Reads <c>("storage", class, key, location, count)</c>; before PyTorch 1.6 a sixth item says which part is meant, None for all,
    /// else <c>(key of the part, offset, count)</c>.
    /// </summary>
    /// <exception cref="CheckpointException">It is something else, or its size is impossible.</exception>
    public static TorchStorage FromPersistentId(object? id, string file)
    {
        if (id is not PickleTuple { Items: ["storage", TorchGlobal { Kind: TorchGlobalKind.Storage } type, string key, string, long count, .. object?[] rest] }
            || rest.Length > 1)
            throw TorchErrors.Refused(file, $"Its pickle refers to something outside itself that is no storage: {PickleValues.Describe(id)}.");
        if (count < 0 || count > long.MaxValue / (type.Type?.Size() ?? 1))
            throw TorchErrors.Damaged(file, $"The storage {SafetensorsHeader.Shown(key)} claims {count} elements.");
        return rest switch
        {
            [] or [null] => new TorchStorage(key, type.Type, count, 0, count),
            [PickleTuple { Items: [string, long offset, long viewCount] }] when offset >= 0 && viewCount >= 0 && offset <= count - viewCount =>
                new TorchStorage(key, type.Type, count, offset, viewCount),
            _ => throw TorchErrors.Damaged(file, $"The part of the storage {SafetensorsHeader.Shown(key)} that is meant does not lie in its {count} elements."),
        };
    }
}
