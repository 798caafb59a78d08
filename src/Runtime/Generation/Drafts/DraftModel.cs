namespace ManagedTransformers;

/// <summary>Guesses with a smaller model of the same vocabulary, which chooses as the large one does: same processors, same noise.</summary>
/// <remarks>transformers' AssistedCandidateGenerator, whose schedule of the number of tokens it follows: two more after a draft that was all right, one fewer
/// after another.</remarks>
internal sealed class DraftModel : Drafter
{
    private const int FirstTokens = 5;
    private readonly Session _session;
    private readonly IReadOnlyList<int> _endTokens;
    private readonly PromptReader _reader;
    private readonly Dictionary<SearchRow, int> _tokens = [];
    private readonly int[][] _read;          // per sequence: the tokens that the cache holds
    private readonly int[] _ids;

    public DraftModel(ICausalLM model, int batchSize, int maxLength, GenerationPlan plan)
    {
        _endTokens = plan.EosTokenId;
        _session = model.CreateSession(new SessionOptions
        {
            BatchSize = batchSize,
            MaxLength = Math.Min(maxLength, model.Config.MaxTokens),
            KeyValueType = plan.KeyValueType,
        });
        _reader = new PromptReader(model, _session);
        _read = [.. Enumerable.Range(0, batchSize).Select(_ => new int[maxLength])];
        _ids = new int[maxLength];
    }

    public override int Draft(SearchRow row, Span<int> room, CancellationToken cancellationToken)
    {
        ReadOnlySpan<int> text = Text(row);
        int wanted = Math.Min(room.Length, _tokens.GetValueOrDefault(row, FirstTokens));
        wanted = Math.Min(wanted, _session.Cache!.MaxLength - text.Length);
        if (wanted <= 0)
            return 0;
        int held = text[..^1].CommonPrefixLength(_read[row.Slot].AsSpan(0, _session.Cache.Length(row.Slot)));
        _session.Cache.Truncate(row.Slot, held);
        Span<float> scores = _reader.Read(text[held..], row.Slot, cancellationToken);
        text.CopyTo(_read[row.Slot]);
        for (int i = 0; ; i++)
        {
            room[i] = row.Choose(Seen(row, room[..i]), scores);
            // Nothing follows an end token: processors are not asked what would.
            if (i + 1 == wanted || _endTokens.Contains(room[i]))
                return i + 1;
            _read[row.Slot][_session.Cache.Length(row.Slot)] = room[i];
            scores = _reader.Read(room.Slice(i, 1), row.Slot, cancellationToken);
        }
    }

    public override void Learn(SearchRow row, int drafted, int agreed)
    {
        int tokens = _tokens.GetValueOrDefault(row, FirstTokens);
        _tokens[row] = agreed == drafted ? Math.Min(tokens + 2, Kernels.MatMul.StreamedRows) : Math.Max(1, tokens - 1);
    }

    public override void Dispose() => _session.Dispose();

    // The row's tokens without padding.
    private Span<int> Text(SearchRow row)
    {
        row.Prompt.Tokens.CopyTo(_ids, 0);
        row.Generated.CopyTo(_ids.AsSpan(row.Prompt.Tokens.Length));
        return _ids.AsSpan(0, row.Prompt.Tokens.Length + row.Generated.Length);
    }

    // What processors see: the row and the draft so far.
    private static ReadOnlySpan<int> Seen(SearchRow row, ReadOnlySpan<int> draft) => draft.IsEmpty ? row.InputIds : (int[])[.. row.InputIds, .. draft];
}
