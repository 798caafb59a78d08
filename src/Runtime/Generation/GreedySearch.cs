using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>
/// The generation loop: every step appends to each row the token with the highest score, until all rows have ended. Rows that
/// ended leave the batch; padding is never computed.
/// </summary>
/// <remarks>transformers' generate with do_sample false and num_beams 1.</remarks>
internal sealed class GreedySearch : IDisposable
{
    // A long prompt is read in parts, so that cancelling does not wait for the whole of it and the workspace stays small.
    private const int PrefillTokens = 256;

    private readonly CodeGenForCausalLM _model;
    private readonly IReadOnlyList<int[]> _prompts;
    private readonly StoppingCriteria _stop;
    private readonly Session _session;
    private readonly List<int>[] _generated;
    private readonly int[] _sequences;       // the rows that go on, [_active]
    private readonly int[] _lastTokens;      // and the token that each was given last
    private int _active;
    private bool _started;

    /// <summary>Prepares the KV cache.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids of each row, without padding.</param>
    /// <param name="stop">When rows end.</param>
    public GreedySearch(CodeGenForCausalLM model, IReadOnlyList<int[]> prompts, StoppingCriteria stop)
    {
        (_model, _prompts, _stop, _active) = (model, prompts, stop, prompts.Count);
        int longest = prompts.Max(prompt => prompt.Length);
        _generated = [.. prompts.Select(_ => new List<int>(stop.MaxNewTokens))];
        _sequences = [.. Enumerable.Range(0, prompts.Count)];
        _lastTokens = new int[prompts.Count];
        _session = model.CreateSession(new SessionOptions { BatchSize = prompts.Count, MaxLength = longest + stop.MaxNewTokens });
    }

    /// <summary>The tokens that a row was given so far, its end token included.</summary>
    public IReadOnlyList<int> Generated(int row) => _generated[row];

    /// <summary>How many rows have ended.</summary>
    public int Ended => _prompts.Count - _active;

    /// <summary>Appends one token to every row that has not ended.</summary>
    /// <returns>False where all had ended already.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; the search cannot go on.</exception>
    /// <exception cref="InvalidOperationException">A score is not a number.</exception>
    public bool MoveNext(CancellationToken cancellationToken)
    {
        if (_active == 0)
            return false;
        cancellationToken.ThrowIfCancellationRequested();
        Tensor scores = _started ? _model.Step(_lastTokens.AsSpan(0, _active), _sequences.AsSpan(0, _active), _session) : Prefill(cancellationToken);
        _started = true;
        Append(scores);
        return true;
    }

    public void Dispose() => _session.Dispose();

    /// <summary>Reads the prompts; the scores after the last token of each, [rows, vocab_size].</summary>
    private Tensor Prefill(CancellationToken cancellationToken)
    {
        if (_prompts.Count > 1)
        {
            (int, int)[] last = [.. _prompts.Select((prompt, row) => (row, prompt.Length - 1))];
            return _model.Forward(ModelInputs.OfBatch(_prompts), _session, new ForwardOptions { LogitsAt = last }).Logits;
        }
        ReadOnlySpan<int> prompt = _prompts[0];
        for (; prompt.Length > PrefillTokens; prompt = prompt[PrefillTokens..])
        {
            _model.Forward(prompt[..PrefillTokens], _session, new ForwardOptions { LogitsAt = [] });
            cancellationToken.ThrowIfCancellationRequested();
        }
        return _model.Forward(prompt, _session, new ForwardOptions { LogitsAt = [(0, prompt.Length - 1)] }).Logits;
    }

    private void Append(Tensor scores)
    {
        int goingOn = 0;
        for (int i = 0; i < _active; i++)
        {
            Scores.RequireNumbers(scores.Row(i), "score of token", _model);
            (int row, int token) = (_sequences[i], ArgMax(scores.Row(i)));
            _generated[row].Add(token);
            if (!_stop.IsDone(_generated[row].Count, token))
                (_sequences[goingOn], _lastTokens[goingOn++]) = (row, token);
        }
        _active = goingOn;
    }

    /// <summary>The token with the highest score; of equals the first, as torch.argmax on a CPU.</summary>
    private static int ArgMax(ReadOnlySpan<float> scores)
    {
        int best = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            if (scores[i] > scores[best])
                best = i;
        }
        return best;
    }
}
