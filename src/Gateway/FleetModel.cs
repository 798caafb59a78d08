namespace ManagedTransformers.Gateway;

/// <summary>A model of the fleet, as its silos have reported it.</summary>
/// <param name="Id">What it is called.</param>
/// <param name="Lines">The silos that have it, by name; those that are refused as well. None: all have left.</param>
/// <param name="Tasks">What it can do.</param>
internal sealed record FleetModel(string Id, IReadOnlyList<DirectoryLine> Lines, ModelTasks Tasks)
{
    /// <summary>The reports of the silos that get requests.</summary>
    public IEnumerable<SiloReport> Serving => Lines.Where(line => line.Problem is null).Select(line => line.Report);

    /// <summary>Of the files that the fleet serves; null: no silo is left.</summary>
    public string? Fingerprint => Serving.FirstOrDefault()?.Fingerprint;

    public ModelStatus Status
    {
        get
        {
            SiloReport[] loaded = [.. Serving.Where(report => report.IsLoaded)];
            string? problem = Serving.Any() ? null : Lines.Count > 0 ? Lines[0].Problem : "No silo with it is left.";
            return new ModelStatus(Id, loaded.Length > 0 ? ModelStage.Loaded : ModelStage.Unloaded, Tasks, loaded.Sum(report => report.NeededBytes),
                loaded.Sum(report => report.Running + report.Waiting), problem);
        }
    }

    /// <summary>What the engines of the silos did last.</summary>
    public IReadOnlyList<EngineLook> Engines => [.. Serving.Where(report => report.IsLoaded).Select(report => new EngineLook(report.Name, report.Queue)
    {
        Generation = Read<GenerationEngineState>(report.Generation), Encoder = Read<EncoderEngineState>(report.Encoder),
        MaxRows = report.Generation is null ? 0 : report.Rows,
    })];

    // One of another version is not shown.
    private static T? Read<T>(string? state) where T : class
    {
        try
        {
            return state is null ? null : OptionsJson.ReadAny<T>(state);
        }
        catch (ModelInputException)
        {
            return null;
        }
    }
}
