namespace ManagedTransformers.Tokenizers;

/// <summary>Which token has which role.</summary>
internal static class SpecialTokenRoles
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

    /// <summary>Roles as the configuration gives them; those that it leaves open go to special tokens with the usual names.</summary>
    public static SpecialTokens Resolve(TokenizerConfig config, AddedVocabulary added)
    {
        (string? Token, int? Id) Role(string role)
        {
            string? token = config.Special.GetValueOrDefault(role)?.Content
                ?? UsualNames[role].FirstOrDefault(name => added.IsSpecial(name) && added.TryGetId(name, out _));
            return token is not null && added.TryGetId(token, out int id) ? (token, id) : (null, null);
        }

        var (bos, eos, unk, sep) = (Role("bos_token"), Role("eos_token"), Role("unk_token"), Role("sep_token"));
        var (pad, cls, mask) = (Role("pad_token"), Role("cls_token"), Role("mask_token"));
        return new SpecialTokens
        {
            BosToken = bos.Token,
            BosTokenId = bos.Id,
            EosToken = eos.Token,
            EosTokenId = eos.Id,
            UnkToken = unk.Token,
            UnkTokenId = unk.Id,
            SepToken = sep.Token,
            SepTokenId = sep.Id,
            PadToken = pad.Token,
            PadTokenId = pad.Id,
            ClsToken = cls.Token,
            ClsTokenId = cls.Id,
            MaskToken = mask.Token,
            MaskTokenId = mask.Id,
            AdditionalSpecialTokens = [.. config.AdditionalSpecial.Select(t => t.Content)],
        };
    }
}
