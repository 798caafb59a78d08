using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>A pytorch_model.bin with the tensors of a checkpoint and no numbers: they are holes in the file, as opening does not read them.</summary>
internal sealed class TorchCheckpoint
{
    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _directory = new();
    private ushort _entries;

    private TorchCheckpoint(FileStream file) => _file = file;

    /// <summary>Writes it to a path; what is there is replaced.</summary>
    public static void Write(IReadOnlyCollection<Weight> weights, string path)
    {
        using var file = new FileStream(path, FileMode.Create);
        var archive = new TorchCheckpoint(file);
        byte[] pickle = StateDictPickle.Of(weights);
        archive.Begin("data.pkl", pickle.Length);
        file.Write(pickle);
        foreach ((int key, Weight weight) in weights.Index())
        {
            archive.Begin($"data/{key}", weight.ByteLength);
            file.Seek(weight.ByteLength, SeekOrigin.Current);
        }

        archive.Begin("version", 2);
        file.Write("3\n"u8);
        archive.End();
    }

    /// <summary>The header of an entry whose bytes come next, here and in the directory.</summary>
    private void Begin(string name, long length)
    {
        byte[] encoded = Encoding.UTF8.GetBytes("archive/" + name), local = new byte[30], central = new byte[46];
        BinaryPrimitives.WriteUInt32LittleEndian(local, 0x04034B50);
        BinaryPrimitives.WriteUInt32LittleEndian(central, 0x02014B50);
        foreach ((byte[] header, int sizes) in new[] { (local, 18), (central, 20) })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(sizes), checked((uint)length));
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(sizes + 4), checked((uint)length));
        }

        BinaryPrimitives.WriteUInt16LittleEndian(local.AsSpan(26), (ushort)encoded.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(central.AsSpan(28), (ushort)encoded.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(central.AsSpan(42), checked((uint)_file.Position));
        _directory.Write([.. central, .. encoded]);
        _file.Write([.. local, .. encoded]);
        _entries++;
    }

    private void End()
    {
        byte[] end = new byte[22];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054B50);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), _entries);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), _entries);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(12), (uint)_directory.WrittenCount);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(16), checked((uint)_file.Position));
        _file.Write(_directory.WrittenSpan);
        _file.Write(end);
    }
}
