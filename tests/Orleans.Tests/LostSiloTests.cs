using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>Texts go on when silos stop or are lost: every one is complete, and each token came once.</summary>
public sealed class LostSiloTests
{
    [Test]
    public async Task Texts_of_silos_that_stop_or_are_killed_down_to_the_last_one_are_those_of_an_undisturbed_run()
    {
        using var alone = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", Fleet.Model));
        await using Fleet fleet = await Fleet.StartAsync();
        int took = await DisturbAsync(fleet, alone, silo => fleet.Cluster.StopSiloAsync(silo), "def add(a, b):\n");
        Assert.That(took, Is.GreaterThan(0), "texts ran on the silo that stopped");
        took = await DisturbAsync(fleet, alone, silo => fleet.Cluster.KillSiloAsync(silo), "class Stack:\n");
        Assert.That(took, Is.GreaterThan(0), "texts ran on the silo that was killed");
        // Directories and models of encoders may have been on either of the two; one silo is left.
        var embed = new ClusterEncoder(fleet.Cluster.Client, "demo-embed");
        using var pipeline = SentenceEmbeddingPipeline.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-embed"));
        Assert.That((await embed.EmbedAsync(["def add(a, b):"]))[0].Vector, Is.EqualTo(pipeline.Embed("def add(a, b):")));
        took = await DisturbAsync(fleet, alone, silo => fleet.Cluster.StopSiloAsync(silo), "import os\n");
        Assert.That(took, Is.EqualTo(8), "all texts ran on the last silo, and ended there");
    }

    [Test]
    public async Task Calls_of_encoders_on_silos_that_are_killed_or_stop_are_made_anew_with_the_results_of_one_process()
    {
        var attempts = new Attempts();
        await using Fleet fleet = await Fleet.StartAsync(attempts);
        using var alone = SentenceEmbeddingPipeline.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-embed"));
        await using var engine = new EncoderEngine([alone]);
        var encoder = new ClusterEncoder(fleet.Cluster.Client, "demo-embed");
        string[] texts = [.. Enumerable.Range(0, 2000).Select(i => $"def f{i}(a, b):\n    return a * {i} + b\n")];
        foreach (Func<InProcessSiloHandle, Task> end in (Func<InProcessSiloHandle, Task>[])[fleet.Cluster.KillSiloAsync, fleet.Cluster.StopSiloAsync])
        {
            int before = attempts.Count;
            Task<IReadOnlyList<TextEmbedding>> call = encoder.EmbedAsync(texts);
            InProcessSiloHandle? busy = null;
            while (busy is null && !call.IsCompleted)
            {
                foreach (InProcessSiloHandle silo in fleet.Cluster.Silos.Where(silo => silo.IsActive))
                    busy = await ReadsAsync(silo) ? silo : busy;
            }
            Assert.That(busy, Is.Not.Null, "a silo reads the texts");
            await end(busy!);
            IReadOnlyList<TextEmbedding> vectors = await call;
            Assert.That(attempts.Count - before, Is.GreaterThanOrEqualTo(2), "the call was interrupted");
            Assert.That(vectors.Select(one => one.Vector), Is.EqualTo((await engine.EmbedAsync(texts)).Select(one => one.Vector)).AsCollection);
        }
    }

    private static async Task<bool> ReadsAsync(InProcessSiloHandle silo) =>
        (await silo.ServiceProvider.GetRequiredService<SiloModels>().ReportAsync("demo-embed", SiloAddress.Zero, silo.Name, version: 0)).Running > 0;

    // Starts texts, and ends the silo that runs most of them when each has begun; the texts that it ran.
    private static async Task<int> DisturbAsync(Fleet fleet, TextGenerator alone, Func<InProcessSiloHandle, Task> end, string prompt)
    {
        GenerationRequest[] requests = [.. Enumerable.Range(0, 4).Select(i => new GenerationRequest(alone.Encode(prompt + $"# {i}\n"))
        {
            Options = new() { MaxNewTokens = 100, EosTokenId = [], DoSample = true, Seed = i, NumReturnSequences = 2, TopLogProbabilities = 1 },
        })];
        using var begun = new CountdownEvent(requests.Length);
        Task<GenerationResult>[] texts = [.. requests.Select(request => Task.Run(async () =>
        {
            bool isFirst = true;
            async IAsyncEnumerable<GenerationUpdate> Updates()
            {
                await foreach (GenerationUpdate update in fleet.Generator.StreamAsync(request))
                {
                    if (isFirst)
                        begun.Signal();
                    isFirst = false;
                    yield return update;
                }
            }
            return await GenerationEngine.ResultOf(Updates(), request);
        }))];
        while (!begun.IsSet && !texts.Any(text => text.IsFaulted))
            await Task.Delay(1);
        (InProcessSiloHandle Silo, int Running)[] silos = await Task.WhenAll(fleet.Cluster.Silos.Where(silo => silo.IsActive)
            .Select(async silo => (silo, (await fleet.EngineOf(silo)).State.Running.Count)));
        (InProcessSiloHandle lost, int running) = silos.MaxBy(silo => silo.Running);
        await end(lost);
        GenerationResult[] results = await Task.WhenAll(texts);
        for (int i = 0; i < requests.Length; i++)
        {
            IReadOnlyList<GeneratedSequence> whole = alone.GenerateSequences([[.. requests[i].PromptIds]], requests[i].Options).Sequences;
            Assert.That(results[i].Sequences.Select(text => text.TokenIds), Is.EqualTo(whole.Select(text => text.TokenIds)), $"tokens of request {i}");
            Assert.That(results[i].Sequences.Select(text => (text.Text, text.FinishReason)), Is.EqualTo(whole.Select(text => (text.Text, text.FinishReason))));
            Assert.That(results[i].Sequences.SelectMany(text => text.LogProbabilities!).Select(token => token.LogProbability),
                Is.EqualTo(whole.SelectMany(text => text.LogProbabilities!).Select(token => token.LogProbability)), "to the bit");
        }
        return running;
    }
}
