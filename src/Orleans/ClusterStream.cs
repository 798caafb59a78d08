namespace ManagedTransformers.Orleans;

/// <summary>A request on its way through silos: what has come of it, and how it goes on when one is lost.</summary>
internal sealed class ClusterStream(IGrainFactory grains, string model, GenerationRequest request, ClusterGeneratorOptions options) : IDisposable
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(20), s_longestPause = TimeSpan.FromSeconds(1);

    private readonly long _start = Stopwatch.GetTimestamp(), _seed = Random.Shared.NextInt64();
    private readonly ulong[] _blocks = PrefixBlocks.Of([.. request.PromptIds]);
    private readonly SortedDictionary<int, List<int>> _tokens = [];                // by text: what has come of it
    private readonly HashSet<int> _ended = [];
    private readonly HashSet<string> _excluded = new(StringComparer.Ordinal);
    private IAsyncEnumerator<GenerationUpdate>? _updates;
    private IGenerationGrain? _grain;
    private SiloChoice? _silo;
    private bool _hasPrompt;
    private int _failures;

    /// <summary>The next piece that has not come yet; null: all texts have ended.</summary>
    public async Task<GenerationUpdate?> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (!await MoveNextAsync(cancellationToken).ConfigureAwait(false))
                    return null;
                if (Take(_updates!.Current) is GenerationUpdate update)
                    return update;
            }
            catch (Exception e) when (IsOfSilo(e) && !cancellationToken.IsCancellationRequested)
            {
                await GoOnElsewhereAsync(e, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public void Dispose() => Close();

    // What silos that are lost or stop end calls with, as opposed to what is wrong with a request.
    private static bool IsOfSilo(Exception error) => error
        is OrleansException or EnumerationAbortedException or TimeoutException or ObjectDisposedException or OperationCanceledException or NoSiloException
        or System.IO.IOException;

    private async Task<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        if (_updates is null)
        {
            bool isPartial = _tokens.Keys.Any(text => !_ended.Contains(text));
            var asked = new PlacementRequest(_blocks)
            {
                Excluded = [.. _excluded], Fingerprint = isPartial ? _silo!.Fingerprint : null, KernelLevel = isPartial ? _silo!.KernelLevel : null,
            };
            SiloChoice chosen = await grains.GetGrain<IModelDirectoryGrain>(model).ChooseAsync(asked).WaitAsync(cancellationToken).ConfigureAwait(false);
            _silo = chosen;
            _grain = grains.GetGrain<IGenerationGrain>(Guid.NewGuid());
            ClusterRequest call = ClusterRequest.Of(Rest(isPartial), model, chosen.Fingerprint, _seed);
            _updates = _grain.GenerateAsync(call, cancellationToken).WithBatchSize(options.MaxPiecesPerMessage).GetAsyncEnumerator(cancellationToken);
            ModelPlacementDirector.SendTo(chosen.Silo);                            // until this method returns
        }
        return await _updates.MoveNextAsync().ConfigureAwait(false);
    }

    // Where no text is partly here, the request is made anew, and of texts that have ended nothing is taken.
    private GenerationRequest Rest(bool isPartial)
    {
        GenerationRequest rest = request;
        if (request.Options.MaxTime is TimeSpan time)
        {
            TimeSpan left = time - Stopwatch.GetElapsedTime(_start);
            rest = rest with { Options = rest.Options with { MaxTime = left > TimeSpan.Zero ? left : TimeSpan.FromTicks(1) } };
        }
        return !isPartial ? rest : rest with
        {
            PromptLogProbabilities = null,                                         // they came with the first piece
            Begun = [.. Enumerable.Range(0, _tokens.Keys.Last() + 1).Select(text => _tokens.TryGetValue(text, out List<int>? begun) ? begun : [])],
        };
    }

    private GenerationUpdate? Take(GenerationUpdate update)
    {
        _failures = 0;
        _excluded.Clear();
        if (_ended.Contains(update.Index))
            return null;
        if (!_tokens.TryGetValue(update.Index, out List<int>? tokens))
            _tokens.Add(update.Index, tokens = []);
        tokens.AddRange(update.Piece.TokenIds);
        if (update.Piece.FinishReason is not null)
            _ended.Add(update.Index);
        if (update.PromptLogProbabilities is not null && _hasPrompt)
            update = update with { PromptLogProbabilities = null };
        _hasPrompt |= update.PromptLogProbabilities is not null;
        return update;
    }

    private async Task GoOnElsewhereAsync(Exception error, CancellationToken cancellationToken)
    {
        bool wasPlaced = _updates is not null;
        Close();
        if (++_failures > options.MaxFailures)
            throw new NoSiloException($"{_failures} attempts to generate with the model {model} failed one after the other, the last with: {error.Message}",
                error);
        if (wasPlaced)
            _excluded.Add(_silo!.Silo.ToParsableString());
        else
            _excluded.Clear();                                                     // none was left: a silo may be back
        if (_failures == 1)
            return;
        TimeSpan pause = s_firstPause * (1 << Math.Min(_failures, 10));
        await Task.Delay(pause < s_longestPause ? pause : s_longestPause, cancellationToken).ConfigureAwait(false);
    }

    // Nobody waits for it: a silo that is lost does not answer.
    private void Close()
    {
        if (_updates is not null)
            CloseAsync(_updates, _grain!).Ignore();
        _updates = null;
    }

    private static async Task CloseAsync(IAsyncEnumerator<GenerationUpdate> updates, IGenerationGrain grain)
    {
        await updates.DisposeAsync().ConfigureAwait(false);
        await grain.EndAsync().ConfigureAwait(false);
    }
}
