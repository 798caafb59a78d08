namespace ManagedTransformers.Server;

/// <summary>The logprobs of completions: four lists, one entry for each token. Offsets count Unicode code points from the start of the prompt.</summary>
/// <param name="tokenizer">Gives texts of tokens.</param>
/// <param name="offset">Where the first token stands.</param>
/// <param name="skipSpecialTokens">Whether the generated text is without special tokens.</param>
internal sealed class LegacyLogProbabilities(Tokenizer tokenizer, int offset, bool skipSpecialTokens)
{
    private const char Broken = '\uFFFD';
    private static readonly DecodeOptions s_plain = new() { SkipSpecialTokens = true };
    private readonly List<(string Token, TokenProbability? Probability, int Offset)> _tokens = [];
    private readonly List<int> _part = [];      // tokens that are not a whole character yet
    private int _before = -1, _offset = offset;

    public int Count => _tokens.Count;

    /// <summary>Code points of a text.</summary>
    public static int Length(string text) => text.EnumerateRunes().Count();

    /// <summary>Tokens of a prompt, the first of which has no probability.</summary>
    /// <param name="probabilities">One for each, or none.</param>
    /// <param name="prompt">The prompt. An empty text has a token nevertheless, which stands for nothing.</param>
    public void Add(IReadOnlyList<TokenProbability?> probabilities, CompletionPrompt prompt)
    {
        for (int i = 0; i < probabilities.Count; i++)
            Add(prompt.Request.PromptIds[i], probabilities[i], prompt.Text.Length == 0 ? s_plain : DecodeOptions.Default);
    }

    /// <summary>Generated tokens.</summary>
    public void Add(IReadOnlyList<TokenProbability> probabilities)
    {
        foreach (TokenProbability one in probabilities)
            Add(one.TokenId, one, skipSpecialTokens ? s_plain : DecodeOptions.Default);
    }

    private void Add(int id, TokenProbability? probability, DecodeOptions options)
    {
        _tokens.Add((probability?.TokenText ?? tokenizer.Decode([id]), probability, _offset));
        _part.Add(id);
        string text = tokenizer.Decode([.. _part], options);
        if (text.EndsWith(Broken) && _part.Count < 4)
            return;
        // After another token: some tokenizers drop the space before the first.
        _offset += _before < 0 ? Length(text) : Length(tokenizer.Decode([_before, .. _part], options)) - Length(tokenizer.Decode([_before], options));
        _before = _part[^1];
        _part.Clear();
    }

    /// <summary>Writes the lists, and forgets what was written.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        List(writer, "tokens", one => writer.WriteStringValue(one.Token));
        List(writer, "token_logprobs", one => writer.WriteFinite(one.Probability?.LogProbability ?? double.NaN));
        List(writer, "top_logprobs", one => Top(writer, one.Probability));
        List(writer, "text_offset", one => writer.WriteNumberValue(one.Offset));
        writer.WriteEndObject();
        _tokens.Clear();
    }

    private void List(Utf8JsonWriter writer, string name, Action<(string Token, TokenProbability? Probability, int Offset)> value)
    {
        writer.WriteStartArray(name);
        _tokens.ForEach(value);
        writer.WriteEndArray();
    }

    // The token itself is among them; of tokens with the same text the likeliest.
    private static void Top(Utf8JsonWriter writer, TokenProbability? probability)
    {
        if (probability is null)
        {
            writer.WriteNullValue();
            return;
        }
        writer.WriteStartObject();
        foreach (TokenProbability one in probability.Alternatives.Append(probability).DistinctBy(one => one.TokenText))
            writer.WriteFinite(one.TokenText, one.LogProbability);
        writer.WriteEndObject();
    }
}
