using System.Buffers.Binary;
using System.Text;

namespace ManagedTransformers.Models.Tests;

/// <summary>PyTorch files built by hand, right and wrong ones. Pickles are written as texts whose characters are bytes.</summary>
internal static class RawTorch
{
    public const string OrderedDict = "ccollections\nOrderedDict\n";

    public static string Pickle(string body) => "\u0080\u0002" + body + ".";

    public static string Int(long value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return "\u008A\u0008" + Encoding.Latin1.GetString(bytes);
    }

    public static string Text(string text) => "\u008C" + (char)text.Length + text;

    public static string Tuple(params IEnumerable<string> items) => $"({string.Concat(items)}t";

    public static string Dict(params IEnumerable<(string Key, string Value)> items) =>
        $"}}({string.Concat(items.Select(item => Text(item.Key) + item.Value))}u";

    public static string Storage(string key, long count, string type = "FloatStorage") =>
        Tuple(Text("storage"), $"ctorch\n{type}\n", Text(key), Text("cpu"), Int(count)) + "Q";

    public static string Tensor(string storage, long offset, long[] shape, long[] strides) =>
        "ctorch._utils\n_rebuild_tensor_v2\n" + Tuple(storage, Int(offset), Tuple(shape.Select(Int)), Tuple(strides.Select(Int)), "\u0089", "}") + "R";

    /// <summary>A tensor of two floats in the storage "0".</summary>
    public static string TwoFloats => Tensor(Storage("0", 2), 0, [2], [1]);

    /// <summary>A whole file in the zip form; the storage "0" has 8 bytes, 0 to 7.</summary>
    public static byte[] Build(string pickleBody, params (string Name, byte[] Bytes)[] more) => Archive(Pickle(pickleBody), more);

    public static byte[] Archive(string pickle, params (string Name, byte[] Bytes)[] more) => Zip(
    [
        ("archive/data.pkl", Bytes(pickle)), ("archive/data/0", [0, 1, 2, 3, 4, 5, 6, 7]), ("archive/version", "3\n"u8.ToArray()),
        ("archive/byteorder", "little"u8.ToArray()), .. more,
    ]);

    /// <summary>A whole file in the form before PyTorch 1.6: state dict, the keys of its storages (a pickle), then each storage's length and bytes.</summary>
    public static byte[] Legacy(string pickleBody, string keys, params (long Count, byte[] Bytes)[] storages)
    {
        const string MagicNumber = "\u008A\u000A\u006C\u00FC\u009C\u0046\u00F9\u0020\u006A\u00A8\u0050\u0019";
        var file = new MemoryStream();
        file.Write(Bytes(string.Concat(new[] { MagicNumber, Int(1001), "}", pickleBody, keys }.Select(Pickle))));
        foreach ((long count, byte[] bytes) in storages)
        {
            file.Write(BitConverter.GetBytes(count));
            file.Write(bytes);
        }
        return file.ToArray();
    }

    /// <summary>A list of texts.</summary>
    public static string List(params IEnumerable<string> texts) => $"]({string.Concat(texts.Select(Text))}e";

    /// <summary>A file with tensors of two floats each.</summary>
    public static byte[] WithTensors(params string[] names) => Build(Dict(names.Select(name => (name, TwoFloats))));

    public static byte[] Bytes(string latin) => Encoding.Latin1.GetBytes(latin);

    /// <summary>A zip archive of stored entries. The two hooks change a header before it is written: entry number, header bytes.</summary>
    public static byte[] Zip((string Name, byte[] Bytes)[] entries, Action<int, byte[]>? local = null, Action<int, byte[]>? central = null)
    {
        var file = new MemoryStream();
        var directory = new MemoryStream();
        for (int i = 0; i < entries.Length; i++)
        {
            (string name, byte[] bytes) = entries[i];
            byte[] encoded = Encoding.UTF8.GetBytes(name);
            byte[] header = new byte[30], entry = new byte[46];
            BinaryPrimitives.WriteUInt32LittleEndian(header, 0x04034B50);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, 0x02014B50);
            foreach ((byte[] record, int sizes, int length) in new[] { (header, 18, 26), (entry, 20, 28) })
            {
                BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(sizes), bytes.Length);
                BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(sizes + 4), bytes.Length);
                BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(length), (ushort)encoded.Length);
            }

            BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(42), (int)file.Position);
            local?.Invoke(i, header);
            central?.Invoke(i, entry);
            foreach (byte[] part in new[] { header, encoded, bytes }) file.Write(part);
            foreach (byte[] part in new[] { entry, encoded }) directory.Write(part);
        }

        byte[] end = new byte[22];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054B50);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), (ushort)entries.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), (ushort)entries.Length);
        BinaryPrimitives.WriteInt32LittleEndian(end.AsSpan(12), (int)directory.Length);
        BinaryPrimitives.WriteInt32LittleEndian(end.AsSpan(16), (int)file.Length);
        file.Write(directory.ToArray());
        file.Write(end);
        return file.ToArray();
    }
}
