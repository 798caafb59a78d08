namespace ManagedTransformers.Models;

/// <summary>
/// A model with its weights: immutable and thread-safe. What changes while it runs lives in a <see cref="Session"/>.
/// </summary>
/// <remarks>transformers' PreTrainedModel. Load one with <see cref="PretrainedModels"/> or a class's own Load.</remarks>
public abstract class PretrainedModel : IDisposable
{
    private readonly Checkpoint? _checkpoint;
    private string? _fingerprint;
    private IReadOnlyList<string>? _activationNames;
    private bool _disposed;

    private protected PretrainedModel(PretrainedConfig config, ModelSource source)
    {
        (Config, LoadOptions, _checkpoint) = (config, source.Options, source.Checkpoint);
        Source = source;
    }

    /// <summary>The configuration; derived classes have it under its own type as well.</summary>
    public PretrainedConfig Config { get; }

    /// <summary>How it was loaded.</summary>
    public LoadOptions LoadOptions { get; }

    /// <summary>The class's name in transformers, such as <c>RobertaForMaskedLM</c>.</summary>
    public string Architecture => GetType().Name;

    /// <summary>The weights that the model reads, under their names in the checkpoint.</summary>
    public IReadOnlyList<Weight> Weights => Source.Weights.Weights;

    /// <summary>The activations that <see cref="Session.Trace(TraceOptions)"/> can keep and change, in execution order: module paths as in transformers, and what lies inside attentions.</summary>
    public IReadOnlyList<string> ActivationNames => _activationNames ??= Array.AsReadOnly<string>([.. ListActivations()]);

    /// <summary>Tensors of the checkpoint that were not read, because others that were are the same.</summary>
    internal IReadOnlySet<string> TiedTensors => Source.Weights.Twins;

    /// <summary>
    /// Tells this model's weights from others': a hash of the configuration, of the format they are held in, of all tensors' names, types and shapes, and of bytes
    /// from 16 places of each, which a model trained further does not share.
    /// </summary>
    public string Fingerprint => _fingerprint ??= ModelFingerprint.Of(this);

    /// <summary>Whether the model has a pooler or a head that reads the first token.</summary>
    internal abstract bool ReadsFirstToken { get; }

    /// <summary>Whether the loss takes real-valued labels (regression, several labels at once).</summary>
    internal virtual bool ReadsLabelValues => false;

    private protected ModelSource Source { get; }

    /// <summary>Prepares a session: its workspace and, for decoders, its KV cache.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="ModelInputException">The session would be longer than the model reads.</exception>
    public Session CreateSession(SessionOptions? options = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        options ??= new SessionOptions();
        return new Session(this, options, CreateCache(options), _checkpoint?.Acquire());
    }

    /// <summary>Runs the model.</summary>
    /// <param name="inputs">Token ids or embeddings, and what goes with them.</param>
    /// <param name="session">A session of this model.</param>
    /// <param name="options">What to return.</param>
    /// <exception cref="ModelInputException">The inputs do not fit the model.</exception>
    /// <exception cref="InvalidOperationException">The session belongs to another model, or runs on another thread.</exception>
    /// <exception cref="ObjectDisposedException">The model or the session was disposed.</exception>
    public abstract ModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null);

    /// <summary>Writes config.json and model.safetensors, as save_pretrained does; tensors keep the type in which they are stored.</summary>
    /// <param name="directory">Created where it is missing.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Ends the writing; no half file is left.</param>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public void Save(string directory, IProgress<WriteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(directory);
        PretrainedConfig config = Config with { Architectures = [Architecture] };
        File.WriteAllBytes(Path.Combine(directory, "config.json"), ConfigJson.Write(config));
        TensorEntry[] tensors = [.. Weights.Select(weight => TensorEntry.Create(weight))];
        var metadata = new Dictionary<string, string> { ["format"] = "pt" };
        SafetensorsWriter.Write(Path.Combine(directory, Checkpoint.SingleFileName), tensors, metadata, progress, cancellationToken);
    }

    /// <summary>Gives the weights back. Sessions that are running finish; their memory goes with the last of them.</summary>
    public void Dispose()
    {
        _disposed = true;
        _checkpoint?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Every name that a pass may tap, in order.</summary>
    private protected abstract IEnumerable<string> ListActivations();

    private protected virtual KeyValueCache? CreateCache(SessionOptions options) => null;

    /// <summary>Checks inputs and session, packs the batch, and starts the pass.</summary>
    private protected Session.Pass BeginPass(ModelInputs inputs, Session session, ForwardOptions? options)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        CheckSession(session);
        options ??= ForwardOptions.Default;
        int past = session.Cache?.Columns ?? 0;
        CheckInputs(inputs, past, options);
        if (session.Cache is KeyValueCache held && held.BatchSize != inputs.BatchSize)
            throw new ModelInputException($"The inputs have {inputs.BatchSize} rows; the session holds {held.BatchSize} sequences (SessionOptions.BatchSize), one for each row.");
        Session.Pass pass = session.Begin(options, inputs.HeadMask);
        try
        {
            ReadOnlySpan<int> mask = InputChecks.NewTokensMask(inputs, past);
            bool keepPadding = options.ComputePadding || options.OutputAttentions || inputs.Labels is not null
                || (ReadsFirstToken && InputChecks.HidesFirstColumn(mask, inputs));
            session.Batch.Pack(inputs.BatchSize, inputs.SequenceLength, mask, keepPadding);
            session.Cache?.MaskPast(inputs.AttentionMask, inputs.BatchSize, inputs.SequenceLength);
            session.Tracer?.BeginPass(inputs.BatchSize, inputs.SequenceLength, inputs.InputIds?.ToArray(), mask.IsEmpty ? null : mask.ToArray(), isWhole: past == 0);
            return pass;
        }
        catch
        {
            pass.Dispose();
            throw;
        }
    }

    /// <summary>Adds what the pass collected to its output.</summary>
    private protected static T EndPass<T>(T output, Session session) where T : ModelOutput
    {
        (output.HiddenStates, output.Attentions) = (session.HiddenStates, session.Attentions);
        if (session.Options.OutputPastKeyValues && session.Cache is KeyValueCache cache)
            output.PastKeyValues = [.. Enumerable.Range(0, cache.Layers).Select(layer => (cache.Keys(layer), cache.Values(layer)))];
        session.Tracer?.EndPass();
        return output;
    }

    /// <summary>Checks everything about inputs that needs no session.</summary>
    /// <exception cref="ModelInputException">They do not fit the model.</exception>
    internal void CheckInputs(ModelInputs inputs, int past, ForwardOptions options)
    {
        InputChecks.Check(inputs, Config, past, options);
        if (inputs.LabelValues is not null && !ReadsLabelValues)
            throw new ModelInputException($"labels are real-valued; the loss of {Architecture} needs whole numbers, one class per row of scores.");
    }

    /// <exception cref="InvalidOperationException">The session belongs to another model.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    private protected void CheckSession(Session session)
    {
        ArgumentNullException.ThrowIfNull(session);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (session.Model != this)
            throw new InvalidOperationException($"The session belongs to another model ({session.Model.Architecture}). Use a session that this model's CreateSession made.");
    }
}

/// <summary>Where a model under construction gets its weights from.</summary>
internal sealed record ModelSource(ModelWeights Weights, LoadOptions Options, Checkpoint? Checkpoint);
