namespace ManagedTransformers.Diagnostics;

/// <summary>The tokenizer beside a checkpoint's weights, and whether its ids are rows of the model's embedding.</summary>
/// <param name="Present">Whether there is one.</param>
/// <param name="VocabularySize">Its tokens; null where it cannot be read.</param>
/// <param name="AddedTokens">How many of them stand beside the vocabulary proper.</param>
/// <param name="ModelMaxLength">The most tokens of a text by tokenizer_config.json.</param>
/// <param name="HighestId">The highest id it gives.</param>
/// <param name="ModelVocabSize">config.json's vocab_size; null where there is no model.</param>
/// <param name="Fits">Whether both belong together; null where one of them is missing.</param>
public sealed record TokenizerInspection(
    bool Present, int? VocabularySize, int? AddedTokens, int? ModelMaxLength, int? HighestId, int? ModelVocabSize, bool? Fits)
{
    private static readonly string[] Files = ["tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "sentencepiece.bpe.model"];

    internal static TokenizerInspection None(PretrainedConfig? config) => new(Present: false, null, null, null, null, config?.VocabSize, Fits: null);

    /// <summary>Reads and compares; what is wrong becomes a problem.</summary>
    internal static TokenizerInspection Of(string directory, PretrainedConfig? config, List<string> problems)
    {
        if (!Files.Any(file => File.Exists(Path.Combine(directory, file))))
            return None(config);
        try
        {
            return Of(Tokenizer.Load(directory), config, problems);
        }
        catch (Exception e) when (e is TokenizerException or ConfigException)
        {
            problems.Add(e.Message);
            return new TokenizerInspection(Present: true, null, null, null, null, config?.VocabSize, Fits: false);
        }
    }

    private static TokenizerInspection Of(Tokenizer tokenizer, PretrainedConfig? config, List<string> problems)
    {
        int highest = tokenizer.AddedTokens.Select(token => token.Id).Append(tokenizer.VocabularySize - 1).Max();
        string? misfit = config is null ? null : Misfit(tokenizer, highest, config);
        if (misfit is not null)
            problems.Add(misfit);
        return new TokenizerInspection(
            Present: true, tokenizer.VocabularySize, tokenizer.AddedTokens.Count, tokenizer.ModelMaxLength, highest, config?.VocabSize,
            config is null ? null : misfit is null);
    }

    private static string? Misfit(Tokenizer tokenizer, int highest, PretrainedConfig config)
    {
        try
        {
            TokenizerFit.Check(tokenizer, config);
        }
        catch (ConfigException e)
        {
            return e.Message;
        }
        return highest < config.VocabSize
            ? null
            : $"The tokenizer gives ids up to {highest}; config.json has vocab_size {config.VocabSize}, so a text with a token above " +
                $"{config.VocabSize - 1} is refused. Use the tokenizer that the checkpoint was trained with.";
    }
}
