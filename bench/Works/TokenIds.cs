using System.Runtime.InteropServices;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Inputs that are the same in every run and for every peer.</summary>
internal static class TokenIds
{
    // Above the special tokens and below every vocabulary that is measured.
    private const int First = 5;
    private const int End = 30_000;

    /// <summary>[count] ids of a fixed seed.</summary>
    public static int[] Some(int count)
    {
        var random = new Random(4711);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(First, End))];
    }

    /// <summary>Sixteen lengths from 10 to 300, of a fixed seed.</summary>
    public static int[] BatchLengths()
    {
        var random = new Random(16);
        return [.. Enumerable.Range(0, 16).Select(_ => random.Next(10, 301))];
    }

    /// <summary>Writes ids, then the attention mask where there is one, as int64: what the peers read.</summary>
    public static void Write(string path, params ReadOnlySpan<int[]> arrays)
    {
        using FileStream file = File.Create(path);
        foreach (int[] array in arrays)
            file.Write(MemoryMarshal.AsBytes<long>([.. array.Select(id => (long)id)]));
    }

    /// <summary>The mask of inputs, or ones where they have none.</summary>
    public static int[] MaskOf(ModelInputs inputs) => inputs.AttentionMask ?? [.. Enumerable.Repeat(1, inputs.BatchSize * inputs.SequenceLength)];
}
