namespace ManagedTransformers.Models;

/// <summary>What a global of a pickle may be.</summary>
internal enum TorchGlobalKind
{
    OrderedDict,     // a dict that keeps its order; plain and ordered dicts are one here
    Size,            // a shape: a tuple
    Tensor,          // a tensor of a typed storage
    TypedTensor,     // a tensor of an untyped storage and an element type: those that never had a storage class
    Parameter,       // a tensor that was a module's parameter
    Storage,         // the class of a storage; named, never called
    ElementType,     // an element type; named, never called
}

/// <summary>
/// A global that state dicts use: the whole list of what a pickle may name. Each stands for one of the constructors below; none is a Python function.
/// </summary>
/// <remarks>
/// Names are those of torch/_utils.py and torch/storage.py, as torch.save has written them since 0.4. Types that this runtime cannot hold (complex, quantised)
/// are not among them.
/// </remarks>
internal sealed record TorchGlobal(TorchGlobalKind Kind, string FullName, ElementType? Type = null)
{
    private static readonly Dictionary<string, TorchGlobal> Known = List().ToDictionary(global => global.FullName, StringComparer.Ordinal);

    /// <summary>Looks a global up.</summary>
    /// <exception cref="CheckpointException">It is none of the list.</exception>
    public static TorchGlobal Find(string module, string name, string file) =>
        Known.TryGetValue($"{module}.{name}", out TorchGlobal? global)
            ? global
            : throw TorchErrors.Refused(file, $"Its pickle asks for {SafetensorsHeader.Shown(module)}.{SafetensorsHeader.Shown(name)}; " +
                "allowed are tensors, their storages and OrderedDict.");

    /// <summary>Makes the value that the call stands for.</summary>
    /// <exception cref="CheckpointException">It cannot be called, or not with these arguments.</exception>
    public object Call(object?[] arguments, string file) => (Kind, arguments) switch
    {
        (TorchGlobalKind.OrderedDict, []) => new PickleDict(),
        (TorchGlobalKind.OrderedDict, [PickleList pairs]) => FromPairs(pairs, file),
        (TorchGlobalKind.Size, [PickleTuple shape]) => shape,
        (TorchGlobalKind.Tensor, [TorchStorage { Type: ElementType type } storage, long offset, PickleTuple shape, PickleTuple strides, ..]) =>
            TorchTensor.Create(storage, type, offset, shape, strides, file),
        (TorchGlobalKind.TypedTensor, [TorchStorage { Type: null } storage, long offset, PickleTuple shape, PickleTuple strides, _, _,
            TorchGlobal { Kind: TorchGlobalKind.ElementType } type, ..]) =>
            TorchTensor.Create(storage, type.Type!.Value, offset, shape, strides, file),
        (TorchGlobalKind.Parameter, [TorchTensor tensor, ..]) => tensor,
        _ => throw TorchErrors.Damaged(file, $"Its pickle calls {FullName} with " +
            $"({SafetensorsHeader.Shown(string.Join(", ", arguments.Take(8).Select(PickleValues.Describe)))})."),
    };

    /// <summary>Python 2 wrote an OrderedDict as a list of pairs.</summary>
    private static PickleDict FromPairs(PickleList pairs, string file)
    {
        var dict = new PickleDict();
        foreach (object? pair in pairs.Items)
        {
            (object? key, object? value) = pair switch
            {
                PickleList { Items: [var k, var v] } => (k, v),
                PickleTuple { Items: [var k, var v] } => (k, v),
                _ => throw TorchErrors.Damaged(file, $"Its pickle makes an OrderedDict of {PickleValues.Describe(pair)}; pairs are needed."),
            };
            dict.Add(key, value);
        }
        return dict;
    }

    private static IEnumerable<TorchGlobal> List()
    {
        yield return new(TorchGlobalKind.OrderedDict, "collections.OrderedDict");
        yield return new(TorchGlobalKind.Size, "torch.Size");
        yield return new(TorchGlobalKind.Tensor, "torch._utils._rebuild_tensor");
        yield return new(TorchGlobalKind.Tensor, "torch._utils._rebuild_tensor_v2");
        yield return new(TorchGlobalKind.TypedTensor, "torch._utils._rebuild_tensor_v3");
        yield return new(TorchGlobalKind.Parameter, "torch._utils._rebuild_parameter");
        yield return new(TorchGlobalKind.Parameter, "torch._utils._rebuild_parameter_with_state");
        yield return new(TorchGlobalKind.Storage, "torch.storage.UntypedStorage");
        foreach ((string storage, string dtype, ElementType type) in Types())
        {
            yield return new(TorchGlobalKind.Storage, $"torch.{storage}Storage", type);
            yield return new(TorchGlobalKind.ElementType, $"torch.{dtype}", type);
        }

        // They came after storages ceased to have types, so there is no class of storage for them.
        yield return new(TorchGlobalKind.ElementType, "torch.float8_e4m3fn", Models.ElementType.F8E4M3);
        yield return new(TorchGlobalKind.ElementType, "torch.float8_e5m2", Models.ElementType.F8E5M2);
        yield return new(TorchGlobalKind.ElementType, "torch.uint16", Models.ElementType.U16);
        yield return new(TorchGlobalKind.ElementType, "torch.uint32", Models.ElementType.U32);
        yield return new(TorchGlobalKind.ElementType, "torch.uint64", Models.ElementType.U64);
    }

    private static IEnumerable<(string Storage, string Dtype, ElementType Type)> Types() =>
    [
        ("Double", "float64", Models.ElementType.F64), ("Float", "float32", Models.ElementType.F32),
        ("Half", "float16", Models.ElementType.F16), ("BFloat16", "bfloat16", Models.ElementType.BF16),
        ("Long", "int64", Models.ElementType.I64), ("Int", "int32", Models.ElementType.I32), ("Short", "int16", Models.ElementType.I16),
        ("Char", "int8", Models.ElementType.I8), ("Byte", "uint8", Models.ElementType.U8), ("Bool", "bool", Models.ElementType.Bool),
    ];
}
