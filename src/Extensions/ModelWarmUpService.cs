using Microsoft.Extensions.Hosting;

namespace ManagedTransformers.Extensions.AI;

/// <summary>Loads models when the app starts, each as its <see cref="HostedModelOptions.WarmUp"/> says.</summary>
internal sealed class ModelWarmUpService(IEnumerable<HostedModel> models) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (HostedModel model in models.Where(one => one.Options.WarmUp == WarmUp.Background))
        {
            // The model has logged why; it tells whoever asks.
            _ = model.LoadAsync(CancellationToken.None).Unwatched();
        }
        return Task.WhenAll(models.Where(one => one.Options.WarmUp == WarmUp.BeforeStart).Select(one => one.LoadAsync(cancellationToken)));
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
