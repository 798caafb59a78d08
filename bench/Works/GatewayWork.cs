using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Bench;

/// <summary>Requests of several clients to a gateway in a cluster of one silo, in interleaved runs with the same requests to the plain server.</summary>
internal sealed class GatewayWork : Work
{
    private const int NewTokens = 48, PromptTokens = 24, KnownTokens = 8000;

    private readonly Func<(string Checkpoint, string Tokenizer)> _model;
    private readonly (string Route, string Body)[] _requests;
    private readonly bool _inCluster;
    private ServedModel? _served;

    private GatewayWork(
        string name, Func<(string Checkpoint, string Tokenizer)> model, (string Route, string Body)[] requests, int? tokens, KernelOptions kernels,
        bool inCluster)
        : base(name, kernels)
    {
        (_model, _requests, _inCluster, Tokens) = (model, requests, inCluster, tokens);
        if (inCluster)
            Siblings = [("the plain server", () => new GatewayWork(name, model, requests, tokens, kernels, inCluster: false))];
    }

    /// <summary>Streams of a model of a real size, and of a demo model, whose steps are so short that what is around them counts most.</summary>
    public static IEnumerable<GatewayWork> All(ModelCache models, KernelOptions kernels) =>
    [
        Streams(ModelSize.CodeGen.Name, () => (models.Checkpoints.Open(ModelSize.CodeGen.Checkpoint), Path.Combine(AppContext.BaseDirectory, "data")), kernels),
        Streams("demo-codegen", () => (Demo("demo-codegen"), Demo("demo-codegen")), kernels),
        Embeddings(kernels),
    ];

    public override void Prepare()
    {
        (string checkpoint, string tokenizer) = _model();
        _served = ServedModel.Start(checkpoint, tokenizer, Kernels, new GenerationEngineOptions { MaxRows = _requests.Length }, _inCluster);
    }

    public override void Run() => Task.WaitAll([.. _requests.Select(request => _served!.AskAsync(request.Route, request.Body))]);

    public override void Dispose()
    {
        _served?.Dispose();
        base.Dispose();
    }

    private static GatewayWork Streams(string model, Func<(string, string)> files, KernelOptions kernels)
    {
        const int Clients = 16;
        (string, string)[] requests = [.. Enumerable.Range(0, Clients).Select(client => ("/completion",
            $$"""
            {"prompt": [{{string.Join(",", TokenIds.Some(PromptTokens + client).Select(id => id % (model == "demo-codegen" ? 2000 : KnownTokens)))}}],
             "n_predict": {{NewTokens}}, "temperature": 0, "ignore_eos": true, "cache_prompt": false, "stream": true}
            """))];
        return new GatewayWork($"{model} gateway, {Clients} streams", files, requests, Clients * NewTokens, kernels, inCluster: true);
    }

    private static GatewayWork Embeddings(KernelOptions kernels)
    {
        const int Clients = 64;
        (string, string)[] requests = [.. Enumerable.Range(0, Clients).Select(client => ("/embed",
            $$"""{"inputs": "def pick_{{client}}(items, key):\n    for item in items:\n        if item.name == key:\n            return item\n"}"""))];
        return new GatewayWork($"demo-embed gateway, /embed of {Clients} clients",
            () => (Demo("demo-embed"), Demo("demo-embed")), requests, tokens: null, kernels, inCluster: true);
    }

    private static string Demo(string model) => Path.Combine(CheckpointCache.RepositoryRoot, "models", model);
}
