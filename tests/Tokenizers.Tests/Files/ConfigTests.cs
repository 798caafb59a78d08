using System.Text.Json.Nodes;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>What tokenizer_config.json, special_tokens_map.json and config.json change.</summary>
public class ConfigTests
{
    [Test]
    public void Roles_are_read_as_strings_and_as_objects()
    {
        Tokenizer tokenizer = Load(Tiny.ByteLevelJson(),
            ("tokenizer_config.json", """{"bos_token":"A","eos_token":{"__type":"AddedToken","content":"B","lstrip":true},"pad_token":null}"""));
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.SpecialTokens.BosToken, Is.EqualTo("A"));
            Assert.That(tokenizer.SpecialTokens.EosTokenId, Is.EqualTo('B'));
            Assert.That(tokenizer.SpecialTokens.PadToken, Is.Null);
            Assert.That(tokenizer.Encode("x  B").Tokens, Is.EqualTo(new[] { "x", "  B" }), "lstrip");
            Assert.That(tokenizer.Decode(tokenizer.Encode("xAB").Ids, new DecodeOptions { SkipSpecialTokens = true }), Is.EqualTo("x"));
        });
    }

    [Test]
    public void Special_tokens_map_goes_before_the_config_unless_that_has_an_added_tokens_decoder()
    {
        const string Map = """{"mask_token":"M"}""";
        Assert.That(Load(Tiny.ByteLevelJson(), ("tokenizer_config.json", """{"mask_token":"C"}"""), ("special_tokens_map.json", Map)).SpecialTokens.MaskToken,
            Is.EqualTo("M"));
        const string Decoder = """{"mask_token":"C","added_tokens_decoder":{"256":{"content":"<new>","special":true}}}""";
        Tokenizer tokenizer = Load(Tiny.ByteLevelJson(), ("tokenizer_config.json", Decoder), ("special_tokens_map.json", Map));
        Assert.That(tokenizer.SpecialTokens.MaskToken, Is.EqualTo("C"));
        Assert.That(tokenizer.Encode("<new>").Ids, Is.EqualTo(new[] { 256 }));
    }

    [Test]
    public void Add_prefix_space_and_add_bos_token_are_honoured()
    {
        Tokenizer tokenizer = Load(Tiny.ByteLevelJson(), ("tokenizer_config.json", """{"bos_token":"!","add_bos_token":true,"add_prefix_space":true}"""));
        Assert.That(tokenizer.Encode("a", "b").Ids, Is.EqualTo(new[] { '!', ' ', 'a', '!', ' ', 'b' }.Select(c => (int)c)));
        Assert.That(tokenizer.CountSpecialTokens(pair: true), Is.EqualTo(2));
    }

    [TestCase("""{"do_lower_case":false}""", "É|中|b")]
    [TestCase("""{"do_lower_case":true,"strip_accents":false}""", "é|中|b")]
    [TestCase("""{"tokenize_chinese_chars":false}""", "e|中b")]
    [TestCase("{}", "e|中|b")]
    public void The_bert_normalizer_follows_the_config_from_json_and_from_vocab_txt(string config, string tokens)
    {
        string[] vocabulary = ["[UNK]", "[CLS]", "[SEP]", "É", "é", "e", "中", "b", "中b"];
        var files = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            ["vocab.txt"] = Tiny.Bytes(string.Join('\n', vocabulary)), ["tokenizer_config.json"] = Tiny.Bytes(config),
        };
        Assert.That(Tokenizer.FromFiles(files).Encode("É 中b").Tokens, Is.EqualTo((string[])["[CLS]", .. tokens.Split('|'), "[SEP]"]));

        var vocab = new JsonObject(vocabulary.Select((t, i) => KeyValuePair.Create(t, (JsonNode?)i)));
        files["tokenizer.json"] = Tiny.Bytes($$$"""
            {"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},
             "model":{"type":"WordPiece","unk_token":"[UNK]","vocab":{{{vocab.ToJsonString()}}}}}
            """);
        Assert.That(Tokenizer.FromFiles(files).Encode("É 中b").Tokens, Is.EqualTo(tokens.Split('|')));
    }

    [Test]
    public void A_vocab_txt_has_the_unknown_token_of_the_config_and_joins_the_pieces_of_words()
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            ["vocab.txt"] = Tiny.Bytes("<unk>\n[CLS]\n[SEP]\nun\n##able\n,\n[UNK]"), ["tokenizer_config.json"] = Tiny.Bytes("""{"unk_token":"<unk>"}"""),
        };
        Tokenizer tokenizer = Tokenizer.FromFiles(files);
        Assert.That(tokenizer.Encode("unable, x").Ids, Is.EqualTo((int[])[1, 3, 4, 5, 0, 2]));
        Assert.That(tokenizer.Decode([3, 4, 5]), Is.EqualTo("unable,"));
    }

    [TestCase("config.json", """{"model_type":"roberta"}""", 3)]
    [TestCase("config.json", """{"model_type":"codegen"}""", 1)]
    [TestCase("tokenizer_config.json", """{"tokenizer_class":"GPT2Tokenizer"}""", 1)]
    [TestCase("tokenizer_config.json", """{"tokenizer_class":"RobertaTokenizerFast"}""", 3)]
    [TestCase("tokenizer_config.json", "{}", 3)]
    public void The_kind_of_a_vocabulary_is_what_the_files_say_or_what_its_special_tokens_show(string file, string json, int length)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            ["vocab.json"] = Tiny.Bytes("""{"<s>":0,"</s>":1,"<|endoftext|>":2,"a":3,"<mask>":4}"""),
            ["merges.txt"] = Tiny.Bytes("#version: 0.2\n"),
            [file] = Tiny.Bytes(json),
        };
        Assert.That(Tokenizer.FromFiles(files).Encode("a").Length, Is.EqualTo(length));
    }

    [Test]
    public void Truncation_and_padding_of_tokenizer_json_are_used_unless_the_call_says_otherwise()
    {
        JsonObject json = Tiny.ByteLevelJson();
        json["truncation"] = JsonNode.Parse("""{"direction":"Right","max_length":3,"strategy":"LongestFirst","stride":0}""");
        json["padding"] =
            JsonNode.Parse("""{"strategy":{"Fixed":5},"direction":"Left","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"[P]"}""");
        Tokenizer tokenizer = Tiny.Load(json);
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Encode("abcd").Tokens, Is.EqualTo(new[] { "[P]", "[P]", "a", "b", "c" }));
            Assert.That(tokenizer.Encode("abcd", options: new EncodeOptions { Truncation = Truncation.None, Padding = Padding.None }).Length, Is.EqualTo(4));
        });
    }

    [Test, CancelAfter(60_000)]
    public void Sixty_thousand_special_tokens_of_the_config_are_added_each_once()
    {
        // Each was compared with all before it: a file of 1 MB took more than a minute.
        string[] names = [.. Enumerable.Range(0, 60_000).Select(i => $"<unk>NOTUSED{i}")];
        string additional = new JsonArray([.. names.Append(names[7]).Select(name => (JsonNode)name)]).ToJsonString();
        string decoder = new JsonObject([.. names.Take(30_000).Select((name, i) => KeyValuePair.Create($"{256 + i}",
            (JsonNode?)new JsonObject { ["content"] = name }))]).ToJsonString();
        Tokenizer tokenizer = Load(Tiny.ByteLevelJson(added: [Tiny.Added(256, names[0])]),
            ("tokenizer_config.json", $$"""{"additional_special_tokens":{{additional}},"added_tokens_decoder":{{decoder}}}"""));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(256 + 60_000));
        Assert.That(tokenizer.EncodeToIds($"{names[59_999]}a{names[1]}"), Is.EqualTo(new[] { 256 + 59_999, 'a', 257 }));
    }

    private static Tokenizer Load(JsonObject json, params (string Name, string Text)[] others)
    {
        var files = others.ToDictionary(f => f.Name, f => Tiny.Bytes(f.Text));
        files.Add("tokenizer.json", Tiny.Bytes(json));
        return Tokenizer.FromFiles(files);
    }
}
