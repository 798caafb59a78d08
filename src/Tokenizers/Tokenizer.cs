using System.Diagnostics;
using System.Text;

namespace ManagedTransformers.Tokenizers;


/// <summary>Text to ids and back, equal to Hugging Face's tokenizers library (0.22). Immutable and thread-safe.</summary>
/// <remarks>Lone surrogates in a text, which UTF-8 cannot say, count as U+FFFD.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(TokenizerDebugView))]
public sealed partial class Tokenizer
{
    private readonly TokenizerParts _parts;
    private readonly int _vocabularySize;

    internal Tokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _pieces = BertPieces.Of(parts);
        AddedTokens = [.. parts.Added.ById.Values.OrderBy(t => t.Id)];
        _vocabularySize = parts.Model.Vocabulary.Count + AddedTokens.Count(t => !parts.Model.Vocabulary.TryGetId(t.Content, out _));
    }

    /// <summary>Special tokens by role.</summary>
    public SpecialTokens SpecialTokens => _parts.SpecialTokens;

    /// <summary>Added tokens, by id.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>model_max_length of tokenizer_config.json; null where it says none (or transformers' 1e30).</summary>
    public int? ModelMaxLength => _parts.ModelMaxLength;

    /// <summary>clean_up_tokenization_spaces of tokenizer_config.json: whether transformers would clean decoded text up unasked.</summary>
    public bool CleanUpTokenizationSpaces => _parts.CleanUpTokenizationSpaces;

    /// <summary>Number of tokens, added tokens included.</summary>
    public int VocabularySize => _vocabularySize;

    /// <summary>This tokenizer with other special tokens around a text and a pair of texts, in place of those that it puts there itself:
    /// <c>WithTemplate("&lt;cls> $A &lt;sep>", "&lt;cls> $A &lt;sep> $B:1 &lt;sep>:1")</c> is what StarEncoder was trained with.</summary>
    /// <param name="text">For one text: tokens and <c>$A</c>, with spaces between them; a colon and a number after each is its token_type_id, else 0.</param>
    /// <param name="pair">For two texts, <c>$A</c> and <c>$B</c>.</param>
    /// <remarks>The templates of the library's TemplateProcessing.</remarks>
    /// <exception cref="TokenizerException">A token is not in the vocabulary, or a template does not have its texts, each once.</exception>
    public Tokenizer WithTemplate(string text, string pair)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(pair);
        var template = new TemplateProcessing(TemplatePiece.Parse(text, 1, TokenToId), TemplatePiece.Parse(pair, 2, TokenToId));
        return new Tokenizer(_parts with
        {
            PostProcessor = _parts.PostProcessor is null ? template : new SequencePostProcessor([new WithoutSpecialTokens(_parts.PostProcessor), template]),
        });
    }

    internal TokenDecoder Decoder => _parts.Decoder;
    internal TokenizerParts Parts => _parts;

    /// <summary>Loads the tokenizer of a model directory: tokenizer.json, or vocab.json + merges.txt (+ added_tokens.json), or vocab.txt, or SentencePiece's
    /// tokenizer.model or sentencepiece.bpe.model.</summary>
    /// <param name="directory">Where the files lie. Beside them tokenizer_config.json, special_tokens_map.json and config.json are read, nothing else.</param>
    /// <param name="options">What the files do not say.</param>
    /// <exception cref="TokenizerException">A file is missing or bad.</exception>
    public static Tokenizer Load(string directory, TokenizerLoadOptions? options = null) => TokenizerLoader.Load(TokenizerFiles.Read(directory), options);

    /// <summary>Loads a tokenizer from the bytes of its files, by file name; nothing is read from disk.</summary>
    /// <exception cref="TokenizerException">A file is missing or bad.</exception>
    public static Tokenizer FromFiles(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, TokenizerLoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(files);
        return TokenizerLoader.Load(new TokenizerFiles(files, "the given files"), options);
    }

    /// <summary>Loads a tokenizer from tokenizer.json and, if given, tokenizer_config.json.</summary>
    /// <exception cref="TokenizerException">A file is bad.</exception>
    public static Tokenizer FromJson(ReadOnlyMemory<byte> tokenizerJson, ReadOnlyMemory<byte>? tokenizerConfig = null)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>> { [TokenizerFiles.TokenizerJson] = tokenizerJson };
        if (tokenizerConfig is ReadOnlyMemory<byte> config) files.Add(TokenizerFiles.TokenizerConfigJson, config);
        return FromFiles(files);
    }

    /// <summary>Loads a tokenizer from a stream of tokenizer.json and, if given, one of tokenizer_config.json.</summary>
    /// <exception cref="TokenizerException">A file is bad.</exception>
    public static Tokenizer FromJson(Stream tokenizerJson, Stream? tokenizerConfig = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizerJson);
        return FromJson(ReadAll(tokenizerJson), tokenizerConfig is null ? default(ReadOnlyMemory<byte>?) : ReadAll(tokenizerConfig));
    }

    /// <summary>Encodes a text, or a pair of texts. <see cref="EncodeToIds"/> is faster where ids are all that is needed.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null: there is none.</param>
    /// <param name="options">Special tokens, truncation, padding.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="TokenizerException">Truncation is impossible as asked.</exception>
    public TokenEncoding Encode(string text, string? pair = null, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= EncodeOptions.Default;
        return Pad([EncodeOne(text, pair, options, cancellationToken)], options)[0];
    }

    /// <summary>Encodes words that were split before; offsets are within each word, word ids count the words.</summary>
    /// <exception cref="TokenizerException">Truncation is impossible as asked.</exception>
    public TokenEncoding EncodeWords(IReadOnlyList<string> words, IReadOnlyList<string>? pair = null, EncodeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(words);
        options ??= EncodeOptions.Default;
        TokenEncoding first = EncodeParts(words, sequence: 0);
        TokenEncoding? second = pair is null ? null : EncodeParts(pair, sequence: 1);
        return Pad([Finish(first, second, options)], options)[0];
    }

    /// <summary>Encodes texts, padded to one length where the options ask for it; on as many threads as they say.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="options">Special tokens, truncation, padding, threads.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public IReadOnlyList<TokenEncoding> EncodeBatch(
        IReadOnlyList<string> texts, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return EncodeBatch([.. texts.Select(text => (text, (string?)null))], options, cancellationToken);
    }

    /// <summary>Encodes pairs of texts, padded to one length where the options ask for it; on as many threads as they say.</summary>
    /// <param name="pairs">The pairs.</param>
    /// <param name="options">Special tokens, truncation, padding, threads.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="TokenizerException">Truncation or padding is impossible as asked.</exception>
    public IReadOnlyList<TokenEncoding> EncodeBatch(
        IReadOnlyList<(string Text, string? Pair)> pairs, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        options ??= EncodeOptions.Default;
        return Pad(TextBatch.Run(
            pairs.Count, options.MaxThreads, i => EncodeOne(pairs[i].Text, pairs[i].Pair, options, cancellationToken), cancellationToken), options);
    }

    /// <summary>Ids as text. Ids without a token are left out, as the library does.</summary>
    /// <exception cref="TokenizerException">The bytes are not UTF-8 and the options say <see cref="InvalidUtf8.Strict"/>.</exception>
    public string Decode(ReadOnlySpan<int> ids, DecodeOptions? options = null)
    {
        options ??= DecodeOptions.Default;
        var text = new StringBuilder();
        DecoderState state = Decoder.Start(options.Errors);
        foreach (int id in ids)
            if (TokenToDecode(id, options) is string token) text.Append(state.Append(token));
        text.Append(state.Flush());
        return options.CleanUpTokenizationSpaces ? CleanUp.Transformers(text.ToString()) : text.ToString();
    }

    /// <summary>Ids as text, once with each candidate in place of one of them: what <see cref="Decode"/> gives, but the others are decoded once.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="place">The number of the one that is replaced. What stands on both sides must be whole characters, as it is around a mask.</param>
    /// <param name="candidates">The ids that replace it.</param>
    /// <param name="options">How ids become text.</param>
    /// <exception cref="TokenizerException">The bytes are not UTF-8 and the options say <see cref="InvalidUtf8.Strict"/>.</exception>
    public IReadOnlyList<string> DecodeFilled(ReadOnlySpan<int> ids, int place, ReadOnlySpan<int> candidates, DecodeOptions? options = null) =>
        FilledText.Decode(this, ids, place, candidates, options ?? DecodeOptions.Default);

    /// <summary>A stream that decodes ids as they come.</summary>
    public DecodeStream CreateDecodeStream(DecodeOptions? options = null) => new(this, options ?? DecodeOptions.Default);

    /// <summary>The id of a token; null where there is none.</summary>
    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _parts.Added.TryGetId(token, out int id) || _parts.Model.Vocabulary.TryGetId(token, out id) ? id : null;
    }

    /// <summary>The token of an id; null where there is none.</summary>
    public string? IdToToken(int id) => _parts.Added.ById.TryGetValue(id, out AddedToken? added) ? added.Content : _parts.Model.Vocabulary.TokenOf(id);

    /// <summary>How many special tokens Encode adds to a text, or to a pair of texts.</summary>
    public int CountSpecialTokens(bool pair) => _parts.PostProcessor?.AddedTokens(pair) ?? 0;

    /// <summary>The token that decoding an id writes; null for none.</summary>
    internal string? TokenToDecode(int id, DecodeOptions options)
    {
        string? token = IdToToken(id);
        return token is not null && options.SkipSpecialTokens && _parts.Added.IsSpecial(token) ? null : token;
    }

    private string DebuggerText =>
        $"{_parts.Model.GetType().Name}, {VocabularySize} tokens, {AddedTokens.Count} of them added; special: {SpecialTokens.Summary}";

    private TokenEncoding EncodeParts(IReadOnlyList<string> words, int sequence)
    {
        var encodings = new TokenEncoding[words.Count];
        for (int i = 0; i < encodings.Length; i++) encodings[i] = EncodePart(words[i], sequence, word: i, CancellationToken.None);
        return encodings.Length == 0 ? new TokenEncoding() : TokenEncoding.Concat(encodings);
    }

    private TokenEncoding EncodeOne(string text, string? pair, EncodeOptions options, CancellationToken cancellationToken)
    {
        TokenEncoding first = EncodePart(text, sequence: 0, word: null, cancellationToken);
        return Finish(first, pair is null ? null : EncodePart(pair, sequence: 1, word: null, cancellationToken), options);
    }

    private TokenEncoding EncodePart(string text, int sequence, int? word, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = AlignedText.WellFormed(text);
        var collector = new TokenCollector(_parts.Model, _parts.PreTokenizer, text.Length, cancellationToken);
        _parts.Added.Extract(text, collector, cancellationToken);
        return collector.ToEncoding(text, sequence, word);
    }

    private TokenEncoding Finish(TokenEncoding first, TokenEncoding? second, EncodeOptions options)
    {
        if (TruncationOf(options) is Truncation truncation)
            (first, second) = Truncator.Truncate(
                first, second, truncation, SpecialTokensAdded(second is not null, options), CountSpecialTokens(pair: false));
        List<TokenEncoding> encodings = second is null ? [first] : [first, second];
        if (_parts.PostProcessor is not null) encodings = _parts.PostProcessor.Process(encodings, options.AddSpecialTokens);
        return TokenEncoding.Merge(encodings);
    }

    private TokenEncoding[] Pad(TokenEncoding[] encodings, EncodeOptions options)
    {
        if (PaddingOf(options) is not Padding padding || encodings.Length == 0) return encodings;
        int id = PadIdOf(padding);
        return Padder.Pad(encodings, padding, id, padding.PadToken ?? IdToToken(id) ?? "[PAD]");
    }

    private Truncation? TruncationOf(EncodeOptions options) =>
        (options.Truncation ?? _parts.Truncation) is Truncation truncation && !ReferenceEquals(truncation, Truncation.None) ? truncation : null;

    private Padding? PaddingOf(EncodeOptions options) =>
        (options.Padding ?? _parts.Padding) is Padding padding && !ReferenceEquals(padding, Padding.None) ? padding : null;

    private int SpecialTokensAdded(bool pair, EncodeOptions options) => options.AddSpecialTokens ? CountSpecialTokens(pair) : 0;

    private int PadIdOf(Padding padding) => padding.PadId ?? SpecialTokens.PadTokenId ?? throw new TokenizerException(
        "Padding needs the id of the filling: this tokenizer names no pad token. Set Padding.PadId (the end token is often used: "
        + $"{SpecialTokens.EosTokenId?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none here"}), " +
        "or name a pad_token in tokenizer_config.json.");

    private static byte[] ReadAll(Stream stream)
    {
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return memory.ToArray();
    }
}

/// <summary>What a tokenizer is made of; the names are those of tokenizer.json.</summary>
internal sealed record TokenizerParts(TokenModel Model, AddedVocabulary Added)
{
    public PreTokenizer? PreTokenizer { get; init; }
    public PostProcessor? PostProcessor { get; init; }
    public TokenDecoder Decoder { get; init; } = new SpaceDecoder();
    public SpecialTokens SpecialTokens { get; init; } = SpecialTokens.None;
    public int? ModelMaxLength { get; init; }
    public bool CleanUpTokenizationSpaces { get; init; }
    public Truncation? Truncation { get; init; }
    public Padding? Padding { get; init; }
}

/// <summary>A tokenizer as a debugger opens it: its parts in the order in which a text goes through them.</summary>
internal sealed class TokenizerDebugView(Tokenizer tokenizer)
{
    public PreTokenizer? PreTokenizer => tokenizer.Parts.PreTokenizer;
    public TokenModel Model => tokenizer.Parts.Model;
    public PostProcessor? PostProcessor => tokenizer.Parts.PostProcessor;
    public TokenDecoder Decoder => tokenizer.Parts.Decoder;
    public int VocabularySize => tokenizer.VocabularySize;
    public AddedToken[] AddedTokens => [.. tokenizer.AddedTokens];
    public SpecialTokens SpecialTokens => tokenizer.SpecialTokens;
    public int? ModelMaxLength => tokenizer.ModelMaxLength;
}

/// <summary>What a directory's files do not say themselves.</summary>
public sealed record TokenizerLoadOptions
{
    /// <summary>The kind of model that the tokenizer belongs to, whatever tokenizer_config.json and config.json say: "roberta", "gpt2", "codegen", "bert" or
    /// another model_type whose tokenizer runs here.</summary>
    public string? ModelType { get; init; }

    /// <summary>Ignores tokenizer.json, so that vocab.json + merges.txt, vocab.txt or a SentencePiece model are read.</summary>
    public bool IgnoreTokenizerJson { get; init; }

    /// <summary>Tokenizer classes (with or without Fast) that are a known one under another name, and kinds of model (model_type) that have its tokenizer:
    /// <c>["MyTokenizer"] = "RobertaTokenizer"</c>.</summary>
    public IReadOnlyDictionary<string, string> ClassAliases { get; init; } = new Dictionary<string, string>();
}

/// <summary>A tokenizer that cannot be loaded, or an encoding that its options forbid. The message says where, what was found, what was needed and what to
/// do.</summary>
public sealed class TokenizerException : ManagedTransformersException
{
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
