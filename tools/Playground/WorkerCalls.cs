using System.Runtime.InteropServices.JavaScript;
using System.Runtime.Versioning;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ManagedTransformers.Cli;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Playground;

/// <summary>
/// What the page's worker (wwwroot/worker.js) calls. Requests and answers are JSON; what the user can do wrong comes back as an <see cref="ErrorAnswer"/>.
/// A call computes as little as can be shown, since the worker hears of a newer request only between two calls.
/// </summary>
[SupportedOSPlatform("browser")]
internal static partial class WorkerCalls
{
    private static readonly Dictionary<string, Dictionary<string, ReadOnlyMemory<byte>>> Files = [];
    private static readonly Dictionary<string, LiveModel> Models = [];
    private static LiveModel? _model;

    /// <summary>Takes a file of a checkpoint.</summary>
    [JSExport]
    public static void AddFile(string model, string file, byte[] content)
    {
        if (!Files.TryGetValue(model, out Dictionary<string, ReadOnlyMemory<byte>>? files))
            Files.Add(model, files = []);
        files.Add(file, content);
    }

    /// <summary>Opens a model of whose files all are there.</summary>
    [JSExport]
    public static string Open(string model) => Answer(() =>
    {
        Models.Add(model, LiveModel.Open(model, Files[model]));
        return Models[model].Describe();
    }, LiveJson.Default.OpenAnswer);

    /// <summary>Reads a text with its switches: tokens, attention, norms, and the answer.</summary>
    [JSExport]
    public static string Read(string request) => Answer(() =>
    {
        LiveRequest asked = JsonSerializer.Deserialize(request, LiveJson.Default.LiveRequest)!;
        _model = Models[asked.Model];
        return _model.Read(asked);
    }, LiveJson.Default.ReadAnswer);

    /// <summary>The answer at another place of the text.</summary>
    [JSExport]
    public static string Predict(int position) => Answer(() => _model!.Predict(position), LiveJson.Default.PlaceAnswer);

    /// <summary>The logit lens after a layer; 0: after the embeddings.</summary>
    [JSExport]
    public static string Lens(int stage) => Answer(() => _model!.Text.Lens(stage), LiveJson.Default.LensAnswer);

    /// <summary>The effects of the parts: all at once, or the one of that number, where each takes a pass; the last call has the answer.</summary>
    [JSExport]
    public static string Effects(int part) => Answer(() => _model!.Text.Effects(part), LiveJson.Default.EffectsAnswer);

    /// <summary>What temperature and top-p make of the distribution at a place.</summary>
    [JSExport]
    public static string Distribution(string request) =>
        Answer(() => _model!.Text.Distribution(JsonSerializer.Deserialize(request, LiveJson.Default.SamplingRequest)!), LiveJson.Default.DistributionAnswer);

    /// <summary>Writes one token after the text and those that were written before.</summary>
    [JSExport]
    public static string Step(string request) =>
        Answer(() => _model!.Text.Step(JsonSerializer.Deserialize(request, LiveJson.Default.SamplingRequest)!), LiveJson.Default.StepAnswer);

    /// <summary>The code behind the panels.</summary>
    [JSExport]
    public static string Sources(string model) => Answer(() => Models[model].Sources(), LiveJson.Default.ExplainSourceArray);

    private static string Answer<T>(Func<T> compute, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Serialize(compute(), type);
        }
        catch (Exception e) when (e is ModelInputException or TraceException or ConfigException or CheckpointException or TokenizerException)
        {
            return JsonSerializer.Serialize(new ErrorAnswer(e.Message), LiveJson.Default.ErrorAnswer);
        }
    }
}
