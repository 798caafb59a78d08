using ManagedTransformers.Models;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Bench;

/// <summary>What all threads of a soak share: a pipeline of each kind over its model, engines over them, and a host that has room for some of its
/// models.</summary>
internal sealed class SoakModels : IAsyncDisposable
{
    private readonly string _made = Directory.CreateTempSubdirectory("soak-").FullName;
    private readonly int _parts;
    private int _files;

    /// <param name="directory">Where the model of a name is.</param>
    /// <param name="parts">The most parts of a text.</param>
    public SoakModels(Func<string, string> directory, int parts = 12)
    {
        (DirectoryOf, _parts) = (directory, parts);
        Generator = TextGenerator.Load(directory("demo-codegen"));
        Scorer = TextScorer.Create(Generator);
        Embedder = SentenceEmbeddingPipeline.Load(directory("demo-embed"));
        Masks = FillMaskPipeline.Load(directory("demo-fill-mask"));
        Features = FeatureExtractionPipeline.Create(Masks);
        Languages = TextClassificationPipeline.Load(directory("demo-language-id"));
        Tags = TokenClassificationPipeline.Load(directory("demo-tag"));
        Generation = new GenerationEngine(Generator, new GenerationEngineOptions { CacheBytes = 16 << 20, MaxQueue = 4096 });
        Encoders = [new EncoderEngine([Embedder]), new EncoderEngine([Masks, Features]), new EncoderEngine([Languages]), new EncoderEngine([Tags])];
        string[] hosted = [.. new[] { "demo-embed", "demo-language-id", "demo-tag", "demo-codegen" }.Select(directory)];
        // Not all at once: caches take a quarter of the limit.
        long weights = hosted.Sum(one => new FileInfo(Path.Combine(one, "model.safetensors")).Length);
        Host = new ModelHost(new ModelHostOptions { Models = hosted, MemoryBytes = weights * 9 / 10 });
    }

    public Func<string, string> DirectoryOf { get; }
    public TextGenerator Generator { get; }
    public TextScorer Scorer { get; }
    public SentenceEmbeddingPipeline Embedder { get; }
    public FillMaskPipeline Masks { get; }
    public FeatureExtractionPipeline Features { get; }
    public TextClassificationPipeline Languages { get; }
    public TokenClassificationPipeline Tags { get; }
    public GenerationEngine Generation { get; }
    public EncoderEngine[] Encoders { get; }
    public ModelHost Host { get; }

    /// <summary>The name of a file that there is not yet.</summary>
    public string NewFile() => Path.Combine(_made, $"{Interlocked.Increment(ref _files)}.safetensors");

    /// <summary>A text, the same for each number.</summary>
    public string Text(int n) => LoadTexts.Some(new Random(n), _parts);

    /// <summary>A greedy text of a few tokens.</summary>
    public GenerationOptions Options(int n) => new() { MaxNewTokens = 1 + (n % _parts), DoSample = false };

    /// <summary>The engine that has a pipeline of this kind.</summary>
    public EncoderEngine EngineOf<T>() where T : EncoderPipeline => Array.Find(Encoders, engine => engine.Find<T>() is not null)!;

    /// <summary>Lets all models go.</summary>
    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync().ConfigureAwait(false);
        await Generation.DisposeAsync().ConfigureAwait(false);
        foreach (EncoderEngine engine in Encoders)
            await engine.DisposeAsync().ConfigureAwait(false);
        foreach (Pipeline pipeline in (Pipeline[])[Scorer, Generator, Features, Masks, Embedder, Languages, Tags])
            pipeline.Dispose();
        Directory.Delete(_made, recursive: true);
    }
}
