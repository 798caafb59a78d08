namespace ManagedTransformers.Tokenizers;

/// <summary>Text to ids and back, equal to Hugging Face's tokenizers library. Immutable and thread-safe.</summary>
public sealed class Tokenizer
{
    private Tokenizer()
    {
    }

    /// <summary>Special tokens by role.</summary>
    public SpecialTokens SpecialTokens { get; } = SpecialTokens.None;

    /// <summary>Added tokens, by id.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; } = [];

    /// <summary>model_max_length of tokenizer_config.json; null where it says none.</summary>
    public int? ModelMaxLength { get; }

    /// <summary>Number of tokens, added tokens included.</summary>
    public int VocabularySize { get; }

    /// <summary>Loads the tokenizer of a model directory: tokenizer.json, or vocab.json + merges.txt (+ added_tokens.json), or vocab.txt.</summary>
    /// <exception cref="TokenizerException">A file is missing or bad.</exception>
    public static Tokenizer Load(string directory, TokenizerLoadOptions? options = null) => throw new NotSupportedException();

    /// <summary>Loads a tokenizer from the bytes of its files, by file name; nothing is read from disk.</summary>
    /// <exception cref="TokenizerException">A file is missing or bad.</exception>
    public static Tokenizer FromFiles(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, TokenizerLoadOptions? options = null) =>
        throw new NotSupportedException();

    /// <summary>Loads a tokenizer from tokenizer.json and, if given, tokenizer_config.json.</summary>
    /// <exception cref="TokenizerException">A file is bad.</exception>
    public static Tokenizer FromJson(ReadOnlyMemory<byte> tokenizerJson, ReadOnlyMemory<byte>? tokenizerConfig = null) => throw new NotSupportedException();

    /// <summary>Loads a tokenizer from a stream of tokenizer.json and, if given, one of tokenizer_config.json.</summary>
    /// <exception cref="TokenizerException">A file is bad.</exception>
    public static Tokenizer FromJson(Stream tokenizerJson, Stream? tokenizerConfig = null) => throw new NotSupportedException();

    /// <summary>Encodes a text, or a pair of texts. Lone surrogates count as U+FFFD.</summary>
    /// <exception cref="TokenizerException">Truncation is impossible as asked.</exception>
    public Encoding Encode(string text, string? pair = null, EncodeOptions? options = null) => throw new NotSupportedException();

    /// <summary>Encodes words that were split before; offsets are within each word, word ids count the words.</summary>
    /// <exception cref="TokenizerException">Truncation is impossible as asked.</exception>
    public Encoding EncodeWords(IReadOnlyList<string> words, IReadOnlyList<string>? pair = null, EncodeOptions? options = null) => throw new NotSupportedException();

    /// <summary>Encodes texts, padded to one length where the options ask for it.</summary>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public IReadOnlyList<Encoding> EncodeBatch(IReadOnlyList<string> texts, EncodeOptions? options = null) => throw new NotSupportedException();

    /// <summary>Encodes pairs of texts, padded to one length where the options ask for it.</summary>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public IReadOnlyList<Encoding> EncodeBatch(IReadOnlyList<(string Text, string? Pair)> pairs, EncodeOptions? options = null) => throw new NotSupportedException();

    /// <summary>Ids as text. Ids without a token are left out, as the library does.</summary>
    public string Decode(ReadOnlySpan<int> ids, DecodeOptions? options = null) => throw new NotSupportedException();

    /// <summary>A stream that decodes ids as they come.</summary>
    public DecodeStream CreateDecodeStream(DecodeOptions? options = null) => new();

    /// <summary>The id of a token; null where there is none.</summary>
    public int? TokenToId(string token) => throw new NotSupportedException();

    /// <summary>The token of an id; null where there is none.</summary>
    public string? IdToToken(int id) => throw new NotSupportedException();

    /// <summary>How many special tokens Encode adds to a text, or to a pair of texts.</summary>
    public int CountSpecialTokens(bool pair) => throw new NotSupportedException();
}
