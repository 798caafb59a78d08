using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Cli;

/// <summary>A prompt, the text that continues it (without the prompt; the best of several), and the new ids, an end token included.</summary>
internal sealed record GenerateResult(string Prompt, string GeneratedText, int[] TokenIds, string FinishReason)
{
    /// <summary>With --logprobs: what the model gave to each token.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ChosenToken[]? LogProbabilities { get; init; }

    /// <summary>Of several texts or beams: all of them, the best one first.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public WrittenText[]? Sequences { get; init; }

    /// <summary>With --timings: what it took.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public UsageResult? Usage { get; init; }

    /// <summary>A result of one text, or of several.</summary>
    public static GenerateResult Of(string prompt, IReadOnlyList<WrittenText> texts, UsageResult? usage) =>
        new(prompt, texts[0].GeneratedText, texts[0].TokenIds, texts[0].FinishReason)
        {
            LogProbabilities = texts.Count == 1 ? texts[0].LogProbabilities : null,
            Sequences = texts.Count > 1 || texts[0].Score is not null ? [.. texts] : null,
            Usage = usage,
        };
}

/// <summary>One text of several.</summary>
internal sealed record WrittenText(string GeneratedText, int[] TokenIds, string FinishReason)
{
    /// <summary>Of beam search: the sum of log probabilities over length to the power of the length penalty.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Score { get; init; }

    /// <summary>With --logprobs.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ChosenToken[]? LogProbabilities { get; init; }

    /// <summary>A generated text.</summary>
    public static WrittenText Of(GeneratedSequence one) => new(one.Text, [.. one.TokenIds], NameOf(one.FinishReason))
    {
        Score = one.Score, LogProbabilities = one.LogProbabilities is null ? null : [.. one.LogProbabilities.Select(ChosenToken.Of)],
    };

    /// <summary>Why a text ended, as JSON has it: <c>end_token</c>.</summary>
    public static string NameOf(FinishReason reason) => JsonNamingPolicy.SnakeCaseLower.ConvertName(reason.ToString());
}

/// <summary>A token and the natural logarithm of its probability. Token and text are empty without a tokenizer.</summary>
internal sealed record NamedToken(int TokenId, string Token, string TokenText, double LogProbability)
{
    public static NamedToken Of(TokenProbability token) => new(token.TokenId, token.Token, token.TokenText, token.LogProbability);
}

/// <summary>The same of a token of the text, with the likeliest tokens of its place.</summary>
internal sealed record ChosenToken(int TokenId, string Token, string TokenText, double LogProbability, NamedToken[] Alternatives)
{
    public static ChosenToken Of(TokenProbability token) =>
        new(token.TokenId, token.Token, token.TokenText, token.LogProbability, [.. token.Alternatives.Select(NamedToken.Of)]);
}

/// <summary>What a generation took; rates are tokens per second, null where nothing was computed.</summary>
internal sealed record UsageResult(
    int PromptTokens, int CachedTokens, double? PromptTokensPerSecond, int NewTokens, double? NewTokensPerSecond, int Passes,
    int DraftedTokens, int AcceptedTokens)
{
    /// <summary>The usage of a call.</summary>
    /// <param name="usage">As the runtime counts it.</param>
    /// <param name="first">Tokens that were chosen as prompts were read: the first one of each text.</param>
    public static UsageResult Of(GenerationUsage usage, int first)
    {
        static double? Rate(int tokens, TimeSpan time) => tokens > 0 && time > TimeSpan.Zero ? tokens / time.TotalSeconds : null;
        return new UsageResult(
            usage.PromptTokens, usage.CachedTokens, Rate(usage.PromptTokens - usage.CachedTokens, usage.PrefillTime),
            usage.NewTokens, Rate(usage.NewTokens - first, usage.DecodeTime), usage.Passes, usage.DraftedTokens, usage.AcceptedTokens);
    }

    /// <summary>Writes it for people, on standard error: standard output holds the text.</summary>
    public void Write(CliConsole console)
    {
        static string Shown(double? rate) => rate is double value ? $", {value:0.0} tokens/s" : "";
        console.Error.WriteLine($"prompt   {PromptTokens} tokens, {CachedTokens} of them cached{Shown(PromptTokensPerSecond)}");
        console.Error.WriteLine($"new      {NewTokens} tokens{Shown(NewTokensPerSecond)}, {Passes} passes");
        if (DraftedTokens > 0)
            console.Error.WriteLine($"drafted  {DraftedTokens} tokens, {AcceptedTokens} of them accepted");
    }
}
