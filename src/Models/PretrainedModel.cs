using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// A model with its weights: immutable and thread-safe. What changes while it runs lives in a <see cref="Session"/>.
/// </summary>
/// <remarks>transformers' PreTrainedModel. Load one with <see cref="PretrainedModels"/> or a class's own Load.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(PretrainedModelDebugView))]
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

    /// <summary>The same as kernels read them: those that were quantized while loading in that form.</summary>
    internal IEnumerable<Weight> HeldWeights => Source.Weights.HeldWeights;

    /// <summary>Tensors of the checkpoint that were not read, because others that were are the same.</summary>
    internal IReadOnlyDictionary<string, string> TiedTensors => Source.Weights.Twins;

    /// <summary>
    /// Tells this model's weights from others': a hash of the configuration, of all tensors' names, types and shapes, and of bytes from 16 places of each, which a model
    /// trained further does not share. Weights count as they are held: quantized while loading they give what the same give that were stored so.
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
        if (Weights.Select(weight => weight.BlockType).FirstOrDefault(type => type is not null) is WeightType blocks)
            StoredBlocks.Write(metadata, blocks);
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

    /// <summary>Whether it was disposed, for debugger views.</summary>
    internal bool IsDisposed => _disposed;

    private string DebuggerText => $"{Architecture}: {Config.Sizes}, {Models.DebuggerText.Count(Weights.Sum(weight => weight.ElementCount))} parameters{(_disposed ? ", disposed" : "")}";

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

    /// <summary>Runs a language-model head on rows that no pass of this session computed; a trace sees nothing of it.</summary>
    private protected Tensor RunHead(Tensor hiddenStates, Session session, VocabularyLogits.Head head)
    {
        ArgumentNullException.ThrowIfNull(hiddenStates);
        CheckSession(session);
        if (hiddenStates.Rank != 2 || hiddenStates.Shape[1] != Config.HiddenWidth)
            throw new ModelInputException($"{hiddenStates.Name} is [{string.Join(", ", hiddenStates.Shape.ToArray())}]; the head of {Architecture} reads [rows, {Config.HiddenWidth}].");
        using Session.Pass pass = session.Begin(ForwardOptions.Default, traced: false);
        var logits = new Tensor("logits", hiddenStates.Shape[0], Config.VocabSize);
        if (hiddenStates.Length > 0)
            head(hiddenStates, logits, session);
        return logits;
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
