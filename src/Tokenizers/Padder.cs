namespace ManagedTransformers.Tokenizers;

/// <summary>Fills encodings, and their windows, up to one length; pad_encodings of the library.</summary>
internal static class Padder
{
    // A number in tokenizer.json must not decide how much memory is taken.
    private const int LargestLength = 1 << 24;

    /// <summary>Fills up all encodings of a batch.</summary>
    public static Encoding[] Pad(Encoding[] encodings, Padding options, int padId, string padToken)
    {
        if (options.Length < 0 || options.MultipleOf < 0)
            throw new TokenizerException($"Padding to length {options.Length} and a multiple of {options.MultipleOf}: both must be 0 or more.");
        int longest = encodings.Max(e => e.Length);
        long length = options.Length ?? longest;
        if (options.MultipleOf is int multiple and > 0 && length % multiple > 0) length += multiple - (length % multiple);
        if (length > Math.Max(longest, LargestLength))
            throw new TokenizerException($"Padding to {length} tokens (Length {options.Length}, MultipleOf {options.MultipleOf}); at most {LargestLength} are possible. No model reads so many.");
        return [.. encodings.Select(e => Pad(e, (int)length, options, padId, padToken))];
    }

    private static Encoding Pad(Encoding encoding, int length, Padding options, int padId, string padToken) => encoding.WithWindows(window =>
    {
        int missing = length - window.Length;
        if (missing <= 0) return window;
        var tokens = new string[missing];
        Array.Fill(tokens, padToken);
        Encoding filling = Encoding.OfSpecialTokens(Encoding.Filled(missing, padId), tokens, options.PadTypeId, attention: 0);
        return options.Direction == TextSide.Left ? Encoding.Concat(filling, window) : Encoding.Concat(window, filling);
    });
}
