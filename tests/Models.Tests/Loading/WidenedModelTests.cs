using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models.Tests;

public sealed class WidenedModelTests
{
    private static readonly int[] s_prompt = [313, 5282, 323, 17, 2043, 8, 99, 1200, 5, 640, 77, 31];
    private readonly string _directory = RepositoryFiles.PathOf("models/demo-codegen");

    [TestCase(WeightFormat.AsStored, false, WeightType.F16)]
    [TestCase(WeightFormat.AsStored, true, WeightType.F32)]
    [TestCase(WeightFormat.Int8, true, WeightType.Int8)]
    public void Linear_layers_hold_F32_where_asked_and_embeddings_stay_F16(WeightFormat format, bool widen, WeightType expected)
    {
        using Checkpoint checkpoint = Checkpoint.Open(_directory);
        var weights = ModelWeights.From(checkpoint, ConfigJson.Parse(ConfigJson.ReadFile(_directory).Span),
            new LoadOptions { WeightFormat = format, WidenWeights = widen });
        Assert.That(weights.LinearMatrix("transformer.h.0.mlp.fc_in.weight", 1024, 256).Type, Is.EqualTo(expected));
        Assert.That(weights.Matrix("transformer.wte.weight", 8192, 256).Type, Is.EqualTo(WeightType.F16));
    }

    [TestCase(1)]
    [TestCase(8)]
    [TestCase(12)]
    public void Widened_weights_give_the_same_bits(int tokens)
    {
        foreach (KernelLevel level in KernelDispatch.Supported)
        {
            float[] stored = Logits(new LoadOptions { Kernels = new KernelOptions { Level = level } }, s_prompt[..tokens]);
            float[] widened = Logits(new LoadOptions { Kernels = new KernelOptions { Level = level }, WidenWeights = true }, s_prompt[..tokens]);
            Assert.That(widened, Is.EqualTo(stored), $"{level}");
        }
    }

    [Test]
    public void Weights_are_widened_in_a_browser_alone() => Assert.That(new LoadOptions().WidenWeights, Is.EqualTo(OperatingSystem.IsBrowser()));

    private float[] Logits(LoadOptions options, int[] prompt)
    {
        using var model = PretrainedModels.Load<CodeGenForCausalLM>(_directory, options);
        using Session session = model.CreateSession();
        return model.Forward(prompt, session).Logits.ToArray();
    }
}
