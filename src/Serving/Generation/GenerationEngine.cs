using System.Runtime.CompilerServices;

namespace ManagedTransformers.Serving;

/// <summary>Generates texts for many callers at once with one model (continuous batching). Thread-safe.</summary>
/// <remarks>Texts join the running batch and leave it at every token; prompts are read in parts between steps, so that texts that run do not stall; what a
/// prompt has in common with another one is computed once. Yu et al. 2022 (Orca); Kwon et al. 2023, arXiv:2309.06180. The model runs on a thread of the
/// engine's own. A request with beams or an assistant model has a cache of its own and goes on by one step between those of the others, one such request at
/// a time; its texts are given when it has ended.</remarks>
/// <example><code>
/// using var generator = TextGenerator.Load("models/demo-codegen");
/// await using var engine = new GenerationEngine(generator);
/// var request = new GenerationRequest(generator.Encode("def add(a, b):\n")) { Options = new GenerationOptions { MaxNewTokens = 32 } };
/// await foreach (GenerationUpdate update in engine.StreamAsync(request))
///     Console.Write(update.Piece.Text);
/// </code></example>
public sealed class GenerationEngine : IGenerationEngine, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly LinkedList<EngineRequest> _waiting = [];
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RunningBatch _batch;
    private readonly HashSet<EngineRequest> _open = [];        // the engine thread's: what is neither waiting nor over
    private GenerationEngineTotals _totals = new();
    private volatile GenerationEngineState _state;
    private volatile IReadOnlyList<int[]> _heldPrompts = [];
    private SearchJob? _job;
    private long _number;
    private bool _disposed;

    /// <summary>Starts an engine; the generator stays the caller's, and must outlive it.</summary>
    /// <param name="generator">The model and its tokenizer.</param>
    /// <param name="options">How it is shared; null: the defaults.</param>
    public GenerationEngine(TextGenerator generator, GenerationEngineOptions? options = null) : this(generator, options, hasThread: true)
    {
    }

    /// <summary>Makes an engine without a thread: its owner calls <see cref="Admit"/> and <see cref="Step"/> in turn, on one thread, and does not dispose
    /// it.</summary>
    internal static GenerationEngine WithoutThread(TextGenerator generator, GenerationEngineOptions options) => new(generator, options, hasThread: false);

    private GenerationEngine(TextGenerator generator, GenerationEngineOptions? options, bool hasThread)
    {
        ArgumentNullException.ThrowIfNull(generator);
        (Generator, Options) = (generator, options ?? new GenerationEngineOptions());
        _batch = new RunningBatch(generator, Options);
        _state = Look();
        if (hasThread)
            new Thread(Run) { IsBackground = true, Name = nameof(GenerationEngine) }.Start();
    }

    /// <summary>The model and its tokenizer.</summary>
    public TextGenerator Generator { get; }

    /// <summary>How it is shared.</summary>
    public GenerationEngineOptions Options { get; }

    /// <summary>What it was doing after its last step.</summary>
    public GenerationEngineState State
    {
        get
        {
            lock (_gate)
                return _state with { Waiting = _waiting.Count };
        }
    }

    /// <summary>The prompts whose beginnings a request can take over once it is read: those that are cached, the most recently used last, those that run, and
    /// those that wait.</summary>
    internal IReadOnlyList<int[]> HeldPrompts
    {
        get
        {
            lock (_gate)
                return [.. _heldPrompts, .. _waiting.Where(request => request.Request.CachePrompt).Select(request => request.Prompt.Tokens)];
        }
    }

    /// <summary>The texts that run; the engine thread's.</summary>
    internal IReadOnlyList<BatchRow> Rows => _batch.Rows;

    /// <summary>The request that fills a gap.</summary>
    /// <param name="gap">The texts around it, and what else is known.</param>
    /// <param name="options">As <see cref="TextGenerator.InfillSequences"/> takes them.</param>
    /// <inheritdoc cref="TextGenerator.StreamInfillAsync" path="/exception"/>
    public GenerationRequest Infill(InfillRequest gap, GenerationOptions? options = null)
    {
        (SearchPrompt prompt, GenerationOptions all) = Generator.Gap(gap, options);
        return new GenerationRequest(prompt.Tokens) { Options = all, Dropped = (prompt.DroppedFiles, prompt.DroppedTokens) };
    }

    /// <summary>Works on a request and gives its texts piece by piece, those of several texts interleaved. A consumer that is slow or gone holds nobody
    /// up.</summary>
    /// <param name="request">What is asked for. It is checked, and takes its place in the queue, before this returns.</param>
    /// <param name="cancellationToken">Ends the work within one token, and frees its place. Disposing the enumerator does the same.</param>
    /// <exception cref="ModelInputException">The prompt leaves no room, an id is outside the vocabulary, or the options contradict each other.</exception>
    /// <exception cref="EngineBusyException">As many requests wait as the engine takes.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public IAsyncEnumerable<GenerationUpdate> StreamAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        cancellationToken.ThrowIfCancellationRequested();
        return UpdatesOf(Enqueue(request, cancellationToken), CancellationToken.None);
    }

    /// <summary>Works on a request until all its texts have ended.</summary>
    /// <inheritdoc cref="StreamAsync"/>
    public Task<GenerationResult> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
        ResultOf(StreamAsync(request, cancellationToken), request);

    /// <summary>Waits for all updates of a request, and puts its texts together.</summary>
    internal static async Task<GenerationResult> ResultOf(IAsyncEnumerable<GenerationUpdate> updates, GenerationRequest request)
    {
        var pieces = new SortedDictionary<int, List<TextPiece>>();
        IReadOnlyList<TokenProbability?>? prompt = null;
        await foreach (GenerationUpdate update in updates.ConfigureAwait(false))
        {
            prompt ??= update.PromptLogProbabilities;
            if (!pieces.TryGetValue(update.Index, out List<TextPiece>? text))
                pieces.Add(update.Index, text = []);
            text.Add(update.Piece);
        }
        var usage = new GenerationUsage();
        foreach (List<TextPiece> text in pieces.Values)
            usage.Add(text[^1].Usage!);
        GenerationUsage first = pieces[0][^1].Usage!;
        (usage.PromptTokens, usage.CachedTokens, usage.DroppedTokens) = (first.PromptTokens, first.CachedTokens, first.DroppedTokens);
        return new GenerationResult([.. pieces.Values.Where(_ => !request.PromptOnly).Select(SequenceOf)], usage) { PromptLogProbabilities = prompt };
    }

    /// <summary>Ends all requests, waits for the step that runs, and gives the memory back.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _disposed = true;
        _wake.Set();
        await _ended.Task.ConfigureAwait(false);
    }

    private static GeneratedSequence SequenceOf(List<TextPiece> pieces)
    {
        IReadOnlyList<TokenProbability>? probabilities =
            pieces[^1].LogProbabilities is null ? null : [.. pieces.SelectMany(piece => piece.LogProbabilities ?? [])];
        return new GeneratedSequence(0, [.. pieces.SelectMany(piece => piece.TokenIds)], string.Concat(pieces.Select(piece => piece.Text)),
            pieces[^1].FinishReason!.Value) { LogProbabilities = probabilities };
    }

    private static async IAsyncEnumerable<GenerationUpdate> UpdatesOf(
        EngineRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using (request)
        {
            await foreach (GenerationUpdate update in request.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return update;
        }
    }

    private EngineRequest Enqueue(GenerationRequest request, CancellationToken cancellationToken)
    {
        int[] ids = [.. request.PromptIds];
        (SearchPrompt prompt, GenerationPlan? plan) = Settle(request, ids);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_waiting.Count >= Options.MaxQueue && _waiting.Count > 0)
                throw new EngineBusyException($"As many requests wait as the engine takes: {_waiting.Count} (MaxQueue). Try again later.");
            var one = new EngineRequest(++_number, request, plan, prompt, Leave)
            {
                Tokenizer = Generator.Tokenizer, Operation = ModelTelemetry.BeginApart("text_completion", Generator.ModelId),
            };
            _waiting.AddLast(one);
            one.Heed(cancellationToken);
            _wake.Set();
            return one;
        }
    }

    private (SearchPrompt Prompt, GenerationPlan? Plan) Settle(GenerationRequest request, int[] ids)
    {
        GenerationOptions options = request.Options;
        if (options.KeyValueType is WeightType type && type != _batch.KeyValueType)
            throw new ModelInputException($"KeyValueType is {type}; the engine holds keys and values as {_batch.KeyValueType} " +
                "(GenerationEngineOptions.KeyValueType). Leave it out.");
        if (request.PromptOnly)
        {
            SearchPrompt[] only = SearchPrompt.Of([ids]);
            SearchPrompt.RequireIds(only, Generator.CausalLM.Config.VocabSize);
            PositionLimit limit = Generator.CausalLM.Config.Positions;
            return ids.Length <= limit.MaxTokens
                ? (RequireMemory(only[0], ids.Length), null)
                : throw new ModelInputException($"The prompt is {ids.Length} tokens; the model reads at most {limit.MaxTokens} ({limit}).");
        }
        if (request.BestOf is int best)
        {
            int wanted = options.NumReturnSequences ?? 1;
            if (best < wanted || options.NumBeams > 1 || options.AssistantModel is not null)
                throw new ModelInputException($"BestOf is {best} and NumReturnSequences {wanted}; " +
                    "BestOf must be at least as many, without beams and without an assistant.");
            options = options with { NumReturnSequences = best, TopLogProbabilities = options.TopLogProbabilities ?? 0 };
        }
        SearchPrompt prompt = Generator.Prompts([ids], options)[0];
        prompt = new SearchPrompt(0, prompt.Tokens)
        {
            DroppedFiles = request.Dropped.Files, DroppedTokens = prompt.DroppedTokens + request.Dropped.Tokens,
        };
        GenerationPlan plan = Generator.Plan([prompt], options, skipSpecialTokens: request.SkipSpecialTokens);
        if (request.PromptLogProbabilities is not null && (plan.Beams > 1 || options.AssistantModel is not null))
            throw new ModelInputException("PromptLogProbabilities is set; it cannot be together with beams or an assistant.");
        if (request.Begun.Count > 0)
            RequireContinuable(request, plan);
        return (RequireMemory(prompt, prompt.Tokens.Length + plan.MaxNewTokens), plan);
    }

    private void RequireContinuable(GenerationRequest request, GenerationPlan plan)
    {
        string? why = request.Begun.Count > plan.Sequences ? $"{request.Begun.Count} texts, and {plan.Sequences} are asked for (NumReturnSequences)"
            : request.BestOf is not null || request.PromptLogProbabilities is not null ? "texts, and BestOf or PromptLogProbabilities is set"
            : plan.Beams > 1 || plan.Options.AssistantModel is not null ? "texts, and there are beams or an assistant"
            : !Options.Deterministic ? "texts, and this engine is not Deterministic, so that a text depends on what else runs"
            : null;
        if (why is not null)
            throw new ModelInputException($"Begun has {why}. Leave it out, and generate the request anew.");
    }

    private SearchPrompt RequireMemory(SearchPrompt prompt, int tokens) => _batch.BytesFor(tokens) <= _batch.CacheLimit
        ? prompt
        : throw new ModelInputException($"A prompt of {prompt.Tokens.Length} tokens and what may follow it, {tokens} together, need " +
            $"{_batch.BytesFor(tokens)} bytes of keys and values; the engine has {_batch.CacheLimit} (GenerationEngineOptions.CacheBytes).");

    // A caller has gone: whoever waits leaves the queue, what runs leaves after its step.
    private void Leave(EngineRequest request)
    {
        lock (_gate)
            _waiting.Remove(request);
        _wake.Set();
    }

    private void Run()
    {
        Exception why = new ObjectDisposedException(nameof(GenerationEngine), "The engine was disposed.");
        try
        {
            while (!Volatile.Read(ref _disposed))
            {
                if (Admit())
                    Step();
                else
                    _wake.WaitOne();
            }
        }
        catch (Exception e)                       // memory was short outside a step: the engine is over, the process is not
        {
            why = e;
        }
        End(why);
    }

    /// <summary>Takes in those that wait and have room, and says whether there is anything to do.</summary>
    internal bool Admit()
    {
        lock (_gate)                              // who looks meanwhile finds a request among those that wait or those that run
        {
            if (AdmitWaiting())
                Publish();
        }
        if (_batch.Rows.Count > 0 || _job is not null)
            return true;
        Publish();
        return false;
    }

    /// <summary>Reads a part of a prompt, and gives every text that runs a token.</summary>
    internal void Step()
    {
        try
        {
            if (_batch.Rows.Count > 0)
                _batch.Step();
        }
        catch (Exception e)                       // of the model itself: none of the texts can go on
        {
            _batch.Fail(e);
        }
        if (_job?.MoveNext() == false)
        {
            _job.Dispose();
            _job = null;
        }
        Publish();
    }

    // True: something was added. First come, first served: who does not fit yet keeps those behind from overtaking, but for searches of their own, one of
    // which runs at a time.
    private bool AdmitWaiting()
    {
        bool any = false;
        for (LinkedListNode<EngineRequest>? node = _waiting.First, next; node is not null; node = next)
        {
            (next, EngineRequest request) = (node.Next, node.Value);
            if (SearchJob.IsFor(request))
            {
                if (_job is not null)
                    continue;
                StartJob(request);
            }
            else if (!AddRows(request))
            {
                // The texts of a request that has some in the batch come in turn with those of others.
                if (request.Begun > 0)
                {
                    _waiting.Remove(node);
                    _waiting.AddLast(node);
                }
                return any || request.Begun > 0;
            }
            _waiting.Remove(node);
            _open.Add(request);
            any = true;
        }
        return any;
    }

    private void StartJob(EngineRequest request)
    {
        try
        {
            _job = new SearchJob(request);
        }
        catch (Exception e)
        {
            request.Complete(e);
        }
    }

    // True: all its texts are in.
    private bool AddRows(EngineRequest request)
    {
        int tokens = request.Prompt.Tokens.Length + (request.Plan?.MaxNewTokens ?? 0);
        if (request.Plan is null)
        {
            if (!_batch.HasRoom(tokens))
                return false;
            _batch.Add(request, text: null);
            return true;
        }
        for (; request.Begun < request.Texts.Length; request.Begun++)
        {
            if (!_batch.HasRoom(tokens))
                return false;
            _batch.Add(request, request.Texts[request.Begun]);
        }
        return true;
    }

    private void Publish()
    {
        foreach (EngineRequest request in _open.Where(request => request.IsOver).ToArray())
        {
            _open.Remove(request);
            _totals = _totals with
            {
                Requests = _totals.Requests + 1,
                PromptTokens = _totals.PromptTokens + request.Prompt.Tokens.Length,
                CachedTokens = _totals.CachedTokens + request.CachedTokens,
                NewTokens = _totals.NewTokens + request.Texts.Sum(text => text.Row.Generated.Length),
            };
        }
        _heldPrompts = _batch.HeldPrompts;
        _state = Look();
    }

    private GenerationEngineState Look() => new(
        [.. _batch.Rows.Select(row => new RunningText(
            row.Slot, row.Request.Number, row.Tokens.Length, row.Read, row.Usage.CachedTokens, row.Text?.Row.Generated.Length ?? 0))],
        0, _batch.CacheBytes, _batch.CacheLimit, _batch.CachedPrompts,
        _totals with { Passes = _batch.Passes, RowsOfPasses = _batch.RowsOfPasses, PrefillTime = _batch.PrefillTime, DecodeTime = _batch.DecodeTime });

    private void End(Exception why)
    {
        EngineRequest[] waiting;
        lock (_gate)
        {
            _disposed = true;
            waiting = [.. _waiting];
            _waiting.Clear();
        }
        foreach (EngineRequest request in waiting.Concat(_open))
            request.Complete(why);
        _batch.Fail(why);
        _job?.Dispose();
        _batch.Dispose();
        _ended.SetResult();
    }
}
