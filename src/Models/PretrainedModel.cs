using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>
/// A model with its weights: immutable and thread-safe. What changes while it runs lives in a <see cref="Session"/>.
/// </summary>
/// <remarks>transformers' PreTrainedModel. Load one with <see cref="PretrainedModels"/> or a class's own Load.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(PretrainedModelDebugView))]
public abstract class PretrainedModel : IPretrainedModel
{
    private readonly Checkpoint? _checkpoint;
    private string? _fingerprint;
    private IReadOnlyList<string>? _activationNames;
    private IReadOnlyList<TransformerLensName>? _lensNames;
    private bool _disposed;

    /// <summary>A model under construction; derived constructors read their weights from <paramref name="source"/>.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where weights come from.</param>
    protected PretrainedModel(PretrainedConfig config, ModelSource source)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(source);
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

    /// <summary>Where the parts of its layers are among <see cref="ActivationNames"/>.</summary>
    public abstract ModulePaths Paths { get; }

    /// <summary>What is odd about the checkpoint and harms nothing, in sentences for people; <see cref="LoadOptions.Strict"/> makes it an error.</summary>
    public IReadOnlyList<string> Warnings => Source.Weights.Warnings;

    /// <summary>The activations that <see cref="Session.Trace(TraceOptions)"/> can keep and change, in execution order: module paths as in transformers, and
    /// the insides of attentions.</summary>
    public IReadOnlyList<string> ActivationNames => _activationNames ??= RecordActivationNames().AsReadOnly();

    /// <summary>Names of TransformerLens that traces and interventions take as well, such as <c>blocks.0.attn.hook_pattern</c>, each with the activation that
    /// it stands for.</summary>
    public IReadOnlyDictionary<string, string> TransformerLensNames => LensNames.ToDictionary(name => name.Name, name => name.Activation);

    /// <summary>The same with their shapes.</summary>
    internal IReadOnlyList<TransformerLensName> LensNames => _lensNames ??=
        [.. TransformerLensName.Of(Paths, Config.Layers).Where(name => ActivationNames.Contains(name.Activation))];

    /// <summary>The same as kernels read them: those that were quantized while loading in that form.</summary>
    internal IEnumerable<Weight> HeldWeights => Source.Weights.HeldWeights;

    /// <summary>Tensors of the checkpoint that were not read, because others that were are the same.</summary>
    internal IReadOnlyDictionary<string, string> TiedTensors => Source.Weights.Twins;

    /// <summary>Tensors of the checkpoint that the model does not know.</summary>
    internal IReadOnlySet<string> UnknownTensors => Source.Weights.Unknown;

    /// <summary>
    /// Tells this model's weights from others': a hash of the configuration, of all tensors' names, types and shapes, and of bytes from 16 places of each,
    /// which a model
    /// trained further does not share. Weights count as they are held: quantized while loading they give what the same give that were stored so.
    /// </summary>
    public string Fingerprint => _fingerprint ??= ModelFingerprint.Of(this);

    /// <summary>Whether the model has a pooler or a head that reads the first token.</summary>
    protected virtual bool ReadsFirstToken => false;

    /// <summary>Whether the loss takes real-valued labels (regression, several labels at once).</summary>
    protected virtual bool ReadsLabelValues => false;

    /// <summary>The model below the head, over the same weights; a model without a head is its own. Null: it has no such part.</summary>
    internal virtual PretrainedModel? Body => null;

    private protected ModelSource Source { get; }

    /// <summary>Prepares a session: its workspace and, for decoders, its KV cache.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="ModelInputException">The session would be longer than the model reads.</exception>
    public Session CreateSession(SessionOptions? options = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        options ??= new SessionOptions();
        return new Session(this, options, Config.IsCausal ? KeyValueCache.Create(Config, options) : null, _checkpoint?.Acquire());
    }

    /// <summary>Runs the model.</summary>
    /// <param name="inputs">Token ids or embeddings, and what goes with them.</param>
    /// <param name="session">A session of this model.</param>
    /// <param name="options">What to return.</param>
    /// <exception cref="ModelInputException">The inputs do not fit the model.</exception>
    /// <exception cref="CheckpointException">A weight file that is mapped was written to in place (<see cref="LoadOptions.MapWeights"/>).</exception>
    /// <exception cref="InvalidOperationException">The session belongs to another model, or runs on another thread.</exception>
    /// <exception cref="ObjectDisposedException">The model or the session was disposed.</exception>
    public abstract ModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null);

    /// <summary>
    /// Writes config.json and model.safetensors, as save_pretrained does; tensors keep the type in which they are stored. Both get their names in one step,
    /// as <see cref="CheckpointConverter.Convert"/> says, and the weights of a checkpoint that is there go.
    /// </summary>
    /// <param name="directory">Created where it is missing.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Ends the writing; no half file is left.</param>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public void Save(string directory, IProgress<WriteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        PretrainedConfig config = Config with { Architectures = [Architecture] };
        TensorEntry[] tensors = [.. Weights.Select(weight => TensorEntry.Create(weight, Source.Weights.Unwrapped(weight)))];
        var metadata = new Dictionary<string, string> { ["format"] = "pt" };
        if (Weights.Select(weight => weight.BlockType).FirstOrDefault(type => type is not null) is WeightType blocks)
            StoredBlocks.Write(metadata, blocks);
        using var files = new PendingDirectory(directory);
        files.Add(ConfigJson.FileName, stream => stream.Write(ConfigJson.Write(config)));
        files.Add(Checkpoint.SingleFileName, stream => SafetensorsWriter.Write(stream, tensors, metadata, progress, cancellationToken));
        files.Publish(replaces: true, ConversionTarget.IsWeightFile);
    }

    /// <exception cref="CheckpointException">A file that is mapped was written to since it was opened.</exception>
    internal void RequireUnchangedWeights() => _checkpoint?.RequireUnchanged();

    /// <summary>Gives the weights back. Sessions that are running finish; their memory goes with the last of them.</summary>
    public void Dispose()
    {
        _disposed = true;
        _checkpoint?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The model as one that does a task.</summary>
    /// <param name="deed">What others do not do, for the message: <c>does not fill masks</c>.</param>
    /// <exception cref="ConfigException">It does not; the message names the classes that do.</exception>
    internal T Require<T>(string deed) where T : class, IPretrainedModel =>
        this as T ?? throw new ConfigException($"{Architecture} {deed}; {ModelFamilies.NamesOfTask(typeof(T))} is needed (config.json, architectures).");

    /// <summary>A pass over no tokens goes by every place that can be traced.</summary>
    private List<string> RecordActivationNames()
    {
        var names = new List<string>();
        using Session session = CreateSession(new SessionOptions { MaxLength = 1 });
        session.Record(names);
        Forward(ModelInputs.None, session);
        return names;
    }

    /// <summary>Whether it was disposed, for debugger views.</summary>
    internal bool IsDisposed => _disposed;

    private string DebuggerText =>
        $"{Architecture}: {Config.Sizes}, {Models.DebuggerText.Count(Weights.Sum(weight => weight.ElementCount))} parameters{(_disposed ? ", disposed" : "")}";

    /// <summary>Checks inputs and session, packs the batch, and starts the pass, which ends when the result is disposed.</summary>
    /// <inheritdoc cref="Forward"/>
    protected Session.Pass BeginPass(ModelInputs inputs, Session session, ForwardOptions? options)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        CheckSession(session);
        options ??= ForwardOptions.OfSteps;
        int past = session.Cache?.Columns ?? 0;
        CheckInputs(inputs, past, options);
        if (session.Cache is KeyValueCache held && held.BatchSize != inputs.BatchSize && inputs != ModelInputs.None)
            throw new ModelInputException($"The inputs have {inputs.BatchSize} rows; the session holds {held.BatchSize} sequences " +
                "(SessionOptions.BatchSize), one for each row.");
        Session.Pass pass = session.Begin(options, inputs.HeadMask);
        try
        {
            ReadOnlySpan<int> mask = InputChecks.NewTokensMask(inputs, past);
            bool keepPadding = options.ComputePadding || options.OutputAttentions || inputs.Labels is not null
                || (ReadsFirstToken && InputChecks.HidesFirstColumn(mask, inputs));
            session.Cache?.MaskPast(inputs.AttentionMask, inputs.BatchSize, inputs.SequenceLength);
            session.Batch.Pack(inputs, mask, keepPadding, session.Cache, Config.Positions);
            session.Cache?.Reserve(session.Batch);
            if (inputs.RowLengths is not null)
                session.Tracer?.BeginPass(session.Batch);
            else
                session.Tracer?.BeginPass(inputs.BatchSize, inputs.SequenceLength, inputs.InputIds?.ToArray(), mask.IsEmpty ? null : mask.ToArray(),
                    isWhole: past == 0);
            return pass;
        }
        catch
        {
            pass.Dispose();
            throw;
        }
    }

    /// <summary>Counts the tokens as read and adds what the pass collected to its output.</summary>
    /// <returns><paramref name="output"/> itself.</returns>
    protected static T EndPass<T>(T output, Session session) where T : ModelOutput
    {
        ArgumentNullException.ThrowIfNull(output);
        EndPass(session);
        (output.HiddenStates, output.Attentions) = (session.HiddenStates, session.Attentions);
        if (session.Options.OutputPastKeyValues && session.Cache is KeyValueCache cache)
            output.PastKeyValues = [.. Enumerable.Range(0, cache.Layers).Select(layer => (cache.Keys(layer), cache.Values(layer)))];
        return output;
    }

    private protected static void EndPass(Session session)
    {
        session.Cache?.Commit(session.Batch);
        session.Tracer?.EndPass();
    }

    /// <summary>Checks everything about inputs that needs no session.</summary>
    /// <exception cref="ModelInputException">They do not fit the model.</exception>
    internal void CheckInputs(ModelInputs inputs, int past, ForwardOptions options)
    {
        InputChecks.Check(inputs, Config, past, options);
        if (inputs.LabelValues is not null && !ReadsLabelValues)
            throw new ModelInputException($"labels are real-valued; the loss of {Architecture} needs whole numbers, one class per row of scores.");
    }

    /// <summary>Runs a head on rows that no pass of this session computed; a trace sees nothing of it.</summary>
    /// <param name="hiddenStates">[rows, hidden].</param>
    /// <param name="session">A session of this model.</param>
    /// <param name="head">The head: [rows, hidden] → [rows, vocab_size] into the second tensor.</param>
    private protected FloatTensor RunHead(FloatTensor hiddenStates, Session session, Action<FloatTensor, FloatTensor> head)
    {
        ArgumentNullException.ThrowIfNull(hiddenStates);
        CheckSession(session);
        if (hiddenStates.Rank != 2 || hiddenStates.Shape[1] != Config.HiddenWidth)
            throw new ModelInputException($"{hiddenStates.Name} is [{string.Join(", ", hiddenStates.Shape.ToArray())}]; the head of {Architecture} " +
                $"reads [rows, {Config.HiddenWidth}].");
        using Session.Pass pass = session.Begin(ForwardOptions.OfSteps, traced: false);
        var logits = new FloatTensor("logits", hiddenStates.Shape[0], Config.VocabSize);
        if (hiddenStates.Length > 0)
            head(hiddenStates, logits);
        return logits;
    }

    /// <exception cref="InvalidOperationException">The session belongs to another model.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    private protected void CheckSession(Session session)
    {
        ArgumentNullException.ThrowIfNull(session);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (session.Model != this)
            throw new InvalidOperationException($"The session belongs to another model ({session.Model.Architecture}). Use a session that this model's " +
                "CreateSession made.");
    }
}

/// <summary>A model as a debugger opens it.</summary>
internal sealed class PretrainedModelDebugView(PretrainedModel model)
{
    public string Architecture => model.Architecture;

    public PretrainedConfig Config => model.Config;

    /// <summary>How many numbers the weights are.</summary>
    public long Parameters => model.Weights.Sum(weight => weight.ElementCount);

    /// <summary>How the checkpoint stores them, and how many of them are of each type.</summary>
    public string StoredAs => string.Join(", ", model.Weights.GroupBy(weight => weight.Type)
        .Select(group => $"{group.Key}: {DebuggerText.Count(group.Sum(weight => weight.ElementCount))}"));

    public LoadOptions LoadOptions => model.LoadOptions;

    public bool IsDisposed => model.IsDisposed;

    public Weight[] Weights => [.. model.Weights];
}
