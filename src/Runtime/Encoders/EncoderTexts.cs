using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>Texts as rows that a model can read: no longer than it reads, each token with an embedding. All pipelines that read whole texts share it.</summary>
internal sealed class EncoderTexts
{
    private readonly PretrainedModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly int? _maxTokens;

    /// <summary>Finds the limit of a text: the smallest of the model's, the tokenizer's and the caller's (such as sentence-transformers'
    /// max_seq_length).</summary>
    /// <exception cref="ConfigException">It leaves no room for a text.</exception>
    public EncoderTexts(PretrainedModel model, Tokenizer tokenizer, int? maxTokens = null)
    {
        (_model, _tokenizer, _maxTokens) = (model, tokenizer, maxTokens);
        MaxTokens = Math.Min(Math.Min(maxTokens ?? int.MaxValue, tokenizer.ModelMaxLength ?? int.MaxValue), model.Config.MaxTokens);
        int special = tokenizer.CountSpecialTokens(pair: false);
        if (MaxTokens <= special)
            throw new ConfigException($"{model.Architecture} reads at most {MaxTokens} tokens ({Limit}), and the tokenizer puts {special} special ones " +
                "around a text: at least one more is needed. Use the configuration and the tokenizer that were saved with this checkpoint.");
    }

    /// <summary>The most tokens of a row, special tokens included.</summary>
    public int MaxTokens { get; }

    /// <summary>What sets <see cref="MaxTokens"/>.</summary>
    private string Limit =>
        MaxTokens == _model.Config.MaxTokens ? _model.Config.Positions.ToString()
        : MaxTokens == _maxTokens ? "max_seq_length"
        : "model_max_length of tokenizer_config.json";

    /// <summary>A text, or two, as one row with all columns of an encoding.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null: there is none.</param>
    /// <param name="truncation">Cut what is too long, of two texts the longer one first, instead of refusing it.</param>
    /// <param name="advice">What to do about a text that is too long.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="ModelInputException">A text is empty, or too long and <paramref name="truncation"/> is off, or it has a token without an
    /// embedding.</exception>
    public TokenEncoding Encode(
        string text, string? pair = null, bool truncation = false, string? advice = null, CancellationToken cancellationToken = default)
    {
        TokenEncoding row = _tokenizer.Encode(text, pair, OptionsOf(pair), cancellationToken);
        Require(text, pair, row.SequenceIds.Contains(0), row.SequenceIds.Contains(1), !truncation && row.Overflowing.Count > 0, advice, row.Ids);
        return row;
    }

    /// <summary>A text, or two, as one row.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null: there is none.</param>
    /// <param name="truncation">Cut what is too long, of two texts the longer one first, instead of refusing it.</param>
    /// <param name="advice">What to do about a text that is too long.</param>
    /// <param name="allowEmpty">Take a text without tokens for the special ones alone, if there are any.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <inheritdoc cref="Encode" path="/exception"/>
    public EncoderRow Row(
        string text, string? pair = null, bool truncation = false, string? advice = null, bool allowEmpty = false,
        CancellationToken cancellationToken = default)
    {
        TokenRow row = _tokenizer.EncodeRow(text, pair, OptionsOf(pair), cancellationToken);
        Require(text, pair, row.TextTokens > 0 || (allowEmpty && row.Ids.Length > 0), row.PairTokens > 0, !truncation && row.Truncated, advice, row.Ids);
        return new EncoderRow(row.Ids, row.TypeIds);
    }

    /// <summary>All of a text's tokens, without special ones, however many.</summary>
    /// <exception cref="ModelInputException">The text is empty, or has a token without an embedding.</exception>
    public TokenEncoding EncodeWhole(string text, CancellationToken cancellationToken = default)
    {
        TokenEncoding encoding = _tokenizer.Encode(text, pair: null, EncodeOptions.Plain, cancellationToken);
        if (encoding.Length == 0)
            throw NoTokens(text);
        RequireEmbeddings(encoding.Ids, text, pair: null);
        return encoding;
    }

    /// <summary>A text as windows of some tokens, special ones included, that share tokens of the text with the one before; each is made when it is asked
    /// for.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The window does not fit the model, or has no room for a new token.</exception>
    public IEnumerable<TokenEncoding> Windows(string text, int windowTokens, int overlap, CancellationToken cancellationToken = default)
    {
        int special = _tokenizer.CountSpecialTokens(pair: false), room = windowTokens - special;
        if (windowTokens > MaxTokens || room < 1)
            throw new ArgumentOutOfRangeException(nameof(windowTokens), $"A window of {windowTokens} tokens was asked for; " +
                $"{special + 1} … {MaxTokens} are possible ({special} of them are special tokens).");
        if (overlap < 0 || overlap >= room)
            throw new ArgumentOutOfRangeException(nameof(overlap), $"Windows that share {overlap} tokens were asked for; a window has room for {room}, " +
                $"so 0 … {room - 1} is needed.");
        var truncation = new Truncation(windowTokens) { Stride = overlap };
        TokenEncoding first = _tokenizer.Encode(text, pair: null, new EncodeOptions { Truncation = truncation, Padding = Padding.None }, cancellationToken);
        return first.Overflowing.Prepend(first);
    }

    private EncodeOptions OptionsOf(string? pair) =>
        new() { Truncation = new Truncation(Math.Max(MaxTokens, _tokenizer.CountSpecialTokens(pair is not null))), Padding = Padding.None };

    private void Require(string text, string? pair, bool hasText, bool hasPair, bool isTooLong, string? advice, int[] ids)
    {
        int special = _tokenizer.CountSpecialTokens(pair is not null);
        if (!hasText)
            RequireTokens(text);
        if (pair is not null && !hasPair)
            RequireTokens(pair);
        if (isTooLong)
            throw TooLong(text, pair, special, advice ?? $"Pass Truncation = true, or {(pair is null ? "split it" : "shorten them")}.");
        if (pair is not null && MaxTokens < special + 2)
            throw new ModelInputException($"{_model.Architecture} reads at most {MaxTokens} tokens ({Limit}), and {special} special ones stand around two " +
                "texts: there is no room for a token of each.");
        RequireEmbeddings(ids, text, pair);
    }

    private void RequireTokens(string text)
    {
        if (_tokenizer.CountTokens(text, EncodeOptions.Plain) == 0)
            throw NoTokens(text);
    }

    private static ModelInputException NoTokens(string text) => new(text.Length == 0
        ? "The text is empty; at least one token is needed."
        : $"The text ({text.Length} characters) has no token left after the tokenizer's normalisation; at least one is needed.");

    private void RequireEmbeddings(int[] ids, string text, string? pair)
    {
        int vocabSize = _model.Config.VocabSize, beyond = Array.FindIndex(ids, id => id >= vocabSize);
        if (beyond < 0)
            return;
        // As the text has it: an added token may take white space along.
        TokenEncoding whole = _tokenizer.Encode(text, pair, new EncodeOptions { Truncation = Truncation.None, Padding = Padding.None });
        string token = whole.Tokens[Array.IndexOf(whole.Ids, ids[beyond])];
        throw new ModelInputException($"The text has the token \"{token}\" with id {ids[beyond]}, for which {_model.Architecture} has " +
            $"no embedding: its vocab_size is {vocabSize}, the tokenizer has {_tokenizer.VocabularySize} tokens. " +
            "Leave the token out, or use the tokenizer files that were saved with this checkpoint.");
    }

    private ModelInputException TooLong(string text, string? pair, int special, string advice)
    {
        int tokens = _tokenizer.EncodeRow(text, pair, new EncodeOptions { Truncation = Truncation.None }).Ids.Length;
        string with = special > 0 ? $", {special} of them special" : "";
        string texts = pair is null ? "text is" : "two texts are";
        return new ModelInputException($"The {texts} {tokens} tokens{with}; {_model.Architecture} reads at most {MaxTokens} ({Limit}). {advice}");
    }
}
