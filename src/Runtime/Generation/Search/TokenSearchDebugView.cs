namespace ManagedTransformers;

/// <summary>A generation loop as a debugger opens it: its texts, and which tokens the scores make likely.</summary>
internal sealed class TokenSearchDebugView(TokenSearch search)
{
    public SearchRow[] Rows => [.. search.Rows];

    /// <summary>After the last pass: the ten likeliest tokens of each row of scores, as processors left them so far.</summary>
    public NextTokenView[] NextTokens => search.NextTokens();

    public GenerationUsage Usage => search.Usage;

    public Session Session => search.Session;
}
