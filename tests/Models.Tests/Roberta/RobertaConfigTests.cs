namespace ManagedTransformers.Models.Tests;

public sealed class RobertaConfigTests
{
    [Test]
    public void Defaults_are_those_of_transformers()
    {
        var roberta = (RobertaConfig)ConfigJson.Parse("""{"model_type": "roberta"}"""u8.ToArray());
        Assert.Multiple(() =>
        {
            Assert.That((roberta.VocabSize, roberta.PadTokenId, roberta.BosTokenId, roberta.MaxTokens), Is.EqualTo((50265, (int?)1, (int?)0, 510)));
            Assert.That(roberta.EosTokenId, Is.EqualTo(new[] { 2 }));
        });
    }

    [Test]
    public void CodeBERTa_reads_512_tokens_of_its_514_positions() =>
        Assert.That(ConfigJson.Parse("""{"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}"""u8.ToArray()).MaxTokens,
            Is.EqualTo(512));
}
