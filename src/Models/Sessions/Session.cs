using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>What changes while a model runs: workspace, KV cache, and the current pass. One thread at a time; a model may have many.</summary>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(SessionDebugView))]
public sealed class Session : IDisposable
{
    private readonly FileLease? _lease;
    private readonly KernelOptions _kernels, _decoding;
    private ActivationTrace? _trace;
    private int _running;
    private bool _disposed;

    internal Session(PretrainedModel model, SessionOptions options, KeyValueCache? cache, FileLease? lease)
    {
        _lease = lease;
        Model = model;
        Kernels = _kernels = options.Kernels ?? model.LoadOptions.Kernels;
        _decoding = _kernels with { StreamedRows = MatMul.MaxStreamedRows };
        Cache = cache;
    }

    /// <summary>The model that this session runs.</summary>
    public PretrainedModel Model { get; }

    /// <summary>Kernel level and number of threads.</summary>
    public KernelOptions Kernels { get; private set; }

    /// <summary>Keys and values of the tokens read so far; null for encoders.</summary>
    public KeyValueCache? Cache { get; }

    /// <summary>Memory for the tensors inside a pass.</summary>
    public Workspace Workspace { get; } = new();

    /// <summary>The tokens of the pass that runs.</summary>
    public PackedBatch Batch { get; } = new();

    /// <summary>The options of the pass that runs.</summary>
    public ForwardOptions Options { get; private set; } = ForwardOptions.OfSteps;

    /// <summary>Factors of the heads in the pass that runs: [heads] or [layers, heads].</summary>
    internal FloatTensor? HeadMask { get; private set; }

    internal List<FloatTensor>? HiddenStates { get; private set; }
    internal List<FloatTensor>? Attentions { get; private set; }

    /// <summary>Who traces the pass that runs.</summary>
    internal ActivationTrace? Tracer { get; private set; }

    /// <summary>Ends a pass between two modules.</summary>
    internal CancellationToken Cancellation { get; set; }

    /// <summary>Tokens of the text that passes read in parts, for rotary angles that depend on it (rope_scaling dynamic); 0: each pass reads to the end of its
    /// text.</summary>
    internal int TextLength { get; set; }

    /// <summary>Whether the rows that a head gets are chosen ones, no longer all tokens of the batch.</summary>
    internal bool RowsAreSelected { get; set; }

    /// <summary>Keeps activations of every pass of this session, Forward, Append and Step, until the trace is disposed.</summary>
    /// <param name="names">Names or patterns (<see cref="TraceOptions.Names"/>); none: all.</param>
    /// <exception cref="TraceException">The model has no such activation (the message names the nearest), or another trace is open.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public ActivationTrace Trace(params ReadOnlySpan<string> names) => Trace(names.IsEmpty ? new TraceOptions() : new TraceOptions { Names = names.ToArray() });

    /// <summary>Keeps and changes activations of every pass of this session, Forward, Append and Step, until the trace is disposed.</summary>
    /// <param name="options">What to keep, and what to change.</param>
    /// <exception cref="TraceException">The model has no such activation (the message names the nearest) or no such head, or another trace is open.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public ActivationTrace Trace(TraceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_trace is not null)
            throw new TraceException("A trace of this session is open. Dispose it first, or give its names and interventions to one trace.");
        return _trace = new ActivationTrace(this, options);
    }

    /// <summary>Hands a module's output to whoever traces the pass, who may change it; nothing happens where nobody does.</summary>
    /// <param name="name">The Hugging Face module path.</param>
    /// <param name="output">[tokens, n], or [rows, n] where a head gets chosen rows.</param>
    /// <returns><paramref name="output"/> itself.</returns>
    public FloatTensor Tap(string name, FloatTensor output)
    {
        Cancellation.ThrowIfCancellationRequested();
        Tracer?.Tap(name, output);
        return output;
    }

    /// <summary>Has the next passes note the names of all activations in <paramref name="names"/>.</summary>
    internal void Record(List<string> names) => _trace = new ActivationTrace(this, names);

    /// <summary>The next passes run without that trace; one that runs goes on with it.</summary>
    internal void EndTrace(ActivationTrace trace)
    {
        if (_trace == trace) _trace = null;
    }

    /// <summary>Keeps the hidden state between two layers, [tokens, hidden], where the caller asked for it (output_hidden_states).</summary>
    public void KeepHiddenState(FloatTensor x) => HiddenStates?.Add(Batch.Unpack(x, $"hidden_states.{HiddenStates.Count}"));

    /// <summary>The last hidden state as the caller wants it (<see cref="ForwardOptions.LeavePacked"/>); <paramref name="x"/> is [tokens, hidden].</summary>
    internal FloatTensor LastHiddenState(FloatTensor x) => Options.LeavePacked ? x : Batch.Unpack(x, "last_hidden_state");

    /// <summary>The head mask of one layer, [heads]; empty for none.</summary>
    internal ReadOnlySpan<float> HeadMaskOf(int layer) =>
        HeadMask is null ? [] : HeadMask.Rank == 1 ? HeadMask.Span : HeadMask.Row(layer);

    /// <summary>Gives the memory back. A pass that is running must have ended.</summary>
    /// <exception cref="InvalidOperationException">A pass is running.</exception>
    public void Dispose()
    {
        if (_disposed) return;
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("This session is running a forward pass on another thread; wait for it before disposing the session.");
        _disposed = true;
        _lease?.Dispose();
    }

    /// <summary>Starts a pass; the caller ends it by disposing what this returns.</summary>
    /// <exception cref="InvalidOperationException">Another thread runs this session.</exception>
    /// <exception cref="CheckpointException">A weight file that is mapped was written to in place.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    internal Pass Begin(ForwardOptions options, FloatTensor? headMask = null, bool traced = true)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("This session is already running a forward pass. A session serves one thread at a time: " +
                "create one per thread.");
        RequireUnchangedWeights();
        Kernels = _kernels;
        Options = options;
        HeadMask = headMask;
        Tracer = traced ? _trace : null;
        RowsAreSelected = false;
        HiddenStates = Options.OutputHiddenStates ? [] : null;
        Attentions = Options.OutputAttentions ? [] : null;
        Workspace.Reset();
        return new Pass(this);
    }

    /// <summary>Says how many tokens each sequence of the pass has. Where all have few, each gets the bits that it would have alone.</summary>
    internal void Decodes(ReadOnlySpan<int> lengths)
    {
        if (!lengths.ContainsAnyExceptInRange(0, MatMul.StreamedRows)) Kernels = _decoding;
    }

    private void RequireUnchangedWeights()
    {
        try
        {
            Model.RequireUnchangedWeights();
        }
        catch
        {
            Volatile.Write(ref _running, 0);
            throw;
        }
    }

    /// <summary>What it is doing, for its debugger view.</summary>
    internal string State => _disposed ? "disposed" : Volatile.Read(ref _running) != 0 ? "running" : "idle";

    private string DebuggerText => _disposed
        ? $"{Model.Architecture}, disposed"
        : $"{Model.Architecture}, {(Cache is null ? "" : $"{Cache.LengthText}, ")}workspace {Workspace.Size}, {Kernels.Level}, " +
            $"{(Kernels.MaxThreads == 1 ? "1 thread" : $"{Kernels.MaxThreads} threads")}, {State}";

    /// <summary>A pass that runs.</summary>
    public readonly ref struct Pass
    {
        private readonly Session _session;

        internal Pass(Session session) => _session = session;

        /// <summary>Ends it: another may begin.</summary>
        public void Dispose() => Volatile.Write(ref _session._running, 0);
    }
}

/// <summary>A session as a debugger opens it.</summary>
internal sealed class SessionDebugView(Session session)
{
    public string State => session.State;
    public PretrainedModel Model => session.Model;
    public PretrainedConfig Config => session.Model.Config;

    /// <summary>Keys and values; null for encoders, and once they were given back.</summary>
    public KeyValueCache? Cache => session.State == "disposed" ? null : session.Cache;

    /// <summary>The tensors of the pass that runs, in the order in which its modules made them.</summary>
    public Workspace Workspace => session.Workspace;

    public KernelOptions Kernels => session.Kernels;
}

/// <summary>
/// Memory for the tensors inside a forward pass. Tensors are handed out in order and given back scope by scope, so that every
/// layer reuses those of the layer before, and a pass of the same shape as the last allocates nothing.
/// </summary>
[DebuggerDisplay("{_next} of {_slots.Count} tensors in use, {Size,nq}")]
public sealed class Workspace
{
    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    private readonly List<FloatTensor> _slots = [];
    private int _next;

    internal Workspace()
    {
    }

    /// <summary>A [rows, columns] tensor of undefined content, valid until the scope ends in which it was asked for.</summary>
    public FloatTensor Rent(string name, int rows, int columns)
    {
        if (_next == _slots.Count) _slots.Add(new FloatTensor(name, 0, 0));
        FloatTensor tensor = _slots[_next++];
        tensor.Reuse(name, rows, columns);
        return tensor;
    }

    /// <summary>Starts a scope: <c>using var scope = workspace.BeginScope();</c>.</summary>
    public Scope BeginScope() => new(this);

    /// <summary>Takes all tensors back, whatever scopes an exception left open.</summary>
    internal void Reset() => _next = 0;

    /// <summary>The memory that it holds on to, for debugger views.</summary>
    internal string Size => DebuggerText.Bytes(_slots.Sum(tensor => tensor.CapacityBytes));

    /// <summary>The tensors in use, in the order in which they were asked for; for debugger views.</summary>
    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public FloatTensor[] InUse => [.. _slots.Take(_next)];

    /// <summary>Gives back what was asked for since it began.</summary>
    public readonly ref struct Scope
    {
        private readonly Workspace _workspace;
        private readonly int _start;

        internal Scope(Workspace workspace) => (_workspace, _start) = (workspace, workspace._next);

        /// <summary>Ends the scope.</summary>
        public void Dispose() => _workspace._next = _start;
    }
}
