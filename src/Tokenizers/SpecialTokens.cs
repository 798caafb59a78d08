using System.Diagnostics;

namespace ManagedTransformers.Tokenizers;

/// <summary>The tokens with a role, as tokenizer_config.json and special_tokens_map.json name them; null where there is none.</summary>
[DebuggerDisplay("{Summary,nq}")]
public sealed record SpecialTokens
{
    /// <summary>None at all.</summary>
    public static SpecialTokens None { get; } = new();

    /// <summary>Beginning of a text.</summary>
    public string? BosToken { get; init; }

    /// <summary>End of a text.</summary>
    public string? EosToken { get; init; }

    /// <summary>What the vocabulary does not know.</summary>
    public string? UnkToken { get; init; }

    /// <summary>Between two texts.</summary>
    public string? SepToken { get; init; }

    /// <summary>Fills a batch up to equal lengths.</summary>
    public string? PadToken { get; init; }

    /// <summary>Stands for the whole text.</summary>
    public string? ClsToken { get; init; }

    /// <summary>Hides a token that the model is to predict.</summary>
    public string? MaskToken { get; init; }

    /// <summary>Further tokens with a meaning of their own.</summary>
    public IReadOnlyList<string> AdditionalSpecialTokens { get; init; } = [];

    /// <summary>Id of <see cref="BosToken"/>; null where there is none.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Id of <see cref="EosToken"/>; null where there is none.</summary>
    public int? EosTokenId { get; init; }

    /// <summary>Id of <see cref="UnkToken"/>; null where there is none.</summary>
    public int? UnkTokenId { get; init; }

    /// <summary>Id of <see cref="SepToken"/>; null where there is none.</summary>
    public int? SepTokenId { get; init; }

    /// <summary>Id of <see cref="PadToken"/>; null where there is none.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Id of <see cref="ClsToken"/>; null where there is none.</summary>
    public int? ClsTokenId { get; init; }

    /// <summary>Id of <see cref="MaskToken"/>; null where there is none.</summary>
    public int? MaskTokenId { get; init; }

    /// <summary>Those that there are, for debugger views: <c>bos &lt;s> 0, eos &lt;/s> 2</c>.</summary>
    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    internal string Summary
    {
        get
        {
            (string Role, string? Token, int? Id)[] all =
            [
                ("bos", BosToken, BosTokenId), ("eos", EosToken, EosTokenId), ("unk", UnkToken, UnkTokenId), ("sep", SepToken, SepTokenId),
                ("pad", PadToken, PadTokenId), ("cls", ClsToken, ClsTokenId), ("mask", MaskToken, MaskTokenId),
            ];
            string[] named = [.. all.Where(one => one.Token is not null).Select(one => $"{one.Role} {one.Token} {one.Id}".TrimEnd())];
            return named.Length == 0 ? "none" : string.Join(", ", named);
        }
    }
}
