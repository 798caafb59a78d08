using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.AI;

namespace ManagedTransformers.Extensions.AI;

/// <summary>Everything that changes a vector, as a few digits in a call's options, where caches look.</summary>
/// <remarks>Caches of Microsoft.Extensions.AI key by the options' JSON, which has neither what RawRepresentationFactory makes nor what the model was given when
/// it was added; and two directories may have one name.</remarks>
internal static class EmbeddingFingerprint
{
    /// <summary>Its name among <see cref="EmbeddingGenerationOptions.AdditionalProperties"/>.</summary>
    public const string Key = "managed_transformers.fingerprint";

    /// <summary>Puts the model's name and the fingerprint into a call's options. RawRepresentationFactory is asked once.</summary>
    public static void Complete(
        EmbeddingGenerationOptions options, HostedPipeline<SentenceEmbeddingPipeline> model, IEmbeddingGenerator<string, Embedding<float>> generator)
    {
        options.ModelId ??= model.ModelId;
        EmbeddingOptions? own = model.Options.Embedding;
        if (options.RawRepresentationFactory is { } factory)
        {
            object? made = factory(generator);
            options.RawRepresentationFactory = _ => made;
            own = made as EmbeddingOptions ?? own;
        }
        options.AdditionalProperties ??= [];
        options.AdditionalProperties[Key] = Of(model.FilesFingerprint, model.Options.Pipeline ?? PipelineOptions.Default, own ?? EmbeddingOptions.Default);
    }

    /// <summary>Hexadecimal digits of the model's files and the options. Threads and kernel level are not in it: they change last bits.</summary>
    internal static string Of(string files, PipelineOptions pipeline, EmbeddingOptions embedding)
    {
        TokenizerLoadOptions tokenizer = pipeline.Tokenizer ?? new TokenizerLoadOptions();
        LoadOptions load = pipeline.Load;
        string?[] parts =
        [
            files, load.WeightFormat.ToString(), load.QuantizeHead.ToString(), load.WidenWeights.ToString(),
            tokenizer.ModelType, tokenizer.IgnoreTokenizerJson.ToString(),
            .. tokenizer.ClassAliases.OrderBy(one => one.Key, StringComparer.Ordinal).SelectMany(one => new[] { one.Key, one.Value }), "options",
            embedding.Pooling is null ? null : string.Join(',', embedding.Pooling), embedding.Normalize?.ToString(), embedding.PromptName, embedding.Prompt,
            embedding.Truncation.ToString(), embedding.TruncateDim?.ToString(CultureInfo.InvariantCulture),
        ];
        // With the length before each, two lists of parts are never one text.
        string text = string.Concat(parts.Select(part => part is null ? "-;" : string.Create(CultureInfo.InvariantCulture, $"{part.Length}:{part};")));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));
    }
}
