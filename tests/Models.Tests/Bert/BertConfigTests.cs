namespace ManagedTransformers.Models.Tests;

public sealed class BertConfigTests
{
    [Test]
    public void Defaults_are_those_of_transformers()
    {
        var bert = (BertConfig)ConfigJson.Parse("""{"model_type": "bert"}"""u8.ToArray());
        Assert.That((bert.VocabSize, bert.HiddenSize, bert.MaxPositionEmbeddings, bert.TypeVocabSize, bert.LayerNormEps, bert.PadTokenId),
            Is.EqualTo((30522, 768, 512, 2, 1e-12, (int?)0)));
    }
}
