using Microsoft.Extensions.Hosting;

namespace ManagedTransformers.Server;

/// <summary>Loads what is to be there from the start, while the server already answers that it is not ready.</summary>
internal sealed class ModelLoading(ServerModels models) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => models.LoadAsync(stoppingToken);
}
