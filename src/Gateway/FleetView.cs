using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Gateway;

/// <summary>What a gateway knows of the fleet: it asks the directories once in a second, and when a model is asked for that it does not know.</summary>
internal sealed partial class FleetView(IServiceProvider services, FleetHeaders headers, ILogger<FleetView> log) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1), s_pause = TimeSpan.FromMilliseconds(50);

    private readonly SiloModels? _own = services.GetService<SiloModels>();
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile IReadOnlyList<FleetModel> _models = [];
    private bool _isLost;

    /// <summary>The cluster.</summary>
    /// <exception cref="InvalidOperationException">The app is neither a silo nor a client.</exception>
    public IClusterClient Cluster { get; } = services.GetService<IClusterClient>() ?? throw new InvalidOperationException(
        "UseManagedTransformersCluster needs a silo or a client of Orleans in the same app. Call UseOrleans or UseOrleansClient before.");

    /// <summary>The models, by name. One whose last silo has left stays, so that its requests hear that and not that it never was.</summary>
    public IReadOnlyList<FleetModel> Models => _models;

    /// <summary>Done when a model is known, and in a silo all models of its own.</summary>
    public Task Known => _known.Task;

    public FleetModel? Find(string id) => _models.FirstOrDefault(model => model.Id == id);

    /// <summary>Asks the directories.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        string[] names = await Cluster.GetGrain<IFleetGrain>(0).ModelsAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        IReadOnlyList<FleetModel> before = _models;
        var models = new List<FleetModel>();
        foreach (string name in names.Union(before.Select(model => model.Id)).Order(StringComparer.Ordinal))
        {
            FleetModel? known = before.FirstOrDefault(model => model.Id == name);
            DirectoryReports said = await Cluster.GetGrain<IModelDirectoryGrain>(name).ReportsAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            DirectoryLine[] lines = said.IsComplete || known is null ? said.Lines : WithThoseOf(known, said.Lines);
            if (lines.Length > 0 || known is not null)
                models.Add(new FleetModel(name, lines, lines.Length > 0 ? (ModelTasks)lines[0].Report.Tasks : known!.Tasks));
        }
        _models = models;
        if (models.Count > 0 && (_own is null || _own.Served.All(id => models.Any(model => model.Id == id && model.Lines.Count > 0))))
            _known.TrySetResult();
    }

    // A directory that has just begun has not heard of all silos, and those that are there must not seem to have left.
    private static DirectoryLine[] WithThoseOf(FleetModel known, DirectoryLine[] lines) =>
        [.. lines.UnionBy(known.Lines, line => line.Report.Silo).OrderBy(line => line.Report.Name, StringComparer.Ordinal)];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RefreshAsync(stoppingToken).ConfigureAwait(false);
                _isLost = false;
                foreach (FleetModel model in _models.Where(model => model.Fingerprint is not null))
                    headers.Prepare(Cluster, model);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)      // what was known stays
            {
                if (!_isLost && _known.Task.IsCompleted)
                    Lost(log, e);
                _isLost = true;
            }
            await Task.Delay(_known.Task.IsCompleted ? s_interval : s_pause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The cluster does not say what it has; it is asked again every second.")]
    private static partial void Lost(ILogger log, Exception error);
}
