namespace ManagedTransformers.Tokenizers;

/// <summary>What transformers' CodeGenTokenizer and CodeGenTokenizerFast offer, around a <see cref="Tokenizers.Tokenizer"/>.</summary>
public sealed class CodeGenTokenizer
{
    private CodeGenTokenizer(Tokenizer tokenizer)
    {
        Tokenizer = tokenizer;
    }

    /// <summary>The tokenizer inside.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Loads the tokenizer of a CodeGen directory.</summary>
    public static CodeGenTokenizer Load(string directory) => new(Tokenizer.Load(directory));

    /// <summary>Ids as text, cut as <paramref name="truncateBeforePattern"/> asks.</summary>
    public string Decode(
        ReadOnlySpan<int> ids,
        bool skipSpecialTokens = false,
        bool? cleanUpTokenizationSpaces = null,
        IReadOnlyList<string>? truncateBeforePattern = null) => throw new NotSupportedException();

    /// <summary>Cuts a completion before the second top-level print, the second def, and the earliest match of the patterns.</summary>
    public static string Truncate(string completion, IReadOnlyList<string> truncateBeforePattern) => throw new NotSupportedException();
}
