using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Server;

/// <summary>The models that a server has, and which of them a request means.</summary>
internal sealed class ServerModels(ServerOptions options, ModelBackend backend, ILogger<ServerModels> logger)
{
    private volatile bool _isReady;

    /// <summary>When the server began, seconds since 1970.</summary>
    public long Created { get; } = ApiRequest.Now;

    public IReadOnlyList<ModelStatus> All => backend.Models;

    /// <inheritdoc cref="ModelBackend.Silos"/>
    public IReadOnlyList<FleetSilo>? Silos => backend.Silos;

    /// <inheritdoc cref="ModelBackend.LookAt"/>
    public IReadOnlyList<EngineLook> LookAt(string id) => backend.LookAt(id);

    /// <summary>Whether the models that are loaded at the start are there.</summary>
    public bool IsReady => _isReady;

    /// <summary>The model of a request, loaded where it is not.</summary>
    /// <param name="id">As the client names it; null or empty: the first that can do the task.</param>
    /// <param name="task">What it must be able to do.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="ApiException">There is no such model, or it cannot do that.</exception>
    public async Task<ServedModel> AcquireAsync(string? id, ModelTasks task, CancellationToken cancellationToken)
    {
        id = WithoutAddress(id);
        ModelStatus[] able = [.. All.Where(model => (model.Tasks & task) != ModelTasks.None)];
        if (string.IsNullOrEmpty(id))
        {
            // Any encoder gives vectors, those that were made for it better ones.
            id = (able.FirstOrDefault(model => task != ModelTasks.Embedding || !model.Tasks.HasFlag(ModelTasks.FillMask)) ?? able.FirstOrDefault())?.Id
                ?? throw new ApiException(Problem.NotSupported, $"No model here can do that ({task}). {Named(All)}");
        }
        else if (All.FirstOrDefault(model => model.Id == id) is { } named && (named.Tasks & task) == ModelTasks.None && named.Problem is null)
        {
            string others = able.Length == 0 ? "No model here can." : $"These can: {string.Join(", ", able.Select(model => model.Id))}.";
            throw new ApiException(Problem.NotSupported, $"{id} cannot do that ({task}); it does {named.Tasks}. {others}") { Field = "model" };
        }
        return await backend.AcquireAsync(id, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What a model's config.json says; null: it cannot be read.</summary>
    public PretrainedConfig? ConfigOf(string id) => backend.ConfigOf(id);

    /// <inheritdoc cref="ModelBackend.ErrorOf"/>
    public ApiException? ErrorOf(Exception error) => backend.ErrorOf(error);

    /// <summary>Loads the models that are to be there before requests come; the others are loaded by their first request. One that cannot be loaded is logged,
    /// and tried again by its first request; the others are served.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        await backend.LoadAsync(options.Preload, model => ServerLog.Loaded(logger, model),
            (model, problem) => ServerLog.NotLoaded(logger, model, problem), cancellationToken).ConfigureAwait(false);
        _isReady = true;
    }

    public void LogFailure(Exception error, string route) => ServerLog.Failed(logger, error, route);

    public void LogRequest(string route, int status, TimeSpan time) => ServerLog.Answered(logger, route, status, time.TotalMilliseconds);

    public void LogBody(string route, JsonElement body) => ServerLog.Body(logger, route, body);

    // Hugging Face's client for JavaScript names the address that it was given: this server's, or that of a model of it.
    private static string? WithoutAddress(string? id)
    {
        const string Models = "/models/";
        if (id is null || !(id.StartsWith("http://", StringComparison.Ordinal) || id.StartsWith("https://", StringComparison.Ordinal)))
            return id;
        int path = id.IndexOf(Models, StringComparison.Ordinal);
        return path < 0 ? null : id[(path + Models.Length)..].TrimEnd('/');
    }

    private static string Named(IReadOnlyList<ModelStatus> models) =>
        string.Join(" ", models.Select(model => $"{model.Id} does {model.Tasks}."));
}

/// <summary>What a server logs. Texts of requests are in it only where that is asked for (LogTexts).</summary>
internal static partial class ServerLog
{
    [LoggerMessage(1, LogLevel.Error, "{Route} failed")]
    public static partial void Failed(ILogger logger, Exception error, string route);

    [LoggerMessage(4, LogLevel.Debug, "{Route} {Status} in {Milliseconds:0.0} ms")]
    public static partial void Answered(ILogger logger, string route, int status, double milliseconds);

    [LoggerMessage(5, LogLevel.Information, "{Route} {Body}")]
    public static partial void Body(ILogger logger, string route, JsonElement body);

    [LoggerMessage(2, LogLevel.Information, "{Model} is loaded")]
    public static partial void Loaded(ILogger logger, string model);

    [LoggerMessage(3, LogLevel.Error, "{Model} cannot be loaded; its first request tries again: {Problem}")]
    public static partial void NotLoaded(ILogger logger, string model, string problem);
}
