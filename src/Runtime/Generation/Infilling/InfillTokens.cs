namespace ManagedTransformers;

/// <summary>The tokens with which a kind of model was trained to infill, and how they stand around the texts.</summary>
/// <param name="Model">Who was trained so, for messages.</param>
/// <param name="Before">Stands before the first text; null: nothing does.</param>
/// <param name="Gap">Stands for the gap, between two texts. With <c>{0}</c>: each gap has its own, by number.</param>
/// <param name="After">Stand after the last text; what follows is the text of the gap.</param>
/// <param name="Ends">End the text of a gap; those that the tokenizer has.</param>
/// <remarks>Order: Bavarian et al. 2022, arXiv:2207.14255 ("PSM": prefix, suffix, middle).</remarks>
internal sealed record InfillTokens(string Model, string? Before, string Gap, string[] After, string[] Ends)
{
    /// <summary>Before the repository's name; null: there is no such token.</summary>
    public string? Repository { get; init; }

    /// <summary>Before the path of a file; null: there is no such token, and files are text.</summary>
    public string? File { get; init; }

    /// <summary>Stands after the repository's name and after each file.</summary>
    public string Separator { get; init; } = "";

    /// <summary>Does <see cref="File"/> of the file with the gap stand after <see cref="Before"/>?</summary>
    public bool FileIsInside { get; init; }

    /// <summary>Does the path of the file with the gap stand after <see cref="Before"/>?</summary>
    public bool PathIsInside { get; init; }

    /// <summary>Is the text after the gap read as it is, where a tokenizer puts a space before texts?</summary>
    public bool SuffixGoesOn { get; init; }

    /// <summary>Tokens without which it is another kind of model.</summary>
    public string[] AlsoNeeded { get; init; } = [];

    /// <summary>All kinds. A tokenizer with the tokens of several counts as the first of them.</summary>
    public static InfillTokens[] All { get; } =
    [
        // Nijkamp et al. 2023, arXiv:2305.02309, 3.3, and the README of salesforce/CodeGen2.
        new("CodeGen2", null, "<mask_{0}>", ["<|endoftext|>", "<sep>", "<mask_1>"], ["<eom>"]) { AlsoNeeded = ["<eom>"] },

        // Hui et al. 2024, arXiv:2409.12186, 3.2, and examples/Qwen2.5-Coder-repolevel-fim.py of QwenLM/Qwen2.5-Coder.
        // CodeGemma's tokens are the same, but for those of files.
        new("Qwen2.5-Coder", "<|fim_prefix|>", "<|fim_suffix|>", ["<|fim_middle|>"],
            ["<|endoftext|>", "<|fim_pad|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>",
            "<|file_separator|>"])
        {
            Repository = "<|repo_name|>", File = "<|file_sep|>", Separator = "\n",
        },

        // Lozhkov et al. 2024, arXiv:2402.19173, 5.1.
        new("StarCoder2", "<fim_prefix>", "<fim_suffix>", ["<fim_middle>"],
            ["<|endoftext|>", "<fim_pad>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<repo_name>", "<file_sep>"])
        {
            Repository = "<repo_name>", File = "<file_sep>", PathIsInside = true, AlsoNeeded = ["<file_sep>"],
        },

        // Li et al. 2023, arXiv:2305.06161, 3.1 and 5.1: a document with its names was cut as a whole, so they stand within.
        new("StarCoder", "<fim_prefix>", "<fim_suffix>", ["<fim_middle>"],
            ["<|endoftext|>", "<fim_pad>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<reponame>", "<filename>"])
        {
            Repository = "<reponame>", File = "<filename>", FileIsInside = true, PathIsInside = true,
        },

        // Ben Allal et al. 2023, arXiv:2301.03988.
        new("SantaCoder", "<fim-prefix>", "<fim-suffix>", ["<fim-middle>"], ["<|endoftext|>", "<fim-pad>", "<fim-prefix>", "<fim-suffix>", "<fim-middle>"]),

        // Guo et al. 2024, arXiv:2401.14196, 3.1. The bars are U+FF5C, the low lines U+2581.
        new("DeepSeek-Coder", "<｜fim▁begin｜>", "<｜fim▁hole｜>", ["<｜fim▁end｜>"],
            ["<｜end▁of▁sentence｜>", "<|EOT|>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"]),

        // Rozière et al. 2023, arXiv:2308.12950, 2.3; infilling_prompt_tokens of meta-llama/codellama, CodeLlamaTokenizer of transformers.
        new("CodeLlama", "▁<PRE>", "▁<SUF>", ["▁<MID>"], ["▁<EOT>", "▁<PRE>", "▁<SUF>", "▁<MID>"]) { SuffixGoesOn = true },
    ];

    /// <summary>Has each gap a token of its own?</summary>
    public bool CountsGaps => GapToken(1) != GapToken(2);

    /// <summary>The tokens that mark one gap, without which there is no infilling.</summary>
    public string[] Needed => [.. Before is null ? [] : new[] { Before }, GapToken(1), .. After.Except([GapToken(1)]), .. AlsoNeeded.Except(After)];

    /// <summary>The token of a gap, from 1.</summary>
    public string GapToken(int gap) => string.Format(CultureInfo.InvariantCulture, Gap, gap);

    /// <summary>Is it one of these tokens, which no text of a user may become?</summary>
    public bool Has(string token) => Needed.Contains(token) || Ends.Contains(token) || token == Repository || token == File
        || (CountsGaps && token.StartsWith(Gap[..Gap.IndexOf('{', StringComparison.Ordinal)], StringComparison.Ordinal));
}
