using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>Which two values of a head turn together.</summary>
internal enum RotaryPairs
{
    /// <summary>2i and 2i + 1: GPT-J's rotate_every_two, CodeGen.</summary>
    Interleaved,

    /// <summary>i and i + rotary_dim / 2: rotate_half, as Llama, Qwen2 and GPT-NeoX have it.</summary>
    Halves,
}

/// <summary>cos and sin of every position's rotary angles, position · frequency; frequencies are base^(−2i / rotary_dim) unless they are scaled.</summary>
/// <remarks>In float32 throughout, as transformers computes them.</remarks>
internal sealed class RotaryTable
{
    private readonly float[] _cos, _sin;                             // [Positions − First, rotaryDim / 2]

    /// <summary>Builds the tables.</summary>
    /// <param name="rotaryDim">How many values of a head turn; even.</param>
    /// <param name="positions">Positions 0 … positions − 1.</param>
    /// <param name="theta">Base of the frequencies (rope_theta).</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, or rotaryDim is odd.</exception>
    public RotaryTable(int rotaryDim, int positions, float theta = 10000f) : this(Frequencies(rotaryDim, theta), first: 0, positions)
    {
    }

    /// <summary>Builds the tables of some frequencies.</summary>
    /// <param name="frequencies">Radians per position of each pair, [rotary_dim / 2] (inv_freq).</param>
    /// <param name="first">The first position.</param>
    /// <param name="positions">Positions first … positions − 1.</param>
    /// <param name="pairs">Which values are a pair.</param>
    /// <param name="scale">Multiplies cos and sin (yarn's attention factor).</param>
    /// <exception cref="ArgumentOutOfRangeException">A position is negative, or the last lies before the first.</exception>
    public RotaryTable(ReadOnlySpan<float> frequencies, int first, int positions, RotaryPairs pairs = RotaryPairs.Interleaved, float scale = 1)
    {
        Check.NotNegative(first);
        ArgumentOutOfRangeException.ThrowIfLessThan(positions, first);
        (RotaryDim, First, Positions, Pairs) = (2 * frequencies.Length, first, positions, pairs);
        _cos = new float[checked((positions - first) * frequencies.Length)];
        _sin = new float[_cos.Length];
        for (int i = 0; i < frequencies.Length; i++)
        {
            float frequency = frequencies[i];
            for (int position = first; position < positions; position++)
            {
                float angle = position * frequency;
                int at = ((position - first) * frequencies.Length) + i;
                _cos[at] = MathF.Cos(angle) * scale;
                _sin[at] = MathF.Sin(angle) * scale;
            }
        }
    }

    /// <summary>theta^(−2i / rotary_dim), [rotary_dim / 2].</summary>
    /// <exception cref="ArgumentOutOfRangeException">rotaryDim is negative or odd.</exception>
    public static float[] Frequencies(int rotaryDim, float theta)
    {
        if (rotaryDim < 0 || rotaryDim % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(rotaryDim), rotaryDim, "rotaryDim counts both halves of pairs: it must be even and not negative.");
        var frequencies = new float[rotaryDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = 1f / MathF.Pow(theta, (float)(2 * i) / rotaryDim);
        return frequencies;
    }

    public int RotaryDim { get; }
    public int First { get; }
    public int Positions { get; }
    public RotaryPairs Pairs { get; }

    /// <summary>cos of the angles of <paramref name="position"/>, [rotaryDim / 2].</summary>
    public ReadOnlySpan<float> Cos(int position) => Row(_cos, position);

    /// <summary>sin of the angles of <paramref name="position"/>, [rotaryDim / 2].</summary>
    public ReadOnlySpan<float> Sin(int position) => Row(_sin, position);

    internal ReadOnlySpan<float> AllCos => _cos;
    internal ReadOnlySpan<float> AllSin => _sin;

    private ReadOnlySpan<float> Row(float[] table, int position)
    {
        if (position < First || position >= Positions)
            throw new ArgumentOutOfRangeException(nameof(position), position, $"Position {position}; the table has positions {First} to {Positions - 1}.");
        return table.AsSpan((position - First) * (RotaryDim / 2), RotaryDim / 2);
    }
}

/// <summary>The turn of one head: a cos − b sin and b cos + a sin for each pair (a, b).</summary>
internal static unsafe class RotaryHead
{
    /// <summary>
    /// The angles of a position, cos and sin [pairs], as a turn of interleaved pairs reads them: each for both values of its pair, both = cos cos,
    /// signed = −sin sin, [2 · pairs].
    /// </summary>
    public static void Angles(float* cos, float* sin, int pairs, float* both, float* signed)
    {
        for (int i = 0; i < pairs; i++)
        {
            both[2 * i] = both[(2 * i) + 1] = cos[i];
            signed[2 * i] = -sin[i];
            signed[(2 * i) + 1] = sin[i];
        }
    }

    /// <summary>Turns the first <paramref name="length"/> values of a head in place, pairs (2i, 2i + 1): x · both + swapped x · signed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Turn<S, V>(float* x, float* both, float* signed, nint length) where S : struct, ISimd<V>
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width)
        {
            V v = S.Load(x + i);
            S.Store(x + i, S.MultiplyAdd(v, S.Load(both + i), S.Multiply(S.SwapPairs(v), S.Load(signed + i))));
        }
        for (; i < length; i += 2)
        {
            float a = x[i], b = x[i + 1];
            x[i] = (a * both[i]) + (b * signed[i]);
            x[i + 1] = (b * both[i]) + (a * signed[i + 1]);
        }
    }

    /// <summary>Turns the first 2 · <paramref name="pairs"/> values of a head in place, pairs (i, i + pairs).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void TurnHalves<S, V>(float* x, float* cos, float* sin, nint pairs) where S : struct, ISimd<V>
    {
        float* y = x + pairs;
        nint i = 0;
        for (; i <= pairs - S.Width; i += S.Width)
        {
            V a = S.Load(x + i), b = S.Load(y + i), c = S.Load(cos + i), s = S.Load(sin + i);
            S.Store(x + i, S.SubtractProduct(S.Multiply(a, c), b, s));
            S.Store(y + i, S.MultiplyAdd(a, s, S.Multiply(b, c)));
        }
        for (; i < pairs; i++)
        {
            float a = x[i], b = y[i];
            x[i] = (a * cos[i]) - (b * sin[i]);
            y[i] = (b * cos[i]) + (a * sin[i]);
        }
    }
}
