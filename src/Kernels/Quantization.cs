namespace ManagedTransformers.Kernels;

/// <summary>Weights to blocks of integers.</summary>
public static unsafe class Quantization
{
    /// <summary>Quantizes a weight row by row.</summary>
    /// <param name="weight">A weight in F32, F16 or BF16, [n, k]; k a multiple of 64.</param>
    /// <param name="type">Int8: the largest weight of a block decides on its scale. Int4: of some scales the one with the smallest squared error.</param>
    /// <param name="destination">n · <see cref="WeightMatrix.BytesOfRow"/> bytes.</param>
    /// <param name="options">Threads.</param>
    /// <exception cref="ArgumentException">The type stores no blocks, k is no multiple of 64, a length does not fit, or a weight is not finite or so large that its scale would not be.</exception>
    public static void Quantize(WeightMatrix weight, WeightType type, Span<byte> destination, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!WeightMatrix.IsBlocked(type) || WeightMatrix.IsBlocked(weight.Type))
            throw new ArgumentException($"{weight.Type} cannot be quantized to {type}; Int8 or Int4 can be made of F32, F16 and BF16.", nameof(type));
        _ = new WeightMatrix(destination, type, weight.N, weight.K);
        fixed (byte* source = weight.Data, to = destination)
        {
            var job = new QuantizeJob { Source = source, Stored = weight.Type, K = weight.K, Type = type, Destination = to };
            WorkerPool.Shared.Run(weight.N, options.MaxThreads, job);
        }
    }

    private struct QuantizeJob : IJob
    {
        public byte* Source, Destination;
        public WeightType Stored, Type;
        public int K;

        public readonly void Execute(int task)
        {
            nint sourceBytes = (nint)WeightMatrix.BytesOfRow(Stored, K), bytes = (nint)WeightMatrix.BytesOfRow(Type, K);
            var row = new Span<float>(Scratch.ForTask(K), K);
            ConversionReference.Widen(new ReadOnlySpan<byte>(Source + (task * sourceBytes), (int)sourceBytes), Stored, row);
            float largest = Type == WeightType.Int8 ? Int8Format.Largest : Int4Format.Largest;
            foreach (float value in row)
            {
                if (!(Math.Abs(value) <= largest))
                    throw new ArgumentException($"Row {task} of the weight holds {value}; only finite numbers up to {largest} can be quantized to {Type}.", nameof(task));
            }
            if (Type == WeightType.Int8) Row<Int8Format>(row, Destination + (task * bytes));
            else Row<Int4Format>(row, Destination + (task * bytes));
        }

        private readonly void Row<TFormat>(ReadOnlySpan<float> row, byte* destination)
            where TFormat : struct, IBlockFormat
        {
            Span<int> integers = stackalloc int[Blocks.Pair];
            byte* scales = Blocks.ScalesOf<TFormat>(destination, K);
            for (int at = 0; at < K; at += Blocks.Pair)
            {
                for (int block = 0; block < 2; block++)
                {
                    Half scale = TFormat.Quantize(row.Slice(at + (block * Blocks.Size), Blocks.Size), integers.Slice(block * Blocks.Size, Blocks.Size));
                    System.Runtime.CompilerServices.Unsafe.WriteUnaligned(scales + (2 * ((at / Blocks.Size) + block)), scale);
                }
                TFormat.Write(integers, destination + ((nint)at / Blocks.Pair * TFormat.PairBytes));
            }
        }
    }
}
