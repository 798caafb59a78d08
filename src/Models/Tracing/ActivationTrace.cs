using System.Text.Json.Nodes;

namespace ManagedTransformers.Models;


/// <summary>
/// Activations of a session's passes under their Hugging Face module paths, from <see cref="Session.Trace(TraceOptions)"/> until it is disposed.
/// What it kept stays readable after that.
/// </summary>
/// <remarks>
/// A traced pass gives the bits of an untraced one. Tensors are copies in the shapes that a PyTorch forward hook sees ([batch, sequence, hidden]); places
/// of padding are zero unless <see cref="ForwardOptions.ComputePadding"/> is set. A pass that fails leaves nothing. docs/tracing.md lists the names.
/// </remarks>
/// <example><code>
/// using ActivationTrace trace = session.Trace("transformer.h.*");
/// model.Forward(inputIds, session);
/// FloatTensor residual = trace["transformer.h.3"];      // [batch, sequence, n_embd]
/// </code></example>
public sealed partial class ActivationTrace : IDisposable
{
    private readonly Session _session;
    private readonly TraceOptions _options;
    private readonly List<TracedPass> _passes = [];

    internal ActivationTrace(Session session, TraceOptions options)
    {
        (_session, _options) = (session, options);
        if (options.MemoryLimit < 0)
            throw new TraceException($"TraceOptions.MemoryLimit is {options.MemoryLimit}; a number of bytes of at least 0 is needed.");
        _requests = RequestsOf(session.Model, options);
    }

    /// <summary>A trace that keeps nothing but the names of what it could.</summary>
    internal ActivationTrace(Session session, List<string> names) => (_session, _options, _requests, _names) = (session, new TraceOptions(), [], names);

    /// <summary>The passes since the trace began, oldest first.</summary>
    public IReadOnlyList<TracedPass> Passes => _passes;

    /// <summary>The names that the last pass kept, in execution order.</summary>
    /// <exception cref="TraceException">No pass has run.</exception>
    public IReadOnlyList<string> Names => [.. Last.Tensors.Select(tensor => tensor.Name)];

    private TracedPass Last => _passes.Count > 0 ? _passes[^1] : throw new TraceException("No pass has run since the trace was opened. " +
        "Run the model with the trace's session first.");

    /// <summary>An activation of the last pass.</summary>
    /// <exception cref="TraceException">No pass has run, or it kept no activation of that name; the message lists the nearest ones.</exception>
    public FloatTensor this[string name] => Last[name];

    /// <summary>
    /// Writes what was kept to a safetensors file: under the activations' names after one pass, with <c>pass.0.</c>, <c>pass.1.</c> … before them after
    /// several.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="overwrite">Replace a file that exists.</param>
    /// <param name="metadata">Further strings for the file's <c>__metadata__</c>, such as <c>texts</c>.</param>
    /// <remarks>
    /// The metadata holds, as JSON, what a safetensors file cannot say otherwise: <c>names</c> in execution order, <c>architecture</c>, and after one pass that
    /// began with an empty cache <c>input_ids</c> and <c>attention_mask</c>, [batch, sequence]. docs/comparing.md lists it.
    /// </remarks>
    /// <exception cref="TraceException">Nothing was kept.</exception>
    /// <exception cref="IOException">The file exists and <paramref name="overwrite"/> is false, or it cannot be written.</exception>
    public void Save(string path, bool overwrite = false, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (_passes.All(pass => pass.Tensors.Count == 0))
            throw new TraceException("The trace holds no activation. Run the model with its session, and give names to keep.");
        if (!overwrite && File.Exists(path))
            throw new IOException($"{path} exists. Choose another name or pass overwrite: true.");
        TensorEntry[] entries =
        [..
            from pass in _passes.Index()
            from tensor in pass.Item.Tensors
            let name = _passes.Count == 1 ? tensor.Name : $"pass.{pass.Index}.{tensor.Name}"
            select TensorEntry.Create(name, [.. tensor.Shape.ToArray().Select(size => (long)size)], tensor.ToArray()),
        ];
        Dictionary<string, string> all = TraceMetadata.Of(_session.Model, _passes, entries.Select(entry => entry.Name));
        foreach ((string key, string value) in metadata ?? new Dictionary<string, string>()) all[key] = value;
        SafetensorsWriter.Write(path, entries, all);
    }

    /// <summary>Ends the trace: the session's next passes run without it.</summary>
    public void Dispose() => _session.EndTrace(this);
}

/// <summary>What a trace keeps, and what it changes.</summary>
public sealed record TraceOptions
{
    /// <summary>
    /// Names or patterns of the activations to keep: <c>*</c> stands for any characters but a dot, <c>**</c> for any. Empty: nothing is kept, which
    /// is enough for interventions. Null: all. Names that end in <c>.head_outputs</c> are large and need a pattern that ends in <c>head_outputs</c> as well.
    /// </summary>
    public IReadOnlyList<string>? Names { get; init; }

    /// <summary>The most bytes of tensors that are kept, of all passes together; 1 GiB by default.</summary>
    public long MemoryLimit { get; init; } = 1L << 30;

    /// <summary>Changes of activations, applied in this order.</summary>
    public IReadOnlyList<Intervention> Interventions { get; init; } = [];
}

/// <summary>What a file of activations says of itself under <c>__metadata__</c>; all values but <c>format</c> are JSON.</summary>
internal static class TraceMetadata
{
    public static Dictionary<string, string> Of(PretrainedModel model, IReadOnlyList<TracedPass> passes, IEnumerable<string> names)
    {
        var metadata = new Dictionary<string, string>
        {
            ["format"] = "pt",
            ["names"] = new JsonArray([.. names.Select(name => (JsonNode)name)]).ToJsonString(),
            ["architecture"] = ((JsonNode)model.Architecture).ToJsonString(),
            ["made_by"] = ((JsonNode)$"ManagedTransformers {typeof(TraceMetadata).Assembly.GetName().Version?.ToString(3)}").ToJsonString(),
        };
        // The inputs of a later pass mean nothing without those before it.
        if (passes is [{ IsWhole: true, InputIds: { } ids } pass])
        {
            metadata["input_ids"] = Rows(ids, pass);
            if (pass.AttentionMask is { } mask) metadata["attention_mask"] = Rows(mask, pass);
        }
        return metadata;
    }

    private static string Rows(IReadOnlyList<int> values, TracedPass pass)
    {
        var rows = new JsonArray();
        for (int row = 0; row < pass.BatchSize; row++)
            rows.Add((JsonNode)new JsonArray([.. values.Skip(row * pass.SequenceLength).Take(pass.SequenceLength).Select(value => (JsonNode)value)]));
        return rows.ToJsonString();
    }
}
