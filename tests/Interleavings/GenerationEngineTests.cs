using ManagedTransformers.Serving;

namespace ManagedTransformers.Interleavings;

public sealed class GenerationEngineTests
{
    private static readonly GenerationOptions s_options = new() { MaxNewTokens = 3, EosTokenId = [] };
    private TextGenerator _generator = null!;
    private int[][] _prompts = null!;
    private string[] _right = null!;

    [OneTimeSetUp]
    public void Make()
    {
        Tokenizer tokenizer = Tokenizer.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-codegen"));
        _generator = TextGenerator.Create(DecoderFamilies.Model("codegen", tokenizer.VocabularySize, width: 16, layers: 1,
            options: new LoadOptions { Kernels = new KernelOptions { MaxThreads = 1 } }), tokenizer);
        _prompts = [_generator.Encode("def add(a, b):\n"), _generator.Encode("def add(a, c):\n"), _generator.Encode("x = 1\n")];
        _right = [.. _prompts.Select(prompt => Ids(CausalLMGeneration.GenerateSequences(_generator.CausalLM, [prompt], s_options).Sequences[0].TokenIds))];
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _generator.Model.Dispose();
    }

    [Test]
    public void Every_request_has_its_own_text_or_ends_as_cancelled_or_disposed([Values] bool dispose) =>
        Assert.That(Schedule.Explore(Exploration.Schedules(50), seed => Once(seed, dispose)), Is.Null);

    private string? Once(int seed, bool dispose)
    {
        GenerationEngine engine = null!;
        using var cancellation = new CancellationTokenSource();
        var streams = new IAsyncEnumerable<GenerationUpdate>?[3];
        bool cancelled = false;
        int asked = 0;
        Action caller(int i) => () =>
        {
            Schedule.Until(() => engine is not null, "waits for the engine");
            try
            {
                streams[i] = engine.StreamAsync(new GenerationRequest(_prompts[i]) { Options = s_options }, i == 1 ? cancellation.Token : default);
            }
            catch (ObjectDisposedException) when (dispose)
            {
            }
            catch (OperationCanceledException) when (i == 1)
            {
            }
            asked++;
        };
        Schedule schedule = Schedule.Run(seed, () =>
        {
            // Its thread belongs to the schedule that makes it.
            engine = new GenerationEngine(_generator, new GenerationEngineOptions { MaxRows = 2 });
            if (!dispose)
                Schedule.Until(() => asked == 3 && IsIdle(engine), "waits for all texts");
            Task over = engine.DisposeAsync().AsTask();
            Schedule.Until(() => over.IsCompleted, "waits for the end");
        }, caller(0), caller(1), caller(2), () =>
        {
            cancelled = true;
            cancellation.Cancel();
        });
        return schedule.Failure
            ?? Enumerable.Range(0, 3).Select(i => Wrong(i, streams[i], cancelled && i == 1, dispose)).FirstOrDefault(one => one is not null);
    }

    private static bool IsIdle(GenerationEngine engine)
    {
        GenerationEngineState state = null!;
        Schedule.AsOne(() => state = engine.State);
        return state is { Waiting: 0, Running.Count: 0 };
    }

    private string? Wrong(int i, IAsyncEnumerable<GenerationUpdate>? stream, bool cancelled, bool dispose)
    {
        if (stream is null)
            return cancelled || dispose ? null : $"request {i} was refused";
        try
        {
            string ids = Ids(stream.ToBlockingEnumerable().SelectMany(update => update.Piece.TokenIds));
            return ids == _right[i] ? null : $"request {i}: {ids}; right is {_right[i]}";
        }
        catch (Exception e) when ((e is OperationCanceledException && cancelled) || (e is ObjectDisposedException && dispose))
        {
            return null;
        }
    }

    private static string Ids(IEnumerable<int> ids) => string.Join(' ', ids);
}
