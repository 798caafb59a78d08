using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>
/// Files as people publish them. The ids are those of the tokenizers library and of transformers 4.46; each case stands for a kind of file (tests/data/cases).
/// </summary>
public class FoundFilesTests
{
    private const string Masked = "import <mask> as np";

    [TestCase("mask-string")]
    [TestCase("mask-string-config")]
    [TestCase("mask-nomap")]
    public void A_mask_that_is_a_string_takes_its_space_with_it_where_the_class_is_RoBERTas(string name)
    {
        Tokenizer tokenizer = Tokenizer.FromFiles(WithVocabulary(name));
        Assert.That(tokenizer.Encode(Masked).Ids, Is.EqualTo(new[] { 0, 566, 4, 600, 1252, 2 }));
        Assert.That(tokenizer.ModelMaxLength, Is.EqualTo(256), "max_len is the name of 2020");
    }

    // GPT-2's class has no mask; BART's is RoBERTa's; an object says its properties itself; added_tokens_decoder goes before both.
    [TestCase(""" "tokenizer_class":"GPT2Tokenizer","mask_token":"<mask>" """, "Ġ,<mask>")]
    [TestCase(""" "tokenizer_class":"BartTokenizerFast","mask_token":"<mask>" """, "<mask>")]
    [TestCase(""" "tokenizer_class":"RobertaTokenizer","mask_token":"def" """, "def")]
    [TestCase(""" "tokenizer_class":"RobertaTokenizer","mask_token":{"content":"<mask>","lstrip":false} """, "Ġ,<mask>")]
    [TestCase(""" "tokenizer_class":"RobertaTokenizer","mask_token":"<mask>","added_tokens_decoder":{"4":{"content":"<mask>"}} """, "Ġ,<mask>")]
    public void Properties_of_a_mask_are_those_of_the_files_and_then_of_the_class(string config, string tokens)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = WithVocabulary("mask-nomap");
        files["tokenizer_config.json"] = Tiny.Bytes("{" + config + "}");
        TokenEncoding encoding = Tokenizer.FromFiles(files).Encode($"a {tokens.Split(',')[^1]}", options: EncodeOptions.Plain);
        Assert.That(encoding.Tokens[1..].Select(token => token.TrimStart(' ')), Is.EqualTo(tokens.Split(',')));
    }

    // A class's own mask, which no file names, is what the class says; a named one has the properties of tokenizer.json, or before it of added_tokens_decoder.
    [TestCase("", "a,Ġ,<mask>")]
    [TestCase(""" "tokenizer_class":"RobertaTokenizerFast" """, "a, <mask>")]
    [TestCase(""" "tokenizer_class":"RobertaTokenizerFast","mask_token":"<mask>" """, "a,Ġ,<mask>")]
    [TestCase(""" "tokenizer_class":"RobertaTokenizerFast","mask_token":{"content":"<mask>","lstrip":true} """, "a,Ġ,<mask>")]
    [TestCase(""" "added_tokens_decoder":{"256":{"content":"<mask>","lstrip":true,"special":true}} """, "a, <mask>")]
    public void A_mask_of_tokenizer_json_follows_what_transformers_wrote_later(string config, string tokens)
    {
        JsonObject json = Tiny.ByteLevelJson(added: [Tiny.Added(256, "<mask>", special: true)]);
        Assert.That(Tokenizer.FromJson(Tiny.Bytes(json), Tiny.Bytes("{" + config + "}")).Encode("a <mask>").Tokens, Is.EqualTo(tokens.Split(',')));
    }

    [Test]
    public void A_bos_token_that_tokenizer_json_puts_there_is_not_put_there_again()
    {
        JsonObject json = Json("demo-codegen");
        json["post_processor"] = JsonNode.Parse("""
            {"type":"TemplateProcessing",
             "single":[{"SpecialToken":{"id":"<|endoftext|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
             "pair":[{"SpecialToken":{"id":"<|endoftext|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                     {"SpecialToken":{"id":"<|endoftext|>","type_id":1}},{"Sequence":{"id":"B","type_id":1}}],
             "special_tokens":{"<|endoftext|>":{"id":"<|endoftext|>","ids":[8188],"tokens":["<|endoftext|>"]}}}
            """);
        Tokenizer tokenizer = Tokenizer.FromJson(Tiny.Bytes(json), File.ReadAllBytes(TestFiles.Case("double-bos/tokenizer_config.json")));
        Assert.That(tokenizer.Encode("x = 1").Ids, Is.EqualTo(new[] { 8188, 87, 268, 337 }));
        Assert.That(tokenizer.Encode("x = 1", "x").Ids, Is.EqualTo(new[] { 8188, 87, 268, 337, 8188, 87 }));
        Assert.That(tokenizer.CountSpecialTokens(pair: false), Is.EqualTo(1));
    }

    [TestCase("""{"bos_token":"!","add_bos_token":true}""", "!ab", "!ab!c")]
    [TestCase("""{"eos_token":"?","add_eos_token":true}""", "ab?", "ab?c?")]
    [TestCase("""{"bos_token":"!","eos_token":"?","add_bos_token":true,"add_eos_token":true}""", "!ab?", "!ab?!c?")]
    public void Bos_and_eos_tokens_stand_around_every_text_where_the_config_asks_for_them(string config, string one, string two)
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Tiny.Bytes(Tiny.ByteLevelJson()), Tiny.Bytes(config));
        Assert.That(string.Concat(tokenizer.Encode("ab").Tokens), Is.EqualTo(one));
        Assert.That(string.Concat(tokenizer.Encode("ab", "c").Tokens), Is.EqualTo(two));
    }

    [Test]
    public void An_eos_token_to_add_must_be_named() => Assert.That(
        () => Tokenizer.FromJson(Tiny.Bytes(Tiny.ByteLevelJson()), Tiny.Bytes("""{"add_eos_token":true}""")),
        Throws.TypeOf<TokenizerException>().With.Message.Contains("add_eos_token is true, but no eos_token is named"));

    [TestCase("bert-japanese", "BertJapaneseTokenizer")]
    [TestCase("herbert", "HerbertTokenizerFast")]
    [TestCase("herbert-json", "HerbertTokenizerFast")]
    public void A_class_that_does_not_run_here_is_refused_by_name_whatever_files_there_are(string name, string tokenizerClass) => Assert.That(
        () => Tokenizer.Load(TestFiles.Case(name)),
        Throws.TypeOf<TokenizerException>().With.Message.Contains(tokenizerClass).And.Message.Contains("BertTokenizer, ").And.Message.Contains("ClassAliases"));

    [TestCase("MyTokenizer", "MyTokenizer")]
    [TestCase("MyTokenizerFast", "MyTokenizer")]
    public void An_alias_says_which_known_class_another_name_means(string name, string alias)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = WithVocabulary("mask-nomap");
        files["tokenizer_config.json"] = Tiny.Bytes($$"""{"tokenizer_class":"{{name}}","mask_token":"<mask>"}""");
        var options = new TokenizerLoadOptions { ClassAliases = new Dictionary<string, string> { [alias] = "RobertaTokenizer" } };
        Assert.That(Tokenizer.FromFiles(files, options).Encode(Masked).Ids, Is.EqualTo(new[] { 0, 566, 4, 600, 1252, 2 }));
        options = new TokenizerLoadOptions { ClassAliases = new Dictionary<string, string> { [alias] = "YourTokenizer" } };
        Assert.That(
            () => Tokenizer.FromFiles(files, options),
            Throws.TypeOf<TokenizerException>().With.Message.Contains($"{name} (ClassAliases: YourTokenizer)"));
    }

    [Test]
    public void An_alias_may_be_that_of_a_model_type()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = WithVocabulary("mask-nomap");
        files["config.json"] = Tiny.Bytes("""{"model_type":"mine"}""");
        Assert.That(() => Tokenizer.FromFiles(files), Throws.TypeOf<TokenizerException>().With.Message.Contains("model_type \"mine\""));
        var options = new TokenizerLoadOptions { ClassAliases = new Dictionary<string, string> { ["mine"] = "RobertaTokenizer" } };
        Assert.That(Tokenizer.FromFiles(files, options).Encode(Masked).Length, Is.EqualTo(6));
    }

    [TestCase("""{"tokenizer_class":"BertTokenizer"}""", "A BertTokenizer is made of vocab.txt")]
    [TestCase("""{"tokenizer_class":"PreTrainedTokenizerFast"}""", "A PreTrainedTokenizer is made of tokenizer.json")]
    [TestCase("""{"tokenizer_class":"MPNetTokenizerFast"}""", "A MPNetTokenizer is made of tokenizer.json")]
    public void A_vocabulary_of_another_class_is_refused(string config, string says)
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = WithVocabulary("mask-nomap");
        files["tokenizer_config.json"] = Tiny.Bytes(config);
        Assert.That(
            () => Tokenizer.FromFiles(files),
            Throws.TypeOf<TokenizerException>().With.Message.Contains(says).And.Message.Contains("has vocab.json and merges.txt"));
    }

    [Test]
    public void Of_two_vocabularies_the_one_of_the_class_is_read()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = WithVocabulary("mask-nomap");
        files["vocab.txt"] = Tiny.Bytes("[UNK]\n[CLS]\n[SEP]\nimport\n");
        files["config.json"] = Tiny.Bytes("""{"model_type":"distilbert"}""");
        Assert.That(Tokenizer.FromFiles(files).Encode("import").Ids, Is.EqualTo(new[] { 1, 3, 2 }));
    }

    [Test]
    public void A_model_type_that_is_asked_for_must_be_a_known_one() => Assert.That(
        () => Tokenizer.FromFiles(WithVocabulary("mask-nomap"), new TokenizerLoadOptions { ModelType = "flaubert" }),
        Throws.TypeOf<TokenizerException>().With.Message.Contains("\"flaubert\"").And.Message.Contains("roberta"));

    [TestCase("[UNK]")]
    [TestCase("")]
    public void An_unknown_token_that_is_in_no_vocabulary_and_never_needed_does_no_harm(string unk)
    {
        JsonObject json = Json("demo-language-id");
        json["model"]!["unk_token"] = unk;
        Assert.That(Tiny.Load(json).Encode("def f(): é").Ids, Is.EqualTo(new[] { 0, 644, 288, 1289, 225, 132, 107, 2 }));
    }

    [Test]
    public void An_unknown_token_that_is_in_no_vocabulary_is_missed_when_it_is_needed()
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Tiny.Bytes("""{"model":{"type":"BPE","vocab":{"a":1},"merges":[],"unk_token":"?"}}"""));
        Assert.That(tokenizer.Encode("aa").Ids, Is.EqualTo(new[] { 1, 1 }));
        Assert.That(() => tokenizer.Encode("ab"), Throws.TypeOf<TokenizerException>().With.Message.Contains("\"b\"").And.Message.Contains("\"?\" (unk_token"));
    }

    [Test]
    public void A_pad_token_that_is_in_no_vocabulary_gets_the_next_id()
    {
        var files = Directory.GetFiles(TestFiles.Case("pad-not-in-vocab")).ToDictionary(path => Path.GetFileName(path)!, Read);
        foreach (string file in (string[])["vocab.json", "merges.txt"]) files[file] = Read(Path.Combine(TestFiles.Tokenizer("codegen"), file));
        Tokenizer tokenizer = Tokenizer.FromFiles(files);
        Assert.That((tokenizer.SpecialTokens.PadTokenId, tokenizer.IdToToken(50295), tokenizer.VocabularySize), Is.EqualTo((50295, "[PAD]", 50296)));
    }

    [Test]
    public void Special_tokens_that_are_in_no_vocabulary_get_the_next_ids_in_the_order_of_their_roles()
    {
        const string Config = """{"mask_token":"<m>","pad_token":{"content":"<p>","rstrip":true},"additional_special_tokens":["<x>"],"bos_token":null}""";
        JsonObject json = Tiny.ByteLevelJson(added: [Tiny.Added(256, "<a>")]);
        SpecialTokens special = Tokenizer.FromJson(Tiny.Bytes(json), Tiny.Bytes(Config)).SpecialTokens;
        Assert.That((special.PadTokenId, special.MaskTokenId), Is.EqualTo((257, 258)));
        Assert.That(Tokenizer.FromJson(Tiny.Bytes(json), Tiny.Bytes(Config)).Encode("<p> x<x>").Ids, Is.EqualTo(new[] { 257, 'x', 259 }));
    }

    [Test]
    public void A_role_that_is_null_has_no_token_even_if_there_is_one_of_the_usual_name()
    {
        JsonObject json = Tiny.ByteLevelJson(added: [Tiny.Added(256, "<pad>", special: true), Tiny.Added(257, "<mask>", special: true)]);
        SpecialTokens special = Tokenizer.FromJson(Tiny.Bytes(json), Tiny.Bytes("""{"pad_token":null}""")).SpecialTokens;
        Assert.That((special.PadToken, special.MaskToken), Is.EqualTo(((string?)null, "<mask>")));
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> WithVocabulary(string name)
    {
        var files = Directory.GetFiles(TestFiles.Case(name)).ToDictionary(path => Path.GetFileName(path)!, Read);
        foreach (string file in (string[])["vocab.json", "merges.txt"]) files[file] = Read(Path.Combine(TestFiles.Tokenizer("roberta-code-8k"), file));
        return files;
    }

    private static JsonObject Json(string model) => JsonNode.Parse(File.ReadAllBytes(TestFiles.Model(model, "tokenizer.json")))!.AsObject();

    private static ReadOnlyMemory<byte> Read(string path) => File.ReadAllBytes(path);
}
