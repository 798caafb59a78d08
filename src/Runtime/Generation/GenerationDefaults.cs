using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>What a checkpoint says about generation, and what was found wrong with it.</summary>
/// <param name="Options">generation_config.json's values, and end tokens in any case.</param>
/// <param name="Warnings">Sentences for people.</param>
internal sealed record GenerationDefaults(GenerationOptions Options, IReadOnlyList<string> Warnings)
{
    public const string File = "generation_config.json";

    /// <summary>Reads generation_config.json where there is one, and settles which tokens end a text.</summary>
    /// <remarks>
    /// CodeGen2's config.json says eos_token_id 2, which is a letter there; its tokenizer's end token is 50256
    /// (github.com/salesforce/CodeGen2/issues/10). Where both disagree the tokenizer is right.
    /// </remarks>
    /// <exception cref="ConfigException">generation_config.json is broken.</exception>
    public static GenerationDefaults Of(ReadOnlyMemory<byte>? generationConfig, PretrainedConfig config, Tokenizer tokenizer)
    {
        GenerationOptions options = generationConfig is ReadOnlyMemory<byte> json ? GenerationOptions.FromJson(json) : GenerationOptions.Default;
        var warnings = new List<string>();
        (string file, IReadOnlyList<int> ends) = options.EosTokenId is { } own ? (File, own) : ("config.json", config.EosTokenId);
        if (tokenizer.SpecialTokens.EosTokenId is int end && !ends.Contains(end))
        {
            if (ends.Count > 0)
                warnings.Add($"{file} says eos_token_id {string.Join(", ", ends)}, but the tokenizer's end token {tokenizer.SpecialTokens.EosToken} is " +
                    $"{end}: {end} ends a text here.");
            ends = [end];
        }
        return new GenerationDefaults(options with { EosTokenId = ends }, warnings);
    }
}
