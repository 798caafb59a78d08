using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;


/// <summary>A pipeline that reads whole texts in one pass: everything but generation.</summary>
public abstract class EncoderPipeline : Pipeline
{
    // Enough rows to fill the matrix kernels; more would only grow the workspace, and the time until a cancelled pass ends.
    private const int MaxBatchRows = 32;
    private const int MaxBatchTokens = 1024;

    // Texts that are rows at a time: enough of them have the same length, and they are tokenized in milliseconds.
    private protected const int ChunkTexts = 512;

    private protected EncoderPipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel, int? maxTokens = null) : base(model, tokenizer, ownsModel)
    {
        Texts = new EncoderTexts(model, Tokenizer, maxTokens);
    }

    /// <summary>The most tokens of a text, special tokens included.</summary>
    public int MaxTokens => Texts.MaxTokens;

    private protected EncoderTexts Texts { get; }

    /// <summary>Runs texts chunk by chunk: those of a chunk become rows, on all threads, which run in batches of similar length.</summary>
    /// <param name="texts">How many.</param>
    /// <param name="encode">Makes the row of a text, by its number.</param>
    /// <param name="run">Called once per batch, with a session that is its own during the call.</param>
    /// <param name="progress">Told how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work: between two words, or two modules of the model.</param>
    private protected void RunTexts<TRow>(
        int texts, Func<int, TRow> encode, RunBatch<TRow> run, IProgress<int>? progress, CancellationToken cancellationToken) where TRow : EncoderRow
    {
        for (int start = 0; start < texts; start += ChunkTexts)
        {
            int first = start;
            TRow[] rows = EncodeTexts(Math.Min(ChunkTexts, texts - first), i => encode(first + i), cancellationToken);
            RunRows(rows, first, run, progress, cancellationToken);
        }
    }

    /// <summary>Makes something of each text, on all threads.</summary>
    private protected TRow[] EncodeTexts<TRow>(int texts, Func<int, TRow> encode, CancellationToken cancellationToken) =>
        TextBatch.Run(texts, Model.LoadOptions.Kernels.MaxThreads, encode, cancellationToken);

    /// <summary>Runs rows in batches of similar length; the first of them has the number <paramref name="first"/>.</summary>
    private protected void RunRows<TRow>(
        TRow[] rows, int first, RunBatch<TRow> run, IProgress<int>? progress, CancellationToken cancellationToken) where TRow : EncoderRow
    {
        int done = first;
        foreach (int[] batch in Batches([.. rows.Select(row => row.Ids.Length)]))
        {
            cancellationToken.ThrowIfCancellationRequested();
            ModelInputs inputs = ToInputs([.. batch.Select(i => rows[i])]);
            Session session = Sessions.Rent(inputs);
            session.Cancellation = cancellationToken;
            try
            {
                run([.. batch.Select(i => (first + i, rows[i]))], inputs, session);
            }
            finally
            {
                session.Cancellation = default;
                Sessions.Return(session);
            }
            progress?.Report(done += batch.Length);
        }
    }

    /// <summary>Rows of different lengths, one after the other.</summary>
    private protected ModelInputs ToInputs(IReadOnlyList<EncoderRow> rows) =>
        ModelInputs.OfRows([.. rows.Select(row => row.Ids)], Model.Config.UsesTokenTypes ? [.. rows.Select(row => row.TypeIds)] : null);

    /// <summary>Runs the body of a model and hands out each row's last hidden state.</summary>
    private protected void RunBody(
        int texts, Func<int, EncoderRow> encode, ReadRow read, IProgress<int>? progress, CancellationToken cancellationToken)
    {
        var options = new ForwardOptions { LeavePacked = true };
        RunTexts(
            texts,
            encode,
            (batch, inputs, session) =>
            {
                // [tokens, hidden]; of a model that does not know how to leave them so, [rows, columns, hidden]
                FloatTensor hidden = ((IBaseModel)Model).Forward(inputs, session, options).LastHiddenState;
                int width = hidden.Shape[^1], start = 0;
                for (int r = 0; r < batch.Count; r++)
                {
                    int length = batch[r].Row.Ids.Length * width;
                    read(batch[r].Text, hidden.Span.Slice(start, length));
                    start += hidden.Rank == 2 ? length : hidden.Shape[1] * width;
                }
            },
            progress,
            cancellationToken);
    }

    /// <summary>What is below the head of a model, over the same weights; a model without a head itself.</summary>
    /// <exception cref="ConfigException">It has no such part.</exception>
    private protected static PretrainedModel BodyOf(PretrainedModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Body ?? throw new ConfigException($"{model.Architecture} has no part that gives a vector for every token, which features are read from.");
    }

    /// <exception cref="ConfigException">The model has a head; its hidden states are not what it returns.</exception>
    private protected static void RequireBody(PretrainedModel model) =>
        model.Require<IBaseModel>("returns the scores of its head, and features are those of the body");

    /// <summary>Runs rows, each with the number of its text, in one pass.</summary>
    private protected delegate void RunBatch<TRow>(IReadOnlyList<(int Text, TRow Row)> batch, ModelInputs inputs, Session session)
        where TRow : EncoderRow;

    /// <summary>Takes one row's last hidden state, [tokens, hidden].</summary>
    private protected delegate void ReadRow(int text, ReadOnlySpan<float> hidden);

    /// <summary>The numbers of rows of these lengths, longest first, cut into batches: rows of a batch differ little, so its padded outputs stay
    /// small.</summary>
    private static IEnumerable<int[]> Batches(int[] lengths)
    {
        int[] order = [.. Enumerable.Range(0, lengths.Length).OrderByDescending(i => lengths[i])];
        for (int start = 0; start < order.Length;)
        {
            int count = Math.Clamp(MaxBatchTokens / lengths[order[start]], 1, MaxBatchRows);
            count = Math.Min(count, order.Length - start);
            yield return order[start..(start + count)];
            start += count;
        }
    }
}

/// <summary>A text, or two, as a model reads it.</summary>
/// <param name="Ids">Token ids, special tokens included, [tokens].</param>
/// <param name="TypeIds">token_type_ids, [tokens].</param>
internal record EncoderRow(int[] Ids, int[] TypeIds);
