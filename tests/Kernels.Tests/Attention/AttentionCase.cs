namespace ManagedTransformers.Kernels.Tests;

/// <summary>One call with everything it needs, so that it can be made at two levels.</summary>
internal sealed class AttentionCase
{
    public required int Heads, HeadDim, Queries, Keys;
    public int KeyHeads;
    public bool Causal, WantProbabilities, HeadMajorCache;
    public WeightType Type;
    public byte[] KeyMask = [];
    public float[] HeadMask = [], Bias = [];
    public int[] Places = [];
    public float[] Q = [], K = [], V = [];

    public AttentionCase Fill()
    {
        Q = Samples.Uniform(Queries * Heads * HeadDim, 1, 2);
        K = Samples.Uniform(Keys * HeadsOfKeys * HeadDim, 2, 2);
        V = Samples.Uniform(Keys * HeadsOfKeys * HeadDim, 3);
        return this;
    }

    private int HeadsOfKeys => KeyHeads == 0 ? Heads : KeyHeads;

    public float[] Run(KernelOptions options, out float[] probabilities)
    {
        using var output = new Guarded(Queries * Heads * HeadDim * sizeof(float), 4);
        using var p = new Guarded(WantProbabilities ? Heads * Queries * Keys * sizeof(float) : 0, 4);
        int width = Heads * HeadDim, keyWidth = HeadsOfKeys * HeadDim;
        Attention.Run(
            new AttentionArguments
            {
                Heads = Heads,
                KeyHeads = KeyHeads,
                HeadDim = HeadDim,
                Queries = Queries,
                Keys = Keys,
                Scale = 1 / MathF.Sqrt(HeadDim),
                Causal = Causal,
                Q = Q,
                QTokenStride = width,
                QHeadStride = HeadDim,
                K = Store(K),
                KTokenStride = HeadMajorCache ? HeadDim : keyWidth,
                KHeadStride = HeadMajorCache ? Keys * HeadDim : HeadDim,
                V = Store(V),
                VTokenStride = HeadMajorCache ? HeadDim : keyWidth,
                VHeadStride = HeadMajorCache ? Keys * HeadDim : HeadDim,
                KeyMask = KeyMask,
                HeadMask = HeadMask,
                Bias = Bias,
                Places = Places,
                Output = output.Floats,
                Probabilities = p.Floats,
            }, options);
        output.AssertIntact();
        p.AssertIntact();
        probabilities = p.Floats.ToArray();
        return output.Floats.ToArray();
    }

    // From an odd byte on: stored values need no alignment.
    private StoredSpan Store(float[] values)
    {
        if (Type == WeightType.F32) return values;
        byte[] stored = [0, .. Samples.Stored(values, Type)];
        return new StoredSpan(stored.AsSpan(1), Type);
    }

    // The same call with the stored keys and values as floats.
    private AttentionCase Widened()
    {
        var widened = (AttentionCase)MemberwiseClone();
        (widened.Type, widened.K, widened.V) = (WeightType.F32, Samples.Rounded(K, Type), Samples.Rounded(V, Type));
        return widened;
    }

    public void AssertAgrees(KernelLevel level, double within = 5e-6) => AssertAgrees([level], within);

    /// <summary>That every level gives what Reference gives, which is computed once: it takes most of the time.</summary>
    public void AssertAgrees(IReadOnlyList<KernelLevel> levels, double within = 5e-6)
    {
        float[] expected = Widened().Run(Samples.Reference, out float[] expectedP);
        foreach (KernelLevel level in levels)
        {
            float[] actual = Run(Samples.At(level), out float[] actualP);
            string what = $"{level} {Type} {Heads} heads of {HeadDim}, {Queries} queries, {Keys} keys, causal {Causal}, mask {KeyMask.Length > 0}";
            Samples.AssertClose(actual, expected, within, what);
            Samples.AssertClose(actualP, expectedP, 2e-6, what);
        }
    }
}
