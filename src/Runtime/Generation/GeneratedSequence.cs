using System.Text;

namespace ManagedTransformers;


/// <summary>One continuation of a prompt.</summary>
/// <param name="PromptIndex">Which prompt of the call it continues.</param>
/// <param name="TokenIds">The new tokens, the end token included where one came.</param>
/// <param name="Text">Their text, without the end token, and without a stop string and what follows it; empty where there is no tokenizer.</param>
/// <param name="FinishReason">Why it ended.</param>
[DebuggerDisplay("{DebuggerText,nq}")]
public sealed record GeneratedSequence(int PromptIndex, IReadOnlyList<int> TokenIds, string Text, FinishReason FinishReason)
{
    /// <summary>Of beam search: the sum of the tokens' log probabilities over their number to the power of LengthPenalty (sequences_scores); null
    /// otherwise.</summary>
    public double? Score { get; init; }

    /// <summary>What the model gave to each token; null unless <see cref="GenerationOptions.TopLogProbabilities"/> asks for it.</summary>
    public IReadOnlyList<TokenProbability>? LogProbabilities { get; init; }

    private string DebuggerText => $"{TokenView.Quote(Text)}: {TokenIds.Count} tokens, {FinishReason}";
}

/// <summary>A piece of generated text.</summary>
/// <param name="Text">Whole characters; may be empty in the last piece.</param>
/// <param name="TokenIds">The tokens that it was made of; in the last piece also the end token, which has no text.</param>
[DebuggerDisplay("{DebuggerText,nq}")]
public sealed record TextPiece(string Text, IReadOnlyList<int> TokenIds)
{
    /// <summary>What the model gave to each of the tokens; null unless <see cref="GenerationOptions.TopLogProbabilities"/> asks for it.</summary>
    public IReadOnlyList<TokenProbability>? LogProbabilities { get; init; }

    /// <summary>In the last piece: why the text ended.</summary>
    public FinishReason? FinishReason { get; init; }

    /// <summary>In the last piece: what the text took.</summary>
    public GenerationUsage? Usage { get; init; }

    private string DebuggerText => $"{TokenView.Quote(Text)}: {TokenIds.Count} tokens";
}

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>It has as many tokens as were asked for.</summary>
    Length,

    /// <summary>An end token came.</summary>
    EndToken,

    /// <summary>A stop string came.</summary>
    StopString,

    /// <summary>The time was over.</summary>
    MaxTime,

    /// <summary>A stopping criterion of the caller's was met.</summary>
    Criterion,
}

/// <summary>What a generation gives: transformers' GenerateOutput.</summary>
/// <param name="Sequences">The texts, prompt by prompt, and of each prompt as many as were asked for.</param>
/// <param name="Usage">What they took.</param>
public sealed record GenerationOutput(IReadOnlyList<GeneratedSequence> Sequences, GenerationUsage Usage)
{
    /// <summary>Prompt and new tokens of each text as transformers' generate() returns them: rows of one length, the ended ones filled up.</summary>
    /// <param name="inputIds">The prompts of the call, as rows of one length, padding included.</param>
    /// <param name="padTokenId">What fills the rows: pad_token_id, else the first end token.</param>
    public int[][] PaddedSequences(IReadOnlyList<int[]> inputIds, int padTokenId)
    {
        ArgumentNullException.ThrowIfNull(inputIds);
        return PaddedPrompts.Sequences(inputIds, this, padTokenId);
    }
}

/// <summary>What a generation took.</summary>
public sealed record GenerationUsage
{
    /// <summary>Tokens of the prompts' texts that there was no room for (<see cref="GenerationOptions.TruncatePrompt"/>); they are not among
    /// <see cref="PromptTokens"/>.</summary>
    public int DroppedTokens { get; internal set; }

    /// <summary>How many of <see cref="InfillRequest.Files"/>, from the first, there was no room for.</summary>
    public int DroppedFiles { get; internal set; }

    /// <summary>Tokens of the prompts.</summary>
    public int PromptTokens { get; internal set; }

    /// <summary>Those of them that were not computed, because a session held them already or several texts share a prompt.</summary>
    public int CachedTokens { get; internal set; }

    /// <summary>Tokens of the texts that came out.</summary>
    public int NewTokens { get; internal set; }

    /// <summary>Passes of the model after the prompts were read: fewer than <see cref="NewTokens"/> where drafts were right, or rows went together.</summary>
    public int Passes { get; internal set; }

    /// <summary>Tokens that were drafted, by prompt lookup or a draft model.</summary>
    public int DraftedTokens { get; internal set; }

    /// <summary>Those of them that the model agreed with.</summary>
    public int AcceptedTokens { get; internal set; }

    /// <summary>Time spent on the prompts.</summary>
    public TimeSpan PrefillTime { get; internal set; }

    /// <summary>Time spent on new tokens.</summary>
    public TimeSpan DecodeTime { get; internal set; }

    internal void CountPrompt(SearchPrompt prompt)
    {
        PromptTokens += prompt.Tokens.Length;
        DroppedTokens += prompt.DroppedTokens;
        DroppedFiles = Math.Max(DroppedFiles, prompt.DroppedFiles);
    }

    internal void Add(GenerationUsage other)
    {
        PromptTokens += other.PromptTokens;
        DroppedTokens += other.DroppedTokens;
        DroppedFiles = Math.Max(DroppedFiles, other.DroppedFiles);
        CachedTokens += other.CachedTokens;
        NewTokens += other.NewTokens;
        Passes += other.Passes;
        DraftedTokens += other.DraftedTokens;
        AcceptedTokens += other.AcceptedTokens;
        PrefillTime += other.PrefillTime;
        DecodeTime += other.DecodeTime;
    }
}

/// <summary>The text of generated tokens: without the end token, and cut where the options ask for it.</summary>
internal static class CompletedText
{
    private static readonly DecodeOptions s_plain = new() { SkipSpecialTokens = true };

    /// <summary>Decodes all new tokens of a text; empty where there is no tokenizer.</summary>
    public static string Of(ReadOnlySpan<int> tokens, SearchPrompt prompt, GenerationPlan plan)
    {
        if (plan.NewDecoder(prompt) is not DecodeStream decoder)
            return "";
        if (tokens.Length > 0 && plan.EosTokenId.Contains(tokens[^1]))
            tokens = tokens[..^1];
        var text = new StringBuilder();
        foreach (int token in tokens)
            text.Append(decoder.Append(token));
        return Cut(text.Append(decoder.Flush()).ToString(), prompt, plan);
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
