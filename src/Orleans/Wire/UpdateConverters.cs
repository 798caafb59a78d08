using System.Diagnostics.CodeAnalysis;

namespace ManagedTransformers.Orleans;

/// <summary>A <see cref="GenerationUpdate"/> on its way from a silo.</summary>
[GenerateSerializer, Immutable]
internal struct UpdateOnWire
{
    [Id(0)]
    public int Index;

    [Id(1)]
    public string Text;

    [Id(2)]
    public int[] TokenIds;

    [Id(3)]
    public ProbabilityOnWire?[]? LogProbabilities;

    [Id(4)]
    public int? FinishReason;

    [Id(5)]
    public UsageOnWire? Usage;

    [Id(6)]
    public ProbabilityOnWire?[]? PromptLogProbabilities;
}

/// <summary>A <see cref="TokenProbability"/> on its way.</summary>
[GenerateSerializer, Immutable]
internal sealed record ProbabilityOnWire(
    [property: Id(0)] int TokenId, [property: Id(1)] string Token, [property: Id(2)] string TokenText, [property: Id(3)] double LogProbability,
    [property: Id(4)] ProbabilityOnWire[] Alternatives)
{
    [return: NotNullIfNotNull(nameof(all))]
    public static ProbabilityOnWire?[]? Of(IReadOnlyList<TokenProbability?>? all) => all is null ? null : [.. all.Select(one => one is null ? null : Of(one))];

    public TokenProbability Read() =>
        new(TokenId, Token, TokenText, LogProbability) { Alternatives = [.. Alternatives.Select(one => one.Read())] };

    private static ProbabilityOnWire Of(TokenProbability one) =>
        new(one.TokenId, one.Token, one.TokenText, one.LogProbability, [.. one.Alternatives.Select(Of)]);
}

/// <summary>A <see cref="GenerationUsage"/> on its way.</summary>
[GenerateSerializer, Immutable]
internal sealed record UsageOnWire(
    [property: Id(0)] int[] Counts, [property: Id(1)] TimeSpan PrefillTime, [property: Id(2)] TimeSpan DecodeTime)
{
    public static UsageOnWire? Of(GenerationUsage? usage) => usage is null ? null : new UsageOnWire(
        [
            usage.DroppedTokens, usage.DroppedFiles, usage.PromptTokens, usage.CachedTokens, usage.NewTokens, usage.Passes, usage.DraftedTokens,
            usage.AcceptedTokens,
        ],
        usage.PrefillTime, usage.DecodeTime);

    public GenerationUsage Read() => new()
    {
        DroppedTokens = Counts[0], DroppedFiles = Counts[1], PromptTokens = Counts[2], CachedTokens = Counts[3], NewTokens = Counts[4], Passes = Counts[5],
        DraftedTokens = Counts[6], AcceptedTokens = Counts[7], PrefillTime = PrefillTime, DecodeTime = DecodeTime,
    };
}

/// <summary>Reads and writes updates.</summary>
[RegisterConverter]
internal sealed class UpdateConverter : IConverter<GenerationUpdate, UpdateOnWire>
{
    public GenerationUpdate ConvertFromSurrogate(in UpdateOnWire surrogate)
    {
        var piece = new TextPiece(surrogate.Text, surrogate.TokenIds)
        {
            LogProbabilities = surrogate.LogProbabilities is { } all ? [.. all.Select(one => one!.Read())] : null,
            FinishReason = (FinishReason?)surrogate.FinishReason, Usage = surrogate.Usage?.Read(),
        };
        return new GenerationUpdate(surrogate.Index, piece)
        {
            PromptLogProbabilities = surrogate.PromptLogProbabilities is { } prompt ? [.. prompt.Select(one => one?.Read())] : null,
        };
    }

    public UpdateOnWire ConvertToSurrogate(in GenerationUpdate value) => new()
    {
        Index = value.Index, Text = value.Piece.Text, TokenIds = [.. value.Piece.TokenIds],
        LogProbabilities = ProbabilityOnWire.Of(value.Piece.LogProbabilities), FinishReason = (int?)value.Piece.FinishReason,
        Usage = UsageOnWire.Of(value.Piece.Usage), PromptLogProbabilities = ProbabilityOnWire.Of(value.PromptLogProbabilities),
    };
}
