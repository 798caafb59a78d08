using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// Quantized weights in a safetensors file: a matrix [n, k] is a U8 tensor [n, bytes of a row], whose rows lie as the kernels read them, so that
/// they are mapped and used in place. The file's metadata says which blocks they are.
/// </summary>
/// <remarks>docs/quantized-files.md has the layout.</remarks>
internal static class StoredBlocks
{
    /// <summary>Columns of a pair of blocks: rows are whole pairs.</summary>
    public const int PairColumns = 64;

    private const string Prefix = "managed_transformers.";
    private const string FormatKey = Prefix + "blocks", SizeKey = Prefix + "block_size", VersionKey = Prefix + "block_version";
    private const string Size = "32", Version = "1";

    private static readonly Dictionary<string, WeightType> Formats = new(StringComparer.Ordinal) { ["int8"] = WeightType.Int8, ["int4"] = WeightType.Int4 };

    /// <summary>The blocks that a file's U8 matrices hold; null where it says nothing.</summary>
    /// <exception cref="CheckpointException">It says something that this version does not know.</exception>
    public static WeightType? Read(IReadOnlyDictionary<string, string> metadata, string file)
    {
        if (!metadata.TryGetValue(FormatKey, out string? format)) return null;
        WeightType type = Formats.TryGetValue(format, out WeightType known) ? known : throw Unknown(FormatKey, format, string.Join(" and ", Formats.Keys));
        Require(SizeKey, Size);
        Require(VersionKey, Version);
        return type;

        void Require(string key, string needed)
        {
            string found = metadata.GetValueOrDefault(key, "");
            if (found != needed) throw Unknown(key, found, needed);
        }
        CheckpointException Unknown(string key, string found, string needed) => new(
            $"{file}: its metadata says {key} = \"{SafetensorsHeader.Shown(found)}\"; this version reads {needed}. It was quantized by another version: " +
                "use that one, or quantize the original checkpoint again (mtx convert).")
        {
            FileName = file,
        };
    }

    /// <summary>Says which blocks a file's U8 matrices hold.</summary>
    public static void Write(IDictionary<string, string> metadata, WeightType type)
    {
        metadata[FormatKey] = Formats.Single(pair => pair.Value == type).Key;
        (metadata[SizeKey], metadata[VersionKey]) = (Size, Version);
    }

    /// <summary>How the matrices of linear layers are quantized; null for as stored.</summary>
    public static WeightType? TypeOf(WeightFormat format) => format switch
    {
        WeightFormat.Int8 => WeightType.Int8,
        WeightFormat.Int4 => WeightType.Int4,
        WeightFormat.AsStored => null,
        _ => throw new ArgumentException($"WeightFormat is {format}; it can be {string.Join(", ", Enum.GetNames<WeightFormat>())}.", nameof(format)),
    };

    /// <summary>The shape in which [n, k] is stored.</summary>
    public static long[] ShapeOf(WeightType type, long n, int k) => [n, WeightMatrix.BytesOfRow(type, k)];

    /// <summary>The shape [n, k] of the matrix that a weight holds in blocks; null where it holds none, or its rows are no whole pairs of blocks.</summary>
    public static long[]? MatrixShape(Weight weight)
    {
        if (weight.BlockType is not WeightType type) return null;
        (long pairs, long rest) = Math.DivRem(weight.Shape[1], WeightMatrix.BytesOfRow(type, PairColumns));
        return rest == 0 ? [weight.Shape[0], pairs * PairColumns] : null;
    }
}
