using System.Text;
using System.Text.Json;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

public sealed class TextGeneratorTests
{
    private TextGenerator _generator = null!;

    private static IEnumerable<TestCaseData> Continuations() => TestData.Rows("demo/generate.jsonl");

    private static IEnumerable<TestCaseData> Infills() => TestData.Rows("demo/infill.jsonl");

    [OneTimeSetUp]
    public void Load() => _generator = TextGenerator.Load(TestData.Model("demo-codegen"));

    [OneTimeTearDown]
    public void Dispose() => _generator.Dispose();

    [TestCaseSource(nameof(Continuations))]
    public void Continuations_equal_the_reference_as_ids_and_text(JsonElement row)
    {
        int[] prompt = row.GetProperty("prompt_ids").Ints();
        Assert.That(_generator.Tokenizer.Encode(row.GetProperty("prompt").GetString()!).Ids, Is.EqualTo(prompt));
        Assert.That(_generator.GenerateIds([prompt])[0], Is.EqualTo(row.GetProperty("new_ids").Ints()));
        Assert.That(_generator.Generate(row.GetProperty("prompt").GetString()!), Is.EqualTo(row.GetProperty("text").GetString()));
    }

    [Test]
    public void Continuations_in_one_batch_equal_the_reference()
    {
        JsonElement[] rows = [.. Continuations().Select(row => (JsonElement)row.Arguments[0]!)];
        IReadOnlyList<string> texts = _generator.Generate([.. rows.Select(row => row.GetProperty("prompt").GetString()!)]);
        Assert.That(texts, Is.EqualTo(rows.Select(row => row.GetProperty("text").GetString())));
    }

    [TestCaseSource(nameof(Infills))]
    public void Infills_equal_the_reference_as_ids_and_text(JsonElement row)
    {
        (string prefix, string suffix) = (row.GetProperty("prefix").GetString()!, row.GetProperty("suffix").GetString()!);
        int[] prompt = row.GetProperty("prompt_ids").Ints();
        var format = new InfillFormat(_generator.Tokenizer);
        Assert.That(format.Prompt(new InfillRequest(prefix, suffix)).TokenIds, Is.EqualTo(prompt));
        var options = new GenerationOptions { MaxNewTokens = 48 };
        int[] ids = _generator.GenerateIds([prompt], options with { EosTokenId = [.. _generator.Defaults.EosTokenId!, .. format.EosTokenId] })[0];
        Assert.That(ids, Is.EqualTo(row.GetProperty("new_ids").Ints()));
        Assert.That(_generator.Infill(prefix, suffix, options), Is.EqualTo(row.GetProperty("middle").GetString()));
    }

    [Test]
    public async Task Streamed_pieces_together_are_the_text_and_its_tokens()
    {
        const string prompt = "# set x to 7\nx = 7\n# multiply x by 3\n";
        var (text, ids) = (new StringBuilder(), new List<int>());
        await foreach (TextPiece piece in _generator.StreamAsync(prompt))
        {
            text.Append(piece.Text);
            ids.AddRange(piece.TokenIds);
        }
        Assert.That(text.ToString(), Is.EqualTo(_generator.Generate(prompt)));
        Assert.That(ids, Is.EqualTo(_generator.GenerateIds([_generator.Tokenizer.Encode(prompt).Ids])[0]));
    }

    [Test]
    public async Task A_cancelled_stream_gives_no_further_piece()
    {
        using var source = new CancellationTokenSource();
        var pieces = new List<TextPiece>();
        async Task Consume()
        {
            await foreach (TextPiece piece in _generator.StreamAsync("class Stack:\n", cancellationToken: source.Token))
            {
                pieces.Add(piece);
                if (pieces.Count == 3)
                    await source.CancelAsync();
            }
        }
        await Assert.ThatAsync(Consume, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(pieces, Has.Count.EqualTo(3));
        Assert.That(_generator.Generate("class Stack:\n", new GenerationOptions { MaxNewTokens = 3 }), Is.Not.Empty, "the generator goes on");
    }

    [Test]
    public void A_cancelled_batch_ends_within_one_token()
    {
        using var source = new CancellationTokenSource();
        var reports = new CancelAtFirst(source);
        Assert.That(() => _generator.Generate(["def f(x):\n"], options: null, reports, source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(reports.Count, Is.EqualTo(1));
    }

    [Test]
    public void Threads_that_share_a_generator_get_what_one_gets()
    {
        string[] prompts = ["def hello_world():", "class Queue:\n", "def factorial(n):\n", "import json\n"];
        var options = new GenerationOptions { MaxNewTokens = 16 };
        string[] alone = [.. prompts.Select(prompt => _generator.Generate(prompt, options))];
        var together = new string[prompts.Length];
        Parallel.For(0, prompts.Length, i => together[i] = _generator.Generate(prompts[i], options));
        Assert.That(together, Is.EqualTo(alone));
    }

    [Test]
    public async Task Patterns_cut_the_text_and_the_stream_alike()
    {
        var options = new GenerationOptions { TruncateBeforePattern = ["\n\n\n", "^#"] };
        string whole = _generator.Generate("def hello_world():"), cut = _generator.Generate("def hello_world():", options);
        Assert.That(cut, Is.EqualTo(whole[..whole.IndexOf("\n\n\n", StringComparison.Ordinal)]));
        var streamed = new StringBuilder();
        await foreach (TextPiece piece in _generator.StreamAsync("def hello_world():", options))
            streamed.Append(piece.Text);
        Assert.That(streamed.ToString(), Is.EqualTo(cut));
    }

    [Test]
    public void An_empty_prompt_starts_from_the_beginning_of_text_token()
    {
        var options = new GenerationOptions { MaxNewTokens = 8 };
        Assert.That(_generator.Generate("", options), Is.EqualTo(_generator.Tokenizer.Decode(_generator.GenerateIds([[8188]], options)[0])));
    }

    [Test]
    public void A_long_prompt_read_in_parts_gives_what_one_pass_gives()
    {
        int[] prompt = [.. Enumerable.Range(0, 400).Select(i => 100 + i * 7 % 5000)];
        var options = new GenerationOptions { MaxNewTokens = 8 };
        // Two rows are read in one pass; one row is read in parts of 256.
        Assert.That(_generator.GenerateIds([prompt], options)[0], Is.EqualTo(_generator.GenerateIds([prompt, [5]], options)[0]));
    }

    [Test]
    public void A_prompt_that_fills_n_positions_is_refused_with_the_numbers() =>
        Assert.That(
            () => _generator.GenerateIds([new int[512]]),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("512 tokens").And.Message.Contains("at most 512 (n_positions)"));

    [Test]
    public void More_new_tokens_than_fit_are_refused_with_the_numbers() =>
        Assert.That(
            () => _generator.GenerateIds([new int[500]], new GenerationOptions { MaxNewTokens = 20 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("together 520").And.Message.Contains("at most 12"));

    [Test]
    public void The_checkpoints_own_limit_gives_way_to_what_fits() =>
        Assert.That(_generator.GenerateIds([new int[510]], new GenerationOptions { EosTokenId = [] })[0], Has.Length.EqualTo(2));

    [TestCase(5, "leaves none")]
    [TestCase(513, "at most 512 (n_positions)")]
    public void An_impossible_max_length_is_refused(int maxLength, string message) =>
        Assert.That(
            () => _generator.GenerateIds([new int[5]], new GenerationOptions { MaxLength = maxLength }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains(message));

    [Test]
    public void Two_limits_at_once_are_refused_and_both_named() =>
        Assert.That(
            () => _generator.Generate("x", new GenerationOptions { MaxLength = 8, MaxNewTokens = 4 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("MaxNewTokens is 4 and MaxLength is 8"));

    [Test]
    public void Ids_outside_the_vocabulary_and_empty_rows_are_refused()
    {
        Assert.That(() => _generator.GenerateIds([[8192]]), Throws.TypeOf<ModelInputException>().With.Message.Contains("8192"));
        Assert.That(() => _generator.GenerateIds([[1], []]), Throws.TypeOf<ModelInputException>()
            .With.Message.Contains("Prompt 1").And.Message.Contains("start with the beginning-of-text token"));
        Assert.That(_generator.GenerateIds([]), Is.Empty);
    }

    [Test]
    public void Limits_below_1_are_refused()
    {
        Assert.That(() => new GenerationOptions { MaxNewTokens = 0 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("MaxNewTokens is 0"));
        Assert.That(() => new GenerationOptions { MaxLength = -1 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("MaxLength is -1"));
    }

    [Test]
    public void Infilling_without_the_tokens_is_refused()
    {
        using CodeGenForCausalLM model = TinyDecoder(eos: 1);
        using TextGenerator generator = TextGenerator.Create(model, TestData.Tokenizer("digits-python-8k"));
        Assert.That(() => generator.Infill("a", "b"), Throws.TypeOf<ConfigException>().With.Message.Contains("<mask_1>"));
    }

    [Test]
    public void The_tokenizers_end_token_wins_over_the_configs_and_a_warning_says_so()
    {
        using CodeGenForCausalLM model = TinyDecoder(eos: 2);
        using TextGenerator generator = TextGenerator.Create(model, _generator.Tokenizer);
        Assert.That(generator.Defaults.EosTokenId, Is.EqualTo(new[] { 8188 }));
        Assert.That(generator.Warnings.Single(), Does.Contain("eos_token_id 2").And.Contain("8188"));
        Assert.That(_generator.Warnings, Is.Empty);
    }

    [Test]
    public void Generation_config_is_read()
    {
        var config = new CodeGenConfig { EosTokenId = [8188] };
        GenerationDefaults defaults = GenerationDefaults.Of(Json("""{"max_length": 33, "eos_token_id": [7, 8188], "do_sample": true}"""),
            config, _generator.Tokenizer);
        Assert.That((defaults.Options.MaxLength, defaults.Options.MaxNewTokens), Is.EqualTo(((int?)33, (int?)null)));
        Assert.That(defaults.Options.EosTokenId, Is.EqualTo(new[] { 7, 8188 }));
        Assert.That(defaults.Options.DoSample, Is.True);
        Assert.That(defaults.Warnings, Is.Empty);
    }

    [TestCase("""{"max_new_tokens": "many"}""", "max_new_tokens is \"many\"")]
    [TestCase("""{"eos_token_id": [1, -1]}""", "eos_token_id is [1, -1]")]
    [TestCase("[]", "Object is needed")]
    [TestCase("{", "cannot be read")]
    public void A_bad_generation_config_is_refused(string json, string message) =>
        Assert.That(
            () => GenerationOptions.FromJson(Json(json)),
            Throws.TypeOf<ConfigException>().With.Message.Contains("generation_config.json").And.Message.Contains(message));

    private static ReadOnlyMemory<byte> Json(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static CodeGenForCausalLM TinyDecoder(int eos) => PretrainedModels.FromConfig<CodeGenForCausalLM>(
        new CodeGenConfig { VocabSize = 8200, NPositions = 64, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4, EosTokenId = [eos] }, seed: 3);

    private sealed class CancelAtFirst(CancellationTokenSource source) : IProgress<int>
    {
        public int Count { get; private set; }

        public void Report(int value)
        {
            Count++;
            source.Cancel();
        }
    }
}
