namespace ManagedTransformers.Models.Tests;

public sealed class GPTJTests
{
    private static readonly int[] Prompt = [5, 17, 3, 22, 9, 30];
    private static readonly GPTJConfig Tiny =
        new() { VocabSize = 40, NEmbd = 64, NLayer = 2, NHead = 4, RotaryDim = 8, NPositions = 24, InitializerRange = 0.2 };

    [Test]
    public void Defaults_are_those_of_transformers()
    {
        var config = (GPTJConfig)ConfigJson.Parse("""{"model_type": "gptj"}"""u8.ToArray());
        Assert.That((config.VocabSize, config.NPositions, config.NEmbd, config.NLayer, config.NHead, config.RotaryDim, config.InnerWidth),
            Is.EqualTo((50400, 2048, 4096, 28, 16, (int?)64, 16384)));
        Assert.That((config.ActivationFunction, config.TieWordEmbeddings, config.LayerNormEpsilon), Is.EqualTo(("gelu_new", false, 1e-5)));
    }

    [TestCase("null")]
    [TestCase("7")]
    [TestCase("258")]
    public void A_part_of_a_head_that_cannot_turn_is_refused(string rotaryDim) => Assert.That(
        () => ConfigJson.Parse(System.Text.Encoding.UTF8.GetBytes($$"""{"model_type": "gptj", "rotary_dim": {{rotaryDim}}}""")),
        Throws.TypeOf<ConfigException>().With.Message.Contains($"rotary_dim is {rotaryDim}")
            .And.Message.Contains("an even number in 2 … n_embd / n_head = 256"));

    [Test]
    public void Tokens_one_by_one_give_the_scores_of_all_at_once([Values] bool leftPadded)
    {
        using var model = PretrainedModels.FromConfig<GPTJForCausalLM>(Tiny, seed: 3);
        using Session whole = model.CreateSession(), session = model.CreateSession();
        float[] all = model.Forward(Prompt, whole).Logits.ToArray();
        ModelInputs first = !leftPadded ? ModelInputs.Of(Prompt.AsSpan(..2)) : new ModelInputs(1, 4)
        {
            InputIds = [0, 0, .. Prompt[..2]], AttentionMask = [0, 0, 1, 1], PositionIds = [1, 1, 0, 1],
        };
        List<float> scores = [.. model.Forward(first, session).Logits.ToArray().AsSpan(^80..)];
        for (int i = 2; i < Prompt.Length; i++)
            scores.AddRange(model.Step([Prompt[i]], [0], session).ToArray());
        Assert.That(scores, Is.EqualTo(all).Within(1e-5 * all.Max(Math.Abs)));
    }
}
