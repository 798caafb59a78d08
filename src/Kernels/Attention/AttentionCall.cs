namespace ManagedTransformers.Kernels;

/// <summary>The arguments of one call as pointers, which worker threads may hold. The key mask has become a list of the visible keys.</summary>
internal unsafe struct AttentionCall
{
    public int Heads, HeadDim, Queries, Keys;
    public float Scale;
    public bool Causal;
    public float* Q;
    public nint QTokenStride, QHeadStride;
    public byte* K, V;                            // keys and values as stored
    public nint KTokenBytes, KHeadBytes;          // bytes from a key or value, or from one head of it, to the next
    public nint VTokenBytes, VHeadBytes;
    public int* Visible;                          // ascending numbers of the keys that the mask leaves, or null where there is no mask
    public int VisibleCount;                      // how many keys the mask leaves
    public float* HeadMask;                       // [Heads] or null
    public float* Output;
    public float* Probabilities;                  // [Heads, Queries, Keys] or null

    /// <summary>The number of the j-th visible key.</summary>
    public readonly int KeyAt(int j) => Visible == null ? j : Visible[j];

    /// <summary>How many visible keys query i sees: always the first ones, so that causal and key mask are one and the same.</summary>
    public readonly int CountFor(int i)
    {
        if (!Causal) return VisibleCount;
        int limit = Keys - Queries + i + 1;
        if (Visible == null) return limit;
        int position = new ReadOnlySpan<int>(Visible, VisibleCount).BinarySearch(limit);
        return position < 0 ? ~position : position;
    }

    public readonly float* QueryOf(int head, int i) => Q + (i * QTokenStride) + (head * QHeadStride);
    public readonly byte* KeyOf(int head, int key) => K + (key * KTokenBytes) + (head * KHeadBytes);
    public readonly byte* ValueOf(int head, int key) => V + (key * VTokenBytes) + (head * VHeadBytes);
    public readonly float* OutputOf(int head, int i) => Output + ((((nint)i * Heads) + head) * HeadDim);
    public readonly float HeadFactor(int head) => HeadMask == null ? 1 : HeadMask[head];
}
