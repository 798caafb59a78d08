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
        IReadOnlyList<TokenEncoding> rows, Action<int[], ModelInputs, Session> run, IProgress<int>? progress, CancellationToken cancellationToken)
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
    private protected ModelInputs ToInputs(IReadOnlyList<TokenEncoding> rows) =>
        ModelInputs.OfRows([.. rows.Select(row => row.Ids)], Model.Config.UsesTokenTypes ? [.. rows.Select(row => row.TypeIds)] : null);

    /// <summary>Runs the body of a model and hands out each row's last hidden state.</summary>
    private protected void RunBody(IReadOnlyList<TokenEncoding> rows, ReadRow read, IProgress<int>? progress, CancellationToken cancellationToken) =>
        RunBatches(
            rows,
            (batch, inputs, session) =>
            {
                FloatTensor hidden = ((IBaseModel)Model).Forward(inputs, session).LastHiddenState;      // [rows, columns, hidden]
                int size = hidden.Shape[1] * hidden.Shape[2];
                for (int r = 0; r < batch.Length; r++)
                    read(batch[r], hidden.Span.Slice(r * size, rows[batch[r]].Length * hidden.Shape[2]));
            },
            progress,
            cancellationToken);

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

    /// <summary>Takes one row's last hidden state, [tokens, hidden].</summary>
    private protected delegate void ReadRow(int row, ReadOnlySpan<float> hidden);

    /// <summary>The row numbers, longest first, cut into batches: rows of a batch differ little, so its padded outputs stay small.</summary>
    internal static IEnumerable<int[]> Batches(IReadOnlyList<TokenEncoding> rows)
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

/// <summary>Texts as rows that a model can read: no longer than it reads, each token with an embedding. All pipelines that read whole texts share it.</summary>
internal sealed class EncoderTexts
{
    private readonly PretrainedModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly int? _maxTokens;

    /// <summary>Finds the limit of a text: the smallest of the model's, the tokenizer's and the caller's (such as sentence-transformers'
    /// max_seq_length).</summary>
    /// <exception cref="ConfigException">It leaves no room for a text.</exception>
    public EncoderTexts(PretrainedModel model, Tokenizer tokenizer, int? maxTokens = null)
    {
        (_model, _tokenizer, _maxTokens) = (model, tokenizer, maxTokens);
        MaxTokens = Math.Min(Math.Min(maxTokens ?? int.MaxValue, tokenizer.ModelMaxLength ?? int.MaxValue), model.Config.MaxTokens);
        int special = tokenizer.CountSpecialTokens(pair: false);
        if (MaxTokens <= special)
            throw new ConfigException($"{model.Architecture} reads at most {MaxTokens} tokens ({Limit}), and the tokenizer puts {special} special ones " +
                "around a text: at least one more is needed. Use the configuration and the tokenizer that were saved with this checkpoint.");
    }

    /// <summary>The most tokens of a row, special tokens included.</summary>
    public int MaxTokens { get; }

    /// <summary>What sets <see cref="MaxTokens"/>.</summary>
    private string Limit =>
        MaxTokens == _model.Config.MaxTokens ? _model.Config.Positions.ToString()
        : MaxTokens == _maxTokens ? "max_seq_length"
        : "model_max_length of tokenizer_config.json";

    /// <summary>A text, or two, as one row.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null: there is none.</param>
    /// <param name="truncation">Cut what is too long, of two texts the longer one first, instead of refusing it.</param>
    /// <param name="advice">What to do about a text that is too long.</param>
    /// <param name="allowEmpty">Take a text without tokens for the special ones alone, if there are any.</param>
    /// <exception cref="ModelInputException">A text is empty, or too long and <paramref name="truncation"/> is off, or it has a token without an
    /// embedding.</exception>
    public TokenEncoding Encode(string text, string? pair = null, bool truncation = false, string? advice = null, bool allowEmpty = false)
    {
        int special = _tokenizer.CountSpecialTokens(pair is not null);
        TokenEncoding row = _tokenizer.Encode(text, pair,
            new EncodeOptions { Truncation = new Truncation(Math.Max(MaxTokens, special)), Padding = Padding.None });
        if (!row.SequenceIds.Contains(0) && !(allowEmpty && row.Length > 0))
            RequireTokens(text);
        if (pair is not null && !row.SequenceIds.Contains(1))
            RequireTokens(pair);
        if (!truncation && row.Overflowing.Count > 0)
            throw TooLong(text, pair, special, advice ?? $"Pass Truncation = true, or {(pair is null ? "split it" : "shorten them")}.");
        if (pair is not null && MaxTokens < special + 2)
            throw new ModelInputException($"{_model.Architecture} reads at most {MaxTokens} tokens ({Limit}), and {special} special ones stand around two " +
                "texts: there is no room for a token of each.");
        RequireEmbeddings(row);
        return row;
    }

    /// <summary>All of a text's tokens, without special ones, however many.</summary>
    /// <exception cref="ModelInputException">The text is empty, or has a token without an embedding.</exception>
    public TokenEncoding EncodeWhole(string text)
    {
        TokenEncoding encoding = RequireTokens(text);
        RequireEmbeddings(encoding);
        return encoding;
    }

    /// <summary>A text as windows of some tokens, special ones included, that share tokens of the text with the one before; each is made when it is asked
    /// for.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The window does not fit the model, or has no room for a new token.</exception>
    public IEnumerable<TokenEncoding> Windows(string text, int windowTokens, int overlap)
    {
        int special = _tokenizer.CountSpecialTokens(pair: false), room = windowTokens - special;
        if (windowTokens > MaxTokens || room < 1)
            throw new ArgumentOutOfRangeException(nameof(windowTokens), $"A window of {windowTokens} tokens was asked for; " +
                $"{special + 1} … {MaxTokens} are possible ({special} of them are special tokens).");
        if (overlap < 0 || overlap >= room)
            throw new ArgumentOutOfRangeException(nameof(overlap), $"Windows that share {overlap} tokens were asked for; a window has room for {room}, " +
                $"so 0 … {room - 1} is needed.");
        var truncation = new Truncation(windowTokens) { Stride = overlap };
        TokenEncoding first = _tokenizer.Encode(text, pair: null, new EncodeOptions { Truncation = truncation, Padding = Padding.None });
        return first.Overflowing.Prepend(first);
    }

    private TokenEncoding RequireTokens(string text)
    {
        TokenEncoding encoding = _tokenizer.Encode(text, pair: null, EncodeOptions.Plain);
        return encoding.Length > 0 ? encoding : throw new ModelInputException(text.Length == 0
            ? "The text is empty; at least one token is needed."
            : $"The text ({text.Length} characters) has no token left after the tokenizer's normalisation; at least one is needed.");
    }

    private void RequireEmbeddings(TokenEncoding row)
    {
        int vocabSize = _model.Config.VocabSize, beyond = Array.FindIndex(row.Ids, id => id >= vocabSize);
        if (beyond >= 0)
            throw new ModelInputException($"The text has the token \"{row.Tokens[beyond]}\" with id {row.Ids[beyond]}, for which {_model.Architecture} has " +
                $"no embedding: its vocab_size is {vocabSize}, the tokenizer has {_tokenizer.VocabularySize} tokens. " +
                "Leave the token out, or use the tokenizer files that were saved with this checkpoint.");
    }

    private ModelInputException TooLong(string text, string? pair, int special, string advice)
    {
        int tokens = _tokenizer.Encode(text, pair, new EncodeOptions { Truncation = Truncation.None, Padding = Padding.None }).Length;
        string with = special > 0 ? $", {special} of them special" : "";
        string texts = pair is null ? "text is" : "two texts are";
        return new ModelInputException($"The {texts} {tokens} tokens{with}; {_model.Architecture} reads at most {MaxTokens} ({Limit}). {advice}");
    }
}
