using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>A pipeline that reads whole texts in one pass: everything but generation.</summary>
public abstract class EncoderPipeline : Pipeline
{
    // Enough rows to fill the matrix kernels; more would only grow the workspace.
    private const int MaxBatchRows = 32;
    private const int MaxBatchTokens = 4096;

    private protected EncoderPipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel, int? maxTokens = null) : base(model, tokenizer, ownsModel)
    {
        Texts = new EncoderTexts(model, Tokenizer, maxTokens);
    }

    /// <summary>The most tokens of a text, special tokens included.</summary>
    public int MaxTokens => Texts.MaxTokens;

    private protected EncoderTexts Texts { get; }

    /// <summary>Runs rows in batches of similar length.</summary>
    /// <param name="rows">The rows, in the caller's order.</param>
    /// <param name="run">Called once per batch with the numbers of its rows, the inputs, and a session that is its own during the call.</param>
    /// <param name="progress">Told how many rows are done.</param>
    /// <param name="cancellationToken">Ends the work between two batches.</param>
    private protected void RunBatches(
        IReadOnlyList<Encoding> rows, Action<int[], ModelInputs, Session> run, IProgress<int>? progress, CancellationToken cancellationToken)
    {
        int done = 0;
        foreach (int[] batch in Batches(rows))
        {
            cancellationToken.ThrowIfCancellationRequested();
            ModelInputs inputs = ToInputs([.. batch.Select(i => rows[i])]);
            Session session = Sessions.Rent(inputs);
            try
            {
                run(batch, inputs, session);
            }
            finally
            {
                Sessions.Return(session);
            }
            progress?.Report(done += batch.Length);
        }
    }

    /// <summary>Rows of different lengths, one after the other.</summary>
    private protected ModelInputs ToInputs(IReadOnlyList<Encoding> rows) =>
        ModelInputs.OfRows([.. rows.Select(row => row.Ids)], Model.Config.UsesTokenTypes ? [.. rows.Select(row => row.TypeIds)] : null);

    /// <summary>Runs the body of a model and hands out each row's last hidden state.</summary>
    private protected void RunBody(IReadOnlyList<Encoding> rows, ReadRow read, IProgress<int>? progress, CancellationToken cancellationToken) =>
        RunBatches(
            rows,
            (batch, inputs, session) =>
            {
                Tensor hidden = ((IBaseModel)Model).Forward(inputs, session).LastHiddenState;      // [rows, columns, hidden]
                int size = hidden.Shape[1] * hidden.Shape[2];
                for (int r = 0; r < batch.Length; r++)
                    read(batch[r], hidden.Span.Slice(r * size, rows[batch[r]].Length * hidden.Shape[2]));
            },
            progress,
            cancellationToken);

    /// <exception cref="ConfigException">The model has a head; its hidden states are not what it returns.</exception>
    private protected static void RequireBody(PretrainedModel model) =>
        model.Require<IBaseModel>("returns the scores of its head, and features are those of the body");

    /// <summary>Takes one row's last hidden state, [tokens, hidden].</summary>
    private protected delegate void ReadRow(int row, ReadOnlySpan<float> hidden);

    /// <summary>The row numbers, longest first, cut into batches: rows of a batch differ little, so its padded outputs stay small.</summary>
    internal static IEnumerable<int[]> Batches(IReadOnlyList<Encoding> rows)
    {
        int[] order = [.. Enumerable.Range(0, rows.Count).OrderByDescending(i => rows[i].Length)];
        for (int start = 0; start < order.Length;)
        {
            int count = Math.Clamp(MaxBatchTokens / rows[order[start]].Length, 1, MaxBatchRows);
            count = Math.Min(count, order.Length - start);
            yield return order[start..(start + count)];
            start += count;
        }
    }
}
