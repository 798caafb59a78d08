using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The pipelines with tokenizers of real checkpoints, where they are found outside the repository.</summary>
public sealed class SharedTokenizerTests
{
    [Test]
    public void StarEncoder_reads_cls_text_sep_though_its_tokenizer_adds_nothing()
    {
        Tokenizer tokenizer = TokenizerFit.WithSpecialTokens(Load("starencoder"), new BertConfig { VocabSize = 49156 });
        TokenEncoding one = tokenizer.Encode("x"), two = tokenizer.Encode("x", "x");
        Assert.That((one.Ids[0], one.Length, one.Ids[^1]), Is.EqualTo((49154, 3, 49153)));
        Assert.That((two.Ids[2], two.Ids[^1]), Is.EqualTo((49153, 49153)));
        Assert.That(two.TypeIds, Is.EqualTo(new[] { 0, 0, 0, 1, 1 }));
    }

    [Test]
    public void Bert_reads_cls_text_sep_as_its_post_processor_says()
    {
        Tokenizer tokenizer = Load("bert-base-uncased");
        Assert.That(TokenizerFit.WithSpecialTokens(tokenizer, new BertConfig()), Is.SameAs(tokenizer));
        Assert.That(tokenizer.Encode("").Ids, Is.EqualTo(new[] { 101, 102 }));
    }

    [Test]
    public void CodeGen2_infills_with_its_own_tokens()
    {
        int[] prompt = new InfillFormat(Load("codegen2")).Prompt(new InfillRequest("", "    return name")).TokenIds;
        Assert.That(prompt[0], Is.EqualTo(51199));
        Assert.That(prompt[^3..], Is.EqualTo(new[] { 50256, 50299, 51199 }));
    }

    [Test]
    public void CodeGen2s_end_of_text_wins_over_the_2_of_its_config()
    {
        GenerationDefaults defaults = GenerationDefaults.Of(null, new CodeGenConfig { VocabSize = 51200, EosTokenId = [2] }, Load("codegen2"));
        Assert.That(defaults.Options.EosTokenId, Is.EqualTo(new[] { 50256 }));
        Assert.That(defaults.Warnings.Single(), Does.Contain("50256"));
    }

    private static Tokenizer Load(string name)
    {
        string directory = Path.Combine(TestData.Root, "..", "shared", "tokenizers", name);
        if (!Directory.Exists(directory))
            Assert.Ignore($"{name} may not be redistributed and is not next to the repository.");
        return Tokenizer.Load(directory);
    }
}
