namespace ManagedTransformers;

/// <summary>Ends a text when one of some strings is in it.</summary>
/// <remarks>transformers' StopStringCriteria, which looks at tokens; here it is the text, so that a string may begin and end inside tokens. Only the generated
/// text counts: a string that begins in the prompt does not end it.</remarks>
/// <param name="stopStrings">None of them empty.</param>
internal sealed class StopStringCriteria(IReadOnlyList<string> stopStrings) : StoppingCriterion
{
    internal override FinishReason Reason => FinishReason.StopString;

    public override bool IsMet(GenerationState state)
    {
        ReadOnlySpan<char> text = state.Text;
        foreach (string stop in stopStrings)
        {
            if (text.Contains(stop, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
