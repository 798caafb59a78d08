using System.Text.Json;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Every row of the reference outputs of the HF tokenizers library.</summary>
[Parallelizable(ParallelScope.All)]
public class ParityTests
{
    private static readonly string[] Names = TestFiles.Names;

    [TestCaseSource(nameof(Names))]
    public void Every_text_is_encoded_and_decoded_as_by_the_library(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        var mismatches = new Mismatches();
        foreach (JsonElement row in TestFiles.Reference(name + ".jsonl"))
        {
            string text = row.GetProperty("text").GetString()!;
            TokenEncoding encoding = tokenizer.Encode(text);
            int[] plain = tokenizer.Encode(text, options: new EncodeOptions { AddSpecialTokens = false }).Ids;
            mismatches.Row(text);
            Compare(mismatches, row, encoding);
            mismatches.Compare("plain_ids", row, plain);
            mismatches.Compare("decoded", row, tokenizer.Decode(plain));
            mismatches.Compare("decoded_skip", row, tokenizer.Decode(encoding.Ids, new DecodeOptions { SkipSpecialTokens = true }));
        }

        mismatches.AssertNone();
    }

    [TestCaseSource(nameof(Names))]
    public void Pairs_truncation_and_padding_are_those_of_the_library(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name));
        var mismatches = new Mismatches();
        foreach (JsonElement row in TestFiles.Reference(name + ".options.jsonl"))
        {
            mismatches.Row(row.GetRawText());
            if (row.GetProperty("kind").GetString() == "pad") ComparePadding(mismatches, tokenizer, row);
            else CompareEncoding(mismatches, tokenizer, row);
        }

        mismatches.AssertNone();
    }

    [Test]
    public void Roberta_from_vocab_and_merges_encodes_every_text_as_from_tokenizer_json()
    {
        string directory = TestFiles.Tokenizer("roberta-code-8k");
        Tokenizer tokenizer = Tokenizer.Load(directory, new TokenizerLoadOptions { IgnoreTokenizerJson = true });
        var mismatches = new Mismatches();
        foreach (JsonElement row in TestFiles.Reference("roberta-code-8k.jsonl"))
        {
            string text = row.GetProperty("text").GetString()!;
            mismatches.Row(text);
            Compare(mismatches, row, tokenizer.Encode(text));
        }

        mismatches.AssertNone();
    }

    [TestCase("qwen2-code-4k")]
    [TestCase("codegen")]
    public void CodeGen_and_Qwen2_from_vocab_merges_and_added_tokens_encode_every_text_as_from_tokenizer_json(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name), new TokenizerLoadOptions { IgnoreTokenizerJson = true });
        var mismatches = new Mismatches();
        foreach (JsonElement row in TestFiles.Reference(name + ".jsonl"))
        {
            string text = row.GetProperty("text").GetString()!;
            mismatches.Row(text);
            Compare(mismatches, row, tokenizer.Encode(text));
        }

        mismatches.AssertNone();
    }

    [TestCase("<|endoftext|>", null)]
    [TestCase("<|im_end|><|endoftext|>", """{"eos_token": "<|im_end|>"}""")]
    public void Qwen2_without_tokenizer_config_has_the_special_token_of_its_class_after_the_vocabulary(string text, string? map)
    {
        string directory = TestFiles.Tokenizer("qwen2-code-4k");
        Dictionary<string, ReadOnlyMemory<byte>> files = new[] { "vocab.json", "merges.txt" }.ToDictionary(
            name => name, name => (ReadOnlyMemory<byte>)File.ReadAllBytes(Path.Combine(directory, name)));
        files["config.json"] = Tiny.Bytes("""{"model_type":"qwen2"}""");
        if (map is not null) files["special_tokens_map.json"] = Tiny.Bytes(map);
        Tokenizer tokenizer = Tokenizer.FromFiles(files);
        int size = JsonDocument.Parse(files["vocab.json"]).RootElement.EnumerateObject().Count();
        int[] special = map is null ? [size] : [size, size + 1];          // in the order of the roles: eos_token, unk_token
        Assert.That(tokenizer.Encode("x " + text).Ids, Is.EqualTo((int[])[.. tokenizer.Encode("x ").Ids, .. special]));
        Assert.That((tokenizer.SpecialTokens.EosTokenId, tokenizer.SpecialTokens.PadTokenId), Is.EqualTo(((int?)size, (int?)special[^1])));
        Assert.That(tokenizer.Decode(tokenizer.Encode("x " + text).Ids, new DecodeOptions { SkipSpecialTokens = true }), Is.EqualTo("x "));
    }

    [TestCase("wordpiece-code-4k")]
    [TestCase("bert-base-uncased")]
    public void Bert_from_vocab_txt_encodes_every_text_as_from_tokenizer_json(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(TestFiles.Tokenizer(name), new TokenizerLoadOptions { IgnoreTokenizerJson = true });
        var mismatches = new Mismatches();
        foreach (JsonElement row in TestFiles.Reference(name + ".jsonl"))
        {
            string text = row.GetProperty("text").GetString()!;
            mismatches.Row(text);
            Compare(mismatches, row, tokenizer.Encode(text));
        }

        mismatches.AssertNone();
    }

    [TestCase("llama-code-4k", "tokenizer.model", "llama-code-4k")]
    [TestCase("llama-code-4k", "tokenizer.model", "llama-code-4k-metaspace")]
    [TestCase("xlmr-multi-8k", "sentencepiece.bpe.model", "xlmr-multi-8k")]
    [TestCase("camembert-multi-8k", "sentencepiece.bpe.model", "camembert-multi-8k")]
    public void SentencePiece_models_encode_every_text_as_tokenizer_json(string directory, string model, string name)
    {
        // legacy in tokenizer_config.json is all that tells the two Llamas apart.
        Tokenizer tokenizer = Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>>
        {
            [model] = File.ReadAllBytes(Path.Combine(TestFiles.Tokenizer(directory), model)),
            ["tokenizer_config.json"] = File.ReadAllBytes(Path.Combine(TestFiles.Tokenizer(name), "tokenizer_config.json")),
        });
        var mismatches = new Mismatches();
        foreach (JsonElement row in TestFiles.Reference(name + ".jsonl"))
        {
            string text = row.GetProperty("text").GetString()!;
            int[] plain = tokenizer.EncodeToIds(text, options: EncodeOptions.Plain);
            mismatches.Row(text);
            Compare(mismatches, row, tokenizer.Encode(text));
            mismatches.Compare("plain_ids", row, plain);
            mismatches.Compare("decoded", row, tokenizer.Decode(plain));
        }
        foreach (JsonElement row in TestFiles.Reference(name + ".options.jsonl").Where(row => row.GetProperty("kind").GetString() != "pad"))
        {
            mismatches.Row(row.GetRawText());
            CompareEncoding(mismatches, tokenizer, row);
        }

        mismatches.AssertNone();
    }

    private static void Compare(Mismatches mismatches, JsonElement row, TokenEncoding encoding)
    {
        mismatches.Compare("ids", row, encoding.Ids);
        mismatches.Compare("tokens", row, encoding.Tokens);
        mismatches.Compare("offsets", row, encoding.Offsets.Select(o => new[] { o.Start, o.End }));
        mismatches.Compare("type_ids", row, encoding.TypeIds);
        mismatches.Compare("special", row, encoding.SpecialTokensMask);
        mismatches.Compare("words", row, encoding.WordIds);
    }

    private static void CompareEncoding(Mismatches mismatches, Tokenizer tokenizer, JsonElement row)
    {
        Truncation? truncation = row.TryGetProperty("max_length", out JsonElement maxLength)
            ? new Truncation(maxLength.GetInt32())
            {
                Stride = row.GetProperty("stride").GetInt32(),
                Direction = row.GetProperty("direction").GetString() == "left" ? TextSide.Left : TextSide.Right,
                Strategy = Enum.Parse<TruncationStrategy>(row.GetProperty("strategy").GetString()!),
            }
            : null;
        string? error = row.TryGetProperty("error", out JsonElement refused) ? refused.GetString() : null;
        try
        {
            TokenEncoding encoding = tokenizer.Encode(row.GetProperty("text").GetString()!, row.GetProperty("pair").GetString(),
                new EncodeOptions { Truncation = truncation });
            if (error is not null) mismatches.Add("error", error, "none");
            else Compare(mismatches, row, encoding);
            if (row.TryGetProperty("overflow", out _)) mismatches.Compare("overflow", row, encoding.Overflowing.Select(o => o.Ids));
        }
        catch (TokenizerException e)
        {
            if (error is null || !e.Message.StartsWith(error, StringComparison.Ordinal)) mismatches.Add("error", error ?? "none", e.Message);
        }
    }

    private static void ComparePadding(Mismatches mismatches, Tokenizer tokenizer, JsonElement row)
    {
        string[] texts = [.. row.GetProperty("texts").EnumerateArray().Select(t => t.GetString()!)];
        var padding = new Padding
        {
            PadId = row.GetProperty("pad_id").GetInt32(),
            Direction = row.GetProperty("direction").GetString() == "left" ? TextSide.Left : TextSide.Right,
        };
        IReadOnlyList<TokenEncoding> encodings = tokenizer.EncodeBatch(texts, new EncodeOptions { Padding = padding });
        mismatches.Compare("ids", row, encodings.Select(e => e.Ids));
        mismatches.Compare("attention_mask", row, encodings.Select(e => e.AttentionMask));
    }

    /// <summary>Counts rows that differ and shows the first ones.</summary>
    private sealed class Mismatches
    {
        private readonly List<string> _shown = [];
        private int _rows;
        private int _wrongRows;
        private string _row = "";
        private bool _wrong;

        public void Row(string row)
        {
            _rows++;
            _row = row;
            _wrong = false;
        }

        public void Compare<T>(string field, JsonElement row, T actual)
        {
            string expected = row.GetProperty(field).ToString();
            JsonElement found = JsonSerializer.SerializeToElement(actual);
            if (!JsonElement.DeepEquals(row.GetProperty(field), found)) Add(field, expected, found.ToString());
        }

        public void Add(string field, string expected, string actual)
        {
            if (!_wrong) _wrongRows++;
            _wrong = true;
            if (_shown.Count < 8) _shown.Add($"{field} of {Short(_row)}\n  expected {Short(expected)}\n  found    {Short(actual)}");
        }

        public void AssertNone()
        {
            Assert.That(_rows, Is.GreaterThan(0), "rows compared");
            Assert.That(_wrongRows, Is.Zero, $"{_wrongRows} of {_rows} rows differ:\n{string.Join('\n', _shown)}");
        }

        private static string Short(string text) => text.Length > 400 ? text[..400] + "…" : text;
    }
}
