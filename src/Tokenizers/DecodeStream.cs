namespace ManagedTransformers.Tokenizers;

/// <summary>Turns ids into text one by one; all pieces together are what <see cref="Tokenizer.Decode"/> gives. Not thread-safe.</summary>
public sealed class DecodeStream
{
    internal DecodeStream()
    {
    }

    /// <summary>Takes the next id; returns the text that is now certain (empty while a character is still incomplete).</summary>
    public string Append(int id) => throw new NotSupportedException(id.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Returns what is still held back; the stream then starts anew.</summary>
    public string Flush() => throw new NotSupportedException();
}
