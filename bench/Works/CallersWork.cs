using ManagedTransformers.Extensions.AI;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Bench;

/// <summary>Callers of an app's embedding generator, each with one text after the other, in interleaved runs with the same texts in batches.</summary>
internal sealed class CallersWork : Work
{
    private const int Rounds = 8;

    private readonly int _callers;
    private readonly bool _asOneBatch;
    private readonly string[] _texts;
    private ServiceProvider? _services;
    private IEmbeddingGenerator<string, Embedding<float>>? _generator;

    /// <param name="callers">How many there are.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="asOneBatch">One caller, whose calls have a text of each.</param>
    public CallersWork(int callers, KernelOptions kernels, bool asOneBatch = false) : base($"{callers} callers of one text each", kernels)
    {
        (_callers, _asOneBatch) = (callers, asOneBatch);
        _texts = [.. Enumerable.Range(0, callers).Select(i =>
            $"def pick_{i}(items, key):\n    for item in items:\n        if item.name == key:\n            return item\n    return {i}\n")];
        if (!asOneBatch)
            Siblings = [($"batches of {callers}", () => new CallersWork(callers, kernels, asOneBatch: true))];
    }

    public override void Prepare()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(
            Path.Combine(AppContext.BaseDirectory, "data", "demo-embed"),
            new HostedModelOptions { Pipeline = new PipelineOptions { Load = new LoadOptions { Kernels = Kernels } } });
        _services = services.BuildServiceProvider();
        _generator = _services.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
    }

    public override void Run()
    {
        if (_asOneBatch)
            CallAsync(_texts).Wait();
        else
            Task.WaitAll([.. _texts.Select(text => Task.Run(() => CallAsync([text])))]);
    }

    public override void Dispose()
    {
        _services?.Dispose();
        base.Dispose();
    }

    private async Task CallAsync(string[] texts)
    {
        for (int round = 0; round < Rounds; round++)
            await _generator!.GenerateAsync(texts).ConfigureAwait(false);
    }
}
