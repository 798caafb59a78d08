namespace ManagedTransformers;

/// <summary>The text of generated tokens: without the end token, and cut where the options ask for it.</summary>
internal static class CompletedText
{
    private static readonly DecodeOptions s_plain = new() { SkipSpecialTokens = true };

    /// <summary>Decodes all new tokens of a text; empty where there is no tokenizer.</summary>
    public static string Of(ReadOnlySpan<int> tokens, SearchPrompt prompt, GenerationPlan plan)
    {
        if (plan.Tokenizer is null)
            return "";
        if (tokens.Length > 0 && plan.EosTokenId.Contains(tokens[^1]))
            tokens = tokens[..^1];
        return Cut(plan.Tokenizer.Decode(tokens), prompt, plan);
    }

    /// <summary>Cuts a whole text: at stop strings, at patterns, where a recipe says.</summary>
    public static string Cut(string text, SearchPrompt prompt, GenerationPlan plan)
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
        if (plan.Options.TruncateBeforePattern is { Count: > 0 } patterns)
            text = CompletionTruncation.Truncate(text, patterns);
        return plan.Options.Truncation is TruncationRecipe recipe ? recipe.Apply(text, PromptFor(recipe, prompt.Tokens, plan.Tokenizer!)) : text;
    }

    /// <summary>The prompt's text, for a recipe that looks at it; empty for another one.</summary>
    public static string PromptFor(TruncationRecipe recipe, ReadOnlySpan<int> prompt, Tokenizer tokenizer) =>
        recipe.LooksAtPrompt ? tokenizer.Decode(prompt, s_plain) : "";
}
