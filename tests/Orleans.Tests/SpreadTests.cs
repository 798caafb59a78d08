namespace ManagedTransformers.Orleans.Tests;

/// <summary>A busy model is loaded on more silos.</summary>
public sealed class SpreadTests
{
    [Test]
    public async Task A_model_whose_8_rows_are_taken_is_loaded_on_a_second_silo()
    {
        var generator = new ClusterGenerator(SharedFleet.Fleet.Cluster.Client, Fleet.Spare);
        await Fleet.UntilAsync(generator, silos => silos.Count == 3);
        Assert.That((await generator.GetSilosAsync()).Select(silo => silo.IsLoaded), Is.All.False);
        using var enough = new CancellationTokenSource();
        var request = new GenerationRequest([1, 2, 3]) { Options = new() { MaxNewTokens = 500, EosTokenId = [] } };
        Task[] texts = [.. Enumerable.Range(0, 16).Select(_ => generator.GenerateAsync(request, enough.Token))];
        await Fleet.UntilAsync(generator, silos => silos.Count(silo => silo.IsLoaded) >= 2);
        await enough.CancelAsync();
        Assert.That(() => Task.WhenAll(texts), Throws.InstanceOf<OperationCanceledException>());
    }
}
