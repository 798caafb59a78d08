using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class NextSentenceTests
{
    [Test]
    public void Score_is_the_softmax_of_seq_relationship_with_number_0_for_next()
    {
        using BertForPreTraining model = TestData.Tiny<BertForPreTraining>(8200);
        using NextSentencePipeline pipeline = NextSentencePipeline.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
        TokenEncoding pair = pipeline.Tokenizer.Encode("import os", "print(os.name)");
        Assert.That(pair.TypeIds, Has.Member(1));
        using Session session = model.CreateSession();
        FloatTensor logits = model.Forward(new ModelInputs(1, pair.Length) { InputIds = pair.Ids, TokenTypeIds = pair.TypeIds }, session).SeqRelationshipLogits;
        NextSentenceScore score = pipeline.Score("import os", "print(os.name)");
        Assert.That(score.IsNext, Is.EqualTo(1 / (1 + Math.Exp(logits[0, 1] - logits[0, 0]))).Within(1e-6));
        Assert.That(score.IsNext + score.NotNext, Is.EqualTo(1).Within(1e-6));
        Assert.That(pipeline.Score([("x", "y"), ("import os", "print(os.name)")])[1].IsNext, Is.EqualTo(score.IsNext).Within(1e-5));
    }

    [Test]
    public void A_pre_training_checkpoint_fills_masks_too()
    {
        using BertForPreTraining model = TestData.Tiny<BertForPreTraining>(8200);
        using FillMaskPipeline pipeline = FillMaskPipeline.Create(model, TestData.Tokenizer("digits-python-8k"));
        Tokenizer tokenizer = pipeline.Tokenizer;
        (int cls, int mask, int sep) =
            (tokenizer.SpecialTokens.ClsTokenId!.Value, tokenizer.SpecialTokens.MaskTokenId!.Value, tokenizer.SpecialTokens.SepTokenId!.Value);
        using Session session = model.CreateSession();
        FloatTensor logits = model.Forward(ModelInputs.Of(cls, mask, sep), session).Logits;
        float[] row = logits.Row(1).ToArray();
        Assert.That(pipeline.Predict("<mask>")[0].TokenId, Is.EqualTo(Array.IndexOf(row, row.Max())));
    }

    [Test]
    public void Another_architecture_is_refused() =>
        Assert.That(
            () => NextSentencePipeline.Load(TestData.Model("demo-fill-mask")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("BertForPreTraining"));
}
