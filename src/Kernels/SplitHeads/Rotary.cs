using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>cos and sin of every position's rotary angles, position · base^(−2i / rotary_dim).</summary>
/// <remarks>In float32 throughout, as transformers' create_sinusoidal_positions does it.</remarks>
internal sealed class RotaryTable
{
    private readonly float[] _cos, _sin;                             // [Positions, rotaryDim / 2]

    /// <summary>Builds the tables.</summary>
    /// <param name="rotaryDim">How many values of a head turn; even.</param>
    /// <param name="positions">Positions 0 … positions − 1.</param>
    /// <param name="theta">Base of the frequencies (rope_theta).</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, or rotaryDim is odd.</exception>
    public RotaryTable(int rotaryDim, int positions, float theta = 10000f)
    {
        Check.NotNegative(positions);
        if (rotaryDim < 0 || rotaryDim % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(rotaryDim), rotaryDim, "rotaryDim counts both halves of pairs: it must be even and not negative.");
        RotaryDim = rotaryDim;
        Positions = positions;
        int half = rotaryDim / 2;
        _cos = new float[checked(positions * half)];
        _sin = new float[positions * half];
        for (int i = 0; i < half; i++)
        {
            float frequency = 1f / MathF.Pow(theta, (float)(2 * i) / rotaryDim);
            for (int position = 0; position < positions; position++)
            {
                float angle = position * frequency;
                _cos[(position * half) + i] = MathF.Cos(angle);
                _sin[(position * half) + i] = MathF.Sin(angle);
            }
        }
    }

    public int RotaryDim { get; }
    public int Positions { get; }

    /// <summary>cos of the angles of <paramref name="position"/>, [rotaryDim / 2].</summary>
    public ReadOnlySpan<float> Cos(int position) => Row(_cos, position);

    /// <summary>sin of the angles of <paramref name="position"/>, [rotaryDim / 2].</summary>
    public ReadOnlySpan<float> Sin(int position) => Row(_sin, position);

    internal ReadOnlySpan<float> AllCos => _cos;
    internal ReadOnlySpan<float> AllSin => _sin;

    private ReadOnlySpan<float> Row(float[] table, int position)
    {
        if ((uint)position >= (uint)Positions)
            throw new ArgumentOutOfRangeException(nameof(position), position, $"Position {position}; the table has positions 0 to {Positions - 1}.");
        return table.AsSpan(position * (RotaryDim / 2), RotaryDim / 2);
    }
}

/// <summary>x[2i] cos − x[2i+1] sin and x[2i+1] cos + x[2i] sin, as x · [cos cos] + swapped x · [−sin sin].</summary>
internal static unsafe class RotaryHead
{
    /// <summary>The angles of a position, cos and sin [pairs], each for both values of its pair: both = cos cos, signed = −sin sin, [2 · pairs].</summary>
    public static void Angles(float* cos, float* sin, int pairs, float* both, float* signed)
    {
        for (int i = 0; i < pairs; i++)
        {
            both[2 * i] = both[(2 * i) + 1] = cos[i];
            signed[2 * i] = -sin[i];
            signed[(2 * i) + 1] = sin[i];
        }
    }

    /// <summary>Turns the first <paramref name="length"/> values of a head in place.</summary>
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
}
