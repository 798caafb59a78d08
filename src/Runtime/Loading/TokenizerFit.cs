namespace ManagedTransformers;

/// <summary>Tells a tokenizer that belongs to another model before it yields wrong numbers.</summary>
internal static class TokenizerFit
{
    /// <summary>The tokenizer may have more tokens than the model has embeddings: a text that has one of them is refused then. The tokens that a pipeline puts
    /// into a text by itself must be among them.</summary>
    /// <exception cref="ConfigException">A special token has no embedding, or tokenizer and model disagree on the padding token.</exception>
    public static void Check(Tokenizer tokenizer, PretrainedConfig config)
    {
        SpecialTokens special = tokenizer.SpecialTokens;
        CheckId("bos_token", special.BosToken, special.BosTokenId, config);
        CheckId("eos_token", special.EosToken, special.EosTokenId, config);
        CheckId("sep_token", special.SepToken, special.SepTokenId, config);
        CheckId("cls_token", special.ClsToken, special.ClsTokenId, config);
        CheckId("mask_token", special.MaskToken, special.MaskTokenId, config);
        // RoBERTa's positions start after the padding token's number, so a different one shifts every position.
        if (config.Positions.PaddingIdx is int padding && special.PadTokenId is int pad && pad != padding)
            throw new ConfigException($"The tokenizer's pad_token {special.PadToken} is {pad}, but config.json's pad_token_id is {padding}. " +
                "Use the tokenizer files that were saved with this checkpoint.");
    }

    /// <summary>The tokenizer as the model reads texts: an encoder wants cls and sep around them. StarEncoder's tokenizer puts nothing there, though the model
    /// was trained on <c>&lt;cls> … &lt;sep></c>; they then come from tokenizer_config.json.</summary>
    public static Tokenizer WithSpecialTokens(Tokenizer tokenizer, PretrainedConfig config)
    {
        return !config.IsCausal && tokenizer.CountSpecialTokens(pair: false) == 0 && tokenizer.SpecialTokens is { ClsToken: string cls, SepToken: string sep }
            ? tokenizer.WithTemplate($"{cls} $A {sep}", $"{cls} $A {sep} $B:1 {sep}:1")
            : tokenizer;
    }

    /// <summary>A model that drafts must mean the same tokens by the same ids.</summary>
    /// <exception cref="ModelInputException">Tokenizers or vocabularies differ.</exception>
    public static void CheckAssistant(TextGenerator assistant, TextGenerator generator)
    {
        const string Advice = "Use an assistant model that was trained with the same tokenizer.";
        CheckSame("AssistantModel", (assistant.CausalLM.Config, assistant.Tokenizer), (generator.CausalLM.Config, generator.Tokenizer), Advice);
    }

    /// <summary>Probabilities over different vocabularies cannot be compared.</summary>
    /// <exception cref="ModelInputException">Tokenizers or vocabularies differ.</exception>
    public static void CheckCompared(TextScorer against, TextScorer scorer)
    {
        const string Advice = "Probabilities compare over the same vocabulary only: compare two forms of one model.";
        CheckSame("The model to compare with", (against.CausalLM.Config, against.Tokenizer), (scorer.CausalLM.Config, scorer.Tokenizer), Advice);
    }

    private static void CheckSame(
        string name, (PretrainedConfig Config, Tokenizer Tokenizer) other, (PretrainedConfig Config, Tokenizer Tokenizer) model, string advice)
    {
        if (other.Config.VocabSize != model.Config.VocabSize)
            throw new ModelInputException($"{name} has a vocabulary of {other.Config.VocabSize} tokens, the model one of {model.Config.VocabSize}. {advice}");
        for (int id = 0; id < model.Config.VocabSize; id++)
        {
            (string? found, string? meant) = (other.Tokenizer.IdToToken(id), model.Tokenizer.IdToToken(id));
            if (found != meant)
                throw new ModelInputException($"{name} has another tokenizer: token {id} is {found ?? "none"} there and {meant ?? "none"} here. {advice}");
        }
    }

    private static void CheckId(string role, string? token, int? id, PretrainedConfig config)
    {
        if (id >= config.VocabSize)
            throw new ConfigException($"The tokenizer's {role} {token} is {id}; the model's vocab_size is {config.VocabSize}, " +
                $"so 0 … {config.VocabSize - 1} is needed. Use the tokenizer files that were saved with this checkpoint.");
    }
}
