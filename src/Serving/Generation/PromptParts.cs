namespace ManagedTransformers.Serving;

/// <summary>How a prompt is cut into parts, so that its keys, values and scores have the bits that <see cref="PromptReader"/> gives.</summary>
/// <remarks>A row of a matrix product has the same bits among <see cref="MatMul.TiledRows"/> or more others, however many they are; the reader's parts have
/// as many but the last one, which may be short.</remarks>
internal static class PromptParts
{
    /// <summary>How many of a prompt's first tokens have bits that do not depend on what follows them: what another prompt may take over.</summary>
    public static int Reusable(int length)
    {
        int last = LastPart(length);
        return length - last >= MatMul.TiledRows ? length : last;
    }

    /// <summary>Where to go on reading a prompt of which some tokens are held: so early that the rest is a part of its own.</summary>
    public static int Start(int length, int held)
    {
        int end = Reusable(length);
        if (end < length)                                  // a short last part is read as one
            return held >= end ? end : Math.Max(0, Math.Min(held, end - MatMul.TiledRows));
        return Math.Max(0, Math.Min(held, length - MatMul.TiledRows));
    }

    /// <summary>The end of the part that begins at <paramref name="start"/>, of about this many tokens.</summary>
    public static int End(int length, int start, int tokens)
    {
        int end = Reusable(length);
        if (start >= end)
            return length;
        int rest = end - start - tokens;
        return rest >= MatMul.TiledRows ? start + tokens : end;
    }

    // The reader's last part begins here.
    private static int LastPart(int length) => (length - 1) / PromptReader.PartTokens * PromptReader.PartTokens;
}
