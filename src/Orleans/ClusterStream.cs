namespace ManagedTransformers.Orleans;

/// <summary>A request on its way through silos: what has come of it, and how it goes on when one is lost.</summary>
/// <param name="grains">The cluster.</param>
/// <param name="model">What the model is called.</param>
/// <param name="request">What is asked for.</param>
/// <param name="options">How silos are called.</param>
/// <param name="here">The silo of this process, which needs no messages; null: it is none.</param>
internal sealed class ClusterStream(
    IGrainFactory grains, string model, GenerationRequest request, ClusterGeneratorOptions options, SiloEngines? here) : IDisposable
{
    private readonly long _start = Stopwatch.GetTimestamp(), _seed = Random.Shared.NextInt64();
    private readonly ulong[] _blocks = PrefixBlocks.Of([.. request.PromptIds]);
    private readonly SortedDictionary<int, List<int>> _tokens = [];                // by text: what has come of it
    private readonly HashSet<int> _ended = [];
    private readonly SiloFailures _failures = new($"generate with the model {model}", options.MaxFailures);
    private IAsyncEnumerator<GenerationUpdate>? _updates;
    private IGenerationGrain? _grain;
    private SiloChoice? _silo;
    private bool _hasPrompt;
    private long? _firstCame;

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
            catch (Exception e) when ((SiloFailures.IsOfSilo(e) || (IsPartial && e is EngineBusyException)) && !cancellationToken.IsCancellationRequested)
            {
                await GoOnElsewhereAsync(e, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                Close();                                                           // who has not begun to read disposes nothing
                throw;
            }
        }
    }

    public void Dispose() => Close();

    // Then it cannot begin anew, and was admitted once.
    private bool IsPartial => _tokens.Keys.Any(text => !_ended.Contains(text));

    private async Task<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        if (_updates is null)
        {
            bool isPartial = IsPartial;
            var asked = new PlacementRequest(_blocks)
            {
                Excluded = _failures.Excluded, Fingerprint = isPartial ? _silo!.Fingerprint : null, KernelLevel = isPartial ? _silo!.KernelLevel : null,
            };
            SiloChoice chosen = await grains.GetGrain<IModelDirectoryGrain>(model).ChooseAsync(asked).WaitAsync(cancellationToken).ConfigureAwait(false);
            _silo = chosen;
            ClusterRequest call = ClusterRequest.Of(Rest(isPartial), model, chosen.Fingerprint, _seed,
                _firstCame is long came ? Stopwatch.GetElapsedTime(came) : TimeSpan.Zero);
            if (chosen.Silo.Equals(here?.Address))
            {
                _updates = here.GenerateAsync(call, cancellationToken).GetAsyncEnumerator(cancellationToken);
            }
            else
            {
                _grain = grains.GetGrain<IGenerationGrain>(Guid.NewGuid());
                _updates = _grain.GenerateAsync(call, cancellationToken).WithBatchSize(options.MaxPiecesPerMessage).GetAsyncEnumerator(cancellationToken);
                ModelPlacementDirector.SendTo(chosen.Silo);                        // until this method returns
            }
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
        _failures.Clear();
        _firstCame ??= Stopwatch.GetTimestamp();
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

    private Task GoOnElsewhereAsync(Exception error, CancellationToken cancellationToken)
    {
        SiloAddress? failed = _updates is null ? null : _silo!.Silo;
        _grain = null;                                                             // it is gone with its silo, and nobody would hear of its end
        Close();
        return _failures.AddAsync(failed, error, cancellationToken);
    }

    // Nobody waits for it: a silo that is lost does not answer.
    private void Close()
    {
        if (_updates is not null)
            CallGrain.CloseAsync(_updates, _grain is null ? null : _grain.EndAsync, _silo!.Silo).Ignore();
        (_updates, _grain) = (null, null);
    }
}
