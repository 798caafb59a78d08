namespace ManagedTransformers.Models;

/// <summary>What is added to a score for how far the key stands from the query, whatever the two tokens are.</summary>
/// <remarks>Shaw et al. 2018, arXiv:1803.02155; as a learned number per head in T5 (Raffel et al. 2019, arXiv:1910.10683) and MPNet.</remarks>
internal sealed class RelativeBias
{
    private readonly float[] _table;               // [heads, 2 · reach − 1]

    /// <param name="heads">Heads.</param>
    /// <param name="reach">Distances are −(reach − 1) … reach − 1.</param>
    /// <param name="bias">The bias of a head for a key at this distance after the query, in tokens.</param>
    public RelativeBias(int heads, int reach, Func<int, int, float> bias)
    {
        Reach = reach;
        int row = (2 * reach) - 1;
        _table = new float[checked(heads * row)];
        for (int head = 0; head < heads; head++)
            for (int i = 0; i < row; i++)
                _table[(head * row) + i] = bias(head, i - (reach - 1));
    }

    /// <summary>Places from 0 to Reach − 1 are in it.</summary>
    public int Reach { get; }

    /// <summary>[heads, 2 · Reach − 1], by distance.</summary>
    public ReadOnlySpan<float> Table => _table;

    /// <summary>The bias of a head for a key at this distance after the query, in tokens.</summary>
    public float Of(int head, int distance) => _table[(head * ((2 * Reach) - 1)) + Reach - 1 + distance];
}
