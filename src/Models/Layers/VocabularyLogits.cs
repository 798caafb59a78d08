namespace ManagedTransformers.Models;

/// <summary>Runs a language-model head where its scores are wanted: at all places of the batch, or at those that the caller names.</summary>
internal static class VocabularyLogits
{
    /// <summary>[batch, sequence, vocab_size], zero at padding; or [places, vocab_size] with <see cref="ForwardOptions.LogitsAt"/>.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="x">Packed hidden states, [tokens, hidden].</param>
    /// <param name="vocabSize">Scores per place.</param>
    /// <param name="session">The running session.</param>
    /// <param name="head">What computes them: [rows, hidden] → [rows, vocab_size] into the second tensor.</param>
    public static Tensor Compute(string name, Tensor x, int vocabSize, Session session, Action<Tensor, Tensor> head)
    {
        PackedBatch batch = session.Batch;
        if (session.Options.LogitsAt is { } places)
        {
            var selected = new Tensor(name, places.Count, vocabSize);
            Tensor rows = SelectedRows.At(places, x, session);
            if (places.Count > 0)
                head(rows, selected);
            return selected;
        }
        if (batch.Tokens == batch.Rows * batch.Width)
        {
            var all = new Tensor(name, batch.Rows, batch.Width, vocabSize);
            head(x, all);
            return all;
        }
        var packed = new Tensor(name, batch.Tokens, vocabSize);
        head(x, packed);
        return batch.Unpack(packed, name);
    }
}
