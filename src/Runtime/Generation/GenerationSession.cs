using System.Runtime.CompilerServices;

namespace ManagedTransformers;

/// <summary>Generation that remembers what it has read: a prompt that begins like the text held (a file with one more line) computes only the rest. One call at
/// a time.</summary>
/// <remarks>The sums of a matrix product of many tokens are formed in another order than those of few, so what is computed in other parts may differ in the
/// last bits from what is computed at once. A call that was cancelled or failed leaves the session usable: it holds what had been read by then.</remarks>
/// <example><code>
/// using GenerationSession session = generator.CreateSession();
/// string first = session.Generate("def add(a, b):\n").Sequences[0].Text;
/// string second = session.Generate("def add(a, b):\n    return a + b\n\ndef sub(a, b):\n").Sequences[0].Text;   // reads the new lines only
/// </code></example>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(GenerationSessionDebugView))]
public sealed class GenerationSession : IDisposable
{
    private readonly TextGenerator _generator;
    private readonly SessionOptions _options;
    private readonly Session _session;
    private int[] _held = [];
    private int _running;
    private bool _disposed;

    internal GenerationSession(TextGenerator generator, SessionOptions options)
    {
        if (options.BatchSize != 1)
            throw new ModelInputException($"SessionOptions.BatchSize is {options.BatchSize}; a generation session holds one text. Fork it for more.");
        (_generator, _options) = (generator, options);
        _session = generator.CausalLM.CreateSession(options);
    }

    /// <summary>The tokens whose keys and values the session holds: the last prompt and what was generated after it.</summary>
    public IReadOnlyList<int> TokenIds => _held;

    /// <summary>Keeps and changes activations of the passes that follow, until the trace is disposed: the prompt's, then each token's.</summary>
    /// <param name="options">What to keep, and what to change.</param>
    /// <remarks>Calls that give one text run in this session. Of several texts or beams only the prompt does.</remarks>
    /// <inheritdoc cref="Session.Trace(Models.TraceOptions)" path="/exception"/>
    public ActivationTrace Trace(Models.TraceOptions options) => _session.Trace(options);

    /// <summary>Continues a text.</summary>
    /// <inheritdoc cref="TextGenerator.Generate(string, GenerationOptions?, CancellationToken)"/>
    /// <returns>The texts, and what they took: CachedTokens of the prompt were held already.</returns>
    /// <exception cref="InvalidOperationException">Another call runs.</exception>
    public GenerationOutput Generate(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Generate(_generator.Encode(prompt, options, cancellationToken), options, cancellationToken);

    /// <summary>Continues a prompt that is token ids already.</summary>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    public GenerationOutput Generate(int[] prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return Generate(_generator.Prompts([prompt], options, _session)[0], options, cancellationToken);
    }

    /// <summary>Fills the gaps of a file. Where a prefix has grown since the last call, its new end and the suffix are computed, not the files before
    /// it.</summary>
    /// <inheritdoc cref="TextGenerator.InfillSequences"/>
    /// <exception cref="InvalidOperationException">Another call runs.</exception>
    public GenerationOutput Infill(InfillRequest request, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        _generator.FillGaps(request, options, _session, (prompt, infilling) => Generate(prompt, infilling, cancellationToken));

    /// <summary>Fills a gap piece by piece; all pieces together are the text that <see cref="Infill"/> gives.</summary>
    /// <inheritdoc cref="TextGenerator.StreamInfillAsync"/>
    /// <exception cref="InvalidOperationException">While enumerating: another call runs.</exception>
    public IAsyncEnumerable<TextPiece> StreamInfillAsync(
        InfillRequest request, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        (SearchPrompt prompt, options) = _generator.Gap(request, options, _session);
        return StreamAsync(prompt, Settle(prompt, options).RequireOneText(), cancellationToken);
    }

    private GenerationOutput Generate(SearchPrompt one, GenerationOptions? options, CancellationToken cancellationToken)
    {
        GenerationPlan plan = Settle(one, options);
        using Call call = Begin(one);
        if (plan is { Beams: 1, Sequences: 1 })
        {
            using TokenSearch search = call.Search(plan);
            while (search.MoveNext(cancellationToken))
            {
            }
            return new GenerationOutput([GenerationRun.ResultOf(search.Rows[0], plan)], search.Usage);
        }
        // Several texts go on in sequences of their own, from a copy of what is read here once.
        (int held, long start) = (_session.Cache!.Length(0), Stopwatch.GetTimestamp());
        one.Scores = new PromptReader(_generator.CausalLM, _session).Read(one.Tokens.AsSpan(held), 0, cancellationToken).ToArray();
        TimeSpan read = Stopwatch.GetElapsedTime(start);
        GenerationOutput output = GenerationRun.Run(plan, progress: null, cancellationToken, _session);
        output.Usage.CachedTokens -= one.Tokens.Length - held;
        output.Usage.PrefillTime += read;
        return output;
    }

    /// <summary>Continues a text piece by piece.</summary>
    /// <inheritdoc cref="TextGenerator.StreamAsync(string, GenerationOptions?, CancellationToken)"/>
    /// <exception cref="InvalidOperationException">While enumerating: another call runs.</exception>
    public IAsyncEnumerable<TextPiece> StreamAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        SearchPrompt one = _generator.Prompts([_generator.Encode(prompt, options, CancellationToken.None)], options, _session)[0];
        return StreamAsync(one, Settle(one, options).RequireOneText(), cancellationToken);
    }

    /// <summary>A session that holds the same, and goes its own way from here.</summary>
    /// <exception cref="InvalidOperationException">A call runs.</exception>
    public GenerationSession Fork()
    {
        using Call call = Begin(null);
        var fork = new GenerationSession(_generator, _options);
        fork._session.Cache!.Copy(_session.Cache!, 0, 0);
        fork._held = _held;
        return fork;
    }

    /// <summary>Writes tokens, keys and values to a file, so that a later process need not read the text again.</summary>
    /// <param name="path">A safetensors file; replaced only once the new one is complete.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="InvalidOperationException">A call runs.</exception>
    public void Save(string path)
    {
        using Call call = Begin(null);
        SavedSequence.Write(path, _session, 0, _held);
    }

    /// <summary>Takes over what <see cref="Save"/> wrote; what was held is forgotten.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is damaged, of another model or version, or longer than this session.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidOperationException">A call runs.</exception>
    public void Load(string path)
    {
        using Call call = Begin(null);
        _held = SavedSequence.Read(path, _session, 0);
    }

    /// <summary>Gives the memory back. A stream that is open ends with an exception when it is asked for more.</summary>
    /// <exception cref="InvalidOperationException">The model is running on another thread.</exception>
    public void Dispose()
    {
        _session.Dispose();
        _disposed = true;
    }

    private string DebuggerText => _disposed ? "disposed"
        : $"{_held.Length} of {_session.Cache!.MaxLength} tokens held{(Volatile.Read(ref _running) == 0 ? "" : ", running")}";

    private GenerationPlan Settle(SearchPrompt prompt, GenerationOptions? options)
    {
        options ??= GenerationOptions.Default;
        if (options.KeyValueType is WeightType type && type != _session.Cache!.Type)
            throw new ModelInputException($"KeyValueType is {type}; the session holds keys and values as {_session.Cache.Type} " +
                "(SessionOptions.KeyValueType). Leave it out, or create another session.");
        return _generator.Plan([prompt], options with { KeyValueType = _session.Cache!.Type }, _session);
    }

    private async IAsyncEnumerable<TextPiece> StreamAsync(
        SearchPrompt prompt, GenerationPlan plan, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using Call call = Begin(prompt);
        await foreach (TextPiece piece in _generator.StreamAsync(() => call.Search(plan), plan, cancellationToken).ConfigureAwait(false))
            yield return piece;
    }

    // Keeps of the cache what the prompt begins with; its last token is always computed, as its scores are wanted.
    private Call Begin(SearchPrompt? prompt)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("This session is generating already. A session serves one call at a time: fork it, or create another one.");
        if (prompt is not null)
            _session.Cache!.Truncate(0, Alike(prompt) ? prompt.Tokens.AsSpan(..^1).CommonPrefixLength(_held) : 0);
        return new Call(this, prompt);
    }

    // Whether what is held and the prompt have the same rotary angles; a longer text of rope_scaling dynamic is read anew.
    private bool Alike(SearchPrompt prompt) =>
        _generator.Model.Config.Positions.AnglesChangeAfter is not int limit || Math.Max(prompt.Tokens.Length, _held.Length) <= limit;

    private sealed class GenerationSessionDebugView(GenerationSession session)
    {
        public TokenView[] Tokens => TokenView.Of(session._generator.Tokenizer, session._held);
        public string Text => session._generator.Tokenizer.Decode(session._held);
        public Session Session => session._session;
    }

    // However a call ends, the session knows what its cache holds.
    private sealed class Call(GenerationSession session, SearchPrompt? prompt) : IDisposable
    {
        private TokenSearch? _search;

        /// <summary>The search for one text, which reads and writes in the session itself.</summary>
        public TokenSearch Search(GenerationPlan plan) => _search = new TokenSearch(plan, session._session);

        public void Dispose()
        {
            if (prompt is not null)
            {
                int[] text = [.. prompt.Tokens, .. _search is null ? [] : _search.Rows[0].Generated];
                session._held = text[..session._session.Cache!.Length(0)];
            }
            Volatile.Write(ref session._running, 0);
        }
    }
}
