using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Weights to blocks of integers.</summary>
internal static unsafe class Quantization
{
    /// <summary>
    /// Quantizes a weight in F32, F16 or BF16, [n, k] with k a multiple of 64, row by row to n · <see cref="WeightMatrix.BytesOfRow"/> bytes. Int8: the
    /// largest weight of a block decides on its scale. Int4: of some scales the one with the smallest squared error. All levels give the same bits.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// The type stores no blocks, k is no multiple of 64, a length does not fit, or a weight is not finite or so large that its scale would not be.
    /// </exception>
    public static void Quantize(WeightMatrix weight, WeightType type, Span<byte> destination, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!WeightMatrix.IsBlocked(type) || WeightMatrix.IsBlocked(weight.Type))
            throw new ArgumentException($"{weight.Type} cannot be quantized to {type}; Int8 or Int4 can be made of F32, F16 and BF16.", nameof(type));
        _ = new WeightMatrix(destination, type, weight.N, weight.K);
        fixed (byte* source = weight.Data, to = destination)
        {
            var rows = new Rows { Source = source, Stored = weight.Type, K = weight.K, Type = type, Destination = to };
            var jobs = new Jobs { Rows = rows, Count = weight.N, Options = options };
            WeightFormats.VisitBlocks(type, ref jobs);
        }
    }

    private struct Jobs : IBlockFormatVisitor
    {
        public Rows Rows;
        public int Count;
        public KernelOptions Options;

        public readonly void Visit<TFormat>() where TFormat : struct, IBlockFormat
        {
            switch (Options.Level)
            {
                case KernelLevel.Avx512: WorkerPool.Shared.Run(Count, Options.MaxThreads, new Job<Avx512, Vector512<float>, TFormat> { Rows = Rows }); break;
                case KernelLevel.Avx2: WorkerPool.Shared.Run(Count, Options.MaxThreads, new Job<Avx2, Vector256<float>, TFormat> { Rows = Rows }); break;
                case KernelLevel.Vector128:
                    WorkerPool.Shared.Run(Count, Options.MaxThreads, new Job<Simd128, Vector128<float>, TFormat> { Rows = Rows });
                    break;
                case KernelLevel.Portable: WorkerPool.Shared.Run(Count, Options.MaxThreads, new Job<Portable, Vector<float>, TFormat> { Rows = Rows }); break;
                case KernelLevel.Reference: Reference<TFormat>(Rows, Count); break;
                default: throw KernelDispatch.Unknown(Options.Level);
            }
        }
    }

    private static void Reference<TFormat>(in Rows rows, int n) where TFormat : struct, IBlockFormat
    {
        float[] weights = new float[rows.K];
        for (int row = 0; row < n; row++)
        {
            ConversionReference.Widen(new ReadOnlySpan<byte>(rows.From(row), (int)WeightMatrix.BytesOfRow(rows.Stored, rows.K)), rows.Stored, weights);
            rows.Require(row, weights, TFormat.Largest);
            QuantizationReference.Row<TFormat>(weights, rows.To(row));
        }
    }

    private struct Rows
    {
        public byte* Source, Destination;
        public WeightType Stored, Type;
        public int K;

        public readonly byte* From(int row) => Source + (row * (nint)WeightMatrix.BytesOfRow(Stored, K));
        public readonly byte* To(int row) => Destination + (row * (nint)WeightMatrix.BytesOfRow(Type, K));

        public readonly void Require(int row, ReadOnlySpan<float> weights, float largest)
        {
            foreach (float value in weights)
            {
                if (!(Math.Abs(value) <= largest))
                    throw new ArgumentException($"Row {row} of the weight holds {value}; only finite numbers up to {largest} can be quantized to {Type}.",
                        nameof(row));
            }
        }
    }

    private struct Job<S, V, TFormat> : IJob
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
    {
        public Rows Rows;

        public readonly void Execute(int task)
        {
            int k = Rows.K, blocks = k / Blocks.Size, together = Blocks.Size * S.Width, room = Packing.Padded(k, together);
            float* row = Scratch.ForTask(room + (room / Blocks.Size) + together), scales = row + room, columns = scales + (room / Blocks.Size);
            Widening.Run<S, V>(Rows.From(task), Rows.Stored, row, k);
            if (!Within(row, k, TFormat.Largest)) Rows.Require(task, new ReadOnlySpan<float>(row, k), TFormat.Largest);
            new Span<float>(row + k, room - k).Clear();                               // blocks that fill a vector

            byte* to = Rows.To(task), stored = Blocks.ScalesOf<TFormat>(to, k);
            TFormat.Scales<S, V>(row, k, scales, columns);
            Narrowing.Body<S, V, F16Format>(scales, stored, blocks);
            Widening.Body<S, V, F16Format>(stored, 0, scales, blocks);
            TFormat.Write<S, V>(row, k, scales, to);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        private static bool Within(float* row, nint k, float largest)
        {
            V beyond = S.Broadcast(MathF.BitIncrement(largest)), within = S.BroadcastInt(-1);
            for (nint i = 0; i < k; i += S.Width) within = S.And(within, S.Less(S.And(S.Load(row + i), S.BroadcastInt(int.MaxValue)), beyond));
            return S.Sum(S.Select(within, S.Broadcast(0), S.Broadcast(1))) == 0;       // NaN is not less
        }
    }
}
