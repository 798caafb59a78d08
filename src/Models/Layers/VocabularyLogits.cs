namespace ManagedTransformers.Models;

/// <summary>Runs a language-model head where its scores are wanted: at all places of the batch, or at those that the caller names.</summary>
internal static class VocabularyLogits
{
    /// <summary>A head: [rows, hidden] → [rows, vocab_size] into the second tensor.</summary>
    public delegate void Head(Tensor x, Tensor logits, Session session);

    /// <summary>[batch, sequence, vocab_size], zero at padding; or [places, vocab_size] with <see cref="ForwardOptions.LogitsAt"/>.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="x">Packed hidden states, [tokens, hidden].</param>
    /// <param name="vocabSize">Scores per place.</param>
    /// <param name="session">The running session.</param>
    /// <param name="head">What computes them.</param>
    public static Tensor Compute(string name, Tensor x, int vocabSize, Session session, Head head)
    {
        PackedBatch batch = session.Batch;
        if (session.Options.LogitsAt is { } places)
        {
            session.RowsAreSelected = true;
            var selected = new Tensor(name, places.Count, vocabSize);
            if (places.Count > 0)
                head(SelectRows(x, places, session), selected, session);
            return selected;
        }
        if (batch.Tokens == batch.Rows * batch.Width)
        {
            var all = new Tensor(name, batch.Rows, batch.Width, vocabSize);
            head(x, all, session);
            return all;
        }
        var packed = new Tensor(name, batch.Tokens, vocabSize);
        head(x, packed, session);
        return batch.Unpack(packed, name);
    }

    private static Tensor SelectRows(Tensor x, IReadOnlyList<(int Row, int Column)> places, Session session)
    {
        Tensor rows = session.Workspace.Rent("selected", places.Count, x.Shape[1]);
        for (int i = 0; i < places.Count; i++)
        {
            int token = session.Batch.TokenAt(places[i].Row, places[i].Column);
            if (token < 0)
                throw new ModelInputException($"LogitsAt names row {places[i].Row}, column {places[i].Column}, which is padding (attention_mask 0). Set ComputePadding to have it computed.");
            x.Row(token).CopyTo(rows.Row(i));
        }
        return rows;
    }
}
