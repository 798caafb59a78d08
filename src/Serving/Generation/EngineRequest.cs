using System.Threading.Channels;

namespace ManagedTransformers.Serving;

/// <summary>A request inside an engine: its texts, and the way back to the caller.</summary>
internal sealed class EngineRequest : IDisposable
{
    private readonly Channel<GenerationUpdate> _updates = Channel.CreateUnbounded<GenerationUpdate>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Action<EngineRequest> _cancelled;
    private readonly long _start = Stopwatch.GetTimestamp();
    private CancellationTokenRegistration _registration;
    private volatile bool _isOver;
    private int _ended;
    private int? _cachedTokens;

    /// <param name="number">From 1 on.</param>
    /// <param name="request">What was asked for.</param>
    /// <param name="plan">What it comes to; null: only the prompt is read.</param>
    /// <param name="prompt">Its prompt.</param>
    /// <param name="cancelled">Told when the caller has gone.</param>
    public EngineRequest(long number, GenerationRequest request, GenerationPlan? plan, SearchPrompt prompt, Action<EngineRequest> cancelled)
    {
        (Number, Request, Plan, Prompt, _cancelled) = (number, request, plan, prompt, cancelled);
        Texts = plan is null || plan.Beams > 1 ? [] : [.. plan.NewRows().Select(row => new EngineText(this, row))];
        Remaining = Math.Max(1, Texts.Length);
    }

    public long Number { get; }
    public GenerationRequest Request { get; }
    public GenerationPlan? Plan { get; }
    public SearchPrompt Prompt { get; }
    public EngineText[] Texts { get; }

    /// <summary>Texts that have a place in the batch, or had one.</summary>
    public int Begun { get; set; }

    /// <summary>Texts that have not ended.</summary>
    public int Remaining { get; set; }

    /// <summary>The log probabilities of the prompt, once they are known.</summary>
    public List<TokenProbability?>? PromptProbabilities { get; set; }

    public GenerationUsage Usage { get; } = new();

    /// <summary>Tokens of the prompt that were in the cache when the first of its texts was read; what others take over from it is not.</summary>
    public int CachedTokens => _cachedTokens ?? 0;

    public void BeginsReading(int cachedTokens) => _cachedTokens ??= cachedTokens;

    /// <summary>What is measured of it.</summary>
    public required ModelTelemetry.ModelOperation Operation { get; init; }

    /// <summary>Names tokens.</summary>
    public required Tokenizer Tokenizer { get; init; }

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    /// <summary>Whether it has been answered, has failed, or its caller has gone.</summary>
    public bool IsOver => _isOver;

    /// <summary>From here on the caller may go. The request is complete, and has its place: the token may be cancelled already, or on another thread
    /// before this returns.</summary>
    public void Heed(CancellationToken cancellationToken) =>
        _registration = cancellationToken.UnsafeRegister(static (request, token) => ((EngineRequest)request!).Cancel(token), this);

    public IAsyncEnumerable<GenerationUpdate> ReadAllAsync(CancellationToken cancellationToken) => _updates.Reader.ReadAllAsync(cancellationToken);

    public void Give(GenerationUpdate update)
    {
        if (PromptProbabilities is { } probabilities)
        {
            update = update with { PromptLogProbabilities = probabilities };
            PromptProbabilities = null;
        }
        if (update.Piece.TokenIds.Count > 0)
            Operation.Piece();
        _updates.Writer.TryWrite(update);
    }

    public void Complete(Exception? error = null)
    {
        _isOver = true;
        End(error);
        _updates.Writer.TryComplete(error);
        _registration.Unregister();
    }

    /// <summary>The caller has gone, or wants no more.</summary>
    public void Dispose()
    {
        if (!_isOver)
            Cancel(CancellationToken.None);
    }

    // Before the caller hears of it: who asks for the measurements then has this one's. The engine and a caller who goes may both come here.
    private void End(Exception? error)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        if (error is not null)
            Operation.Failed(error);
        Operation.SetTag("gen_ai.usage.input_tokens", Prompt.Tokens.Length);
        int newTokens = Texts.Length == 0 ? Usage.NewTokens : Texts.Sum(text => text.Row.Generated.Length);
        Operation.SetTag("gen_ai.usage.output_tokens", newTokens);
        Operation.Completed(newTokens / Math.Max(1, Texts.Length));
        Operation.Dispose();
    }

    private void Cancel(CancellationToken token)
    {
        _isOver = true;
        End(new OperationCanceledException(token));
        _updates.Writer.TryComplete(new OperationCanceledException(token));
        _cancelled(this);
    }
}

/// <summary>One text of a request, while it runs.</summary>
internal sealed class EngineText : IDisposable
{
    private readonly PieceWriter _writer;
    private readonly Drafter? _drafter;
    private readonly IReadOnlyList<int> _begun;
    private bool _replays;

    public EngineText(EngineRequest request, SearchRow row)
    {
        (Request, Row) = (request, row);
        _writer = new PieceWriter(request.Plan!, row);
        _drafter = request.Plan!.Options.AssistantModel is null ? request.Plan.NewDrafter() : null;
        _begun = row.Number < request.Request.Begun.Count ? request.Request.Begun[row.Number] : [];
    }

    public EngineRequest Request { get; }
    public SearchRow Row { get; }

    /// <summary>Pieces that are held back until all texts of the request have ended, of which the best are given.</summary>
    private List<TextPiece>? Kept { get; set; }

    public GenerationUsage Usage { get; } = new();

    /// <summary>Whether the next token is known, because the text had begun elsewhere.</summary>
    public bool IsReplaying => Row.Generated.Length < _begun.Count;

    /// <summary>Guesses what follows the last token. What the text had begun with is a guess that is right: the model reads several tokens of it in a pass,
    /// with the bits that each has alone.</summary>
    public int Draft(Span<int> room)
    {
        _replays = IsReplaying;
        if (_replays)
        {
            int known = Math.Min(room.Length, _begun.Count - Row.Generated.Length);
            for (int i = 0; i < known; i++)
                room[i] = _begun[Row.Generated.Length + i];
            return known;
        }
        int drafted = room.IsEmpty || _drafter is null ? 0 : _drafter.Draft(Row, room, CancellationToken.None);
        Usage.DraftedTokens += drafted;
        return drafted;
    }

    /// <summary>Hears what became of a guess.</summary>
    public void Learn(int drafted, int agreed)
    {
        if (_replays)
            return;
        Usage.AcceptedTokens += agreed;
        if (drafted > 0)
            _drafter!.Learn(Row, drafted, agreed);
    }

    public void CountPass(TimeSpan time)
    {
        Usage.Passes++;
        Usage.DecodeTime += time;
    }

    /// <summary>Compares the token that was chosen last with what the text had begun with, where it is within that; its pieces were given before.</summary>
    /// <exception cref="ModelInputException">They differ, or it ends inside a piece.</exception>
    public void Compare()
    {
        int place = Row.Generated.Length - 1;
        if (place >= _begun.Count)
            return;
        string where = $"Begun of text {Row.Number} has {_begun.Count} tokens; ";
        if (Row.Last != _begun[place])
            throw new ModelInputException($"{where}number {place} of them is {_begun[place]}, and the model chooses {Row.Last}. " +
                "It must come from the same request, the same files and the same kernel level.");
        bool isLast = place == _begun.Count - 1;
        if (Row.FinishReason is FinishReason reason && !isLast)
            throw new ModelInputException($"{where}the text ends after {place + 1} ({reason}). It must come from the same request.");
        if (isLast && Row.FinishReason is null && _writer.Next() is null)
            throw new ModelInputException($"{where}the last of them has no text of its own yet. Give the tokens of whole pieces.");
    }

    /// <summary>Gives what there is to give, and the last piece where the text has ended.</summary>
    public void Give()
    {
        bool hasEnded = Row.FinishReason is not null;
        TextPiece? piece = hasEnded && Row.Generated.Length <= _begun.Count
            ? new TextPiece("", []) { FinishReason = Row.FinishReason, Usage = Finished() }
            : IsReplaying ? null
            : hasEnded ? _writer.Last(Finished()) : _writer.Next();
        if (piece is null)
            return;
        if (Request.Request.BestOf is null)
            Request.Give(new GenerationUpdate(Row.Number, piece));
        else
            (Kept ??= []).Add(piece);
    }

    /// <summary>All its pieces as one, for a request that gives its best texts.</summary>
    public TextPiece Whole(bool withProbabilities)
    {
        TextPiece last = Kept![^1];
        return new TextPiece(string.Concat(Kept.Select(piece => piece.Text)), [.. Kept.SelectMany(piece => piece.TokenIds)])
        {
            LogProbabilities = withProbabilities ? Row.LogProbabilities : null, FinishReason = last.FinishReason, Usage = last.Usage,
        };
    }

    /// <summary>The mean log probability of its tokens.</summary>
    public double Score => Row.LogProbabilities!.Average(token => token.LogProbability);

    public void Dispose() => _drafter?.Dispose();

    private GenerationUsage Finished()
    {
        Usage.CountPrompt(Row.Prompt);
        (Usage.NewTokens, Usage.CachedTokens) = (Row.Generated.Length, Request.CachedTokens);
        return Usage;
    }
}
