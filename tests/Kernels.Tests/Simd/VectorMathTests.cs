using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels.Tests;

/// <summary>The stated error bounds of exp, tanh and the normal distribution, in units of the last place of the exact value.</summary>
public sealed unsafe class VectorMathTests
{
    [Test]
    public void Exp_is_within_2_ulp_from_the_smallest_to_the_largest_result([VectorLevels] KernelLevel level) =>
        AssertWithin(level, 2, Math.Exp, (-87.3, 88.72), new ExpFunction());

    [Test]
    public void Exp_of_subnormal_results_is_within_one_step([VectorLevels] KernelLevel level) =>
        AssertWithin(level, 1, Math.Exp, (-103.9, -87.4), new ExpFunction());

    [Test]
    public void Exp_overflows_to_infinity_and_underflows_to_0([VectorLevels] KernelLevel level)
    {
        float[] y = Apply(level, [88.73f, 1000, float.PositiveInfinity, -104, -1000, float.NegativeInfinity, 0, float.NaN], new ExpFunction());
        Assert.That(y, Is.EqualTo(new[] { float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity, 0, 0, 0, 1, float.NaN }));
    }

    [Test]
    public void Tanh_is_within_4_ulp([VectorLevels] KernelLevel level) => AssertWithin(level, 4, Math.Tanh, (-10, 10), new TanhFunction());

    [Test]
    public void NormalCdf_is_within_3_ulp_above_0([VectorLevels] KernelLevel level) => AssertWithin(level, 3, Phi, (0, 20), new NormalCdfFunction());

    [Test]
    public void NormalCdf_is_within_16_ulp_down_to_3_below_0_and_64_down_to_5([VectorLevels] KernelLevel level)
    {
        bool fuses = Fma.IsSupported || AdvSimd.IsSupported;
        AssertWithin(level, fuses ? 16 : 17, Phi, (-3, 0), new NormalCdfFunction());
        AssertWithin(level, 64, Phi, (-5, -3), new NormalCdfFunction());
    }

    [Test]
    public void NormalCdf_far_out_is_0_or_1_and_of_0_one_half([VectorLevels] KernelLevel level)
    {
        float[] y = Apply(level, [-12f, -1000, float.NegativeInfinity, 0, -0f, 6, float.PositiveInfinity, float.NaN], new NormalCdfFunction());
        Assert.That(y, Is.EqualTo(new[] { 0, 0, 0, 0.5f, 0.5f, 1, 1, float.NaN }));
    }

    private static double Phi(double x) => (1 + ActivationReference.Erf(x / Math.Sqrt(2))) / 2;

    [Test]
    public void Sigmoid_is_within_4_ulp([VectorLevels] KernelLevel level) =>
        AssertWithin(level, 4, x => 1 / (1 + Math.Exp(-x)), (-87, 87), new SigmoidFunction());

    [TestCase(0.5, 0.5204998778130465)]
    [TestCase(1, 0.8427007929497149)]
    [TestCase(-3, -0.9999779095030014)]
    public void The_reference_erf_gives_the_tables_values(double x, double expected) =>
        Assert.That(ActivationReference.Erf(x), Is.EqualTo(expected).Within(1e-15));

    private static void AssertWithin<TFunction>(KernelLevel level, double ulps, Func<double, double> exact, (double From, double To) range, TFunction function)
        where TFunction : struct, IElementwise
    {
        const int Steps = 200_003;
        float[] x = new float[Steps];
        for (int i = 0; i < Steps; i++) x[i] = (float)(range.From + ((range.To - range.From) * i / (Steps - 1)));
        float[] y = Apply(level, x, function);
        double worst = 0;
        float at = 0;
        for (int i = 0; i < Steps; i++)
        {
            double e = exact(x[i]), ulp = MathF.BitIncrement(MathF.Abs((float)e)) - MathF.Abs((float)e);
            double error = Math.Abs(y[i] - e) / ulp;
            if (error > worst) (worst, at) = (error, x[i]);
        }
        TestContext.Out.WriteLine($"{level}: {worst:f2} ulp at {at:R}");
        Assert.That(worst, Is.LessThanOrEqualTo(ulps), $"at {at:R}");
    }

    private static float[] Apply<TFunction>(KernelLevel level, float[] x, TFunction _)
        where TFunction : struct, IElementwise
    {
        float[] y = new float[x.Length];
        fixed (float* px = x, py = y)
        {
            switch (level)
            {
                case KernelLevel.Avx512: Elementwise.Body<Avx512, Vector512<float>, TFunction>(px, py, x.Length); break;
                case KernelLevel.Avx2: Elementwise.Body<Avx2, Vector256<float>, TFunction>(px, py, x.Length); break;
                case KernelLevel.Vector128: Elementwise.Body<Simd128, Vector128<float>, TFunction>(px, py, x.Length); break;
                case KernelLevel.Portable: Elementwise.Body<Portable, Vector<float>, TFunction>(px, py, x.Length); break;
                default: throw new ArgumentOutOfRangeException(nameof(level), level, "Reference has no vectors.");
            }
        }
        return y;
    }

    private readonly struct ExpFunction : IElementwise
    {
        public static V Apply<S, V>(V x) where S : struct, ISimd<V> => VectorMath.Exp<S, V>(x);
    }

    private readonly struct NormalCdfFunction : IElementwise
    {
        public static V Apply<S, V>(V x) where S : struct, ISimd<V> => VectorMath.NormalCdf<S, V>(x);
    }
}
