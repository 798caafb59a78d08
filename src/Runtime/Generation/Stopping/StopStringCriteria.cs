namespace ManagedTransformers;

/// <summary>Ends a text when one of some strings is in it.</summary>
/// <remarks>
/// transformers' StopStringCriteria, which looks at tokens; here it is the text, so that a string may begin and end inside tokens. Only the
/// generated text counts: a string that begins in the prompt does not end it.
/// </remarks>
public sealed class StopStringCriteria : StoppingCriterion
{
    private readonly string[] _stopStrings;

    /// <summary>Strings.</summary>
    /// <param name="stopStrings">None of them empty.</param>
    /// <exception cref="ArgumentException">One is empty.</exception>
    public StopStringCriteria(IReadOnlyList<string> stopStrings)
    {
        ArgumentNullException.ThrowIfNull(stopStrings);
        if (stopStrings.Any(string.IsNullOrEmpty))
            throw new ArgumentException("A stop string is empty, and every text holds an empty string; at least one character is needed.", nameof(stopStrings));
        _stopStrings = [.. stopStrings];
    }

    /// <inheritdoc/>
    public override bool IsMet(GenerationState state)
    {
        ReadOnlySpan<char> text = state.Text;
        foreach (string stop in _stopStrings)
        {
            if (text.Contains(stop, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
