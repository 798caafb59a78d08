using System.Numerics;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Models;

/// <summary>
/// Reads a pickle as data. Python's machine calls whatever function a pickle names; this one knows the few globals of <see cref="TorchGlobal"/>,
/// each a constructor of plain values written here, refuses every other by name, and executes nothing.
/// </summary>
/// <remarks>
/// The opcodes are those of Python's pickletools. Time and memory are bounded: an opcode makes at most one small object, containers are never
/// walked (they may hold themselves), and the number of opcodes is limited.
/// </remarks>
internal ref struct PickleMachine(ReadOnlySpan<byte> bytes, string file)
{
    /// <summary>Bytes that are looked at; the pickle of a tensor takes about 150.</summary>
    public const int MaxLength = 1 << 26;

    private const int MaxOpcodes = 4_000_000;              // the pickle of a tensor takes about 40
    private const int MaxMarks = 64;                       // a state dict nests about six deep
    private const int MaxIntegerLength = 16;               // the legacy format's magic number has ten bytes

    private static readonly object[] SmallIntegers = [.. Enumerable.Range(0, 256).Select(number => (object)(long)number)];

    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly List<object?> _memo = [];
    private readonly Dictionary<uint, object?> _sparseMemo = [];      // pickles number their memo 0, 1, 2 …; another index must not cost memory
    private PickleReader _reader = new(bytes, file);

    /// <summary>Storages that the pickle named, by key.</summary>
    public Dictionary<string, TorchStorage> Storages { get; } = new(StringComparer.Ordinal);

    /// <summary>Where the pickle ended.</summary>
    public readonly int Length => _reader.Position;

    /// <summary>Runs to STOP.</summary>
    /// <returns>The value that the pickle stands for.</returns>
    /// <exception cref="CheckpointException">It is damaged, too large, or asks for anything but data.</exception>
    public object? Run()
    {
        for (int count = 0; count < MaxOpcodes; count++)
        {
            var opcode = (PickleOpcode)_reader.Byte();
            if (opcode == PickleOpcode.Stop)
            {
                object? result = Pop();
                return _stack.Count == 0 ? result : throw Bad($"{_stack.Count} values are left over at its end");
            }
            if (!RunMemo(opcode) && !RunScalar(opcode) && !RunContainer(opcode) && !RunObject(opcode))
                throw Refuse($"uses the opcode 0x{(byte)opcode:X2} at {_reader.Position - 1}, which no state dict needs");
        }
        throw Refuse($"has more than {MaxOpcodes} opcodes, far more than any state dict");
    }

    /// <summary>First, as nearly half of the opcodes of a state dict are these.</summary>
    private bool RunMemo(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.LongBinPut: Put(_reader.UInt32()); break;
            case PickleOpcode.BinGet: Get(_reader.Byte()); break;
            case PickleOpcode.BinPut: Put(_reader.Byte()); break;
            case PickleOpcode.LongBinGet: Get(_reader.UInt32()); break;
            case PickleOpcode.Memoize: Put((uint)(_memo.Count + _sparseMemo.Count)); break;
            default: return false;
        }
        return true;
    }

    private bool RunScalar(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Proto: RequireProtocol(_reader.Byte()); break;
            case PickleOpcode.Frame: _reader.UInt64(); break;       // a hint for reading ahead
            case PickleOpcode.None: Push(null); break;
            case PickleOpcode.NewTrue: Push(true); break;
            case PickleOpcode.NewFalse: Push(false); break;
            case PickleOpcode.BinInt: Push((long)_reader.Int32()); break;
            case PickleOpcode.BinInt1: Push(SmallIntegers[_reader.Byte()]); break;
            case PickleOpcode.BinInt2: Push((long)_reader.UInt16()); break;
            case PickleOpcode.Long1: PushInteger(_reader.Byte()); break;
            case PickleOpcode.BinFloat: Push(_reader.Double()); break;
            case PickleOpcode.BinString: Push(_reader.Text(_reader.UInt32())); break;
            case PickleOpcode.ShortBinString: Push(_reader.Text(_reader.Byte())); break;
            case PickleOpcode.BinUnicode: Push(_reader.Text(_reader.UInt32())); break;
            case PickleOpcode.ShortBinUnicode: Push(_reader.Text(_reader.Byte())); break;
            case PickleOpcode.BinUnicode8: Push(_reader.Text(_reader.UInt64())); break;
            case PickleOpcode.BinBytes: Push(new PickleBytes(_reader.Take(_reader.UInt32()).Length)); break;
            case PickleOpcode.ShortBinBytes: Push(new PickleBytes(_reader.Take(_reader.Byte()).Length)); break;
            case PickleOpcode.BinBytes8: Push(new PickleBytes(_reader.Take(_reader.UInt64()).Length)); break;
            default: return false;
        }
        return true;
    }

    private bool RunContainer(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Mark: PushMark(); break;
            case PickleOpcode.PopMark: Drop(TakeMark()); break;
            case PickleOpcode.EmptyTuple: Push(new PickleTuple([])); break;
            case PickleOpcode.Tuple1: Push(new PickleTuple([Pop()])); break;
            case PickleOpcode.Tuple2: Push(new PickleTuple(Pop(2))); break;
            case PickleOpcode.Tuple3: Push(new PickleTuple(Pop(3))); break;
            case PickleOpcode.Tuple: Push(new PickleTuple(Pop(TakeMark()))); break;
            case PickleOpcode.EmptyList: Push(new PickleList()); break;
            case PickleOpcode.List: Fill(PutBelow(TakeMark(), new PickleList())); break;
            case PickleOpcode.Append: Fill(1); break;
            case PickleOpcode.Appends: Fill(TakeMark()); break;
            case PickleOpcode.EmptyDict: Push(new PickleDict()); break;
            case PickleOpcode.Dict: Set(PutBelow(TakeMark(), new PickleDict())); break;
            case PickleOpcode.SetItem: Set(2); break;
            case PickleOpcode.SetItems: Set(TakeMark()); break;
            default: return false;
        }
        return true;
    }

    private bool RunObject(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Pop when _marks.Count > 0 && _marks[^1] == _stack.Count: TakeMark(); break;
            case PickleOpcode.Pop: Pop(); break;
            case PickleOpcode.Dup: Push(Peek()); break;
            case PickleOpcode.Global:
                string module = _reader.Line();
                Push(TorchGlobal.Find(module, _reader.Line(), file));
                break;
            case PickleOpcode.StackGlobal:
                object?[] names = Pop(2);
                if (names is not [string from, string name]) throw Bad("a global is named by something that is no text");
                Push(TorchGlobal.Find(from, name, file));
                break;
            case PickleOpcode.Reduce: Reduce(arguments: Pop(), function: Pop()); break;
            case PickleOpcode.Build: Build(Pop()); break;
            case PickleOpcode.BinPersId: PushStorage(Pop()); break;
            default: return false;
        }
        return true;
    }

    private readonly void Reduce(object? arguments, object? function)
    {
        if (function is not TorchGlobal global || arguments is not PickleTuple tuple)
            throw Refuse($"calls {PickleValues.Describe(function)} with {PickleValues.Describe(arguments)}");
        Push(global.Call(tuple.Items, file));
    }

    /// <summary>The attributes of an OrderedDict, of which state dicts have one: <c>_metadata</c>, the versions of the modules.</summary>
    private readonly void Build(object? attributes)
    {
        if (Peek() is not PickleDict || attributes is not PickleDict)
            throw Refuse($"sets the state of {PickleValues.Describe(Peek())} to {PickleValues.Describe(attributes)}");
    }

    private readonly void PushStorage(object? id)
    {
        TorchStorage storage = TorchStorage.FromPersistentId(id, file);
        if (!Storages.TryAdd(storage.Key, storage) && !storage.IsSameRoot(Storages[storage.Key]))
            throw Bad($"the storage {SafetensorsHeader.Shown(storage.Key)} has two types or sizes");
        Push(storage);
    }

    /// <summary>Adds the top <paramref name="count"/> values to the list below them.</summary>
    private readonly void Fill(int count)
    {
        Span<object?> items = Top(count, out object? below);
        if (below is not PickleList list) throw Bad($"items are added to {PickleValues.Describe(below)}");
        foreach (object? item in items) list.Add(item);
        Drop(count);
    }

    /// <summary>Adds the top <paramref name="count"/> values, which alternate between keys and values, to the dict below them.</summary>
    private readonly void Set(int count)
    {
        Span<object?> pairs = Top(count, out object? below);
        if (below is not PickleDict dict) throw Bad($"entries are set in {PickleValues.Describe(below)}");
        if (count % 2 != 0) throw Bad("a key has no value");
        for (int i = 0; i < count; i += 2) dict.Add(pairs[i], pairs[i + 1]);
        Drop(count);
    }

    /// <summary>Puts a container below the top <paramref name="count"/> values, which are to fill it. Returns their number.</summary>
    private readonly int PutBelow(int count, object container)
    {
        _stack.Insert(_stack.Count - count, container);
        return count;
    }

    private void PushInteger(byte length)
    {
        if (length > MaxIntegerLength) throw Refuse($"has an integer of {length} bytes");
        var value = new BigInteger(_reader.Take(length));
        if (value >= long.MinValue && value <= long.MaxValue) Push((long)value);
        else Push(value);
    }

    private readonly void RequireProtocol(byte protocol)
    {
        if (protocol is < 2 or > 5) throw Refuse($"is of protocol {protocol}; PyTorch writes 2 to 5");
    }

    private readonly void Push(object? value) => _stack.Add(value);

    private readonly void PushMark()
    {
        if (_marks.Count == MaxMarks) throw Refuse($"nests deeper than {MaxMarks} levels");
        _marks.Add(_stack.Count);
    }

    private readonly void Put(uint index)
    {
        object? value = Peek();
        if (index < _memo.Count) _memo[(int)index] = value;
        else if (index == _memo.Count && _sparseMemo.Count == 0) _memo.Add(value);
        else _sparseMemo[index] = value;
    }

    private readonly void Get(uint index)
    {
        if (index < _memo.Count) Push(_memo[(int)index]);
        else Push(_sparseMemo.TryGetValue(index, out object? value) ? value : throw Bad($"it asks for its memo {index}, which it has not set"));
    }

    private readonly object? Peek()
    {
        RequireValues(1);
        return _stack[^1];
    }

    private readonly object? Pop()
    {
        RequireValues(1);
        object? value = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private readonly object?[] Pop(int count)
    {
        RequireValues(count);
        object?[] values = new object?[count];
        _stack.CopyTo(_stack.Count - count, values, 0, count);
        Drop(count);
        return values;
    }

    private readonly void Drop(int count) => _stack.RemoveRange(_stack.Count - count, count);

    /// <summary>The values above, where they lie, and the one below them.</summary>
    private readonly Span<object?> Top(int count, out object? below)
    {
        RequireValues(count + 1);
        below = _stack[^(count + 1)];
        return CollectionsMarshal.AsSpan(_stack)[^count..];
    }

    /// <summary>Takes the last mark away. Returns how many values lie above it.</summary>
    private readonly int TakeMark()
    {
        if (_marks.Count == 0) throw Bad("a mark is missing");
        int count = _stack.Count - _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        return count;
    }

    /// <summary>Values below the last mark belong to another container.</summary>
    private readonly void RequireValues(int count)
    {
        if (_stack.Count - (_marks.Count == 0 ? 0 : _marks[^1]) < count) throw Bad("a value is missing");
    }

    private readonly CheckpointException Bad(string what) => TorchErrors.Damaged(file, $"Its pickle makes no sense before byte {_reader.Position}: {what}.");
    private readonly CheckpointException Refuse(string what) => TorchErrors.Refused(file, $"Its pickle {what}.");
}
