using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>The pickle of a state dict, opcode for opcode as torch.save writes it in protocol 2: names and globals once, then from the memo.</summary>
internal sealed class StateDictPickle
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly Dictionary<string, int> _memo = new(StringComparer.Ordinal);
    private int _memoized;

    private StateDictPickle()
    {
    }

    /// <summary>Tensors of float32 or float16; the storage of tensor i has the key i.</summary>
    public static byte[] Of(IReadOnlyCollection<Weight> weights)
    {
        var pickle = new StateDictPickle();
        pickle.Opcodes("\u0080\u0002");
        pickle.OrderedDict();
        pickle.Opcodes("(");
        foreach ((int key, Weight weight) in weights.Index())
        {
            pickle.Text(weight.Name);
            pickle.Tensor($"{key}", weight);
        }

        pickle.Opcodes("u.");
        return pickle._bytes.WrittenSpan.ToArray();
    }

    private void Tensor(string key, Weight weight)
    {
        Global("torch._utils\n_rebuild_tensor_v2\n");
        Opcodes("((");
        Text("storage");
        Global(weight.Type == ElementType.F16 ? "torch\nHalfStorage\n" : "torch\nFloatStorage\n");
        Text(key);
        Text("cpu");
        Number(Product(weight.Shape));
        Memoized("t");
        Opcodes("Q");
        Number(0);
        Tuple(weight.Shape);
        Tuple(weight.Shape.Select((_, axis) => Product(weight.Shape.Skip(axis + 1))));
        Opcodes("\u0089");
        OrderedDict();
        Memoized("t");
        Memoized("R");
    }

    private void OrderedDict()
    {
        Global("collections\nOrderedDict\n");
        Opcodes(")");
        Memoized("R");
    }

    private void Tuple(IEnumerable<long> numbers)
    {
        Opcodes("(");
        foreach (long number in numbers) Number(number);
        Memoized("t");
    }

    private void Number(long number)
    {
        if (number < 1 << 8) Opcodes($"K{(char)number}");
        else if (number < 1 << 16) Opcodes($"M{(char)(number & 0xFF)}{(char)(number >> 8)}");
        else Opcodes("J", checked((int)number));
    }

    private void Global(string lines) => Once("c" + lines, () => Opcodes("c" + lines));

    private void Text(string text) => Once("X" + text, () =>
    {
        Opcodes("X", Encoding.UTF8.GetByteCount(text));
        _bytes.Write(Encoding.UTF8.GetBytes(text));
    });

    private void Once(string key, Action write)
    {
        if (_memo.TryGetValue(key, out int index))
        {
            Opcodes("j", index);
            return;
        }

        _memo.Add(key, _memoized);
        write();
        Memoized("");
    }

    private void Memoized(string opcodes) => Opcodes(opcodes + "r", _memoized++);

    private void Opcodes(string latin) => _bytes.Write(Encoding.Latin1.GetBytes(latin));

    private void Opcodes(string latin, int operand)
    {
        Opcodes(latin);
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, operand);
        _bytes.Write(bytes);
    }

    private static long Product(IEnumerable<long> sizes) => sizes.Aggregate(1L, (product, size) => product * size);
}
