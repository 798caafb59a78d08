using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Gateway;

/// <summary>Models on the silos of a cluster.</summary>
internal sealed class ClusterBackend(FleetView fleet, FleetHeaders headers, ServerOptions options, IServiceProvider services) : ModelBackend
{
    // Their pauses are together longer than it takes until a lost machine is noticed.
    private static readonly ClusterGeneratorOptions s_calls = new() { MaxFailures = 60 };

    // Where this process is a silo as well, requests that are placed on it need no messages.
    private readonly SiloEngines? _here = services.GetService<SiloEngines>();

    public override IReadOnlyList<ModelStatus> Models => [.. fleet.Models.Select(model => model.Status)];

    public override IReadOnlyList<FleetSilo> Silos => [.. fleet.Models
        .SelectMany(model => model.Lines.Select(line => (model.Id, Line: line)))
        .GroupBy(one => one.Line.Report.Silo)
        .Select(silo => (Last: silo.MaxBy(one => one.Line.Report.Version).Line.Report, Models: silo))
        .OrderBy(silo => silo.Last.Name, StringComparer.Ordinal)
        .Select(silo => new FleetSilo(silo.Last.Name, silo.Last.Silo.ToParsableString(), silo.Last.KernelLevel, silo.Last.FreeBytes,
            [.. silo.Models.Select(one => ModelOf(one.Id, one.Line))]))];

    public override async Task<ServedModel> AcquireAsync(string id, CancellationToken cancellationToken)
    {
        FleetModel? model = fleet.Find(id);
        if (model is null)
        {
            await fleet.RefreshAsync(cancellationToken).ConfigureAwait(false);
            model = fleet.Find(id) ?? throw new UnknownModelException($"There is no model \"{id}\" in the cluster. The nearest of {fleet.Models.Count}: " +
                $"{NearestNames.Of(id, fleet.Models.Select(one => one.Id))}.");
        }
        ModelPipelines header = await headers.GetAsync(fleet.Cluster, model).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (header.Generator is null)
            return new ServedModel(id, model.Tasks, Generation: null, new ClusterEncoder(fleet.Cluster, id, s_calls.MaxFailures, _here, header.Encoders)
            {
                Options = options.Encoder with { MaxQueue = model.Serving.Sum(silo => silo.Queue) },
            });
        return new ServedModel(id, model.Tasks, new ClusterGenerator(fleet.Cluster, id, s_calls, _here, header.Generator)
        {
            EngineOptions = options.Generation with { MaxRows = Math.Max(1, model.Serving.Sum(silo => silo.Rows)) },
        }, Encoder: null);
    }

    /// <summary>Silos load models; a gateway is ready when it knows one.</summary>
    public override Task LoadAsync(bool preload, Action<string> loaded, Action<string, string> failed, CancellationToken cancellationToken) =>
        fleet.Known.WaitAsync(cancellationToken);

    public override PretrainedConfig? ConfigOf(string id) => fleet.Find(id) is FleetModel model ? headers.ConfigOf(model) : null;

    public override IReadOnlyList<EngineLook> LookAt(string id) => fleet.Find(id)?.Engines ?? [];

    public override ApiException? ErrorOf(Exception error) => error switch
    {
        NoSiloException or ModelFingerprintException => new ApiException(Problem.Unavailable, error.Message, error),
        OrleansException or TimeoutException => new ApiException(Problem.Unavailable, $"The cluster does not answer: {error.Message}", error),
        _ => null,
    };

    private static FleetSiloModel ModelOf(string id, DirectoryLine line) => new(
        id, line.Report.IsLoaded, line.Report.Fingerprint, line.Report.NeededBytes, line.Report.Running, line.Report.Waiting,
        line.Report.Generation is null ? 0 : line.Report.Rows, line.Report.Prefixes.Length, line.Problem);
}
