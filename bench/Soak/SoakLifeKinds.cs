using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Serving;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>The calls that begin and end things: models and tokenizers, sessions, streams.</summary>
internal static class SoakLifeKinds
{
    public static SoakKind[] All { get; } =
    [
        new("load a tokenizer", 1, SoakKinds.Now(LoadTokenizer)), new("load mapped", 2, SoakKinds.Now((models, n) => Load(models, n, new LoadOptions()))),
        new("load into memory", 2, SoakKinds.Now((models, n) => Load(models, n, new LoadOptions { MapWeights = false }))),
        new("load in 8 bits", 1, SoakKinds.Now((models, n) => Load(models, n, new LoadOptions { WeightFormat = WeightFormat.Int8 }))),
        new("load in 4 bits", 1, SoakKinds.Now((models, n) => Load(models, n, new LoadOptions { WeightFormat = WeightFormat.Int4, MapWeights = n % 2 == 0 }))),
        new("dispose under calls", 1, DisposeUnderCallsAsync), new("host", 4, HostAsync), new("session", 3, SoakKinds.Now(Session)),
        new("cache", 2, SoakKinds.Now(Cache)), new("leave a stream", 3, LeaveAsync), new("cancel a stream", 3, CancelAsync),
        new("leave the engine", 3, LeaveEngineAsync), new("cancel in the engine", 3, CancelEngineAsync), new("wrong", 2, SoakKinds.Now(Wrong)),
    ];

    private static SoakAnswer LoadTokenizer(SoakModels models, int n)
    {
        var tokenizer = Tokenizer.Load(models.DirectoryOf(n % 2 == 0 ? "demo-codegen" : "demo-embed"));
        return SoakAnswer.Of(string.Join(' ', tokenizer.EncodeToIds(models.Text(n))));
    }

    private static SoakAnswer Load(SoakModels models, int n, LoadOptions load)
    {
        var options = new PipelineOptions { Load = load };
        if (n % 3 == 0)
        {
            using var generator = TextGenerator.Load(models.DirectoryOf("demo-codegen"), options);
            return SoakAnswer.Of(generator.GenerateSequences([models.Text(n)], models.Options(n)).Sequences);
        }
        if (n % 3 == 1)
        {
            using var embedder = SentenceEmbeddingPipeline.Load(models.DirectoryOf("demo-embed"), options);
            return new SoakAnswer("", embedder.Embed(models.Text(n)));
        }
        using var masks = FillMaskPipeline.Load(models.DirectoryOf("demo-fill-mask"), options);
        using var features = FeatureExtractionPipeline.Create(masks);
        return SoakAnswer.Of(masks.Predict(SoakKinds.Mask(n))) with { Text = features.Extract(SoakKinds.Mask(n)).Shape.Length.ToString() };
    }

    // Each call ends with the right answer, or says that the pipeline is gone.
    private static async Task<SoakAnswer?> DisposeUnderCallsAsync(SoakModels models, int n)
    {
        var pipeline = FillMaskPipeline.Load(models.DirectoryOf("demo-fill-mask"), new PipelineOptions { Load = new LoadOptions { MapWeights = n % 2 == 0 } });
        SoakAnswer right = SoakAnswer.Of(pipeline.Predict(SoakKinds.Mask(n)));
        Task<string?>[] calls = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() => UntilGone(pipeline, n, right)))];
        await Task.Delay(n % 5).ConfigureAwait(false);
        pipeline.Dispose();
        string?[] wrong = await Task.WhenAll(calls).ConfigureAwait(false);
        return right with { Text = string.Concat(wrong) + right.Text };
    }

    private static string? UntilGone(FillMaskPipeline pipeline, int n, SoakAnswer right)
    {
        try
        {
            while (true)
            {
                if (right.DifferenceTo(SoakAnswer.Of(pipeline.Predict(SoakKinds.Mask(n))), tolerance: 0) is string wrong)
                    return wrong;
            }
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    private static async Task<SoakAnswer?> HostAsync(SoakModels models, int n)
    {
        string name = models.Host.Models[n % models.Host.Models.Count].Id;
        try
        {
            using ModelLease lease = await models.Host.AcquireAsync(name).ConfigureAwait(false);
            if (n % 7 == 0)
                _ = models.Host.UnloadAsync(name);
            if (lease.Generation is GenerationEngine engine)
            {
                var request = new GenerationRequest(engine.Generator.Encode(models.Text(n))) { Options = models.Options(n) };
                return SoakAnswer.Of((await engine.GenerateAsync(request).ConfigureAwait(false)).Sequences);
            }
            return SoakAnswer.Of(name switch
            {
                "demo-embed" => $"{(await lease.Encoder!.EmbedAsync([models.Text(n)]).ConfigureAwait(false))[0].Tokens}",
                "demo-tag" => $"{(await lease.Encoder!.TagAsync([models.Text(n)]).ConfigureAwait(false))[0].Count}",
                _ => (await lease.Encoder!.ClassifyAsync([models.Text(n)]).ConfigureAwait(false))[0][0].Label,
            });
        }
        catch (EngineBusyException)
        {
            return null;
        }
    }

    // A saved session and a fork go on as the first one does.
    private static SoakAnswer Session(SoakModels models, int n)
    {
        string file = models.NewFile(), prompt = models.Text(n), longer = prompt + models.Text(n + 1);
        using GenerationSession first = models.Generator.CreateSession();
        string begun = first.Generate(prompt, models.Options(n)).Sequences[0].Text;
        first.Save(file);
        using GenerationSession fork = first.Fork();
        string went = first.Generate(longer, models.Options(n)).Sequences[0].Text;
        string forked = fork.Generate(longer, models.Options(n)).Sequences[0].Text;
        using GenerationSession restored = models.Generator.CreateSession();
        restored.Load(file);
        File.Delete(file);
        string loaded = restored.Generate(longer, models.Options(n)).Sequences[0].Text;
        return SoakAnswer.Of($"{begun}|{went}|{forked == went}|{loaded == went}");
    }

    private static SoakAnswer Cache(SoakModels models, int n)
    {
        int[] ids = models.Generator.Encode(models.Text(n));
        ICausalLM model = models.Generator.CausalLM;
        using Session session = model.CreateSession(new SessionOptions { BatchSize = 1, KeyValueType = n % 2 == 0 ? WeightType.F32 : WeightType.F16 });
        model.Forward(ids, session);
        session.Cache!.Truncate(0, ids.Length / 2);
        FloatTensor logits = model.Forward(ids.AsSpan(ids.Length / 2).ToArray(), session).Logits;
        return new SoakAnswer($"{session.Cache.Length(0)}", logits.Span[^model.Config.VocabSize..].ToArray());
    }

    private static async Task<SoakAnswer?> LeaveAsync(SoakModels models, int n)
    {
        await foreach (TextPiece piece in models.Generator.StreamAsync(models.Text(n), models.Options(n)).ConfigureAwait(false))
            return SoakAnswer.Of(piece.Text);
        return SoakAnswer.Of("");
    }

    private static async Task<SoakAnswer?> CancelAsync(SoakModels models, int n)
    {
        using var gone = new CancellationTokenSource();
        string first = "";
        try
        {
            await foreach (TextPiece piece in models.Generator.StreamAsync(models.Text(n), Long(models, n), gone.Token).ConfigureAwait(false))
            {
                first = first.Length == 0 ? piece.Text : first;
                await gone.CancelAsync().ConfigureAwait(false);
            }
            return SoakAnswer.Of("not cancelled");
        }
        catch (OperationCanceledException)
        {
            return SoakAnswer.Of(first);
        }
    }

    private static GenerationOptions Long(SoakModels models, int n) => models.Options(n) with { MaxNewTokens = 64, MinNewTokens = 64 };

    private static GenerationRequest Request(SoakModels models, int n) => new(models.Generator.Encode(models.Text(n))) { Options = Long(models, n) };

    private static async Task<SoakAnswer?> LeaveEngineAsync(SoakModels models, int n)
    {
        await foreach (GenerationUpdate update in models.Generation.StreamAsync(Request(models, n)).ConfigureAwait(false))
            return SoakAnswer.Of(update.Piece.Text);
        return SoakAnswer.Of("");
    }

    private static async Task<SoakAnswer?> CancelEngineAsync(SoakModels models, int n)
    {
        using var gone = new CancellationTokenSource();
        try
        {
            Task<GenerationResult> call = models.Generation.GenerateAsync(Request(models, n), gone.Token);
            await Task.Delay(n % 4).ConfigureAwait(false);
            await gone.CancelAsync().ConfigureAwait(false);
            await call.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
        return SoakAnswer.Of("over");
    }

    private static SoakAnswer Wrong(SoakModels models, int n)
    {
        try
        {
            return (n % 4) switch
            {
                0 => SoakAnswer.Of(models.Masks.Predict("no mask")),
                1 => SoakAnswer.Of(models.Languages.Classify(string.Concat(Enumerable.Repeat("x = y\n", 1000)))),
                2 => SoakAnswer.Of(models.Generator.Generate("a", new GenerationOptions { MaxNewTokens = 100_000 })),
                _ => SoakAnswer.Of(models.Generation.GenerateAsync(new GenerationRequest([-1])).GetAwaiter().GetResult().Sequences),
            };
        }
        catch (ModelInputException e)
        {
            return SoakAnswer.Of(e.Message);
        }
    }
}
