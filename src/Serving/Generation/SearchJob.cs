namespace ManagedTransformers.Serving;

/// <summary>A request that has a search and a cache of its own: beams, or an assistant's drafts. It goes on by one step between those of the batch.</summary>
internal sealed class SearchJob : IDisposable
{
    private readonly EngineRequest _request;
    private readonly BeamSearch? _beams;
    private readonly TokenSearch? _search;

    public SearchJob(EngineRequest request)
    {
        _request = request;
        if (request.Plan!.Beams > 1)
            _beams = new BeamSearch(request.Prompt, request.Plan, Stopwatch.GetTimestamp());
        else
            _search = new TokenSearch(request.Plan);
    }

    /// <summary>Whether a request needs a search of its own.</summary>
    public static bool IsFor(EngineRequest request) => request.Plan is { } plan && (plan.Beams > 1 || plan.Options.AssistantModel is not null);

    /// <summary>Goes on by one step; false: the request is over.</summary>
    public bool MoveNext()
    {
        try
        {
            if (_request.IsOver)
                return false;
            if (_beams?.MoveNext(CancellationToken.None) ?? _search!.MoveNext(CancellationToken.None))
                return true;
            Give();
            _request.Complete();
        }
        catch (Exception e)                             // its cache is its own: nobody else has lost anything, not even when memory was short
        {
            _request.Complete(e);
        }
        return false;
    }

    public void Dispose()
    {
        _beams?.Dispose();
        _search?.Dispose();
    }

    private void Give()
    {
        GenerationPlan plan = _request.Plan!;
        GeneratedSequence[] all = _beams is null
            ? [.. _search!.Rows.Select(row => GenerationRun.ResultOf(row, plan))]
            : [.. _beams.Results.Select(found => GenerationRun.ResultOf(found, _request.Prompt, plan))];
        GenerationUsage usage = _beams?.Usage ?? _search!.Usage;
        for (int i = 0; i < all.Length; i++)
        {
            var own = new GenerationUsage();
            if (i == 0)
                own.Add(usage);
            own.NewTokens = all[i].TokenIds.Count;
            _request.Give(new GenerationUpdate(i, new TextPiece(all[i].Text, all[i].TokenIds)
            {
                LogProbabilities = all[i].LogProbabilities, FinishReason = all[i].FinishReason, Usage = own,
            }));
        }
    }
}
