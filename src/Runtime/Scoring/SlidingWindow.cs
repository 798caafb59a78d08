namespace ManagedTransformers;

/// <summary>A part of a text that the model reads at once: the tokens from Begin to End, of which those from FirstTarget on are scored.</summary>
internal readonly record struct SlidingWindow(int Begin, int End, int FirstTarget)
{
    /// <summary>Windows that score every token from <paramref name="firstTarget"/> (at least 1: a token needs one before it) on once. Windows that would score
    /// none are left out.</summary>
    /// <remarks>transformers' guide "Perplexity of fixed-length models". With stride = window it leaves the first token of every further window out, which has
    /// nothing before it; here neighbours then share that one token.</remarks>
    public static IEnumerable<SlidingWindow> Over(int length, int firstTarget, int window, int stride)
    {
        stride = Math.Min(stride, window - 1);
        int next = firstTarget;
        for (int begin = 0; next < length; begin += stride)
        {
            int end = length - begin <= window ? length : begin + window;
            if (end <= next)
                continue;
            yield return new SlidingWindow(begin, end, next);
            next = end;
        }
    }
}
