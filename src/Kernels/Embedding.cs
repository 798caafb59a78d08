using System.Buffers;

namespace ManagedTransformers.Kernels;

/// <summary>Rows of a table by id.</summary>
public static class Embedding
{
    /// <summary>y[i] = table[ids[i]], widened to float32.</summary>
    /// <param name="ids">Row numbers, [tokens].</param>
    /// <param name="table">[vocabulary, hidden], as stored.</param>
    /// <param name="y">[tokens, hidden].</param>
    /// <param name="options">Level.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative, or not below the rows of the table; nothing was written.</exception>
    /// <exception cref="ArgumentException">y does not fit.</exception>
    public static void Lookup(ReadOnlySpan<int> ids, WeightMatrix table, Span<float> y, KernelOptions options)
    {
        CheckArguments(ids, table, y, options);
        for (int i = 0; i < ids.Length; i++)
            Conversion.Widen(table.Row(ids[i]), table.Type, y.Slice(i * table.K, table.K), options);
    }

    /// <summary>y[i] += table[ids[i]].</summary>
    /// <param name="ids">Row numbers, [tokens].</param>
    /// <param name="table">[vocabulary, hidden], as stored.</param>
    /// <param name="y">[tokens, hidden].</param>
    /// <param name="options">Level.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative, or not below the rows of the table; nothing was written.</exception>
    /// <exception cref="ArgumentException">y does not fit.</exception>
    public static void LookupAdd(ReadOnlySpan<int> ids, WeightMatrix table, Span<float> y, KernelOptions options)
    {
        CheckArguments(ids, table, y, options);
        float[] rented = ArrayPool<float>.Shared.Rent(table.K);
        Span<float> row = rented.AsSpan(0, table.K);
        for (int i = 0; i < ids.Length; i++)
        {
            Conversion.Widen(table.Row(ids[i]), table.Type, row, options);
            Span<float> to = y.Slice(i * table.K, table.K);
            Add.Run(to, row, to, options);
        }
        ArrayPool<float>.Shared.Return(rented);
    }

    private static void CheckArguments(ReadOnlySpan<int> ids, WeightMatrix table, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Length(y.Length, (long)ids.Length * table.K, $"y [{ids.Length}, {table.K}]");
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)table.N)
                throw new ArgumentOutOfRangeException(nameof(ids), ids[i], $"ids[{i}] is {ids[i]}; the table has rows 0 to {table.N - 1}.");
        }
    }
}
