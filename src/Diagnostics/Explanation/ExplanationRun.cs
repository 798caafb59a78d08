namespace ManagedTransformers.Diagnostics;

/// <summary>What decoders and encoders share while they are explained: tokens, candidates, the logit lens, progress.</summary>
internal sealed class ExplanationRun(
    Tokenizer tokenizer, TokenEncoding row, ModelInputs inputs, ExplanationOptions options, IProgress<ExplanationProgress>? progress,
    CancellationToken cancellationToken)
{
    // Scores of the vocabulary exist for a few rows at a time: [64, vocab_size] is 13 MB at 51,200.
    private const int LensRows = 64;
    private int _done;

    public ExplanationOptions Options => options;
    public int[] Ids => row.Ids;
    public ModelInputs Inputs => inputs;
    public int Passes { get; set; }

    public void ThrowIfCancelled() => cancellationToken.ThrowIfCancellationRequested();

    public void PassDone() => progress?.Report(new ExplanationProgress(Math.Min(++_done, Passes), Passes));

    /// <summary>Traces a session's passes with the changes that the options ask for.</summary>
    public ActivationTrace Trace(Session session, params IReadOnlyList<string> names) =>
        session.Trace(new TraceOptions { Names = names, Interventions = options.Interventions, MemoryLimit = long.MaxValue });

    /// <summary>The tokens with their places in the text.</summary>
    public ExplainedToken[] Tokens()
    {
        var tokens = new ExplainedToken[Ids.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            (int start, int end) = row.SequenceIds[i] is null ? (-1, -1) : row.Offsets[i];
            tokens[i] = Token(Ids[i], start, end);
        }
        return tokens;
    }

    public ExplainedToken Token(int id, int start = -1, int end = -1) => new(id, tokenizer.IdToToken(id) ?? "", tokenizer.Decode([id]), start, end);

    /// <summary>The likeliest tokens by their scores, [vocab_size].</summary>
    /// <exception cref="CheckpointException">A score is not finite.</exception>
    public TokenCandidate[] Candidates(ReadOnlySpan<float> logits, int count, IPretrainedModel model)
    {
        Scores.RequireFinite(logits, "score of token", model);
        TokenProbability[] best = TokenProbability.Best(logits, Softmax.LogSumExp(logits, model.LoadOptions.Kernels), count, tokenizer);
        var candidates = new TokenCandidate[best.Length];
        for (int i = 0; i < best.Length; i++)
        {
            (int id, string token, string text, double logProbability) = best[i];
            candidates[i] = new TokenCandidate(id, token, text, logProbability, logits[id]);
        }
        return candidates;
    }

    /// <summary>The candidates at every place of a stream, [tokens, hidden], if the model ended there: <paramref name="head"/> is the final norm and the head,
    /// [rows, hidden] → [rows, vocab_size].</summary>
    public TokenCandidate[][] Lens(FloatTensor hidden, Func<FloatTensor, FloatTensor> head, IPretrainedModel model)
    {
        (int tokens, int width) = (hidden.Shape[0], hidden.Shape[1]);
        var places = new TokenCandidate[tokens][];
        for (int start = 0; start < tokens; start += LensRows)
        {
            ThrowIfCancelled();
            int count = Math.Min(LensRows, tokens - start);
            FloatTensor logits = head(new FloatTensor(hidden.Span.Slice(start * width, count * width).ToArray(), hidden.Name, count, width));
            for (int i = 0; i < count; i++)
                places[start + i] = Candidates(logits.Row(i), options.LensTopK, model);
        }
        return places;
    }

    /// <summary>√Σx² of every row of every tensor, [tensors, rows].</summary>
    public static FloatTensor Norms(IReadOnlyList<FloatTensor> streams)
    {
        int tokens = streams[0].Shape[0];
        var norms = new float[streams.Count * tokens];
        for (int layer = 0; layer < streams.Count; layer++)
        {
            for (int token = 0; token < tokens; token++)
            {
                double sum = 0;
                foreach (float x in streams[layer].Row(token))
                    sum += (double)x * x;
                norms[layer * tokens + token] = (float)Math.Sqrt(sum);
            }
        }
        return new FloatTensor(norms, "residual_norms", streams.Count, tokens);
    }
}
