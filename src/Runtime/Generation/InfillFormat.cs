using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>How CodeGen2 is asked for what stands between two texts.</summary>
/// <remarks>Nijkamp et al. 2023, arXiv:2305.02309, 3.3, and the model's README: prefix, mask, suffix, end of text, separator, mask; the answer ends with
/// &lt;eom>.</remarks>
internal sealed class InfillFormat
{
    private readonly Tokenizer _tokenizer;
    private readonly int _mask;
    private readonly int _endOfText;
    private readonly int _separator;

    /// <exception cref="ConfigException">The tokenizer has not all the tokens.</exception>
    public InfillFormat(Tokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        (_mask, _endOfText, _separator, EndOfMask) = (Find("<mask_1>"), Find("<|endoftext|>"), Find("<sep>"), Find("<eom>"));
    }

    /// <summary>The token that ends an answer.</summary>
    public int EndOfMask { get; }

    /// <summary>Ids of the prompt.</summary>
    public int[] Prompt(string prefix, string suffix) => [.. Encode(prefix), _mask, .. Encode(suffix), _endOfText, _separator, _mask];

    private int[] Encode(string text) => _tokenizer.Encode(text, pair: null, EncoderTexts.Plain).Ids;

    private int Find(string token) => _tokenizer.TokenToId(token)
        ?? throw new ConfigException($"The tokenizer has no {token}; infilling needs CodeGen2's <mask_1>, <sep>, <eom> and <|endoftext|>. " +
            "Load a CodeGen2 checkpoint, or the demo model.");
}
