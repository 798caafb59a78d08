namespace ManagedTransformers.Tokenizers;

/// <summary>Which token has which role, and how it is found in a text.</summary>
/// <remarks>PreTrainedTokenizerFast.__init__ of transformers and what comes before it. A role's token is, in this order, what the files name, what the class
/// brings, a special token with a usual name. Its properties are those of the added tokens that the files list; else what the file that names it says; else the
/// class's.</remarks>
internal sealed class SpecialTokenRoles
{
    // What the tokens are called where no file says it: RoBERTa, BERT, StarEncoder, GPT-2. Only special added tokens count.
    private static readonly Dictionary<string, string[]> UsualNames = new()
    {
        ["bos_token"] = ["<s>", "<|endoftext|>"],
        ["eos_token"] = ["</s>", "<|endoftext|>"],
        ["unk_token"] = ["<unk>", "[UNK]"],
        ["sep_token"] = ["</s>", "[SEP]", "<sep>"],
        ["pad_token"] = ["<pad>", "[PAD]"],
        ["cls_token"] = ["<s>", "[CLS]", "<cls>"],
        ["mask_token"] = ["<mask>", "[MASK]"],
    };

    private readonly TokenizerConfig _config;
    private readonly Dictionary<string, string> _tokens = [];

    private SpecialTokenRoles(TokenizerConfig config) => _config = config;

    /// <summary>Gives every role its token, and adds to <paramref name="tokens"/> those that are not among them. A named token that is in no
    /// vocabulary gets the next id, as in transformers.</summary>
    public static SpecialTokenRoles Assign(TokenizerConfig config, List<AddedToken> tokens, Vocabulary vocabulary)
    {
        var roles = new SpecialTokenRoles(config);
        foreach (string role in TokenizerConfig.Roles)
        {
            bool said = config.Special.TryGetValue(role, out NamedToken? named);
            AddedToken? usual = config.Class?.Defaults.GetValueOrDefault(role);
            if ((said ? named?.Token : usual) is not AddedToken token) continue;
            int listed = tokens.FindIndex(one => one.Content == token.Content);
            // Nobody misses a token that only the class brings, but where the vocabulary never has it.
            if (!said && listed < 0 && !config.AddsClassTokens && !vocabulary.TryGetId(token.Content, out _)) continue;
            roles._tokens.Add(role, token.Content);
            if (listed < 0) tokens.Add(said ? Properties(role, named!.Value, config) : token);
            else if (!said && token.LStrip) tokens[listed] = tokens[listed] with { LStrip = true };
        }
        var known = tokens.Select(token => token.Content).ToHashSet();
        tokens.AddRange(config.AdditionalSpecial.Where(token => known.Add(token.Content)));
        return roles;
    }

    /// <summary>A token that is named as special, with its properties; null where it is not.</summary>
    /// <param name="content">Its text.</param>
    /// <param name="config">What the files say.</param>
    /// <param name="additional">The additional special tokens of <paramref name="config"/> by their texts.</param>
    public static AddedToken? PropertiesOf(string content, TokenizerConfig config, ILookup<string, AddedToken> additional)
    {
        foreach (string role in TokenizerConfig.Roles)
            if (config.Special.GetValueOrDefault(role) is NamedToken named && named.Token.Content == content) return Properties(role, named, config);
        return additional[content].FirstOrDefault()
            ?? config.Class?.Defaults.FirstOrDefault(usual => usual.Value.Content == content && !config.Special.ContainsKey(usual.Key)).Value;
    }

    /// <summary>The roles with the ids of their tokens.</summary>
    public SpecialTokens Resolve(AddedVocabulary added)
    {
        (string? Token, int? Id) Role(string role)
        {
            string? token = _tokens.GetValueOrDefault(role);
            if (token is null && !_config.Special.ContainsKey(role)) token = UsualNames[role].FirstOrDefault(added.IsSpecial);
            return token is not null && added.TryGetId(token, out int id) ? (token, id) : (null, null);
        }
        var (bos, eos, unk, sep) = (Role("bos_token"), Role("eos_token"), Role("unk_token"), Role("sep_token"));
        var (pad, cls, mask) = (Role("pad_token"), Role("cls_token"), Role("mask_token"));
        return new SpecialTokens
        {
            BosToken = bos.Token, BosTokenId = bos.Id, EosToken = eos.Token, EosTokenId = eos.Id, UnkToken = unk.Token, UnkTokenId = unk.Id,
            SepToken = sep.Token, SepTokenId = sep.Id, PadToken = pad.Token, PadTokenId = pad.Id, ClsToken = cls.Token, ClsTokenId = cls.Id,
            MaskToken = mask.Token, MaskTokenId = mask.Id,
            AdditionalSpecialTokens = [.. _config.AdditionalSpecial.Select(t => t.Content)],
        };
    }

    // RobertaTokenizerFast makes of a mask_token that is a string one that takes the white space on its left with it.
    private static AddedToken Properties(string role, NamedToken named, TokenizerConfig config) =>
        !named.PropertiesSaid && config.Class?.Defaults.GetValueOrDefault(role) is { LStrip: true } ? named.Token with { LStrip = true } : named.Token;
}
