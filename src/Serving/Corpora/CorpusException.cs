namespace ManagedTransformers.Serving;

/// <summary>A corpus that cannot be read again, or changed while it was read; an output directory that belongs to another job, is damaged, or in
/// use.</summary>
public sealed class CorpusException : ManagedTransformersException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public CorpusException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public CorpusException(string message, Exception? inner) : base(message, inner)
    {
    }
}
