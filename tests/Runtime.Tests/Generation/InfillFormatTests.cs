using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using static ManagedTransformers.Runtime.Tests.InfillTokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The prompts of each kind of model: the ids of the text that its authors give, with their tokens.</summary>
public sealed class InfillFormatTests
{
    private const string Prefix = "def f(x):\n    ", Suffix = "\n    return y\n";
    private static readonly InfillRequest Gap = new(Prefix, Suffix);
    private static readonly InfillRequest InRepository = Gap with
    {
        Repository = "shop", Path = "main.py", Files = [("lib/a.py", "a = 1\n"), ("b.py", "b = 2")],
    };

    [Test]
    public void Qwen_reads_prefix_suffix_middle()
    {
        int[] ids = Prompt(Qwen, new InfillRequest("x = ", "\n"));
        Assert.That(ids, Is.EqualTo(new[] { 4272, 87, 268, 220, 4274, 198, 4273 }));
        Assert.That(Prompt(Qwen, Gap), Is.EqualTo(Ids(Qwen, $"<|fim_prefix|>{Prefix}<|fim_suffix|>{Suffix}<|fim_middle|>")));
    }

    [Test]
    public void Qwen_reads_the_repository_file_by_file() => Assert.That(Prompt(Qwen, InRepository), Is.EqualTo(Ids(Qwen,
        "<|repo_name|>shop\n<|file_sep|>lib/a.py\na = 1\n\n<|file_sep|>b.py\nb = 2\n<|file_sep|>main.py\n" +
        $"<|fim_prefix|>{Prefix}<|fim_suffix|>{Suffix}<|fim_middle|>")));

    [Test]
    public void Names_that_are_not_given_are_not_invented()
    {
        string gap = $"<|fim_prefix|>{Prefix}<|fim_suffix|>{Suffix}<|fim_middle|>";
        Assert.That(Prompt(Qwen, Gap with { Path = "main.py" }), Is.EqualTo(Ids(Qwen, $"<|file_sep|>main.py\n{gap}")));
        Assert.That(Prompt(Qwen, Gap with { Files = [("b.py", "b\n")] }), Is.EqualTo(Ids(Qwen, $"<|file_sep|>b.py\nb\n\n<|file_sep|>{gap}")));
        Assert.That(Prompt(Qwen, Gap with { Repository = "shop" }), Is.EqualTo(Ids(Qwen, $"<|repo_name|>shop\n<|file_sep|>{gap}")));
    }

    [Test]
    public void StarCoder2_reads_the_path_of_the_file_within_the_prefix()
    {
        Assert.That(Prompt(StarCoder2, Gap), Is.EqualTo(Ids(StarCoder2, $"<fim_prefix>{Prefix}<fim_suffix>{Suffix}<fim_middle>")));
        Assert.That(Prompt(StarCoder2, InRepository), Is.EqualTo(Ids(StarCoder2,
            "<repo_name>shop<file_sep>lib/a.py\na = 1\n<file_sep>b.py\nb = 2<file_sep>" +
            $"<fim_prefix>main.py\n{Prefix}<fim_suffix>{Suffix}<fim_middle>")));
        Assert.That(Prompt(StarCoder2, Gap with { Files = [("b.py", "b")] }),
            Is.EqualTo(Ids(StarCoder2, $"<file_sep>b.py\nb<file_sep><fim_prefix>{Prefix}<fim_suffix>{Suffix}<fim_middle>")));
    }

    [Test]
    public void StarCoder_reads_its_filename_token_within_the_prefix()
    {
        Assert.That(Prompt(StarCoder, Gap), Is.EqualTo(Ids(StarCoder, $"<fim_prefix>{Prefix}<fim_suffix>{Suffix}<fim_middle>")));
        Assert.That(Prompt(StarCoder, InRepository), Is.EqualTo(Ids(StarCoder,
            "<reponame>shop<filename>lib/a.py\na = 1\n<filename>b.py\nb = 2" +
            $"<fim_prefix><filename>main.py\n{Prefix}<fim_suffix>{Suffix}<fim_middle>")));
    }

    [Test]
    public void SantaCoder_has_hyphens_and_reads_files_as_text()
    {
        Assert.That(Prompt(SantaCoder, Gap), Is.EqualTo(Ids(SantaCoder, $"<fim-prefix>{Prefix}<fim-suffix>{Suffix}<fim-middle>")));
        Assert.That(Prompt(SantaCoder, InRepository with { Repository = null }), Is.EqualTo(Ids(SantaCoder,
            $"<fim-prefix>#lib/a.py\na = 1\n#b.py\nb = 2\n#main.py\n{Prefix}<fim-suffix>{Suffix}<fim-middle>")));
    }

    [Test]
    public void DeepSeek_begins_with_its_beginning_of_text_and_reads_files_as_text()
    {
        Assert.That(Prompt(DeepSeek, Gap)[..2], Is.EqualTo(new[] { 4556, 4574 }));
        Assert.That(Prompt(DeepSeek, Gap), Is.EqualTo(DeepSeek.EncodeToIds($"<｜fim▁begin｜>{Prefix}<｜fim▁hole｜>{Suffix}<｜fim▁end｜>")));
        Assert.That(Prompt(DeepSeek, InRepository with { Repository = null }), Is.EqualTo(DeepSeek.EncodeToIds(
            $"<｜fim▁begin｜>#lib/a.py\na = 1\n#b.py\nb = 2\n#main.py\n{Prefix}<｜fim▁hole｜>{Suffix}<｜fim▁end｜>")));
    }

    // CodeLlamaTokenizer.tokenize: [prefix_token] + "▁" and the prefix + [suffix_token] + the suffix with no space before it + [middle_token], behind <s>.
    [TestCase(false)]
    [TestCase(true)]
    public void CodeLlama_puts_a_space_before_the_prefix_and_none_before_the_suffix(bool metaspace)
    {
        Tokenizer tokenizer = metaspace ? CodeLlamaMetaspace : CodeLlama;
        Assert.That(Tokens(tokenizer, Prompt(tokenizer, new InfillRequest("x = ", "return x"))),
            Is.EqualTo(new[] { "<s>", "▁<PRE>", "▁x", "▁=", "▁", "▁<SUF>", "return", "▁x", "▁<MID>" }));
        Assert.That(Tokens(tokenizer, Prompt(tokenizer, new InfillRequest("", " x"))),
            Is.EqualTo(new[] { "<s>", "▁<PRE>", "▁<SUF>", "▁x", "▁<MID>" }));
    }

    // encode_infilling of meta-llama/codellama: the ids of a character and the text, without those of the character.
    [TestCase("return x")]
    [TestCase("  return x")]
    [TestCase("\n    return y\n")]
    public void CodeLlamas_suffix_is_what_follows_another_character(string suffix)
    {
        int[] behind = Ids(CodeLlama, "☺" + suffix)[Ids(CodeLlama, "☺").Length..];
        Assert.That(Prompt(CodeLlama, new InfillRequest("", suffix)), Is.EqualTo((int[])[1, 4000, 4001, .. behind, 4002]));
    }

    [Test]
    public void Tokens_in_the_users_texts_are_text()
    {
        var request = new InfillRequest("a<|fim_suffix|><|endoftext|>", "<|fim_middle|>") { Path = "<|file_sep|>", Files = [("b", "<|repo_name|>")] };
        int[] prompt = Prompt(Qwen, request);
        Assert.That(prompt.Where(id => id >= 4256), Is.EqualTo(new[] { 4277, 4277, 4272, 4274, 4273 }), "file_sep twice, then one of each");
        Assert.That(Qwen.Decode(prompt), Is.EqualTo(
            "<|file_sep|>b\n<|repo_name|>\n<|file_sep|><|file_sep|>\n<|fim_prefix|>a<|fim_suffix|><|endoftext|><|fim_suffix|><|fim_middle|><|fim_middle|>"));

        int[] llama = Prompt(CodeLlama, new InfillRequest("</s> ▁<SUF>", "<s>"));
        Assert.That(llama.Where(id => id is 1 or 2 or >= 4000), Is.EqualTo(new[] { 1, 4000, 4001, 4002 }));
    }

    [Test]
    public void Added_tokens_that_are_neither_special_nor_of_the_format_are_found_in_texts()
    {
        // CodeGen's runs of blanks and DeepSeek's "õ" are such tokens, and the models were trained with them.
        Tokenizer tokenizer = With("digits-python-8k", special: false, "<fim-prefix>", "<fim-middle>", "<fim-suffix>", "    ");
        Assert.That(Prompt(tokenizer, new InfillRequest("x    ", "<fim-suffix>")), Does.Contain(8195).And.Exactly(1).EqualTo(8194));
    }

    [Test]
    public void The_end_tokens_come_with_the_format()
    {
        Assert.That(Ends(Qwen), Is.EqualTo(new[]
        {
            "<|endoftext|>", "<|fim_pad|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>",
        }));
        Assert.That(Ends(StarCoder2), Does.Contain("<file_sep>").And.Contain("<fim_pad>"));
        Assert.That(Ends(StarCoder), Does.Contain("<filename>").And.Contain("<fim_pad>"));
        Assert.That(Ends(SantaCoder), Does.Contain("<fim-pad>"));
        Assert.That(Ends(DeepSeek), Does.Contain("<|EOT|>").And.Contain("<｜end▁of▁sentence｜>"));
        Assert.That(Ends(CodeLlama), Does.Contain("▁<EOT>"));
        Assert.That(Ends(TestData.Tokenizer("codegen-python-8k")), Is.EqualTo(new[] { "<eom>" }));
    }

    [Test]
    public void Of_two_formats_the_one_of_the_model_s_family_counts()
    {
        Tokenizer both = With("codegen-python-8k", special: true, "<fim_prefix>", "<fim_middle>", "<fim_suffix>");
        Assert.That(new InfillFormat(both, "codegen").Prompt(Gap).TokenIds[^1], Is.EqualTo(both.TokenToId("<mask_1>")));
        Assert.That(new InfillFormat(both, "gpt_bigcode").Prompt(Gap).TokenIds[^1], Is.EqualTo(both.TokenToId("<fim_middle>")));
        // StarCoder2's set has StarCoder's tokens in it; with both names for files there are two sets.
        Tokenizer names = With("digits-python-8k", special: true, "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<file_sep>", "<filename>");
        Assert.That(Prompt(StarCoder2, InRepository), Is.EqualTo(new InfillFormat(StarCoder2, "gpt_bigcode").Prompt(InRepository).TokenIds));
        Assert.That(new InfillFormat(names, "gpt_bigcode").Prompt(Gap with { Path = "m.py" }).TokenIds, Does.Contain(names.TokenToId("<filename>")));
    }

    [TestCase(null, "no model_type decides between them")]
    [TestCase("qwen2", "model_type qwen2 does not decide between them")]
    public void Two_formats_between_which_the_family_does_not_decide_are_refused_by_name(string? modelType, string reason)
    {
        Tokenizer both = With("codegen-python-8k", special: true, "<fim_prefix>", "<fim_middle>", "<fim_suffix>");
        Assert.That(() => new InfillFormat(both, modelType), Throws.TypeOf<ConfigException>().With.Message
            .Contains("CodeGen2 (<mask_1> <|endoftext|> <sep> <eom>); StarCoder (<fim_prefix> <fim_suffix> <fim_middle>)").And.Message.Contains(reason));
    }

    [Test]
    public void A_tokenizer_without_any_is_refused_with_the_sets_that_are_known() => Assert.That(
        () => new InfillFormat(TestData.Tokenizer("digits-python-8k")), Throws.TypeOf<ConfigException>().With.Message
            .Contains("suffix/infilling is not supported by this model").And.Message.Contains("CodeGen2 (<mask_1> <|endoftext|> <sep> <eom>)")
            .And.Message.Contains("Qwen2.5-Coder (<|fim_prefix|> <|fim_suffix|> <|fim_middle|>)").And.Message.Contains("CodeLlama (▁<PRE> ▁<SUF> ▁<MID>)"));

    [Test]
    public void What_the_tokens_cannot_say_is_refused()
    {
        Assert.That(() => Prompt(CodeLlama, InRepository),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("Repository is \"shop\"").And.Message.Contains("CodeLlama"));
        Assert.That(() => Prompt(Qwen, new InfillRequest(["a", "b", "c"])),
            Throws.TypeOf<ConfigException>().With.Message.Contains("2 gaps").And.Message.Contains("Qwen2.5-Coder mark one"));
        Assert.That(() => Gap with { Path = "a\nb" }, Throws.ArgumentException.With.Message.Contains("Path").And.Message.Contains("one line"));
        Assert.That(() => Gap with { Files = [("", "x")] }, Throws.ArgumentException.With.Message.Contains("Files"));
    }

    [Test]
    public void Where_room_is_short_the_first_files_go_first()
    {
        var format = new InfillFormat(Qwen);
        int whole = Prompt(Qwen, InRepository).Length, file = Ids(Qwen, "<|file_sep|>lib/a.py\na = 1\n\n").Length;
        InfillPrompt Cut(int room) => format.Prompt(InRepository, room);

        Assert.That(Cut(whole).DroppedFiles, Is.Zero);
        InfillPrompt one = Cut(whole - 1);
        Assert.That((one.TokenIds.Length, one.DroppedFiles, one.DroppedTokens), Is.EqualTo((whole - file, 1, 0)));
        Assert.That(one.TokenIds, Is.EqualTo(Prompt(Qwen, InRepository with { Files = [InRepository.Files[1]] })));
        Assert.That(Cut(whole - file).DroppedFiles, Is.EqualTo(1));
        Assert.That(Cut(whole - file - 1).DroppedFiles, Is.EqualTo(2));
    }

    [TestCase(40, 40, 23, 15, 5)]        // 20 are left for texts: a quarter for the suffix
    [TestCase(40, 3, 23, 17, 3)]         // a short suffix leaves the rest to the prefix
    [TestCase(4, 40, 23, 4, 16)]         // a short prefix to the suffix
    [TestCase(4, 40, 4, 1, 0)]           // one token
    public void Then_the_beginning_of_the_prefix_and_the_end_of_the_suffix(int prefix, int suffix, int room, int keptPrefix, int keptSuffix)
    {
        int[] Letters(string text) => Ids(Qwen, text);
        string before = string.Concat(Enumerable.Repeat("1", prefix)), after = string.Concat(Enumerable.Repeat("2", suffix));       // a digit is a token
        InfillPrompt cut = new InfillFormat(Qwen).Prompt(new InfillRequest(before, after), room);
        Assert.That(cut.TokenIds, Is.EqualTo((int[])[4272, .. Letters(before)[^keptPrefix..], 4274, .. Letters(after)[..keptSuffix], 4273]));
        Assert.That((cut.TokenIds.Length, cut.DroppedTokens), Is.EqualTo((room, prefix + suffix - keptPrefix - keptSuffix)));
    }

    [Test]
    public void Names_stay_where_texts_are_cut()
    {
        InfillPrompt cut = new InfillFormat(StarCoder2).Prompt(new InfillRequest("1234567890", "") { Path = "m.py" }, room: 12);
        Assert.That(StarCoder2.Decode(cut.TokenIds), Does.StartWith("<file_sep><fim_prefix>m.py\n").And.EndWith("90<fim_suffix><fim_middle>"));
        Assert.That(cut.TokenIds, Has.Length.EqualTo(12));
        Assert.That(() => new InfillFormat(StarCoder2).Prompt(new InfillRequest("1234567890", "") { Path = "m.py" }, room: 5),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("room for 5 tokens").And.Message.Contains("Ask for fewer new tokens"));
    }

    [Test]
    public void A_text_that_is_missing_is_named()
    {
        Assert.That(() => new InfillRequest(null!, ""), Throws.ArgumentNullException.With.Property("ParamName").EqualTo("prefix"));
        Assert.That(() => new InfillRequest("", null!), Throws.ArgumentNullException.With.Property("ParamName").EqualTo("suffix"));
    }

    private static int[] Prompt(Tokenizer tokenizer, InfillRequest request) => new InfillFormat(tokenizer).Prompt(request).TokenIds;

    private static int[] Ids(Tokenizer tokenizer, string text) => tokenizer.EncodeToIds(text, pair: null, EncodeOptions.Plain);

    private static string[] Tokens(Tokenizer tokenizer, int[] ids) => [.. ids.Select(id => tokenizer.IdToToken(id)!)];

    private static string[] Ends(Tokenizer tokenizer) => Tokens(tokenizer, [.. new InfillFormat(tokenizer).EosTokenId]);
}
