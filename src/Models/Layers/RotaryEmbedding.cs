using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>The angles by which queries and keys turn, for texts of any length: position · frequency, with the frequencies of a rope_scaling.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864; transformers' modeling_rope_utils. Tables are made as longer texts need them, and all layers share
/// them.</remarks>
internal sealed class RotaryEmbedding
{
    private const int LeastPositions = 256, GrownTables = 16;

    private readonly int _rotaryDim;
    private readonly double _theta;
    private readonly RotaryPairs _pairs;
    private readonly RopeScaling? _scaling;
    private readonly int _maxPositions;
    private readonly float[] _frequencies;
    private readonly float _scale = 1;
    private RotaryTable _table;
    private readonly GrownTable?[] _grown = new GrownTable?[GrownTables];      // by row, those of the last passes

    /// <param name="rotaryDim">How many values of a head turn; even.</param>
    /// <param name="pairs">Which of them turn together.</param>
    /// <param name="theta">The base of the frequencies (rope_theta).</param>
    /// <param name="scaling">How frequencies are changed for long texts; null: not at all.</param>
    /// <param name="maxPositions">max_position_embeddings; only scalings read it.</param>
    public RotaryEmbedding(int rotaryDim, RotaryPairs pairs, double theta = 10000, RopeScaling? scaling = null, int maxPositions = 0)
    {
        (_rotaryDim, _pairs, _theta, _maxPositions) = (rotaryDim, pairs, theta, maxPositions);
        _scaling = scaling is null || scaling.Kind == "default" ? null : scaling;
        float[] plain = RotaryTable.Frequencies(rotaryDim, (float)theta);
        _frequencies = _scaling?.Kind switch
        {
            "linear" => [.. plain.Select(frequency => frequency / (float)_scaling.Factor!)],
            "yarn" => Yarn(plain),
            "llama3" => [.. plain.Select(Llama3)],
            _ => plain,
        };
        if (_scaling?.Kind == "yarn")
            _scale = (float)(_scaling.AttentionFactor ?? (0.1 * Math.Log(_scaling.Factor!.Value)) + 1);
        _table = TableOf(_frequencies, first: 0, positions: 0);
    }

    /// <summary>A table that has the positions of a row of the pass that runs.</summary>
    public RotaryTable For(Session session, int row) => For(session.Batch, row, session.TextLength);

    /// <summary>A table that has the positions of a row.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="row">The row.</param>
    /// <param name="textLength">Tokens of the text that the row is a part of; 0: it ends with the row.</param>
    public RotaryTable For(PackedBatch batch, int row, int textLength = 0)
    {
        (int first, int end) = (int.MaxValue, 0);
        foreach (int position in batch.Positions.Slice(batch.RowStart(row), batch.RowLength(row)))
            (first, end) = (Math.Min(first, position), Math.Max(end, position + 1));
        if (end == 0)
            first = 0;
        // As in transformers, the rows of one batch have the angles of the longest; rows that go on by themselves have those of their own text.
        int length = Math.Max(textLength, batch.StartsAtOwnEnd ? end : batch.EndPosition);
        if (_scaling?.Kind == "dynamic" && length > _maxPositions)
            return Grown(row, length, first, end);
        RotaryTable table = Volatile.Read(ref _table);
        if (table.Positions >= end)
            return table;
        int positions = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(end, LeastPositions));
        table = TableOf(_frequencies, first: 0, positions);
        Volatile.Write(ref _table, table);
        return table;
    }

    /// <summary>dynamic: beyond max_position_embeddings the base grows with the text. Keys that are cached keep the angles of their time.</summary>
    private RotaryTable Grown(int row, int length, int first, int end)
    {
        ref GrownTable? place = ref _grown[row % GrownTables];
        GrownTable? last = Volatile.Read(ref place);
        if (last is not null && last.Length == length && last.Table.First <= first && last.Table.Positions >= end)
            return last.Table;
        double factor = _scaling!.Factor!.Value, longer = (factor * length / _maxPositions) - (factor - 1);
        double theta = _theta * Math.Pow(longer, _rotaryDim / (_rotaryDim - 2.0));
        RotaryTable table = TableOf(RotaryTable.Frequencies(_rotaryDim, (float)theta), first, end);
        Volatile.Write(ref place, new GrownTable(length, table));
        return table;
    }

    private RotaryTable TableOf(float[] frequencies, int first, int positions) => new(frequencies, first, positions, _pairs, _scale);

    /// <summary>yarn: what turns often within the original positions stays, what turns seldom is slowed by the factor, with a ramp between.</summary>
    /// <remarks>Peng et al. 2023, arXiv:2309.00071.</remarks>
    private float[] Yarn(float[] plain)
    {
        double positions = _scaling!.OriginalMaxPositionEmbeddings ?? _maxPositions;
        double low = Math.Max(Math.Floor(PairOf(_scaling.BetaFast ?? 32)), 0), high = Math.Min(Math.Ceiling(PairOf(_scaling.BetaSlow ?? 1)), _rotaryDim - 1);
        if (low == high)
            high += 0.001;
        return [.. plain.Select((frequency, i) =>
        {
            double slowed = Math.Clamp((i - low) / (high - low), 0, 1);
            return (float)((slowed * frequency / _scaling.Factor!.Value) + ((1 - slowed) * frequency));
        })];

        // The pair that turns this often within the positions.
        double PairOf(double turns) => _rotaryDim * Math.Log(positions / (turns * 2 * Math.PI)) / (2 * Math.Log(_theta));
    }

    /// <summary>llama3: long wavelengths are slowed by the factor, short ones stay, with a ramp between.</summary>
    private float Llama3(float frequency)
    {
        double turns = _scaling!.OriginalMaxPositionEmbeddings!.Value * frequency / (2 * Math.PI);       // within the original positions
        (double low, double high) = (_scaling.LowFreqFactor!.Value, _scaling.HighFreqFactor!.Value);
        double kept = Math.Clamp((turns - low) / (high - low), 0, 1);
        return (float)(((1 - kept) * frequency / _scaling.Factor!.Value) + (kept * frequency));
    }

    private sealed record GrownTable(int Length, RotaryTable Table);
}
