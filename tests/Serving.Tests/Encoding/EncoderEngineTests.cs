namespace ManagedTransformers.Serving.Tests;

/// <summary>What an engine gives is what the pipeline gives alone, whoever else asks.</summary>
public sealed class EncoderEngineTests
{
    private static SentenceEmbeddingPipeline s_embed = null!;
    private static FillMaskPipeline s_fillMask = null!;
    private static readonly string[] s_texts =
        [.. Enumerable.Range(0, 64).Select(i => string.Concat(Enumerable.Repeat($"def f{i}(a, b): return a * {i}\n", 1 + (i % 7))))];

    [OneTimeSetUp]
    public void Load()
    {
        s_embed = SentenceEmbeddingPipeline.Load(Model("demo-embed"));
        s_fillMask = FillMaskPipeline.Load(Model("demo-fill-mask"));
    }

    [OneTimeTearDown]
    public void Unload()
    {
        s_embed.Dispose();
        s_fillMask.Dispose();
    }

    [Test]
    public async Task Sixty_four_callers_share_batches_and_get_the_vectors_that_each_gets_alone()
    {
        await using var engine = new EncoderEngine([s_embed]);
        IReadOnlyList<TextEmbedding>[] results = await Task.WhenAll(s_texts.Select(text => Task.Run(() => engine.EmbedAsync([text]))));
        for (int i = 0; i < s_texts.Length; i++)
        {
            Assert.That(results[i].Single().Vector, Is.EqualTo(s_embed.Embed(s_texts[i])).Within(1e-5f), $"caller {i}");
            Assert.That(results[i][0].Tokens, Is.EqualTo(s_embed.Tokenizer.EncodeToIds(s_texts[i]).Length));
        }
        Assert.That(engine.State.Totals.Texts, Is.EqualTo(64));
        Assert.That(engine.State.Totals.Batches, Is.LessThan(32), "texts ran together");
    }

    [Test]
    public async Task One_call_of_many_texts_has_the_pipelines_vectors_bit_for_bit_in_their_order()
    {
        await using var engine = new EncoderEngine([s_embed]);
        IReadOnlyList<TextEmbedding> made = await engine.EmbedAsync(s_texts);
        IReadOnlyList<float[]> own = s_embed.Embed(s_texts);
        Assert.That(made.Select(one => one.Vector), Is.EqualTo(own).AsCollection);
    }

    [Test]
    public async Task A_budget_of_tokens_cuts_a_call_into_batches()
    {
        // 12 characters: 12 / 3 + 2 = 6 tokens, 3 texts to 20 tokens, 4 batches of 10 texts
        await using var engine = new EncoderEngine([s_embed], new() { MaxBatchTokens = 20 });
        Assert.That(await engine.EmbedAsync([.. Enumerable.Repeat("return a + b", 10)]), Has.Count.EqualTo(10));
        Assert.That(engine.State.Totals, Is.EqualTo(new EncoderEngineTotals { Requests = 1, Texts = 10, Batches = 4, Time = engine.State.Totals.Time }));
    }

    [Test]
    public async Task A_call_of_many_texts_leaves_room_for_one_that_comes_later()
    {
        await using var engine = new EncoderEngine([s_embed], new() { MaxBatchTexts = 4 });
        Task<IReadOnlyList<TextEmbedding>> many = engine.EmbedAsync([.. Enumerable.Repeat(s_texts[6], 2000)]);
        await engine.EmbedAsync(["return a"]);
        Assert.That(many.IsCompleted, Is.False, "the long call still runs");
        Assert.That(await many, Has.Count.EqualTo(2000));
    }

    [Test]
    public async Task Calls_with_other_options_get_their_own()
    {
        await using var engine = new EncoderEngine([s_embed]);
        var options = new EmbeddingOptions { TruncateDim = 8 };
        IReadOnlyList<TextEmbedding>[] made = await Task.WhenAll(s_texts.Select((text, i) => engine.EmbedAsync([text], i % 2 == 0 ? options : null)));
        Assert.That(made.Select((one, i) => one[0].Vector.Length == (i % 2 == 0 ? 8 : s_embed.Dimensions)), Is.All.True);
    }

    [Test]
    public async Task A_text_that_cannot_be_read_fails_its_own_call_alone_and_says_which_it_is()
    {
        await using var engine = new EncoderEngine([s_fillMask]);
        Task<IReadOnlyList<MaskedText>>[] calls = [.. Enumerable.Range(0, 16).Select(i => engine.FillMaskAsync(
            i == 5 ? ["a = <mask>", "b = <mask>", "no mask"] : [$"x{i} = <mask>"]))];
        Assert.That(async () => await calls[5], Throws.TypeOf<ModelInputException>().With.Message.StartsWith("Text 2 of 3: The text has no mask."));
        for (int i = 0; i < calls.Length; i++)
        {
            if (i != 5)
                Assert.That((await calls[i])[0].Masks[0].Predictions[0].TokenId, Is.EqualTo(s_fillMask.Predict($"x{i} = <mask>")[0].TokenId), $"call {i}");
        }
        Assert.That(() => engine.FillMaskAsync(["<mask>", null!]), Throws.ArgumentException.With.Message.StartsWith("Text 1 is null"));
    }

    [Test]
    public async Task A_cancelled_call_is_over_at_once_and_the_others_go_on()
    {
        await using var engine = new EncoderEngine([s_embed], new() { MaxBatchTexts = 4 });
        using var cancel = new CancellationTokenSource();
        Task<IReadOnlyList<TextEmbedding>> long1 = engine.EmbedAsync([.. Enumerable.Repeat(s_texts[6], 20_000)], cancellationToken: cancel.Token);
        Task<IReadOnlyList<TextEmbedding>> other = engine.EmbedAsync(s_texts);
        await cancel.CancelAsync();
        Assert.That(long1.IsCanceled, "at once");
        Assert.That(await other, Has.Count.EqualTo(64));
        Assert.That(engine.State.Totals.Texts, Is.LessThan(20_000), "what nobody waits for is not run");
        Assert.That(engine.EmbedAsync(["a"], cancellationToken: cancel.Token).IsCanceled);
    }

    [Test]
    public async Task A_full_queue_refuses_one_more()
    {
        await using var engine = new EncoderEngine([s_embed], new() { MaxQueue = 2, MaxBatchTexts = 1 });
        Task[] waiting = [engine.EmbedAsync([.. Enumerable.Repeat(s_texts[6], 500)]), engine.EmbedAsync([.. Enumerable.Repeat(s_texts[6], 500)])];
        Task third = Task.CompletedTask;
        // One of the two may be in the batch that runs, never both: at most one more is taken.
        Assert.That(() =>
        {
            for (int i = 0; i < 3; i++)
                third = engine.EmbedAsync([.. Enumerable.Repeat(s_texts[6], 500)]);
        }, Throws.TypeOf<EngineBusyException>().With.Message.Contains("MaxQueue"));
        await engine.DisposeAsync();
        Assert.That(async () => await waiting[0], Throws.TypeOf<ObjectDisposedException>());
        Assert.That(async () => await waiting[1], Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => engine.EmbedAsync(["a"]), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public async Task Features_labels_and_spans_are_the_pipelines_own()
    {
        using var features = FeatureExtractionPipeline.Create(s_embed);
        using var classify = TextClassificationPipeline.Load(Model("demo-language-id"));
        using var tag = TokenClassificationPipeline.Load(Model("demo-tag"));
        await using var embed = new EncoderEngine([s_embed, features]);
        await using var labels = new EncoderEngine([classify]);
        await using var spans = new EncoderEngine([tag]);
        Assert.That((await embed.ExtractAsync(s_texts)).Select(one => one.Span.ToArray()),
            Is.EqualTo(features.Extract(s_texts).Select(one => one.Span.ToArray())).AsCollection);
        Assert.That((await labels.ClassifyAsync(s_texts)).SelectMany(one => one), Is.EqualTo(classify.Classify(s_texts).SelectMany(one => one)).AsCollection);
        string[] tagged = [.. Enumerable.Range(0, 20).Select(i => $"mail ada{i}@example.org to Ada{i}, key = 'a{i}b'")];
        Assert.That((await spans.TagAsync(tagged)).SelectMany(one => one), Is.EqualTo(tag.Tag(tagged).SelectMany(one => one)).AsCollection);
        Assert.That(() => spans.EmbedAsync(["a"]), Throws.TypeOf<NotSupportedException>().With.Message.Contains("it has TokenClassificationPipeline"));
    }

    [Test]
    public async Task Documents_are_ranked_as_the_pipeline_ranks_them()
    {
        PretrainedConfig labels = s_fillMask.Model.Config with { Id2Label = new Dictionary<string, string> { ["0"] = "LABEL_0" } };
        using var model = PretrainedModels.FromConfig<ISequenceClassifier>(labels, seed: 3) as PretrainedModel;
        using var rerank = RerankPipeline.Create(model!, s_fillMask.Tokenizer);
        await using var engine = new EncoderEngine([rerank]);
        Assert.That(await engine.RerankAsync("multiply", s_texts, topN: 5), Is.EqualTo(rerank.Rank("multiply", s_texts, topN: 5)).AsCollection);
        Assert.That(await engine.RerankAsync("multiply", []), Is.Empty);
        Assert.That(async () => await engine.RerankAsync("multiply", ["a", ""]), Throws.TypeOf<ModelInputException>().With.Message.StartsWith("Text 1 of 2:"));
        IReadOnlyList<RerankScore> logits = await engine.RankAsync("multiply", s_texts, topN: 5, truncation: false, sigmoid: false, default);
        Assert.That((await engine.RankAsync("multiply", s_texts, topN: 5, truncation: false, sigmoid: true, default)).Select(one => one.Score),
            Is.EqualTo(logits.Select(one => 1 / (1 + MathF.Exp(-one.Score)))).Within(1e-6f));
    }

    [Test]
    public async Task A_timed_engine_tells_how_long_its_calls_waited_and_ran()
    {
        await using var engine = new EncoderEngine([s_embed]);
        var times = new EncoderTimes();
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        await engine.Timed(times).EmbedAsync(s_texts);
        TimeSpan most = System.Diagnostics.Stopwatch.GetElapsedTime(start);
        Assert.That(times.Inference, Is.GreaterThan(TimeSpan.Zero));
        Assert.That(times.Queue, Is.GreaterThan(TimeSpan.Zero));
        Assert.That(times.Queue + times.Inference, Is.LessThanOrEqualTo(most));
        TimeSpan inference = times.Inference;
        await engine.EmbedAsync(s_texts);
        Assert.That(times.Inference, Is.EqualTo(inference), "calls to the engine itself are not counted");
    }

    [Test]
    public async Task An_app_may_have_two_batches_run_at_once_and_is_told_of_each()
    {
        int entered = 0;
        var both = new TaskCompletionSource();
        var batches = new System.Collections.Concurrent.ConcurrentBag<(int Texts, int Calls)>();
        await using var engine = new EncoderEngine([s_embed], null, new EncoderHosting
        {
            MaxConcurrency = 2,
            EnterAsync = async () =>
            {
                if (Interlocked.Increment(ref entered) == 2)
                    both.SetResult();
                await both.Task;                        // the first batch waits for the second one
                return new CancellationTokenSource();
            },
            OnBatch = (texts, calls) => batches.Add((texts, calls)),
            Disposed = () => new ObjectDisposedException("the app"),
        });
        Task<IReadOnlyList<TextEmbedding>> three = engine.EmbedAsync(s_texts[..3]), one = engine.EmbedAsync([s_texts[3]], new() { TruncateDim = 8 });
        Assert.That((await one.WaitAsync(TimeSpan.FromMinutes(1)))[0].Vector, Has.Length.EqualTo(8));
        Assert.That((await three)[1].Vector, Is.EqualTo(s_embed.Embed(s_texts[1])).Within(1e-5f));
        Assert.That(batches, Is.EquivalentTo(new[] { (3, 1), (1, 1) }));
        engine.Close();
        Assert.That(() => engine.EmbedAsync(["a"]), Throws.TypeOf<ObjectDisposedException>().With.Message.Contains("the app"));
    }

    [Test]
    public async Task What_an_app_throws_when_it_is_told_of_a_batch_ends_the_calls_of_that_batch()
    {
        int batches = 0;
        await using var engine = new EncoderEngine([s_embed], null, new EncoderHosting
        {
            EnterAsync = () => Task.FromResult<IDisposable>(new CancellationTokenSource()),
            OnBatch = (_, _) => _ = ++batches == 1 ? throw new FormatException("the app's own") : 0,
            Disposed = () => new ObjectDisposedException("the app"),
        });
        Assert.That(async () => await engine.EmbedAsync(["a"]).WaitAsync(TimeSpan.FromMinutes(1)),
            Throws.TypeOf<FormatException>().With.Message.EqualTo("the app's own"));
        Assert.That(await engine.EmbedAsync(["a"]), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Where_an_app_has_no_model_all_who_wait_hear_why_and_the_next_call_tries_again()
    {
        bool isThere = false;
        await using var engine = new EncoderEngine([s_embed], null, new EncoderHosting
        {
            EnterAsync = () => isThere ? Task.FromResult<IDisposable>(new CancellationTokenSource()) : throw new InvalidDataException("changed"),
            OnBatch = (_, _) => { },
            Disposed = () => new ObjectDisposedException("the app"),
        });
        Task<IReadOnlyList<TextEmbedding>> first = engine.EmbedAsync(["a"]);
        Assert.That(async () => await first, Throws.TypeOf<InvalidDataException>().With.Message.EqualTo("changed"));
        isThere = true;
        Assert.That(await engine.EmbedAsync(["a"]), Has.Count.EqualTo(1));
    }

    private static string Model(string name) => Path.Combine(RepositoryRoot.Path, "models", name);
}
