using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models.Tests;

public sealed class RotaryEmbeddingTests
{
    /// <summary>Cosines of one position where the text has this many tokens.</summary>
    private static float[] Cos(RopeScaling? scaling, int position, int tokens, int maxPositions = 64, double theta = 10000)
    {
        var rotary = new RotaryEmbedding(rotaryDim: 8, RotaryPairs.Halves, theta, scaling, maxPositions);
        var batch = new PackedBatch();
        batch.Pack(ModelInputs.Of(new int[tokens]), mask: [], keepPadding: false, cache: null, new PositionLimit("n", tokens));
        return rotary.For(batch, 0).Cos(position).ToArray();
    }

    [Test]
    public void Linear_scaling_by_4_turns_position_12_as_far_as_position_3() =>
        Assert.That(Cos(new RopeScaling { Type = "linear", Factor = 4 }, 12, 13), Is.EqualTo(Cos(null, 3, 13)).Within(1e-6));

    [Test]
    public void Dynamic_scaling_starts_beyond_the_positions_of_training()
    {
        var dynamic = new RopeScaling { RopeType = "dynamic", Factor = 2 };
        Assert.That(Cos(dynamic, 5, 64), Is.EqualTo(Cos(null, 5, 64)));
        // twice the positions: base · (2 · 2 − 1)^(8 / 6)
        Assert.That(Cos(dynamic, 5, 128), Is.EqualTo(Cos(null, 5, 128, theta: 10000 * Math.Pow(3, 8 / 6.0))).Within(1e-6));
    }

    [Test]
    public void Dynamic_scaling_of_a_part_is_that_of_the_whole_text()
    {
        var rotary = new RotaryEmbedding(rotaryDim: 8, RotaryPairs.Halves, 10000, new RopeScaling { RopeType = "dynamic", Factor = 2 }, maxPositions: 64);
        var batch = new PackedBatch();
        batch.Pack(ModelInputs.Of(new int[16]), mask: [], keepPadding: false, cache: null, new PositionLimit("n", 16));
        double theta = 10000 * Math.Pow(3, 8 / 6.0);
        float[] expected = [.. Enumerable.Range(0, 4).Select(i => (float)Math.Cos(5 * Math.Pow(theta, -i / 4.0)))];
        Assert.That(rotary.For(batch, 0, textLength: 128).Cos(5).ToArray(), Is.EqualTo(expected).Within(1e-6));
    }

    [Test]
    public void Llama3_keeps_what_turns_often_and_slows_what_turns_seldom()
    {
        // frequencies 1, 0.1, 0.01, 0.001; turns within 128 positions: 20, 2.04, 0.2, 0.02
        var scaling = new RopeScaling { RopeType = "llama3", Factor = 8, LowFreqFactor = 1, HighFreqFactor = 4, OriginalMaxPositionEmbeddings = 128 };
        double kept = ((128 * 0.1 / (2 * Math.PI)) - 1) / 3, second = (((1 - kept) / 8) + kept) * 0.1;
        Assert.That(Cos(scaling, 7, 8), Is.EqualTo(new[] { Math.Cos(7), Math.Cos(7 * second), Math.Cos(7 * 0.01 / 8), Math.Cos(7 * 0.001 / 8) }).Within(1e-6));
    }

    [Test]
    public void Yarn_multiplies_cos_by_a_tenth_of_the_logarithm_of_the_factor_and_1()
    {
        // position 0: cos 0 = 1
        Assert.That(Cos(new RopeScaling { Type = "yarn", Factor = 4 }, 0, 1), Is.All.EqualTo((0.1 * Math.Log(4)) + 1).Within(1e-6));
        Assert.That(Cos(new RopeScaling { Type = "yarn", Factor = 4, AttentionFactor = 0.5 }, 0, 1), Is.All.EqualTo(0.5f));
    }

    [Test]
    public void A_longer_text_leaves_the_angles_of_shorter_ones_as_they_were()
    {
        var rotary = new RotaryEmbedding(8, RotaryPairs.Interleaved);
        float[] before = Of(3).Cos(2).ToArray();
        Assert.That((Of(5000).Positions, Of(5000).Cos(2).ToArray()), Is.EqualTo((8192, before)));

        RotaryTable Of(int tokens)
        {
            var batch = new PackedBatch();
            batch.Pack(ModelInputs.Of(new int[tokens]), mask: [], keepPadding: false, cache: null, new PositionLimit("n", tokens));
            return rotary.For(batch, 0);
        }
    }
}
