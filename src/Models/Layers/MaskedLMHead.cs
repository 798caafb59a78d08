using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>Scores of the vocabulary: decoder(LayerNorm(act(dense(x)))).</summary>
/// <param name="dense">The first layer.</param>
/// <param name="activation">What follows it.</param>
/// <param name="layerNorm">The norm after that.</param>
/// <param name="transformName">The module path under which the norm's output is traced.</param>
/// <param name="decoder">The last layer, over the vocabulary; <see cref="Linear.OverVocabulary"/> makes it.</param>
/// <param name="name">The module path of the whole head; null: it is no module of its own.</param>
/// <remarks>transformers BertLMPredictionHead, RobertaLMHead, DistilBertForMaskedLM.</remarks>
public sealed class MaskedLMHead(Linear dense, ActivationFunction activation, LayerNormalization layerNorm, string transformName, Linear decoder,
    string? name = null)
{
    /// <summary>[rows, hidden] → [rows, vocab_size] into <paramref name="logits"/>.</summary>
    /// <param name="x">[rows, hidden].</param>
    /// <param name="logits">[rows, vocab_size].</param>
    /// <param name="session">The running session.</param>
    public void ForwardTo(FloatTensor x, FloatTensor logits, Session session)
    {
        ArgumentNullException.ThrowIfNull(session);
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor transformed = dense.Forward(x, session, activation);
        layerNorm.ForwardTo(transformed, transformed, session);
        session.Tap(transformName, transformed);
        decoder.ForwardTo(transformed, logits, session);
        session.Tap(decoder.Name, logits);
        if (name is not null)
            session.Tap(name, logits);
    }
}

/// <summary>The rows that a head reads where it does not read all tokens, [rows, hidden], in the session's workspace.</summary>
internal static class SelectedRows
{
    /// <summary>The first token of each row of the batch.</summary>
    public static FloatTensor First(FloatTensor x, Session session)
    {
        FloatTensor first = Rent("first_token", session.Batch.Rows, x, session);
        for (int row = 0; row < session.Batch.Rows; row++)
            x.Row(session.Batch.RowStart(row)).CopyTo(first.Row(row));
        return first;
    }

    /// <summary>The last token of each row of the batch.</summary>
    public static FloatTensor Last(FloatTensor x, Session session)
    {
        FloatTensor last = Rent("selected", session.Batch.Rows, x, session);
        for (int row = 0; row < session.Batch.Rows; row++)
            x.Row(session.Batch.RowStart(row + 1) - 1).CopyTo(last.Row(row));
        return last;
    }

    /// <summary>The tokens at some places of the padded batch.</summary>
    /// <exception cref="ModelInputException">A place is padding.</exception>
    public static FloatTensor At(IReadOnlyList<(int Row, int Column)> places, FloatTensor x, Session session)
    {
        FloatTensor rows = Rent("selected", places.Count, x, session);
        for (int i = 0; i < places.Count; i++)
        {
            int token = session.Batch.TokenAt(places[i].Row, places[i].Column);
            if (token < 0)
                throw new ModelInputException($"LogitsAt names row {places[i].Row}, column {places[i].Column}, which is padding (attention_mask 0). Set " +
                    "ComputePadding to have it computed.");
            x.Row(token).CopyTo(rows.Row(i));
        }
        return rows;
    }

    private static FloatTensor Rent(string name, int rows, FloatTensor x, Session session)
    {
        session.RowsAreSelected = true;
        return session.Workspace.Rent(name, rows, x.Shape[1]);
    }
}

/// <summary>Runs a language-model head where its scores are wanted: at all places of the batch, or at those that the caller names.</summary>
internal static class VocabularyLogits
{
    /// <summary>[batch, sequence, vocab_size], zero at padding; or [places, vocab_size] with <see cref="ForwardOptions.LogitsAt"/>.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="x">Packed hidden states, [tokens, hidden].</param>
    /// <param name="vocabSize">Scores per place.</param>
    /// <param name="session">The running session.</param>
    /// <param name="head">What computes them: [rows, hidden] → [rows, vocab_size] into the second tensor.</param>
    public static FloatTensor Compute(string name, FloatTensor x, int vocabSize, Session session, Action<FloatTensor, FloatTensor> head)
    {
        PackedBatch batch = session.Batch;
        if (session.Options.LogitsAt is { } places)
        {
            var selected = new FloatTensor(name, places.Count, vocabSize);
            FloatTensor rows = SelectedRows.At(places, x, session);
            if (places.Count > 0)
                head(rows, selected);
            return selected;
        }
        if (batch.Tokens == batch.Rows * batch.Width)
        {
            var all = new FloatTensor(name, batch.Rows, batch.Width, vocabSize);
            head(x, all);
            return all;
        }
        var packed = new FloatTensor(name, batch.Tokens, vocabSize);
        head(x, packed);
        return batch.Unpack(packed, name);
    }
}
