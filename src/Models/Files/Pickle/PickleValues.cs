namespace ManagedTransformers.Models;

/// <summary>A Python tuple.</summary>
internal sealed record PickleTuple(object?[] Items);

/// <summary>A Python list.</summary>
internal sealed class PickleList
{
    private List<object?>? _items;

    public IReadOnlyList<object?> Items => _items ?? [];
    public void Add(object? item) => (_items ??= []).Add(item);
}

/// <summary>A Python dict or OrderedDict: pairs in the order in which they were set. Nothing is looked up in it, so that no key is ever hashed.</summary>
internal sealed class PickleDict
{
    private List<(object? Key, object? Value)>? _items;

    public IReadOnlyList<(object? Key, object? Value)> Items => _items ?? [];
    public void Add(object? key, object? value) => (_items ??= []).Add((key, value));
}

/// <summary>Bytes that a pickle holds; state dicts need none, so only their number is kept.</summary>
internal sealed record PickleBytes(int Length);

/// <summary>What messages call a value of a pickle.</summary>
internal static class PickleValues
{
    /// <summary>Its kind and, where it is short, itself. Looks one level deep: containers may hold themselves.</summary>
    public static string Describe(object? value) => value switch
    {
        null => "None",
        bool truth => truth ? "True" : "False",
        string text => $"the text \"{SafetensorsHeader.Shown(text)}\"",
        PickleBytes bytes => $"{bytes.Length} bytes",
        PickleList list => $"a list of {list.Items.Count}",
        PickleTuple tuple => $"a tuple of {tuple.Items.Length}",
        PickleDict dict when dict.Items.Any(item => item.Value is TorchTensor) =>
            $"a dict of {dict.Items.Count} entries, {dict.Items.Count(item => item.Value is TorchTensor)} of them tensors",
        PickleDict dict => $"a dict of {dict.Items.Count} entries",
        TorchTensor tensor => $"a tensor of shape {TensorEntry.Describe(tensor.Shape)}",
        TorchStorage storage => $"the storage {SafetensorsHeader.Shown(storage.Key)}",
        TorchGlobal global => $"the global {global.FullName}",
        _ => $"the number {value}",
    };
}
