using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Bench;

/// <summary>Streams of several clients over HTTP, in interleaved runs with the same texts from the engine in this process.</summary>
internal sealed class HttpServeWork : Work
{
    private const int KnownTokens = 8000;       // the tokenizer has fewer than the model
    private readonly int _streams;
    private readonly ModelCache _models;
    private ServedModel? _served;

    /// <param name="streams">Clients.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    public HttpServeWork(int streams, ModelCache models, KernelOptions kernels)
        : base($"{ModelSize.CodeGen.Name} serve {streams} streams over HTTP", kernels)
    {
        (_streams, _models) = (streams, models);
        Tokens = streams * ServeWork.NewTokens;
        Siblings = [("the engine in-process", () => new ServeWork(streams, isDeterministic: true, models, kernels))];
    }

    public override void Prepare() => _served = ServedModel.Start(_models.Checkpoints.Open(ModelSize.CodeGen.Checkpoint),
        Path.Combine(AppContext.BaseDirectory, "data"), Kernels, new GenerationEngineOptions { MaxRows = _streams, KeyValueType = WeightType.F16 });

    public override void Run() => Task.WaitAll([.. Enumerable.Range(0, _streams).Select(caller => _served!.AskAsync("/completion",
        $$"""
        {"prompt": [{{string.Join(",", TokenIds.Some(ServeWork.PromptTokens + caller).Select(id => id % KnownTokens))}}],
         "n_predict": {{ServeWork.NewTokens}}, "temperature": 0,
         "ignore_eos": true, "cache_prompt": false, "stream": true}
        """))]);

    public override void Dispose()
    {
        _served?.Dispose();
        base.Dispose();
    }
}

/// <summary>One text of each of several clients to /embed at once, in interleaved runs with one batch of all of them in this process.</summary>
internal sealed class HttpEmbedWork : Work
{
    private readonly string[] _texts;
    private readonly ModelCache _models;
    private readonly bool _inProcess;
    private ServedModel? _served;
    private SentenceEmbeddingPipeline? _pipeline;

    /// <param name="clients">How many there are.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="inProcess">One batch, without a server.</param>
    public HttpEmbedWork(int clients, ModelCache models, KernelOptions kernels, bool inProcess = false)
        : base($"{ModelSize.CodeBerta.Name} /embed of {clients} clients", kernels)
    {
        (_models, _inProcess) = (models, inProcess);
        _texts = [.. Enumerable.Range(0, clients).Select(i =>
            $"def pick_{i}(items, key):\n    for item in items:\n        if item.name == key:\n            return item\n    return {i}\n")];
        if (!inProcess)
            Siblings = [("one batch in-process", () => new HttpEmbedWork(clients, models, kernels, inProcess: true))];
    }

    public override void Prepare()
    {
        _served = ServedModel.Start(_models.Checkpoints.Open(ModelSize.CodeBerta.Checkpoint),
            Path.Combine(CheckpointCache.RepositoryRoot, "models", "demo-fill-mask"), Kernels, new GenerationEngineOptions());
        if (_inProcess)
            _pipeline = SentenceEmbeddingPipeline.Load(_served.Directory, new PipelineOptions { Load = new LoadOptions { Kernels = Kernels } });
    }

    public override void Run()
    {
        if (_inProcess)
            _pipeline!.Embed(_texts);
        else
            Task.WaitAll([.. _texts.Select(text => _served!.AskAsync("/embed", $$"""{"inputs": {{System.Text.Json.JsonSerializer.Serialize(text)}}}"""))]);
    }

    public override void Dispose()
    {
        _pipeline?.Dispose();
        _served?.Dispose();
        base.Dispose();
    }
}
