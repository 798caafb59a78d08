namespace ManagedTransformers.Kernels;

/// <summary>y = xᵀ, whatever the elements mean.</summary>
internal static unsafe class Transposition
{
    /// <summary>Elements of a tile's side: a tile of x and one of y are in the first-level cache together.</summary>
    private const int Side = 32;

    /// <summary>[rows, columns] → [columns, rows]; the two must not overlap.</summary>
    /// <param name="x">Row after row, possibly unaligned.</param>
    /// <param name="rows">Rows of x.</param>
    /// <param name="columns">Columns of x.</param>
    /// <param name="elementSize">Bytes of an element: 1, 2, 4 or 8.</param>
    /// <param name="y">As long as x.</param>
    /// <param name="options">The number of threads.</param>
    /// <exception cref="ArgumentException">A length does not fit, or an element has another size.</exception>
    public static void Run(ReadOnlySpan<byte> x, int rows, int columns, int elementSize, Span<byte> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.NotNegative(rows);
        Check.NotNegative(columns);
        Check.Length(x.Length, (long)rows * columns * elementSize, $"x [{rows}, {columns}] with elements of {elementSize} bytes");
        Check.Length(y.Length, x.Length, $"y [{columns}, {rows}]");
        switch (elementSize)
        {
            case 1: Run<byte>(x, rows, columns, y, options); break;
            case 2: Run<ushort>(x, rows, columns, y, options); break;
            case 4: Run<uint>(x, rows, columns, y, options); break;
            case 8: Run<ulong>(x, rows, columns, y, options); break;
            default: throw new ArgumentException($"Elements have {elementSize} bytes; 1, 2, 4 or 8 are needed.", nameof(elementSize));
        }
    }

    private static void Run<T>(ReadOnlySpan<byte> x, int rows, int columns, Span<byte> y, KernelOptions options) where T : unmanaged
    {
        fixed (byte* px = x, py = y)
        {
            var job = new StripJob<T> { X = (T*)px, Y = (T*)py, Rows = rows, Columns = columns };
            int strips = (columns + Side - 1) / Side, threads = (long)rows * columns < WorkerPool.SerialFloats ? 1 : options.MaxThreads;
            WorkerPool.Shared.Run(strips, threads, job);
        }
    }

    // Side columns of x, which are rows of y, per task.
    private struct StripJob<T> : IJob where T : unmanaged
    {
        public T* X, Y;
        public int Rows, Columns;

        public readonly void Execute(int task)
        {
            int first = task * Side, end = Math.Min(first + Side, Columns);
            for (int start = 0; start < Rows; start += Side)
            {
                int stop = Math.Min(start + Side, Rows);
                for (int column = first; column < end; column++)
                {
                    T* from = X + column, to = Y + ((nint)column * Rows);
                    for (int row = start; row < stop; row++) to[row] = from[(nint)row * Columns];
                }
            }
        }
    }
}
