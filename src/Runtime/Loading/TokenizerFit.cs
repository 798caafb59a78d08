using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>Tells a tokenizer that belongs to another model before it yields wrong numbers.</summary>
internal static class TokenizerFit
{
    /// <exception cref="ConfigException">The tokenizer has ids that the model has not, or the two disagree on the padding token.</exception>
    public static void Check(Tokenizer tokenizer, PretrainedConfig config)
    {
        if (tokenizer.VocabularySize > config.VocabSize)
        {
            throw new ConfigException(
                $"The tokenizer has {tokenizer.VocabularySize} tokens, but the model's vocab_size is {config.VocabSize}: " +
                $"the ids from {config.VocabSize} on have no embedding. Use the tokenizer files that were saved with this checkpoint.");
        }
        SpecialTokens special = tokenizer.SpecialTokens;
        CheckId("bos_token", special.BosToken, special.BosTokenId, config);
        CheckId("eos_token", special.EosToken, special.EosTokenId, config);
        CheckId("sep_token", special.SepToken, special.SepTokenId, config);
        CheckId("cls_token", special.ClsToken, special.ClsTokenId, config);
        CheckId("mask_token", special.MaskToken, special.MaskTokenId, config);
        // RoBERTa's positions start after the padding token's number, so a different one shifts every position.
        if (config is RobertaConfig roberta && special.PadTokenId is int pad && pad != roberta.PaddingIdx)
            throw new ConfigException($"The tokenizer's pad_token {special.PadToken} is {pad}, but config.json's pad_token_id is {roberta.PaddingIdx}. " +
                "Use the tokenizer files that were saved with this checkpoint.");
    }

    /// <summary>A model that drafts must mean the same tokens by the same ids.</summary>
    /// <exception cref="ModelInputException">Tokenizers or vocabularies differ.</exception>
    public static void CheckAssistant(TextGenerator assistant, TextGenerator generator)
    {
        const string Advice = "Use an assistant model that was trained with the same tokenizer.";
        if (assistant.CausalLM.Config.VocabSize != generator.CausalLM.Config.VocabSize)
        {
            throw new ModelInputException($"AssistantModel has a vocabulary of {assistant.CausalLM.Config.VocabSize} tokens, the model one of " +
                $"{generator.CausalLM.Config.VocabSize}. {Advice}");
        }
        for (int id = 0; id < generator.CausalLM.Config.VocabSize; id++)
        {
            (string? drafted, string? meant) = (assistant.Tokenizer.IdToToken(id), generator.Tokenizer.IdToToken(id));
            if (drafted != meant)
                throw new ModelInputException($"AssistantModel has another tokenizer: token {id} is {drafted ?? "none"} there and {meant ?? "none"} here. {Advice}");
        }
    }

    private static void CheckId(string role, string? token, int? id, PretrainedConfig config)
    {
        if (id >= config.VocabSize)
            throw new ConfigException($"The tokenizer's {role} {token} is {id}; the model's vocab_size is {config.VocabSize}, " +
                $"so 0 … {config.VocabSize - 1} is needed. Use the tokenizer files that were saved with this checkpoint.");
    }
}
