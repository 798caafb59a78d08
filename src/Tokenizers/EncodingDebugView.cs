using System.Diagnostics;

namespace ManagedTransformers.Tokenizers;

/// <summary>An encoding as a debugger opens it: token by token, all arrays side by side.</summary>
internal sealed class EncodingDebugView(Encoding encoding)
{
    private const int MostTokens = 10_000;

    /// <summary>What truncation cut off.</summary>
    public Encoding[] Overflowing => [.. encoding.Overflowing];

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public EncodedToken[] Tokens => [.. Enumerable.Range(0, Math.Min(encoding.Length, MostTokens)).Select(i => new EncodedToken(encoding, i))];

    /// <summary>One token of an encoding.</summary>
    [DebuggerDisplay("{Describe(),nq}")]
    internal sealed class EncodedToken(Encoding encoding, int index)
    {
        public int Id => At(encoding.Ids);

        /// <summary>As the vocabulary writes it.</summary>
        public string Token => At(encoding.Tokens) ?? "";

        /// <summary>The part of the text that it stands for; null for special tokens, and for words that were split before.</summary>
        public string? Text
        {
            get
            {
                string? source = SequenceId switch { 0 => encoding.Sources.First, 1 => encoding.Sources.Second, _ => null };
                (int start, int end) = Utf16Offsets;
                return source is not null && start >= 0 && start <= end && end <= source.Length ? source[start..end] : null;
            }
        }

        public (int Start, int End) Offsets => At(encoding.Offsets);

        public (int Start, int End) Utf16Offsets => At(encoding.Utf16Offsets);

        public int TypeId => At(encoding.TypeIds);

        public int? WordId => At(encoding.WordIds);

        public int? SequenceId => At(encoding.SequenceIds);

        public int AttentionMask => At(encoding.AttentionMask);

        public int SpecialTokensMask => At(encoding.SpecialTokensMask);

        // The arrays are the caller's: they may have been written to.
        private T? At<T>(T[] array) => index < array.Length ? array[index] : default;

        private string Describe()
        {
            string span = $"{(Text is string text ? $" {Vocabulary.Show(text)}" : "")} [{Offsets.Start}, {Offsets.End})";
            return $"{index}: {Id} {Token}{(AttentionMask == 0 ? " padding" : SpecialTokensMask != 0 ? " special" : span)}";
        }
    }
}
