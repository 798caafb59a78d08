namespace ManagedTransformers.Kernels.Tests;

public sealed class ElementwiseTests
{
    private static readonly float[] s_special =
        [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, -0f, float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue, 1e-30f, 88.7f,
            -88.7f, 104f, -104f];

    [Test]
    public void Gelu_of_1_is_0_8413_and_its_tanh_form_is_0_8412([Levels] KernelLevel level)
    {
        float[] y = new float[1];
        Activations.Run(ActivationFunction.Gelu, [1], y, Samples.At(level));
        Assert.That(y[0], Is.EqualTo(0.8413447f).Within(2e-7));           // Φ(1)
        Activations.Run(ActivationFunction.GeluTanh, [1], y, Samples.At(level));
        Assert.That(y[0], Is.EqualTo(0.8411920f).Within(2e-7));
    }

    // sigmoid(1.702) and −sigmoid(−1.702); 1² and 0; tanh(ln(1 + e)) and −tanh(ln(1 + 1 / e))
    [TestCase(ActivationFunction.QuickGelu, 0.8457958f, -0.1542042f)]
    [TestCase(ActivationFunction.Relu2, 1f, 0f)]
    [TestCase(ActivationFunction.Mish, 0.8650984f, -0.3034015f)]
    public void Other_activations_of_1_and_minus_1(ActivationFunction activation, float one, float minusOne)
    {
        foreach (KernelLevel level in KernelDispatch.Supported)
        {
            float[] y = new float[2];
            Activations.Run(activation, [1, -1], y, Samples.At(level));
            Assert.That(y, Is.EqualTo(new[] { one, minusOne }).Within(2e-7), $"{level}");
        }
    }

    [Test]
    public void Activations_agree_with_Reference_at_every_length_and_start([Levels] KernelLevel level, [Values] ActivationFunction activation)
    {
        foreach (int length in Samples.Lengths)
        {
            for (int start = 0; start < 3; start++)
            {
                using var x = Guarded.Of(Samples.Uniform(length, length, 6), start);
                using var y = new Guarded(length * sizeof(float), start * sizeof(float));
                float[] expected = new float[length];
                Activations.Run(activation, x.Floats, expected, Samples.Reference);
                Activations.Run(activation, x.Floats, y.Floats, Samples.At(level));
                Samples.AssertClose(y.Floats, expected, 6 * Math.Pow(2, -22), $"{level} {activation} {length}");
                y.AssertIntact();

                Activations.Run(activation, x.Floats, x.Floats, Samples.At(level));
                Assert.That(x.Floats.SequenceEqual(y.Floats), "in place");
                x.AssertIntact();
            }
        }
    }

    [Test]
    public void Activations_treat_NaN_infinity_and_the_ends_of_the_range_as_Reference_does([Levels] KernelLevel level, [Values] ActivationFunction activation)
    {
        foreach (float value in s_special)
        {
            float[] x = new float[19], y = new float[19], expected = new float[19];
            x.AsSpan().Fill(value);
            Activations.Run(activation, x, expected, Samples.Reference);
            Activations.Run(activation, x, y, Samples.At(level));
            Samples.AssertClose(y, expected, Math.Abs(value) < 1e30 ? 1e-7 * Math.Max(1, Math.Abs(value)) : 1e32, $"{level} {activation}({value})");
        }
    }

    [Test]
    public void Gelu_and_Silu_stay_within_their_bound_over_the_range([Levels] KernelLevel level)
    {
        float[] x = Enumerable.Range(-20000, 40001).Select(i => i * 0.001f).ToArray();
        float[] y = new float[x.Length], expected = new float[x.Length];
        foreach (ActivationFunction activation in (ActivationFunction[])[ActivationFunction.Gelu, ActivationFunction.GeluTanh, ActivationFunction.Silu,
            ActivationFunction.QuickGelu, ActivationFunction.Mish])
        {
            Activations.Run(activation, x, expected, Samples.Reference);
            Activations.Run(activation, x, y, Samples.At(level));
            for (int i = 0; i < x.Length; i++)
                Assert.That(Math.Abs(y[i] - expected[i]), Is.LessThanOrEqualTo(Math.Abs(x[i]) * Math.Pow(2, -22)), $"{activation}({x[i]})");
        }
    }

    [Test]
    public void Add_agrees_at_every_length_and_start_also_in_place([Levels] KernelLevel level)
    {
        foreach (int length in Samples.Lengths)
        {
            using var x = Guarded.Of(Samples.Uniform(length, 1), length % 3);
            using var y = Guarded.Of(Samples.Uniform(length, 2), length % 5);
            float[] expected = new float[length];
            for (int i = 0; i < length; i++) expected[i] = x.Floats[i] + y.Floats[i];
            Add.Run(x.Floats, y.Floats, y.Floats, Samples.At(level));
            Assert.That(y.Floats.SequenceEqual(expected));
            x.AssertIntact();
            y.AssertIntact();
        }
    }

    [Test]
    public void Add_shares_long_sums_among_threads([Levels] KernelLevel level, [Values(16_384, 16_385, 100_003)] int length)
    {
        float[] x = Samples.Uniform(length, 1), y = Samples.Uniform(length, 2), sum = new float[length];
        Add.Run(x, y, sum, Samples.At(level, threads: 3));
        Assert.That(sum, Is.EqualTo(x.Zip(y, (a, b) => a + b).ToArray()));
    }

    [Test]
    public void SwiGLU_of_gate_1_and_2_is_the_sigmoid_of_1_times_2([Levels] KernelLevel level)
    {
        // silu(1) = 1 / (1 + e⁻¹) = 0.7311
        float[] y = new float[1];
        GatedActivation.Run(ActivationFunction.Silu, [1], [2], y, Samples.At(level));
        Assert.That(y[0], Is.EqualTo(1.4621172f).Within(1e-6));
    }

    [Test]
    public void A_gated_activation_agrees_with_Reference_at_every_length_and_start_also_in_place([Levels] KernelLevel level,
        [Values] ActivationFunction activation)
    {
        foreach (int length in (int[])[.. Samples.Lengths, 5000, 20_000])
        {
            using var gate = Guarded.Of(Samples.Uniform(length, 1, 6), length % 3);
            using var x = Guarded.Of(Samples.Uniform(length, 2, 2), length % 5);
            float[] expected = new float[length], y = new float[length];
            GatedActivation.Run(activation, gate.Floats, x.Floats, expected, Samples.Reference);
            GatedActivation.Run(activation, gate.Floats, x.Floats, y, Samples.At(level, threads: 3));
            Samples.AssertClose(y, expected, 12 * Math.Pow(2, -22), $"{level} {activation} {length}");
            GatedActivation.Run(activation, gate.Floats, x.Floats, x.Floats, Samples.At(level));
            Assert.That(x.Floats.SequenceEqual(y), "in place, and by one thread");
            gate.AssertIntact();
            x.AssertIntact();
        }
    }

    [Test]
    public void Different_lengths_are_refused_with_both_numbers()
    {
        Assert.That(() => Activations.Run(ActivationFunction.Relu, new float[3], new float[4], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("3").And.Message.Contains("4"));
        Assert.That(() => Add.Run(new float[3], new float[4], new float[3], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("3").And.Message.Contains("4"));
        Assert.That(() => Add.Run(new float[3], new float[3], new float[5], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("3").And.Message.Contains("5"));
        Assert.That(() => Activations.Run((ActivationFunction)99, new float[3], new float[3], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("99"));
    }
}
