namespace ManagedTransformers.Tokenizers;

/// <summary>A tokenizer that cannot be loaded, or an encoding that its options forbid. The message says where, what was found, what was needed and what to
/// do.</summary>
public sealed class TokenizerException : Exception
{
    /// <summary>An exception without a message.</summary>
    public TokenizerException()
    {
    }

    /// <summary>An exception that says <paramref name="message"/>.</summary>
    public TokenizerException(string message)
        : base(message)
    {
    }

    /// <summary>An exception that says <paramref name="message"/>, caused by <paramref name="innerException"/>.</summary>
    public TokenizerException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
