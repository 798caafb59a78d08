namespace ManagedTransformers.Tokenizers.Tests;

public class CodeGenTokenizerTests
{
    private static readonly string[] CardPatterns = ["^#", "<\\|endoftext\\|>", "^'''", "^\"\"\"", "\n\n\n"];

    [Test]
    public void Hello_world_has_the_ids_of_the_documentation()
    {
        CodeGenTokenizer tokenizer = CodeGenTokenizer.Load(TestFiles.Tokenizer("codegen"));
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Encode("Hello world").InputIds, Is.EqualTo(new[] { 15496, 995 }));
            Assert.That(tokenizer.Encode(" Hello world").InputIds, Is.EqualTo(new[] { 18435, 995 }));
            Assert.That(tokenizer.Tokenizer.SpecialTokens.EosTokenId, Is.EqualTo(50256));
            Assert.That(tokenizer.Tokenizer.ModelMaxLength, Is.EqualTo(1024));
        });
    }

    [Test]
    public void Split_words_have_a_space_before_each()
    {
        CodeGenTokenizer slow = Load(new CodeGenTokenizerOptions { Fast = false });
        Assert.That(slow.EncodeWords(["def", "x"]).InputIds, Is.EqualTo((int[])[.. Load().Encode(" def").InputIds, .. Load().Encode(" x").InputIds]));
        CodeGenTokenizer fast = Load(new CodeGenTokenizerOptions { AddPrefixSpace = true });
        Assert.That(fast.EncodeWords(["def", "x"]).InputIds, Is.EqualTo(slow.EncodeWords(["def", "x"]).InputIds));
        Assert.That(() => Load().EncodeWords(["def"]), Throws.TypeOf<TokenizerException>().With.Message.Contains("AddPrefixSpace"));
    }

    [TestCase(true, " x", 1)]
    [TestCase(false, "  x", 2)]
    public void The_fast_tokenizer_adds_a_prefix_space_only_where_none_is(bool fast, string same, int spaces)
    {
        CodeGenTokenizer tokenizer = Load(new CodeGenTokenizerOptions { Fast = fast, AddPrefixSpace = true });
        Assert.That(tokenizer.Encode(" x").InputIds, Is.EqualTo(Load().Encode(same).InputIds));
        Assert.That(same, Does.StartWith(new string(' ', spaces)));
    }

    [Test]
    public void A_bos_token_goes_before_every_text_of_the_slow_tokenizer()
    {
        CodeGenTokenizer slow = Load(new CodeGenTokenizerOptions { Fast = false, AddBosToken = true, ReturnTokenTypeIds = true });
        int bos = slow.Tokenizer.SpecialTokens.BosTokenId!.Value;
        int[] a = Load().Encode("a").InputIds, b = Load().Encode("b").InputIds;
        CodeGenInputs inputs = slow.Encode("a", "b");
        Assert.Multiple(() =>
        {
            Assert.That(inputs.InputIds, Is.EqualTo((int[])[bos, .. a, bos, .. b]));
            Assert.That(inputs.TokenTypeIds, Is.EqualTo(new[] { 0, 0, 0, 1 }));
            Assert.That(inputs.AttentionMask, Is.All.EqualTo(1));
            Assert.That(() => Load(new CodeGenTokenizerOptions { AddBosToken = true }),
                Throws.TypeOf<TokenizerException>().With.Message.Contains("Fast = false"));
        });
    }

    [Test]
    public void Token_type_ids_are_0_for_the_first_text_and_1_for_the_second()
    {
        CodeGenTokenizer tokenizer = new(Tiny.ByteLevel());
        Assert.That(tokenizer.CreateTokenTypeIdsFromSequences([5, 6], [7]), Is.EqualTo(new[] { 0, 0, 1 }));
        Assert.That(tokenizer.CreateTokenTypeIdsFromSequences([5, 6]), Is.EqualTo(new[] { 0, 0 }));
        Assert.That(tokenizer.Encode("a").TokenTypeIds, Is.Null);
    }

    [Test]
    public void A_saved_vocabulary_loads_to_an_equal_tokenizer()
    {
        CodeGenTokenizer tokenizer = Load();
        string directory = Directory.CreateTempSubdirectory("mtx-tokenizer-").FullName;
        try
        {
            IReadOnlyList<string> paths = tokenizer.SaveVocabulary(directory, "demo");
            Assert.That(paths.Select(Path.GetFileName), Is.EqualTo(new[] { "demo-vocab.json", "demo-merges.txt" }));
            CodeGenTokenizer again = CodeGenTokenizer.FromFiles(paths[0], paths[1]);
            const string Text = "def hello_world():\n    print(\"Hello\\n\")  # ünï 😀\n<|endoftext|>";
            Assert.That(again.Encode(Text).InputIds, Is.EqualTo(tokenizer.Encode(Text).InputIds));
            Assert.That(again.Tokenizer.VocabularySize, Is.EqualTo(8192));
            Assert.That(() => tokenizer.SaveVocabulary(directory, "../up"), Throws.TypeOf<TokenizerException>());
            Assert.That(() => tokenizer.SaveVocabulary(Path.Combine(directory, "none")), Throws.TypeOf<TokenizerException>());
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [TestCase("print(1)\nx\nprint(2)\n", "print(1)\nx\n")]
    [TestCase("def a():\n  def b(): pass\ndef c(): pass", "def a():\n  def b(): pass\n")]
    [TestCase("x = 1\n# done", "x = 1\n")]
    [TestCase("#top", "")]
    [TestCase("a\n\n\n\nb", "a")]
    [TestCase("a # b <|endoftext|> c", "a # b ")]
    [TestCase("def f():\n    '''doc'''\n    return 1\n'''end'''", "def f():\n    '''doc'''\n    return 1\n")]
    [TestCase("print(1)", "print(1)")]
    public void Completions_are_cut_before_the_second_print_or_def_and_the_first_pattern(string completion, string kept) =>
        Assert.That(CompletionTruncation.Truncate(completion, CardPatterns), Is.EqualTo(kept));

    [TestCase("a\r\nb", "^b", "a\r\n")]
    [TestCase("a\nb\n", "b$", "a\n")]
    [TestCase("a\nb\n", @"b\Z", "a\nb\n")]
    [TestCase("a\nb", @"b\Z", "a\n")]
    [TestCase("xaab", "(?P<c>a)(?P=c)", "x")]
    [TestCase("xaab", "a{,2}b", "x")]
    public void Patterns_are_read_as_python_reads_them(string completion, string pattern, string kept) =>
        Assert.That(CompletionTruncation.Truncate(completion, [pattern]), Is.EqualTo(kept));

    [Test]
    public void A_pattern_that_is_wrong_or_never_ends_is_refused()
    {
        Assert.That(() => CompletionTruncation.Truncate("x", ["("]), Throws.TypeOf<TokenizerException>().With.Message.Contains("\"(\""));
        Assert.That(() => CompletionTruncation.Truncate(new string('a', 60) + "!", ["(a+)+$"]),
            Throws.TypeOf<TokenizerException>().With.Message.Contains("nested repetition"));
    }

    [Test]
    public void Decoding_cuts_cleans_and_skips_as_asked()
    {
        CodeGenTokenizer tokenizer = Load();
        int[] ids = tokenizer.Encode("a , b .\n# end<|endoftext|>").InputIds;
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Decode(ids), Is.EqualTo("a , b .\n# end<|endoftext|>"));
            Assert.That(tokenizer.Decode(ids, skipSpecialTokens: true, cleanUpTokenizationSpaces: true), Is.EqualTo("a, b.\n# end"));
            Assert.That(tokenizer.Decode(ids, truncateBeforePattern: ["^#"]), Is.EqualTo("a , b .\n"));
        });
    }

    [Test]
    public void A_tokenizer_of_another_kind_is_refused() =>
        Assert.That(() => new CodeGenTokenizer(Tiny.WordPiece(["a"])), Throws.TypeOf<TokenizerException>().With.Message.Contains("byte-level BPE"));

    private static CodeGenTokenizer Load(CodeGenTokenizerOptions? options = null) => CodeGenTokenizer.Load(TestFiles.Tokenizer("codegen-python-8k"), options);
}
