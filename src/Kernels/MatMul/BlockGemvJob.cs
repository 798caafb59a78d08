namespace ManagedTransformers.Kernels;

/// <summary>Y = X · Wᵀ for few rows of X and a W of blocks of integers, each read from memory once, one range of rows of W per task.</summary>
/// <remarks>A row of Y has the same bits whatever other rows are computed with it.</remarks>
internal unsafe struct BlockGemvJob<S, V, TFormat, TDots> : ICountedJob
    where S : struct, ISimd<V>
    where V : struct
    where TFormat : struct, IBlockFormat
    where TDots : struct, IBlockDots
{
    private const int Group = BlockInput.Group;

    /// <summary>X.</summary>
    public BlockInput Input;

    /// <summary>W as stored, [N, K].</summary>
    public byte* W;

    /// <summary>Y and the epilogue.</summary>
    public Output Output;

    // Tasks of equal size, and an even number of them: W is small, and two threads should finish together.
    private static int RowsPerTask(int n, int k)
    {
        const int Even = 4;
        int tasks = Packing.Padded((int)(((TFormat.RowBytes(k) * n) + Tiling.GemvTaskBytes - 1) / Tiling.GemvTaskBytes), Even);
        return Packing.Padded((n + tasks - 1) / tasks, Group);
    }

    /// <summary>Ranges that cover all rows of W.</summary>
    public readonly int Tasks => (Output.N + RowsPerTask(Output.N, Input.K) - 1) / RowsPerTask(Output.N, Input.K);

    /// <summary>One range of rows of W.</summary>
    public readonly void Execute(int task)
    {
        int k = Input.K, blocks = k / Blocks.Size, perTask = RowsPerTask(Output.N, k), first = task * perTask, count = Math.Min(perTask, Output.N - first);
        float* products = Scratch.ForTask(((long)Input.M * perTask) + (Group * (blocks + S.Width)));
        float* scales = products + ((long)Input.M * perTask), starts = scales + (Group * blocks);
        nint rowBytes = TFormat.RowBytes(k);
        byte* w = W + (first * rowBytes);
        if (Input.M == 1) DotOne(w, rowBytes, count, products, scales, starts);
        else DotFew(w, rowBytes, count, products, perTask, scales, starts);
        Output.Store<S, V>(products, perTask, 0, Input.M, first, count);
    }

    // Four rows of W that lie apart, so that a thread reads four streams; what remains one by one, four times the same.
    private readonly void DotOne(byte* w, nint rowBytes, int count, float* products, float* scales, float* starts)
    {
        int apart = count / Group;
        float* sums = stackalloc float[Group];
        for (int j = 0; j < apart; j++)
        {
            Four(w + (j * rowBytes), apart * rowBytes, scales, starts, sums);
            for (int r = 0; r < Group; r++) products[j + (r * apart)] = sums[r];
        }
        for (int j = Group * apart; j < count; j++)
        {
            Four(w + (j * rowBytes), 0, scales, starts, sums);
            products[j] = sums[0];
        }
    }

    private readonly void Four(byte* w, nint apart, float* scales, float* starts, float* sums)
    {
        int k = Input.K, blocks = k / Blocks.Size;
        BlockScales.FourOfW<S, V, TFormat>(Blocks.ScalesOf<TFormat>(w, k), apart, Input, scales, starts);
        TDots.Dot4x1(blocks, w, apart, Input.Integers, scales, starts, sums);
    }

    // One row of W and four of X at a time; BlockInput has whole groups of rows.
    private readonly void DotFew(byte* w, nint rowBytes, int count, float* products, int stride, float* scales, float* starts)
    {
        int k = Input.K, blocks = k / Blocks.Size;
        nint rowX = (nint)k * TDots.BytesX;
        float* sums = stackalloc float[Group];
        for (int j = 0; j < count; j++, w += rowBytes)
        {
            for (int first = 0; first < Input.M; first += Group)
            {
                int rows = Math.Min(Group, Input.M - first);
                BlockScales.FourOfX<S, V, TFormat>(Blocks.ScalesOf<TFormat>(w, k), Input, first, scales, starts);
                TDots.Dot1x4(blocks, w, Input.Integers + (first * rowX), rowX, scales, starts, sums);
                for (int i = 0; i < rows; i++) products[((first + i) * stride) + j] = sums[i];
            }
        }
    }
}
