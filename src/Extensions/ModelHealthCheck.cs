using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ManagedTransformers.Extensions.AI;

/// <summary>Healthy when every model answers, or will be loaded by the first call; the data say what each is doing.</summary>
internal sealed class ModelHealthCheck(IEnumerable<HostedModel> models) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object>(StringComparer.Ordinal);
        var troubles = new List<string>();
        Exception? error = null;
        foreach (HostedModel model in models)
        {
            string? difference = model.FindChange();
            string? trouble = model.State switch
            {
                HostedModelState.Changed => $"{model.Name} changed on disk: {difference}",
                HostedModelState.Failed => $"{model.Name} could not be loaded: {model.LoadError?.Message}",
                HostedModelState.Loading =>
                    $"{model.Name} is being loaded ({model.Progress?.Stage}, {model.Progress?.BytesRead} of {model.Progress?.TotalBytes} bytes)",
                HostedModelState.NotLoaded when model.Options.WarmUp != WarmUp.None => $"{model.Name} waits to be loaded",
                _ => null,
            };
            data[model.Name] = model.State.ToString();
            error ??= model.LoadError;
            if (trouble is not null)
                troubles.Add(trouble);
        }
        return Task.FromResult(troubles.Count == 0 ? HealthCheckResult.Healthy($"{data.Count} models", data)
            : new HealthCheckResult(context.Registration.FailureStatus, string.Join("; ", troubles), error, data));
    }
}
