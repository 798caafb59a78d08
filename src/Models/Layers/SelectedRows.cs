namespace ManagedTransformers.Models;

/// <summary>The rows that a head reads where it does not read all tokens, [rows, hidden], in the session's workspace.</summary>
internal static class SelectedRows
{
    /// <summary>The first token of each row of the batch.</summary>
    public static Tensor First(Tensor x, Session session)
    {
        Tensor first = Rent("first_token", session.Batch.Rows, x, session);
        for (int row = 0; row < session.Batch.Rows; row++)
            x.Row(session.Batch.RowStart(row)).CopyTo(first.Row(row));
        return first;
    }

    /// <summary>The last token of each row of the batch.</summary>
    public static Tensor Last(Tensor x, Session session)
    {
        Tensor last = Rent("selected", session.Batch.Rows, x, session);
        for (int row = 0; row < session.Batch.Rows; row++)
            x.Row(session.Batch.RowStart(row + 1) - 1).CopyTo(last.Row(row));
        return last;
    }

    /// <summary>The tokens at some places of the padded batch.</summary>
    /// <exception cref="ModelInputException">A place is padding.</exception>
    public static Tensor At(IReadOnlyList<(int Row, int Column)> places, Tensor x, Session session)
    {
        Tensor rows = Rent("selected", places.Count, x, session);
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

    private static Tensor Rent(string name, int rows, Tensor x, Session session)
    {
        session.RowsAreSelected = true;
        return session.Workspace.Rent(name, rows, x.Shape[1]);
    }
}
