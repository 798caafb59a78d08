namespace ManagedTransformers.Kernels;

/// <summary>
/// How the few rows of X of a GEMV are cut into groups, as many rows as a tile takes at once: groups of 8 where there are registers for them, of 4, or one row.
/// </summary>
internal readonly unsafe struct GemvGroups
{
    public const int MaxWidth = 8;

    private const int SmallWidth = 4;

    private readonly int _eights;

    /// <param name="rows">Rows of X.</param>
    /// <param name="registers">Vector registers of the level.</param>
    public GemvGroups(int rows, int registers)
    {
        const int RegistersForEight = 32;
        Rows = rows;
        _eights = registers < RegistersForEight ? 0 : (rows + MaxWidth - SmallWidth - 1) / MaxWidth;
        int rest = Math.Max(0, rows - (_eights * MaxWidth));
        Count = _eights + ((rest + SmallWidth - 1) / SmallWidth);
    }

    public int Rows { get; }
    public int Count { get; }

    /// <summary>Rows of all groups, those included that are not there.</summary>
    public int Padded => Count == 0 ? 0 : First(Count - 1) + Width(Count - 1);

    /// <summary>Rows of a group; the last one's may be more than there are.</summary>
    public int Width(int group) => group < _eights ? MaxWidth : Rows == 1 ? 1 : SmallWidth;

    public int First(int group) => group <= _eights ? group * MaxWidth : (_eights * MaxWidth) + ((group - _eights) * SmallWidth);

    /// <summary>Lays out the whole vectors of X [Rows, k] group after group: of each group [vector of k, row, lane], rows beyond the last 0.</summary>
    public void Lay<S, V>(float* x, int k, float scale, float* grouped) where S : struct, ISimd<V>
    {
        nint whole = k - (k % S.Width);
        V factor = S.Broadcast(scale);
        for (int group = 0; group < Count; group++)
        {
            int first = First(group), width = Width(group);
            for (int i = 0; i < width; i++)
            {
                float* from = x + ((first + i) * (nint)k), to = grouped + (first * whole) + (i * S.Width);
                bool present = first + i < Rows;
                for (nint p = 0; p < whole; p += S.Width) S.Store(to + (p * width), present ? S.Multiply(S.Load(from + p), factor) : S.Broadcast(0f));
            }
        }
    }
}
