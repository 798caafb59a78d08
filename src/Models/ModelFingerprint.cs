using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace ManagedTransformers.Models;

/// <summary>Tells models apart without reading all of them.</summary>
internal static class ModelFingerprint
{
    private const int Places = 16, PlaceBytes = 64;

    /// <summary>Hexadecimal digits.</summary>
    public static string Of(PretrainedModel model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(model.Architecture));
        hash.AppendData(ConfigJson.Write(model.Config));
        Span<byte> number = stackalloc byte[sizeof(long)];
        // Quantized weights compute other keys and values than those that they were made of, and the same whenever they were made.
        foreach (Weight weight in model.HeldWeights.OrderBy(one => one.Name, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{weight.Name} {weight.Type} {weight.ShapeText}"));
            BinaryPrimitives.WriteInt64LittleEndian(number, weight.ByteLength);
            hash.AppendData(number);
            long step = Math.Max(PlaceBytes, weight.ByteLength / Places);
            for (long place = 0; place < weight.ByteLength; place += step)
                hash.AppendData(weight.Slice(place, (int)Math.Min(PlaceBytes, weight.ByteLength - place)));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }
}
