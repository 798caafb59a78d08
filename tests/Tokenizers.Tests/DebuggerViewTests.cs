using ManagedTransformers.Testing;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>What a debugger shows of encodings and tokenizers.</summary>
public sealed class DebuggerViewTests
{
    private static readonly Tokenizer s_codegen = Tokenizer.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-codegen"));
    private static readonly Tokenizer s_fillMask = Tokenizer.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-fill-mask"));

    [Test]
    public void An_encoding_opens_to_its_tokens_with_the_text_of_each()
    {
        TokenEncoding encoding = s_fillMask.Encode("def 😀\n");
        Assert.That(DebuggerReader.Display(encoding), Is.EqualTo("9 tokens: <s> def Ġ ð Ł ĺ Ģ Ċ </s>"));
        string[] tokens = [.. DebuggerReader.Items(encoding).Select(DebuggerReader.Display)];
        Assert.That(tokens[..2], Is.EqualTo(new[] { "0: 0 <s> special", $"1: {encoding.Ids[1]} def \"def\" [0, 3)" }));
        Assert.That(tokens[6], Is.EqualTo($"6: {encoding.Ids[6]} Ģ \"😀\" [4, 5)"), "one code point, four tokens");
    }

    [Test]
    public void The_tokens_of_a_pair_are_cut_out_of_their_own_texts()
    {
        TokenEncoding encoding = s_fillMask.Encode("return a", "import b");
        object?[] texts = [.. DebuggerReader.Items(encoding).Select(token => DebuggerReader.Property(token, "Text"))];
        Assert.That(texts, Is.EqualTo(new[] { null, "return", "a", null, null, "import", "b", null }), "as trim_offsets has it, without the space before");
    }

    [Test]
    public void Words_that_were_split_before_and_padding_have_no_text()
    {
        TokenEncoding encoding = s_fillMask.EncodeWords(["def", "return"], pair: null, new EncodeOptions { Padding = new Padding { Length = 6 } });
        Assert.That(DebuggerReader.Items(encoding).Select(token => DebuggerReader.Property(token, "Text")), Is.All.Null);
        Assert.That(DebuggerReader.Open(encoding)[^1], Is.EqualTo("5: 1 <pad> padding"));
    }

    [Test]
    public void A_long_encoding_shows_its_first_tokens_and_the_text_outlives_truncation()
    {
        TokenEncoding encoding = s_codegen.Encode(string.Concat(Enumerable.Repeat("return ", 40)), pair: null,
            new EncodeOptions { Truncation = new Truncation(20) });
        Assert.That(DebuggerReader.Display(encoding), Does.StartWith("20 tokens: return Ġreturn Ġreturn").And.EndsWith("Ġreturn …"));
        Assert.That(DebuggerReader.Property(DebuggerReader.Items(encoding)[3], "Text"), Is.EqualTo(" return"));
        Assert.That(DebuggerReader.Property(encoding, "Overflowing"), Has.Length.GreaterThan(0));
    }

    [Test]
    public void Arrays_that_the_caller_wrote_to_are_shown_as_they_are()
    {
        TokenEncoding encoding = s_codegen.Encode("return a");
        encoding.Utf16Offsets[0] = (5, 500);
        Assert.That(DebuggerReader.Property(DebuggerReader.Items(encoding)[0], "Text"), Is.Null);
    }

    [Test]
    public void A_tokenizer_shows_its_kind_its_size_and_its_special_tokens()
    {
        Assert.That(DebuggerReader.Display(s_fillMask),
            Is.EqualTo("Bpe, 8192 tokens, 5 of them added; special: bos <s> 0, eos </s> 2, unk <unk> 3, sep </s> 2, pad <pad> 1, cls <s> 0, mask <mask> 4"));
        Assert.That(DebuggerReader.Property(s_fillMask, "VocabularySize"), Is.EqualTo(s_fillMask.VocabularySize));
        Assert.That(DebuggerReader.Open(DebuggerReader.Property(s_fillMask, "AddedTokens")!)[4], Is.EqualTo("4: \"<mask>\""));
        Assert.That(DebuggerReader.Display(DebuggerReader.Property(s_fillMask, "SpecialTokens")), Does.Contain("mask <mask> 4"));
        Assert.That(() => DebuggerReader.Open(s_codegen), Throws.Nothing);
    }
}
