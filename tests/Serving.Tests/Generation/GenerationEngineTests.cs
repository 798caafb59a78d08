using System.Collections;
namespace ManagedTransformers.Serving.Tests;

/// <summary>What an engine gives is what the generator gives alone, whatever else runs.</summary>
public sealed class GenerationEngineTests
{
    private static TextGenerator s_generator = null!;
    private static readonly string s_code = string.Concat(Enumerable.Range(0, 12).Select(i => $"def f{i}(a, b):\n    return a * {i} + b\n\n"));

    [OneTimeSetUp]
    public void Load() => s_generator = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-codegen"));

    [OneTimeTearDown]
    public void Unload() => s_generator.Dispose();

    [Test]
    public async Task Sixteen_callers_get_the_texts_that_each_gets_alone([Values(WeightType.F32, WeightType.F16)] WeightType type)
    {
        await using var engine = new GenerationEngine(s_generator, new() { MaxRows = 12, KeyValueType = type, PromptTokensPerStep = 17 });
        GenerationRequest[] requests = [.. Enumerable.Range(0, 16).Select(i => new GenerationRequest(Encode(Prompt(i)))
        {
            Options = new()
            {
                MaxNewTokens = 5 + (3 * i), DoSample = i % 3 == 0, Seed = i % 3 == 0 ? i : null, EosTokenId = [], PromptLookupNumTokens = i % 4 == 1 ? 3 : null,
                KeyValueType = type,
            },
        })];
        GenerationResult[] results = await Task.WhenAll(requests.Select(request => engine.GenerateAsync(request)));
        for (int i = 0; i < requests.Length; i++)
        {
            GeneratedSequence alone = s_generator.GenerateSequences([[.. requests[i].PromptIds]], requests[i].Options).Sequences[0];
            Assert.That((results[i].Sequences[0].Text, results[i].Sequences[0].TokenIds), Is.EqualTo((alone.Text, alone.TokenIds)).AsCollection, $"caller {i}");
        }
        Assert.That(engine.State.Totals.Requests, Is.EqualTo(16));
        Assert.That(engine.State.Totals.RowsOfPasses, Is.GreaterThan(2 * engine.State.Totals.Passes), "texts ran together");
    }

    [Test]
    public async Task A_request_with_many_texts_takes_turns_with_others()
    {
        await using var engine = new GenerationEngine(s_generator, new() { MaxRows = 2 });
        var options = new GenerationOptions { MaxNewTokens = 30, DoSample = true, Seed = 1, EosTokenId = [], NumReturnSequences = 12 };
        int ended = 0;
        Task many = Task.Run(async () =>
        {
            await foreach (GenerationUpdate update in engine.StreamAsync(new GenerationRequest(Encode("def f(")) { Options = options }))
                ended += update.Piece.FinishReason is null ? 0 : 1;
        });
        while (engine.State.Running.Count < 2)
            await Task.Delay(1);
        await engine.GenerateAsync(new GenerationRequest(Encode("x =")) { Options = options with { MaxNewTokens = 1, NumReturnSequences = null } });
        Assert.That(ended, Is.LessThan(6), "texts that had ended");
        await many;
        Assert.That(ended, Is.EqualTo(12));
    }

    [Test]
    public async Task Pieces_are_the_text_and_the_last_one_says_why_it_ended()
    {
        await using var engine = new GenerationEngine(s_generator);
        var request = new GenerationRequest(Encode(s_code + "def f12(")) { Options = new() { MaxNewTokens = 40, StopStrings = ["return"] } };
        var pieces = new List<TextPiece>();
        await foreach (GenerationUpdate update in engine.StreamAsync(request))
            pieces.Add(update.Piece);
        GeneratedSequence alone = s_generator.GenerateSequences([[.. request.PromptIds]], request.Options).Sequences[0];
        Assert.That(string.Concat(pieces.Select(piece => piece.Text)), Is.EqualTo(alone.Text));
        Assert.That((pieces[^1].FinishReason, pieces.Count(piece => piece.FinishReason is not null)), Is.EqualTo((alone.FinishReason, 1)));
        Assert.That(pieces[^1].Usage!.PromptTokens, Is.EqualTo(request.PromptIds.Count));
    }

    [Test]
    public async Task Sixteen_requests_that_begin_alike_compute_what_they_share_once()
    {
        await using var engine = new GenerationEngine(s_generator, new() { PromptTokensPerStep = 64 });
        int[] shared = [.. Encode(s_code).Take(150)];
        GenerationRequest[] requests = [.. Enumerable.Range(0, 16).Select(i =>
            new GenerationRequest([.. shared, .. Encode($"def g{i}(x):\n    return")]) { Options = new() { MaxNewTokens = 8 } })];
        GenerationResult[] results = await Task.WhenAll(requests.Select(request => engine.GenerateAsync(request)));
        Assert.That(results.Count(result => result.Usage.CachedTokens == 0), Is.EqualTo(1), "one reads the beginning");
        Assert.That(results.Where(result => result.Usage.CachedTokens > 0).Select(result => result.Usage.PromptTokens - result.Usage.CachedTokens),
            Has.All.LessThan(40));
    }

    [Test]
    public async Task A_file_with_one_more_line_reads_that_line_alone()
    {
        await using var engine = new GenerationEngine(s_generator);
        var options = new GenerationOptions { MaxNewTokens = 4 };
        int[] first = Encode(s_code), second = Encode(s_code + "def g(x):\n");
        await engine.GenerateAsync(new GenerationRequest(first) { Options = options });
        GenerationResult result = await engine.GenerateAsync(new GenerationRequest(second) { Options = options });
        Assert.That(result.Usage.PromptTokens - result.Usage.CachedTokens, Is.InRange(1, 40));
        Assert.That(result.Sequences[0].Text, Is.EqualTo(s_generator.GenerateSequences([second], options).Sequences[0].Text));
        GenerationResult fresh = await engine.GenerateAsync(new GenerationRequest(second) { Options = options, CachePrompt = false });
        Assert.That((fresh.Usage.CachedTokens, fresh.Sequences[0].Text), Is.EqualTo((0, result.Sequences[0].Text)));
    }

    [Test]
    public async Task Several_texts_of_a_prompt_are_those_of_the_generator_and_read_it_once([Values(1, 12)] int newTokens)
    {
        await using var engine = new GenerationEngine(s_generator, new() { MaxRows = 3 });
        var request = new GenerationRequest(Encode(s_code + "def g("))
        {
            Options = new() { NumReturnSequences = 5, DoSample = true, Seed = 7, MaxNewTokens = newTokens }, CachePrompt = false,
        };
        GenerationResult result = await engine.GenerateAsync(request);
        string[] alone = [.. s_generator.GenerateSequences([[.. request.PromptIds]], request.Options).Sequences.Select(one => one.Text)];
        Assert.That(result.Sequences.Select(one => one.Text), Is.EqualTo(alone));
        Assert.That(result.Usage.PromptTokens, Is.EqualTo(request.PromptIds.Count));
    }

    [Test]
    public async Task Best_of_gives_the_texts_with_the_highest_mean_log_probability()
    {
        await using var engine = new GenerationEngine(s_generator);
        var request = new GenerationRequest(Encode("def g("))
        {
            Options = new() { NumReturnSequences = 2, DoSample = true, Seed = 3, MaxNewTokens = 10 }, BestOf = 6,
        };
        GenerationResult result = await engine.GenerateAsync(request);
        GenerationOutput all = s_generator.GenerateSequences([[.. request.PromptIds]],
            request.Options with { NumReturnSequences = 6, TopLogProbabilities = 0 });
        string[] best =
            [.. all.Sequences.OrderByDescending(one => one.LogProbabilities!.Average(token => token.LogProbability)).Take(2).Select(one => one.Text)];
        Assert.That(result.Sequences.Select(one => one.Text), Is.EqualTo(best));
        Assert.That(result.Sequences[0].LogProbabilities, Is.Null, "nobody asked for them");
    }

    [Test]
    public async Task Beams_and_an_assistant_give_the_generators_texts_among_others()
    {
        await using var engine = new GenerationEngine(s_generator);
        int[] prompt = Encode("def add(a, b):\n");
        GenerationOptions[] options =
        [
            new() { NumBeams = 3, NumReturnSequences = 2, MaxNewTokens = 10 }, new() { AssistantModel = s_generator, MaxNewTokens = 10 },
            new() { MaxNewTokens = 20 }, new() { NumBeams = 2, MaxNewTokens = 6 },
        ];
        GenerationResult[] results = await Task.WhenAll(options.Select(one => engine.GenerateAsync(new GenerationRequest(prompt) { Options = one })));
        for (int i = 0; i < options.Length; i++)
        {
            Assert.That(results[i].Sequences.Select(one => one.Text),
                Is.EqualTo(s_generator.GenerateSequences([prompt], options[i]).Sequences.Select(one => one.Text)), $"{i}");
        }
    }

    [TestCase(12, TestName = "Of_a_prompt_of_12_tokens_log_probabilities_are_the_scorers")]
    [TestCase(120, TestName = "Of_a_prompt_of_120_tokens_log_probabilities_are_the_scorers")]
    public async Task Log_probabilities_of_a_prompt_are_the_scorers(int length)
    {
        await using var engine = new GenerationEngine(s_generator, new() { PromptTokensPerStep = 17 });
        int[] prompt = [.. Encode(s_code).Take(length)];
        var options = new GenerationOptions { MaxNewTokens = 5 };
        GenerationResult only = await engine.GenerateAsync(new GenerationRequest(prompt) { PromptOnly = true, PromptLogProbabilities = 2 });
        GenerationResult both = await engine.GenerateAsync(new GenerationRequest(prompt) { Options = options, PromptLogProbabilities = 2 });
        Assert.That(only.Sequences, Is.Empty);
        Assert.That(both.Sequences[0].Text, Is.EqualTo(s_generator.GenerateSequences([prompt], options).Sequences[0].Text));
        using Session session = s_generator.CausalLM.CreateSession(new SessionOptions { MaxLength = length });
        FloatTensor scores = s_generator.CausalLM.Append(prompt, [length], [0], session, ScoresOf.AllTokens);
        foreach (IReadOnlyList<TokenProbability?> found in new[] { only.PromptLogProbabilities!, both.PromptLogProbabilities! })
        {
            Assert.That((found.Count, found[0]), Is.EqualTo((length, (TokenProbability?)null)));
            for (int i = 1; i < length; i++)
            {
                double sum = scores.Row(i - 1).ToArray().Sum(score => Math.Exp(score));
                Assert.That((found[i]!.TokenId, found[i]!.Alternatives!.Count), Is.EqualTo((prompt[i], 2)));
                Assert.That(found[i]!.LogProbability, Is.EqualTo(scores.Row(i - 1)[prompt[i]] - Math.Log(sum)).Within(1e-3), $"token {i}");
            }
        }
    }

    [Test]
    public async Task Who_goes_away_frees_a_place_within_a_step()
    {
        await using var engine = new GenerationEngine(s_generator, new() { MaxRows = 1 });
        var endless = new GenerationRequest(Encode("x =")) { Options = new() { MaxNewTokens = 300, EosTokenId = [] } };
        using var cancellation = new CancellationTokenSource();
        Task<GenerationResult> first = engine.GenerateAsync(endless, cancellation.Token);
        Task<GenerationResult> second = engine.GenerateAsync(endless with { Options = endless.Options with { MaxNewTokens = 2 } });
        cancellation.Cancel();
        Assert.That(async () => await first, Throws.InstanceOf<OperationCanceledException>());
        Assert.That((await second).Sequences[0].TokenIds, Has.Count.EqualTo(2));

        // A consumer that stops enumerating has gone as well.
        await foreach (GenerationUpdate _ in engine.StreamAsync(endless))
            break;
        Assert.That((await engine.GenerateAsync(endless with { Options = new() { MaxNewTokens = 1 } })).Sequences[0].TokenIds, Has.Count.EqualTo(1));
        Assert.That(engine.State.Running, Is.Empty);
    }

    [Test]
    public async Task A_full_queue_refuses_and_a_request_that_waits_can_leave()
    {
        await using var engine = new GenerationEngine(s_generator, new() { MaxRows = 1, MaxQueue = 2 });
        var endless = new GenerationRequest(Encode("x =")) { Options = new() { MaxNewTokens = 400, EosTokenId = [] } };
        using var cancellation = new CancellationTokenSource();
        Task<GenerationResult> runs = engine.GenerateAsync(endless, cancellation.Token);
        Assert.That(() => engine.State.Running.Count, Is.EqualTo(1).After(5000, 2));
        Task<GenerationResult>[] wait = [engine.GenerateAsync(endless, cancellation.Token), engine.GenerateAsync(endless, cancellation.Token)];
        Assert.That(() => engine.StreamAsync(endless), Throws.TypeOf<EngineBusyException>()
            .With.Message.Contains("As many requests wait as the engine takes: 2 (MaxQueue)"));
        cancellation.Cancel();
        foreach (Task<GenerationResult> task in (Task<GenerationResult>[])[runs, .. wait])
            Assert.That(async () => await task, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(engine.State.Waiting, Is.Zero);
    }

    [Test]
    public async Task A_caller_who_goes_while_the_request_is_made_is_cancelled()
    {
        await using var engine = new GenerationEngine(s_generator);
        using var cancellation = new CancellationTokenSource();
        var request = new GenerationRequest(new CancellingList(Encode("x ="), cancellation));
        Assert.That(async () => await engine.GenerateAsync(request, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => engine.State, Has.Property("Waiting").Zero.And.Property("Running").Empty.After(5000, 2));
    }

    [Test]
    public async Task Memory_that_is_short_in_a_search_fails_that_request_alone([Values(1, 2)] int beams)
    {
        await using var engine = new GenerationEngine(s_generator);
        var options = new GenerationOptions { MaxNewTokens = 12, NumBeams = beams, LogitsProcessors = [new NoMemory()] };
        Assert.That(async () => await engine.GenerateAsync(new GenerationRequest(Encode("y =")) { Options = options }),
            Throws.InstanceOf<OutOfMemoryException>());
        Assert.That((await engine.GenerateAsync(new GenerationRequest(Encode("x =")) { Options = new() { MaxNewTokens = 1 } })).Sequences[0].TokenIds,
            Has.Count.EqualTo(1));
    }

    [Test]
    public async Task What_one_callers_processor_throws_is_that_callers_alone()
    {
        await using var engine = new GenerationEngine(s_generator);
        var options = new GenerationOptions { MaxNewTokens = 12, EosTokenId = [] };
        Task<GenerationResult> good = engine.GenerateAsync(new GenerationRequest(Encode("x =")) { Options = options });
        Task<GenerationResult> bad = engine.GenerateAsync(
            new GenerationRequest(Encode("y =")) { Options = options with { LogitsProcessors = [new Failing()] } });
        Assert.That(async () => await bad, Throws.TypeOf<FormatException>().With.Message.EqualTo("after 3 tokens"));
        Assert.That((await good).Sequences[0].TokenIds, Has.Count.EqualTo(12));
    }

    [TestCase(float.NaN, 1)]
    [TestCase(float.PositiveInfinity, 1)]
    [TestCase(float.PositiveInfinity, 2)]
    public async Task A_score_that_no_number_is_ends_the_request_that_has_it_alone(float score, int beams)
    {
        await using var engine = new GenerationEngine(s_generator);
        var options = new GenerationOptions { MaxNewTokens = 12, EosTokenId = [] };
        Task<GenerationResult> good = engine.GenerateAsync(new GenerationRequest(Encode("x =")) { Options = options });
        Task<GenerationResult> bad = engine.GenerateAsync(
            new GenerationRequest(Encode("y =")) { Options = options with { NumBeams = beams, LogitsProcessors = [new Spoiling(score)] } });
        Assert.That(async () => await bad, Throws.TypeOf<ModelInputException>().With.Message.Contains("Spoiling made the score of token 3"));
        Assert.That((await good).Sequences[0].TokenIds, Has.Count.EqualTo(12));
    }

    [Test]
    public async Task A_cache_of_few_bytes_gives_up_old_prompts_and_lets_requests_wait()
    {
        long page = 64 * 2 * 4 * 256 * sizeof(float);
        await using var engine = new GenerationEngine(s_generator, new() { CacheBytes = 6 * page });
        Task<GenerationResult>[] all = [.. Enumerable.Range(0, 10).Select(i => engine.GenerateAsync(
            new GenerationRequest([.. Encode(s_code).Skip(i).Take(100)]) { Options = new() { MaxNewTokens = 20 } }))];
        await Task.WhenAll(all);
        Assert.That(engine.State.CacheBytes, Is.InRange(1, 6 * page));
        Assert.That(() => engine.StreamAsync(new GenerationRequest([.. Encode(s_code).Take(150)]) { Options = new() { MaxNewTokens = 300 } }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("450 together, need"));
    }

    [Test]
    public async Task Wrong_requests_are_refused_before_they_wait()
    {
        await using var engine = new GenerationEngine(s_generator);
        Assert.That(() => engine.StreamAsync(new GenerationRequest([])), Throws.TypeOf<ModelInputException>().With.Message.Contains("has no tokens"));
        Assert.That(() => engine.StreamAsync(new GenerationRequest([99999])), Throws.TypeOf<ModelInputException>().With.Message.Contains("99999"));
        Assert.That(() => engine.StreamAsync(new GenerationRequest(new int[5000])), Throws.TypeOf<ModelInputException>().With.Message.Contains("5000 tokens"));
        Assert.That(() => engine.StreamAsync(new GenerationRequest(Encode("x")) { BestOf = 1, Options = new() { NumReturnSequences = 2, DoSample = true } }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("BestOf is 1 and NumReturnSequences 2"));
        Assert.That(() => engine.StreamAsync(new GenerationRequest(Encode("x")) { Options = new() { KeyValueType = WeightType.BF16 } }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("KeyValueType is BF16"));
    }

    [Test]
    public async Task Disposing_ends_what_runs_and_what_waits()
    {
        var engine = new GenerationEngine(s_generator, new() { MaxRows = 1 });
        var endless = new GenerationRequest(Encode("x =")) { Options = new() { MaxNewTokens = 400, EosTokenId = [] } };
        Task<GenerationResult>[] two = [engine.GenerateAsync(endless), engine.GenerateAsync(endless)];
        await engine.DisposeAsync();
        foreach (Task<GenerationResult> task in two)
            Assert.That(async () => await task, Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => engine.StreamAsync(endless), Throws.TypeOf<ObjectDisposedException>());
        await engine.DisposeAsync();
    }

    [Test]
    public async Task Without_determinism_what_was_generated_is_shared_as_well()
    {
        await using var engine = new GenerationEngine(s_generator, new() { Deterministic = false });
        int[] prompt = Encode("def add(a, b):\n");
        var options = new GenerationOptions { MaxNewTokens = 30, EosTokenId = [] };
        GenerationResult first = await engine.GenerateAsync(new GenerationRequest(prompt) { Options = options });
        GenerationResult second = await engine.GenerateAsync(new GenerationRequest([.. prompt, .. first.Sequences[0].TokenIds, 10]) { Options = options });
        Assert.That(second.Usage.CachedTokens, Is.EqualTo(prompt.Length + 29));
    }

    private static int[] Encode(string text) => s_generator.Encode(text);

    private static string Prompt(int i) => i % 2 == 0 ? s_code[..(30 * i + 7)] : $"def function_{i}(x):\n    return x {(i % 3 == 0 ? "+" : "*")}";

    private sealed class Spoiling(float score) : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => scores[3] = score;
    }

    // Cancels while the engine copies it.
    private sealed class CancellingList(int[] ids, CancellationTokenSource cancellation) : IReadOnlyList<int>
    {
        public int Count => ids.Length;
        public int this[int index] => ids[index];

        public IEnumerator<int> GetEnumerator()
        {
            cancellation.Cancel();
            return ((IEnumerable<int>)ids).GetEnumerator();
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class NoMemory : LogitsProcessor
    {
        // No text is that long: OutOfMemoryException.
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => scores[0] = new string('x', int.MaxValue).Length;
    }

    private sealed class Failing : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
        {
            if (inputIds.Length >= s_generator.Encode("y =").Length + 3)
                throw new FormatException("after 3 tokens");
        }
    }
}
