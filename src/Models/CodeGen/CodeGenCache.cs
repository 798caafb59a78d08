namespace ManagedTransformers.Models;

/// <summary>The KV cache that a CodeGen configuration and a session's options ask for.</summary>
internal static class CodeGenCache
{
    /// <exception cref="ModelInputException">More tokens than n_positions, or no sequence.</exception>
    public static KeyValueCache Create(CodeGenConfig config, SessionOptions options)
    {
        int maxLength = options.MaxLength ?? config.NPositions;
        if (maxLength < 1 || maxLength > config.NPositions)
            throw new ModelInputException($"SessionOptions.MaxLength is {maxLength}; the model reads 1 … {config.NPositions} tokens (n_positions).");
        if (options.BatchSize < 1)
            throw new ModelInputException($"SessionOptions.BatchSize is {options.BatchSize}; at least 1 is needed.");
        return new KeyValueCache(config.NLayer, options.BatchSize, config.NHead, maxLength, config.HeadWidth, options.KeyValueType);
    }
}
