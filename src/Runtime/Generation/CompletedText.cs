using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>The text of generated tokens: without the end token, and cut where the options ask for it.</summary>
internal sealed class CompletedText(Tokenizer tokenizer, GenerationPlan plan)
{
    /// <summary>Decodes all new tokens of a text.</summary>
    public string Of(ReadOnlySpan<int> tokens)
    {
        if (tokens.Length > 0 && plan.EosTokenId.Contains(tokens[^1]))
            tokens = tokens[..^1];
        return Cut(tokenizer.Decode(tokens));
    }

    /// <summary>Cuts a whole text at stop strings and truncation patterns.</summary>
    public string Cut(string text)
    {
        // All are looked for in the whole text: where two overlap, the one that begins first counts, whatever their order.
        int end = text.Length;
        foreach (string stop in plan.Options.StopStrings ?? [])
        {
            int place = text.IndexOf(stop, StringComparison.Ordinal);
            if (place >= 0)
                end = Math.Min(end, place);
        }
        text = text[..end];
        return plan.Options.TruncateBeforePattern is { Count: > 0 } patterns ? CodeGenTokenizer.Truncate(text, patterns) : text;
    }
}
