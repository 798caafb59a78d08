using Orleans;
using Orleans.Runtime;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>A call leaves no grain, however it ends: Orleans collects none of them.</summary>
public sealed class EndedGrainTests
{
    private static readonly string[] s_perCall = [nameof(EncoderGrain), nameof(GenerationGrain), nameof(CheckpointGrain)];

    [Test]
    public async Task Calls_of_encoders_that_are_refused_or_cancelled_leave_no_grain()
    {
        IClusterClient client = SharedFleet.Fleet.Cluster.Client;
        var masks = new ClusterEncoder(client, "demo-fill-mask");
        for (int i = 0; i < 5; i++)
            Assert.That(async () => await masks.FillMaskAsync(["x"]), Throws.TypeOf<ModelInputException>());
        var embed = new ClusterEncoder(client, "demo-embed");
        string[] texts = [.. Enumerable.Range(0, 500).Select(i => $"def f{i}(a, b): return a + b")];
        await CancelAsync(token => embed.EmbedAsync(texts, cancellationToken: token));
        await UntilNoneAsync(client);
    }

    [Test]
    public async Task Texts_that_are_refused_or_cancelled_leave_no_grain()
    {
        IClusterClient client = SharedFleet.Fleet.Cluster.Client;
        ClusterGenerator generator = SharedFleet.Fleet.Generator;
        for (int i = 0; i < 5; i++)
            Assert.That(async () => await generator.GenerateAsync(new GenerationRequest([-1])), Throws.InstanceOf<ManagedTransformersException>());
        var request = new GenerationRequest([1, 2, 3]) { Options = new() { MaxNewTokens = 400, EosTokenId = [] } };
        await CancelAsync(token => generator.GenerateAsync(request, token));
        await UntilNoneAsync(client);
    }

    // At once, and at several moments of the work.
    private static async Task CancelAsync(Func<CancellationToken, Task> call)
    {
        int cancelled = 0;
        foreach (int milliseconds in Enumerable.Range(0, 20))
        {
            using var end = new CancellationTokenSource();
            Task running = call(end.Token);
            await Task.Delay(milliseconds);
            await end.CancelAsync();
            try
            {
                await running;
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }
        }
        Assert.That(cancelled, Is.GreaterThan(0));
    }

    private static async Task UntilNoneAsync(IClusterClient client)
    {
        IManagementGrain management = client.GetGrain<IManagementGrain>(0);
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            string[] left = [.. (await management.GetSimpleGrainStatistics())
                .Where(one => one.ActivationCount > 0 && s_perCall.Any(name => one.GrainType.Contains(name, StringComparison.Ordinal)))
                .Select(one => $"{one.ActivationCount} {one.GrainType}")];
            if (left.Length == 0)
                return;
            Assert.That(guard.IsCancellationRequested, Is.False, $"There still are {string.Join(", ", left)}.");
            await Task.Delay(50);
        }
    }
}
