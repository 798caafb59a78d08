namespace ManagedTransformers.Kernels;

/// <summary>Rows of a table by id.</summary>
internal static unsafe class Embedding
{
    /// <summary>y[i] = table[ids[i]], widened to float32; ids are row numbers [tokens], y is [tokens, hidden].</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative, or not below the rows of the table; nothing was written.</exception>
    /// <exception cref="ArgumentException">y does not fit.</exception>
    public static void Lookup(ReadOnlySpan<int> ids, WeightMatrix table, Span<float> y, KernelOptions options) => Run(ids, table, y, adds: false, options);

    /// <summary>y[i] += table[ids[i]].</summary>
    /// <inheritdoc cref="Lookup"/>
    public static void LookupAdd(ReadOnlySpan<int> ids, WeightMatrix table, Span<float> y, KernelOptions options) => Run(ids, table, y, adds: true, options);

    private static void Run(ReadOnlySpan<int> ids, WeightMatrix table, Span<float> y, bool adds, KernelOptions options)
    {
        CheckArguments(ids, table, y, options);
        fixed (int* pIds = ids)
        fixed (byte* pTable = table.Data)
        fixed (float* py = y)
        {
            var job = new RowsJob
            {
                Ids = pIds,
                Table = pTable,
                Type = table.Type,
                RowBytes = table.RowBytes,
                Hidden = table.K,
                Y = py,
                Adds = adds,
                Options = options,
            };
            WorkerPool.Shared.Run(ids.Length, y.Length < WorkerPool.SerialFloats ? 1 : options.MaxThreads, job);
        }
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

    // One token per task.
    private struct RowsJob : IJob
    {
        public int* Ids;
        public byte* Table;
        public WeightType Type;
        public int RowBytes, Hidden;
        public float* Y;
        public bool Adds;
        public KernelOptions Options;

        public readonly void Execute(int task)
        {
            var stored = new ReadOnlySpan<byte>(Table + ((nint)Ids[task] * RowBytes), RowBytes);
            var y = new Span<float>(Y + ((nint)task * Hidden), Hidden);
            Span<float> row = Adds ? new Span<float>(Scratch.ForTask(Hidden), Hidden) : y;
            Conversion.Widen(stored, Type, row, Options);
            if (Adds) Add.Run(y, row, y, Options);
        }
    }
}
