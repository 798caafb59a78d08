using System.Buffers.Binary;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Writes small SentencePiece models, and damaged ones.</summary>
internal static class SentencePieceWriter
{
    public static byte[] Model(byte[] trainer, byte[] normalizer, params SentencePiece[] pieces) =>
        [.. pieces.SelectMany(piece => Message(1, Piece(piece))), .. Message(2, trainer), .. Message(3, normalizer)];

    /// <summary>A BPE of ▁, a, b, ab, ▁ab after unk, s and /s.</summary>
    public static byte[] Bpe(byte[]? normalizer = null, params SentencePiece[] more) => Model(
        Number(3, 2), normalizer ?? Number(4, 0),
        [.. Begin, new("▁", -10, PieceType.Normal), new("a", -11, PieceType.Normal), new("b", -12, PieceType.Normal), new("ab", -1, PieceType.Normal),
            new("▁ab", -2, PieceType.Normal), .. more]);

    /// <summary>A Unigram of ▁, a, b, ▁ab.</summary>
    public static byte[] Unigram(byte[]? normalizer = null, params SentencePiece[] more) => Model(
        Number(3, 1), normalizer ?? [],
        [.. Begin, new("▁", -3, PieceType.Normal), new("a", -2, PieceType.Normal), new("b", -2, PieceType.Normal), new("▁ab", -4, PieceType.Normal), .. more]);

    public static SentencePiece[] Begin { get; } =
        [new("<unk>", 0, PieceType.Unknown), new("<s>", 0, PieceType.Control), new("</s>", 0, PieceType.Control)];

    public static byte[] Piece(SentencePiece piece)
    {
        var score = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(score, piece.Score);
        return [.. Message(1, System.Text.Encoding.UTF8.GetBytes(piece.Text)), 2 << 3 | 5, .. score, .. Number(3, (int)piece.Type)];
    }

    public static byte[] Message(int field, byte[] content) => [.. Varint((ulong)((field << 3) | 2)), .. Varint((ulong)content.Length), .. content];

    public static byte[] Number(int field, int value) => [.. Varint((ulong)(field << 3)), .. Varint((ulong)(long)value)];

    private static List<byte> Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value > 127; value >>= 7) bytes.Add((byte)(value | 128));
        bytes.Add((byte)value);
        return bytes;
    }
}
