namespace ManagedTransformers.Tokenizers;

/// <summary>Turns ids into text one by one; all pieces together are what <see cref="Tokenizer.Decode"/> gives. Not thread-safe.</summary>
public sealed class DecodeStream
{
    private readonly Tokenizer _tokenizer;
    private readonly DecodeOptions _options;
    private readonly bool _continues;
    private DecoderState _state;
    private string _uncleaned = "";

    internal DecodeStream(Tokenizer tokenizer, DecodeOptions options, bool continues = false)
    {
        _tokenizer = tokenizer;
        _options = options;
        _continues = continues;
        _state = tokenizer.Decoder.Start(options.Errors, continues);
    }

    /// <summary>Takes the next id; returns the text that is now certain (empty while a character is still incomplete).</summary>
    /// <exception cref="TokenizerException">The bytes are not UTF-8 and the options say <see cref="InvalidUtf8.Strict"/>.</exception>
    public string Append(int id) => _tokenizer.TokenToDecode(id, _options) is string token ? Clean(_state.Append(token), last: false) : "";

    /// <summary>Returns what is still held back; the stream then starts anew.</summary>
    /// <exception cref="TokenizerException">The bytes are not UTF-8 and the options say <see cref="InvalidUtf8.Strict"/>.</exception>
    public string Flush()
    {
        string rest = Clean(_state.Flush(), last: true);
        _state = _tokenizer.Decoder.Start(_options.Errors, _continues);
        return rest;
    }

    // What a clean-up rule may still reach into is held back.
    private string Clean(string text, bool last)
    {
        if (!_options.CleanUpTokenizationSpaces) return text;
        text = _uncleaned + text;
        int safe = last ? text.Length : CleanUp.SafeLength(text);
        _uncleaned = text[safe..];
        return CleanUp.Transformers(text[..safe]);
    }
}
