using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Rotary position embedding, interleaved pairs.</summary>
public static unsafe class Rotary
{
    /// <summary>Rotates the pairs (2i, 2i+1) of each head of one token by the angles of its position, in place.</summary>
    /// <param name="x">Queries or keys of one token; head h starts at h · <paramref name="headStride"/>.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="headStride">Floats from one head to the next.</param>
    /// <param name="cos">cos of the angles, [rotary_dim / 2]; only the first rotary_dim values of a head turn.</param>
    /// <param name="sin">sin of the angles, [rotary_dim / 2].</param>
    /// <param name="options">Level.</param>
    /// <remarks>Su et al. 2021, arXiv:2104.09864; GPT-J's and CodeGen's layout (rotate_every_two).</remarks>
    /// <exception cref="ArgumentException">cos and sin differ in length, or x is too short.</exception>
    public static void Run(Span<float> x, int heads, int headStride, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.NotNegative(heads);
        Check.NotNegative(headStride);
        Check.SameLength(cos.Length, sin.Length);
        if (heads == 0 || cos.IsEmpty) return;
        if (heads > 1) Check.AtLeast(headStride, 2L * cos.Length, $"a rotary dimension of {2 * cos.Length}");
        Check.AtLeast(x.Length, ((heads - 1L) * headStride) + (2L * cos.Length), $"{heads} heads with stride {headStride}");
        fixed (float* px = x, pc = cos, ps = sin)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512:   RotaryHeads.Body<Avx512, Vector512<float>>(px, heads, headStride, pc, ps, cos.Length); break;
                case KernelLevel.Avx2:     RotaryHeads.Body<Avx2, Vector256<float>>(px, heads, headStride, pc, ps, cos.Length); break;
                case KernelLevel.Portable: RotaryHeads.Body<Portable, Vector<float>>(px, heads, headStride, pc, ps, cos.Length); break;
                default:
                    for (int head = 0; head < heads; head++)
                        RotaryReference.Run(x.Slice(head * headStride, 2 * cos.Length), cos, sin);
                    break;
            }
        }
    }
}

/// <summary>cos and sin of every position's rotary angles, position · base^(−2i / rotary_dim).</summary>
/// <remarks>In float32 throughout, as transformers' create_sinusoidal_positions does it.</remarks>
public sealed class RotaryTable
{
    private readonly float[] _cos;
    private readonly float[] _sin;

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

    /// <summary>How many values of a head turn.</summary>
    public int RotaryDim { get; }

    /// <summary>How many positions the table has.</summary>
    public int Positions { get; }

    /// <summary>cos of the angles of <paramref name="position"/>, [rotaryDim / 2].</summary>
    public ReadOnlySpan<float> Cos(int position) => Row(_cos, position);

    /// <summary>sin of the angles of <paramref name="position"/>, [rotaryDim / 2].</summary>
    public ReadOnlySpan<float> Sin(int position) => Row(_sin, position);

    private ReadOnlySpan<float> Row(float[] table, int position)
    {
        if ((uint)position >= (uint)Positions)
            throw new ArgumentOutOfRangeException(nameof(position), position, $"Position {position}; the table has positions 0 to {Positions - 1}.");
        return table.AsSpan(position * (RotaryDim / 2), RotaryDim / 2);
    }
}
