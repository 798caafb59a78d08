namespace ManagedTransformers.Tokenizers;

/// <summary>Splits a text into the words that the model then splits into tokens.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Gives the words of the part from <paramref name="start"/> to <paramref name="end"/> to <paramref name="words"/>, in order, none of them
    /// empty.</summary>
    public abstract void Split(AlignedText text, int start, int end, IWordConsumer words);
}

/// <summary>Takes words one by one.</summary>
internal interface IWordConsumer
{
    void Add(AlignedText text, int start, int end);
}

/// <summary>Several, each splitting the words of the one before.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<PreTokenizer> preTokenizers) : PreTokenizer
{
    public IReadOnlyList<PreTokenizer> PreTokenizers { get; } = preTokenizers;

    public override void Split(AlignedText text, int start, int end, IWordConsumer words)
    {
        for (int i = PreTokenizers.Count - 1; i >= 0; i--) words = new Stage(PreTokenizers[i], words);
        words.Add(text, start, end);
    }

    private sealed class Stage(PreTokenizer preTokenizer, IWordConsumer next) : IWordConsumer
    {
        public void Add(AlignedText text, int start, int end) => preTokenizer.Split(text, start, end, next);
    }
}

/// <summary>Splits at white space, which is left out, and around every punctuation mark.</summary>
internal sealed class BertPreTokenizer : PreTokenizer
{
    public override void Split(AlignedText text, int start, int end, IWordConsumer words)
    {
        int word = start;
        for (int i = start; i < end;)
        {
            int codePoint = CodePoints.At(text.Value, i, out int length);
            if (CodePoints.Is(codePoint, CodePointClass.Space | CodePointClass.Punctuation))
            {
                if (word < i) words.Add(text, word, i);
                if (!CodePoints.Is(codePoint, CodePointClass.Space)) words.Add(text, i, i + length);
                word = i + length;
            }
            i += length;
        }
        if (word < end) words.Add(text, word, end);
    }
}

/// <summary>Sets digits apart: each of them, or runs of them.</summary>
internal sealed class DigitsPreTokenizer(bool individualDigits) : PreTokenizer
{
    public override void Split(AlignedText text, int start, int end, IWordConsumer words)
    {
        int word = start;
        bool inDigits = false;
        for (int i = start; i < end;)
        {
            bool digit = CodePoints.Is(CodePoints.At(text.Value, i, out int length), CodePointClass.Numeric);
            if (word < i && (digit != inDigits || (digit && individualDigits)))
            {
                words.Add(text, word, i);
                word = i;
            }
            inDigits = digit;
            i += length;
        }
        if (word < end) words.Add(text, word, end);
    }
}
