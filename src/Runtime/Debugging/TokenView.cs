namespace ManagedTransformers;

/// <summary>A token as debugger views show it: <c>318 " return"</c>; without a tokenizer the id alone.</summary>
[DebuggerDisplay("{ToString(),nq}")]
internal readonly record struct TokenView(int Id, string? Text)
{
    public static TokenView Of(Tokenizer? tokenizer, int id) => new(id, tokenizer?.Decode([id]));

    public static TokenView[] Of(Tokenizer? tokenizer, ReadOnlySpan<int> ids)
    {
        var tokens = new TokenView[ids.Length];
        for (int i = 0; i < ids.Length; i++)
            tokens[i] = Of(tokenizer, ids[i]);
        return tokens;
    }

    public override string ToString() => Text is null ? $"{Id}" : $"{Id} {Quote(Text)}";

    /// <summary>A text in quotes, on one line.</summary>
    public static string Quote(string text) => "\"" + string.Concat(text.Select(c => c switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ when char.IsControl(c) => $"\\u{(int)c:x4}",
        _ => c.ToString(),
    })) + "\"";
}

/// <summary>A row of scores of the next token, with the likeliest tokens by name.</summary>
[DebuggerDisplay("{Text,nq}")]
internal sealed class NextTokenView
{
    private const int AtAGlance = 3;
    private readonly string _label;

    public NextTokenView(string label, Tokenizer? tokenizer, ReadOnlySpan<float> scores)
    {
        _label = label;
        Likeliest = [.. LikelyIndex.Of(scores.ToArray()).Select(one => new LikelyToken(TokenView.Of(tokenizer, one.Index), one.Probability, one.Logit))];
    }

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public LikelyToken[] Likeliest { get; }

    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    private string Text => $"{_label}: {string.Join(", ", Likeliest.Take(AtAGlance).Select(one => one.Short))}";
}

/// <summary>A likely next token.</summary>
[DebuggerDisplay("{ToString(),nq}")]
internal readonly record struct LikelyToken(TokenView Token, double Probability, float Logit)
{
    internal string Short =>
        string.Create(CultureInfo.InvariantCulture, $"{(Token.Text is string text ? TokenView.Quote(text) : $"{Token.Id}")} {Probability:F4}");

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Token}: {Probability:F4} (logit {Logit:G4})");
}
