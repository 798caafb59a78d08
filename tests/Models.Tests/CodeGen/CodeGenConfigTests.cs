using System.Text;

namespace ManagedTransformers.Models.Tests;

public sealed class CodeGenConfigTests
{
    [Test]
    public void Defaults_are_those_of_transformers()
    {
        var config = (CodeGenConfig)ConfigJson.Parse("""{"model_type": "codegen"}"""u8.ToArray());
        Assert.Multiple(() =>
        {
            Assert.That((config.VocabSize, config.NPositions, config.NCtx, config.NEmbd, config.NLayer, config.NHead),
                Is.EqualTo((50400, 2048, 2048, 4096, 28, 16)));
            Assert.That((config.RotaryDim, config.NInner, config.InnerWidth, config.ActivationFunction), Is.EqualTo(((int?)64, (int?)null, 16384, "gelu_new")));
            Assert.That((config.LayerNormEpsilon, config.InitializerRange, config.UseCache, config.TieWordEmbeddings), Is.EqualTo((1e-5, 0.02, true, false)));
            Assert.That(config.EosTokenId, Is.EqualTo(new[] { 50256 }));
            Assert.That(config.BosTokenId, Is.EqualTo(50256));
            Assert.That(config, Is.EqualTo(new CodeGenConfig
            {
                OtherKeys = config.OtherKeys, EosTokenId = config.EosTokenId, Id2Label = config.Id2Label, Architectures = config.Architectures,
            }));
        });
    }

    [TestCase("""{"model_type": "codegen"}""", 4)]
    [TestCase("""{"model_type": "codegen", "head_dim": 128, "n_embd": 2048}""", 8)]
    [TestCase("""{"model_type": "codegen", "head_dim": 256}""", 8)]
    [TestCase("""{"model_type": "codegen", "head_dim": 256, "mp_num": 2}""", 2)]
    public void QkvBlocks_follow_head_dim_unless_mp_num_is_given(string json, int blocks) =>
        Assert.That(((CodeGenConfig)ConfigJson.Parse(Encoding.UTF8.GetBytes(json))).QkvBlocks, Is.EqualTo(blocks));
}
