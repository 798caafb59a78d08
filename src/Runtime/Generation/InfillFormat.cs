namespace ManagedTransformers;

/// <summary>How a model that was trained to infill is asked for what stands between texts.</summary>
/// <remarks>Nijkamp et al. 2023, arXiv:2305.02309, 3.3 (CodeGen2), and its README: the texts with masks between them, end of text, separator, and the first
/// mask; the answer ends with &lt;eom>, and the next mask asks for the next one.</remarks>
internal sealed class InfillFormat
{
    private readonly Tokenizer _tokenizer;
    private readonly int[] _masks;
    private readonly int _endOfText;
    private readonly int _separator;

    /// <exception cref="ConfigException">The tokenizer has not all the tokens.</exception>
    public InfillFormat(Tokenizer tokenizer, int gaps = 1)
    {
        _tokenizer = tokenizer;
        (_endOfText, _separator, EndOfMask) = (Find("<|endoftext|>"), Find("<sep>"), Find("<eom>"));
        _masks = [Find("<mask_1>"), .. Enumerable.Range(2, gaps - 1).Select(mask => FindFurther(mask, gaps))];
    }

    public int EndOfMask { get; }

    /// <summary>Ids of the prompt that asks for the first gap.</summary>
    /// <param name="parts">The texts around the gaps, one more than there are gaps.</param>
    public int[] Prompt(params ReadOnlySpan<string> parts)
    {
        var ids = new List<int>(Encode(parts[0]));
        for (int gap = 0; gap < _masks.Length; gap++)
            ids.AddRange([_masks[gap], .. Encode(parts[gap + 1])]);
        return [.. ids, _endOfText, _separator, _masks[0]];
    }

    /// <summary>Ids of the prompt that asks for the next gap.</summary>
    /// <param name="prompt">The prompt of the gap before it.</param>
    /// <param name="answer">What was written there.</param>
    /// <param name="gap">The next gap, from 0.</param>
    public int[] Next(int[] prompt, string answer, int gap) => [.. prompt, .. Encode(answer), EndOfMask, _masks[gap]];

    private int[] Encode(string text) => _tokenizer.EncodeToIds(text, pair: null, EncodeOptions.Plain);

    private int Find(string token) => _tokenizer.TokenToId(token)
        ?? throw new ConfigException($"The tokenizer has no {token}; infilling needs the tokens <mask_1>, <sep>, <eom> and <|endoftext|>. " +
            "Load a model that was trained to infill, such as CodeGen2 or the demo model.");

    private int FindFurther(int mask, int gaps) => _tokenizer.TokenToId($"<mask_{mask}>")
        ?? throw new ConfigException($"The tokenizer has no <mask_{mask}>; {gaps} gaps need <mask_1> to <mask_{gaps}>. " +
            $"Fill {(mask == 2 ? "one gap" : $"at most {mask - 1} gaps")} at a time, or load a model with more masks (CodeGen2 has 899).");
}
