namespace ManagedTransformers;

/// <summary>truncate_before_pattern. What a pattern may still match is unknown until the text is complete.</summary>
internal sealed class PatternRecipe : TruncationRecipe
{
    private readonly string[] _patterns;

    /// <exception cref="TokenizerException">A pattern is no regular expression.</exception>
    public PatternRecipe(IReadOnlyList<string> patterns)
    {
        ArgumentNullException.ThrowIfNull(patterns);
        _patterns = [.. patterns];
        CompletionTruncation.Truncate("", _patterns);       // compiles them: a wrong one is told here, not after a minute of generation
    }

    internal override TruncationPoint Find(string prompt, string completion, bool complete) =>
        complete ? new TruncationPoint(CompletionTruncation.Truncate(completion, _patterns).Length, IsCertain: true) : default;
}
